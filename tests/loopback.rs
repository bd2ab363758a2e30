//! The same client code with the same layers, over real loopback TCP against tonic's server.

mod peer;

use std::time::Duration;

use http::{Request, Response};
use peer::{Raw, call};
use squall::resilience::{
    Ambient, AttemptTimeout, BackoffConfig, Breaker, BreakerConfig, CallDeadline, Channel, ChannelConfig, Deadline,
    LayerConfig, Limit, LimitAlgorithm, LimitConfig, Origin, Retry, RetryConfig, Side, Strategy, Target, Tcp,
    Transport, build, origin_of,
};
use tonic::{Code, Status};
use tower::ServiceBuilder;

/// A tonic service without generated code: fails the first calls, then says how much time the caller has left.
#[derive(Clone)]
struct Flaky {
    failures: std::sync::Arc<std::sync::atomic::AtomicUsize>,
    pause: Duration,
}

impl tonic::server::NamedService for Flaky {
    const NAME: &'static str = "test.Echo";
}

impl tonic::server::UnaryService<Vec<u8>> for Flaky {
    type Response = Vec<u8>;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<tonic::Response<Vec<u8>>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Vec<u8>>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let left = CallDeadline::of_metadata(request.metadata());
            squall::clock::sleep(this.pause).await;
            use std::sync::atomic::Ordering::Relaxed;
            if this.failures.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                return Err(Status::unavailable("not yet"));
            }
            Ok(tonic::Response::new(if left.is_some() { b"bounded".to_vec() } else { b"unbounded".to_vec() }))
        })
    }
}

impl tower::Service<Request<tonic::body::Body>> for Flaky {
    type Response = Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).unary(this, request).await) })
    }
}

/// A server on a port of its own; how many calls fail first, and how long each takes.
async fn serve(failures: usize, pause: Duration) -> Target {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let service = Flaky { failures: std::sync::Arc::new(failures.into()), pause };
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    Target::fixed(&address, [address.as_str()])
}

fn layers() -> Vec<LayerConfig> {
    let backoff = BackoffConfig::FullJitter { base: Duration::from_millis(1), cap: Duration::from_millis(10) };
    vec![
        LayerConfig::Deadline(Duration::from_secs(2)),
        LayerConfig::Retry(RetryConfig { attempts: 4, backoff, ..RetryConfig::default() }),
        LayerConfig::Breaker(BreakerConfig::default()),
        LayerConfig::AttemptTimeout(Duration::from_millis(200)),
    ]
}

#[tokio::test]
async fn a_strategy_recovers_from_failures_over_tcp() {
    for transport in [Transport::Own, Transport::Tonic] {
        let channel = ChannelConfig { transport, ..ChannelConfig::default() };
        let strategy = Strategy { name: "full".to_owned(), layers: layers(), channel };
        let client = build(&strategy, serve(3, Duration::ZERO).await, Tcp, &Ambient::default()).unwrap();
        assert_eq!(call(client).await.unwrap(), b"bounded", "{transport:?}");
    }
}

#[tokio::test]
async fn deadlines_hold_in_real_time() {
    let strategy = Strategy { layers: vec![LayerConfig::Deadline(Duration::from_millis(50))], ..Strategy::default() };
    let client = build(&strategy, serve(0, Duration::from_secs(5)).await, Tcp, &Ambient::default()).unwrap();
    let start = squall::clock::now();
    let status = call(client).await.unwrap_err();
    assert_eq!((status.code(), origin_of(&status)), (Code::DeadlineExceeded, Origin::ClientDeadline));
    let took = squall::clock::now() - start;
    assert!(took >= Duration::from_millis(50) && took < Duration::from_secs(2), "{took:?}");
}

/// What users write: a `ServiceBuilder`, no boxes, over our channel and over tonic's.
#[tokio::test]
async fn layers_stack_in_a_service_builder() {
    let ambient = Ambient::default();
    let retry = || Retry::new(RetryConfig { attempts: 4, ..RetryConfig::default() }).unwrap();
    let breaker = Breaker::new(BreakerConfig::default()).unwrap();

    let channel = Channel::new(serve(2, Duration::ZERO).await, Tcp, ChannelConfig::default(), &ambient).unwrap();
    let client = ServiceBuilder::new()
        .layer(Deadline::new(Duration::from_secs(2)).unwrap())
        .layer(retry())
        .layer(breaker.layer(&ambient))
        .layer(AttemptTimeout::new(Duration::from_millis(500)).unwrap())
        .service(channel);
    assert_eq!(call(client).await.unwrap(), b"bounded");

    let target = serve(2, Duration::ZERO).await;
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", target.name)).unwrap().connect_lazy();
    let client =
        ServiceBuilder::new().layer(Deadline::new(Duration::from_secs(2)).unwrap()).layer(retry()).service(channel);
    assert_eq!(call(client).await.unwrap(), b"bounded");
}

/// The same gate sheds load in front of a server; tonic turns the failure into a status on the wire.
#[tokio::test]
async fn a_limit_sheds_load_on_a_server() {
    let limit = LimitConfig { side: Side::Server, ..LimitConfig::new(LimitAlgorithm::Fixed { max: 1 }) };
    let gate = Limit::new(limit).unwrap().layer(&Ambient::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let service = Flaky { failures: std::sync::Arc::new(0.into()), pause: Duration::from_millis(200) };
    let boxed = ServiceBuilder::new()
        .map_response(|response: Response<squall::resilience::TierBody<tonic::body::Body, _>>| {
            response.map(
                    tonic::body::Body::new::<
                        squall::resilience::TierBody<tonic::body::Body, squall::resilience::LimitPass>,
                    >,
                )
        })
        .layer(gate);
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(tonic::transport::Server::builder().layer(boxed).add_service(service).serve_with_incoming(incoming));
    let target = Target::fixed("server", [address.as_str()]);
    let client = build(&Strategy::default(), target, Tcp, &Ambient::default()).unwrap();
    let first = tokio::spawn(call(client.clone()));
    squall::clock::sleep(Duration::from_millis(50)).await;
    let status = call(client.clone()).await.unwrap_err();
    assert_eq!((status.code(), origin_of(&status)), (Code::Unavailable, Origin::Server), "{status}");
    assert!(first.await.unwrap().is_ok());
    assert!(call(client).await.is_ok(), "the place is free again");
}

/// A refused connection says so at once.
#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let client =
        build(&Strategy::default(), Target::fixed("nobody", [free.as_str()]), Tcp, &Ambient::default()).unwrap();
    let status = call(client).await.unwrap_err();
    assert_eq!((status.code(), origin_of(&status)), (Code::Unavailable, Origin::Network));
    assert!(status.message().contains("refused"), "{status}");
}
