//! What a user's crate does with the layers, on real time and over real sockets, with nothing else of Squall compiled in.
#![cfg(test)]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use squall::resilience::{
    Ambient, BackoffConfig, Breaker, BreakerConfig, Deadline, LayerConfig, Limit, LimitAlgorithm, LimitConfig, Preset,
    Retry, RetryConfig, ServiceConfig, Strategy, Target, Tcp, build,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::{Service, ServiceBuilder, ServiceExt};

/// Fails its first calls with UNAVAILABLE, in Trailers-Only headers.
#[derive(Clone)]
struct Flaky {
    failures: usize,
    served: Arc<AtomicUsize>,
}

impl NamedService for Flaky {
    const NAME: &'static str = "test.Echo";
}

impl Service<Request<Body>> for Flaky {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let code = if self.served.fetch_add(1, Ordering::Relaxed) < self.failures { "14" } else { "0" };
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        response.headers_mut().insert("grpc-status", HeaderValue::from_static(code));
        ready(Ok(response))
    }
}

/// A tonic server on a port of its own: where it is, and how often it was asked.
async fn serve(failures: usize) -> (String, Arc<AtomicUsize>) {
    let served = Arc::<AtomicUsize>::default();
    let service = Flaky { failures, served: served.clone() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let incoming = TcpListenerStream::new(listener);
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    (address, served)
}

/// One call; the code it ends with.
async fn code<S, B>(client: S) -> String
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
{
    let request = Request::post("http://test/test.Echo/Say").body(Body::empty()).unwrap();
    let response = client.oneshot(request).await.unwrap();
    response.headers()["grpc-status"].to_str().unwrap().to_owned()
}

fn retry() -> RetryConfig {
    let backoff = BackoffConfig::FullJitter { base: Duration::from_millis(1), cap: Duration::from_millis(10) };
    RetryConfig { attempts: 3, backoff, ..RetryConfig::default() }
}

#[tokio::test]
async fn layers_stack_over_tonics_channel() {
    let (address, served) = serve(2).await;
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let ambient = Ambient::default();
    let client = ServiceBuilder::new()
        .layer(Deadline::new(Duration::from_secs(5)).unwrap())
        .layer(Retry::new(retry()).unwrap())
        .layer(Breaker::new(BreakerConfig::default()).unwrap().layer(&ambient))
        .layer(Limit::new(LimitConfig::new(LimitAlgorithm::VEGAS)).unwrap().layer(&ambient))
        .service(channel);
    assert_eq!(code(client).await, "0");
    assert_eq!(served.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_strategy_is_a_client() {
    let (address, served) = serve(2).await;
    let layers = vec![LayerConfig::Deadline(Duration::from_secs(5)), LayerConfig::Retry(retry())];
    let strategy = Strategy { name: "alone".to_owned(), layers, ..Strategy::default() };
    let target = Target::fixed("test", [address.as_str()]);
    let client = build(&strategy, target, Tcp, &Ambient::default()).unwrap();
    assert_eq!(code(client).await, "0");
    assert_eq!(served.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_service_config_is_a_client() {
    let (address, served) = serve(1).await;
    let json = r#"{"loadBalancingConfig": [{"round_robin": {}}], "methodConfig": [{"name": [{"service": "test.Echo"}],
        "timeout": "5s", "retryPolicy": {"maxAttempts": 2, "initialBackoff": "0.001s", "maxBackoff": "0.01s",
        "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}"#;
    let strategy = ServiceConfig::parse(json).unwrap().into_strategy("config");
    let target = Target::fixed("test", [address.as_str()]);
    let client = build(&strategy, target, Tcp, &Ambient::default()).unwrap();
    assert_eq!(code(client).await, "0");
    assert_eq!(served.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn every_preset_is_a_client() {
    for preset in Preset::ALL {
        let (address, _) = serve(0).await;
        let target = Target::fixed("test", [address.as_str()]);
        let client = build(&preset.strategy(), target, Tcp, &Ambient::default()).unwrap();
        assert_eq!(code(client).await, "0", "{}", preset.name);
    }
}

/// Neither the testbed's crates nor virtual time are compiled in.
#[test]
fn nothing_of_the_testbed_is_compiled_in() {
    let tree = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--locked", "--prefix", "none", "--edges", "normal,build", "--manifest-path"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .args(arguments)
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let all = tree(&["--format", "{p}"]);
    let names: Vec<&str> = all.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"squall") && names.contains(&"tonic"), "{all}");
    for stranger in [
        "annotate-snippets",
        "askama",
        "clap",
        "ctrlc",
        "indicatif",
        "jiff",
        "mimalloc",
        "prost",
        "protox",
        "quick-junit",
        "rayon",
        "schemars",
        "serde-saphyr",
        "strsim",
        "tempfile",
        "tonic-prost",
        "tonic-prost-build",
        "tracing-subscriber",
        "zstd",
    ] {
        assert!(!names.contains(&stranger), "{stranger} is compiled in");
    }
    let features = |package: &str| {
        let lines = tree(&["--format", "{p}|{f}"]);
        let line = lines.lines().find(|line| line.starts_with(&format!("{package} "))).expect(package).to_owned();
        line.split('|').nth(1).unwrap_or_default().trim_end_matches(" (*)").to_owned()
    };
    assert_eq!(features("squall"), "resilience");
    assert!(!features("tokio").split(',').any(|feature| feature == "test-util"), "tokio can stop its clock");
}
