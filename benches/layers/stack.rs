//! The full stack, as a user writes it down in a `ServiceBuilder`, and as a strategy that is built at run time.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use squall::resilience::{
    Ambient, AttemptTimeout, BackoffConfig, BoxError, Breaker, BreakerConfig, BudgetConfig, BudgetKind, Client,
    Deadline, LayerConfig, Limit, LimitAlgorithm, LimitConfig, Retry, RetryConfig, Strategy, Throttle, ThrottleConfig,
};
use tonic::body::Body;
use tower::{Service, ServiceBuilder};

const DEADLINE: Duration = Duration::from_secs(60);
const ATTEMPT: Duration = Duration::from_secs(30);

pub(crate) fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::FullJitter { base: Duration::from_millis(100), cap: Duration::from_secs(2) },
        budget: Some(BudgetConfig::per_client(BudgetKind::Grpc { tokens: 10, ratio: 0.1 })),
        ..RetryConfig::default()
    }
}

/// Six layers around `inner`, known to the compiler.
pub(crate) fn typed<S, B>(
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

/// The same six layers as data.
pub(crate) fn built<S, B>(ambient: &Ambient, inner: S) -> Client
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let layers = vec![
        LayerConfig::Deadline(DEADLINE),
        LayerConfig::Throttle(ThrottleConfig::sre()),
        LayerConfig::Retry(retry()),
        LayerConfig::Breaker(BreakerConfig::default()),
        LayerConfig::Limit(LimitConfig::new(LimitAlgorithm::GRADIENT2)),
        LayerConfig::AttemptTimeout(ATTEMPT),
    ];
    let strategy = Strategy { name: "full".to_owned(), layers, ..Strategy::default() };
    Client::around(&strategy, inner, ambient).expect("valid")
}
