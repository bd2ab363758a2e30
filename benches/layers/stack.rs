//! The full stack: six layers in one, six layers in a row, and a strategy built at run time.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use squall::resilience::{
    Ambient, AttemptTimeout, BackoffConfig, BoxError, Breaker, BreakerConfig, BudgetConfig, BudgetKind, Client,
    Deadline, LayerConfig, Layers, Limit, LimitAlgorithm, LimitConfig, Retry, RetryConfig, Strategy, Throttle,
    ThrottleConfig,
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

/// Six layers, outermost first.
fn layers() -> Vec<LayerConfig> {
    vec![
        LayerConfig::Deadline(DEADLINE),
        LayerConfig::Throttle(ThrottleConfig::sre()),
        LayerConfig::Retry(retry()),
        LayerConfig::Breaker(BreakerConfig::default()),
        LayerConfig::Limit(LimitConfig::new(LimitAlgorithm::GRADIENT2)),
        LayerConfig::AttemptTimeout(ATTEMPT),
    ]
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
        .layer(Throttle::new(ThrottleConfig::sre()).expect("valid").layer(&ambient))
        .layer(Retry::new(retry()).expect("valid").within(&ambient).expect("valid"))
        .layer(Breaker::new(BreakerConfig::default()).expect("valid").layer(&ambient))
        .layer(Limit::new(LimitConfig::new(LimitAlgorithm::GRADIENT2)).expect("valid").layer(&ambient))
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
