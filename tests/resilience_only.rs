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
    Ambient, Breaker, BreakerConfig, Client, Deadline, Limit, LimitAlgorithm, LimitConfig, Preset, Retry, RetryConfig,
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
