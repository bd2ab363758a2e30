//! What a user ships, and nothing else: compiles and passes with `--no-default-features --features resilience`.
//!
//! `cargo test --no-default-features --features resilience --test resilience_only`

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use squall::resilience::{
    Ambient, BackoffConfig, Breaker, BreakerConfig, BudgetConfig, BudgetKind, Client, Deadline, LayerConfig, Limit,
    LimitAlgorithm, LimitConfig, Preset, Retry, RetryConfig, Strategy, Trip,
};
use tonic::body::Body;
use tower::{Service, ServiceBuilder, ServiceExt};

/// Answers UNAVAILABLE so many times, then OK, in Trailers-Only headers.
#[derive(Clone)]
struct Backend {
    failures: usize,
    served: Arc<AtomicUsize>,
}

impl Backend {
    fn failing(failures: usize) -> Self {
        Self { failures, served: Arc::default() }
    }
}

impl Service<Request<Body>> for Backend {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let code = if self.served.fetch_add(1, Ordering::Relaxed) < self.failures { "14" } else { "0" };
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert("grpc-status", HeaderValue::from_static(code));
        ready(Ok(response))
    }
}

async fn code<S, B>(service: S) -> String
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
{
    let response = service.oneshot(Request::new(Body::empty())).await.unwrap();
    response.headers()["grpc-status"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_layers_work_without_the_simulator() {
    let backend = Backend::failing(2);
    let ambient = Ambient::default();
    let service = ServiceBuilder::new()
        .layer(Deadline::new(Duration::from_secs(5)).unwrap())
        .layer(Retry::new(RetryConfig { attempts: 3, ..RetryConfig::default() }).unwrap())
        .layer(Breaker::new(BreakerConfig::default()).unwrap().layer(&ambient))
        .layer(Limit::new(LimitConfig::new(LimitAlgorithm::VEGAS)).unwrap().layer(&ambient))
        .service(backend.clone());
    assert_eq!(code(service).await, "0");
    assert_eq!(backend.served.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn every_preset_makes_a_client() {
    for preset in Preset::ALL {
        let client = Client::around(&preset.strategy(), Backend::failing(0), &Ambient::default()).unwrap();
        assert_eq!(code(client).await, "0", "{}", preset.name);
    }
}

/// Bad configuration is an error with a reason, at construction.
#[test]
fn bad_configuration_is_an_error_with_a_reason() {
    let (ms, forever) = (Duration::from_millis(1), Duration::MAX);
    let retry = |retry: RetryConfig| LayerConfig::Retry(retry);
    let breaker = |breaker: BreakerConfig| LayerConfig::Breaker(breaker);
    let budget = |kind| retry(RetryConfig { budget: Some(BudgetConfig::per_client(kind)), ..RetryConfig::default() });
    let backoff = |backoff| retry(RetryConfig { backoff, ..RetryConfig::default() });
    let limit = |algorithm| LayerConfig::Limit(LimitConfig::new(algorithm));
    let cases = [
        (LayerConfig::Deadline(Duration::ZERO), "deadline: must be above zero"),
        (LayerConfig::Deadline(forever), "deadline: must be at most a year"),
        (LayerConfig::AttemptTimeout(Duration::ZERO), "attempt_timeout: must be above zero"),
        (retry(RetryConfig { attempts: 0, ..RetryConfig::default() }), "retry.attempts: must be at least 1"),
        (
            backoff(BackoffConfig::FullJitter { base: 2 * ms, cap: ms }),
            "backoff.base: must be at most the cap of 1ms, not 2ms",
        ),
        (backoff(BackoffConfig::Constant { pause: forever }), "backoff.pause: must be at most a year"),
        (backoff(BackoffConfig::grpc(ms, ms, f64::NAN)), "not NaN"),
        (backoff(BackoffConfig::grpc(ms, forever, 2.0)), "backoff.cap: must be at most a year"),
        (budget(BudgetKind::Grpc { tokens: 0, ratio: 1.0 }), "budget.tokens: must be 1 to 1000, not 0"),
        (budget(BudgetKind::Grpc { tokens: 10, ratio: f64::NAN }), "budget.ratio: must be 0.001 to 1000, not NaN"),
        (budget(BudgetKind::Envoy { percent: 1.5, min: 3 }), "budget.percent: must be between 0 and 1, not 1.5"),
        (breaker(BreakerConfig { probes: 0, ..BreakerConfig::default() }), "breaker.probes: must be at least 1"),
        (
            breaker(BreakerConfig { open: Duration::ZERO, ..BreakerConfig::default() }),
            "breaker.open: must be above zero",
        ),
        (
            breaker(BreakerConfig { trip: Trip::Consecutive { failures: 0 }, ..BreakerConfig::default() }),
            "breaker.failures: must be at least 1",
        ),
        (limit(LimitAlgorithm::Fixed { max: 0 }), "limit.max: must be at least 1"),
        (limit(LimitAlgorithm::Vegas { initial: 9, max: 8 }), "limit.initial: must lie between"),
    ];
    for (layer, reason) in cases {
        let strategy = Strategy { layers: vec![layer.clone()], ..Strategy::default() };
        let error = Client::around(&strategy, Backend::failing(0), &Ambient::default()).unwrap_err().to_string();
        assert!(error.contains(reason), "{layer:?}: {error}");
    }
}
