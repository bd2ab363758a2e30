//! The full stack: the layers of the standard strategies, in one, in a row, and built at run time; and six layers, with everything
//! that adapts.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use squall::resilience::{
    Ambient, AttemptTimeout, BackoffConfig, BoxError, Breaker, BreakerConfig, BudgetConfig, BudgetKind, Client,
    Deadline, LayerConfig, Layers, LimitAlgorithm, LimitConfig, Retry, RetryConfig, Strategy, ThrottleConfig,
};
use tonic::body::Body;
use tower::{Service, ServiceBuilder};

const DEADLINE: Duration = Duration::from_secs(60);
pub(crate) const ATTEMPT: Duration = Duration::from_secs(30);

pub(crate) fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::FullJitter { base: Duration::from_millis(100), cap: Duration::from_secs(2) },
        budget: Some(BudgetConfig::per_client(BudgetKind::Grpc { tokens: 10, ratio: 0.1 })),
        ..RetryConfig::default()
    }
}

/// What the standard strategies are made of (`scenarios/strategies.yaml`, and `full` in the `engine` bench), outermost first.
fn layers() -> Vec<LayerConfig> {
    vec![
        LayerConfig::Deadline(DEADLINE),
        LayerConfig::Retry(retry()),
        LayerConfig::Breaker(BreakerConfig::default()),
        LayerConfig::AttemptTimeout(ATTEMPT),
    ]
}

/// The same with a throttle and a limit that adapt.
pub(crate) fn six(ambient: &Ambient) -> Layers {
    let mut layers = layers();
    layers.insert(1, LayerConfig::Throttle(ThrottleConfig::sre()));
    layers.insert(4, LayerConfig::Limit(LimitConfig::new(LimitAlgorithm::GRADIENT2)));
    Layers::new(&layers, ambient).expect("valid")
}

/// All in one tower layer.
pub(crate) fn fused(ambient: &Ambient) -> Layers {
    Layers::new(&layers(), ambient).expect("valid")
}

/// Each a tower layer of its own, in a `ServiceBuilder`.
pub(crate) fn separate<S, B>(
    ambient: Ambient,
    inner: S,
) -> impl Service<
    Request<Body>,
    Response = Response<impl http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static>,
    Error = BoxError,
    Future: Send,
> + Clone
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    ServiceBuilder::new()
        .layer(Deadline::new(DEADLINE).expect("valid").within(&ambient).unstamped())
        .layer(Retry::new(retry()).expect("valid").within(&ambient).expect("valid"))
        .layer(Breaker::new(BreakerConfig::default()).expect("valid").layer(&ambient))
        .layer(AttemptTimeout::new(ATTEMPT).expect("valid").within(&ambient))
        .service(inner)
}

/// Behind a box, as a strategy that is known only at run time.
pub(crate) fn built<S, B>(ambient: &Ambient, inner: S) -> Client
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let strategy = Strategy { name: "full".to_owned(), layers: layers(), ..Strategy::default() };
    Client::around(&strategy, inner, ambient).expect("valid")
}
