//! What the layers cost: each alone and all together, over a service that answers at once, and beside a bare tonic call.
//!
//! `cargo bench --bench layers` prints one `figure NAME = VALUE UNIT` a line. Allocations are counted, not estimated.

#![expect(clippy::print_stdout, reason = "a bench prints")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the wall clock")]

use std::alloc::System;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use squall::resilience::{
    Ambient, AttemptTimeout, Bounded, Breaker, BreakerConfig, CallId, Codes, Deadline, Fallback, FallbackConfig, Hedge,
    HedgeConfig, Limit, LimitAlgorithm, LimitConfig, RateLimit, RateLimitConfig, Retry, RetryConfig, Scope, Throttle,
    ThrottleConfig,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tonic::Status;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tower::{Layer, Service, ServiceBuilder};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A response body of one message and trailers, without an allocation of its own.
#[derive(Default)]
struct Answer(u8);

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.0 += 1;
        Poll::Ready(match self.0 {
            1 => Some(Ok(Frame::data(Bytes::from_static(&[0, 0, 0, 0, 2, b'o', b'k'])))),
            2 => {
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert("grpc-status", HeaderValue::from_static("0"));
                Some(Ok(Frame::trailers(trailers)))
            }
            _ => None,
        })
    }
}

/// Answers at once.
#[derive(Clone)]
struct Backend;

impl<B> Service<Request<B>> for Backend {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Answer>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::new(Answer::default())))
    }
}

/// One call, its body read to the end, without a runtime.
fn call<S, B>(service: &mut S, id: u64)
where
    S: Service<Request<Body>, Response = Response<B>>,
    B: http_body::Body<Data = Bytes>,
{
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(CallId(id));
    let mut future = pin!(service.call(request));
    let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut cx) else { panic!("the backend answers at once") };
    let mut body = pin!(response.into_body());
    while let Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut cx) {}
}

const CALLS: u64 = 200_000;
const ROUNDS: usize = 5;

/// Nanoseconds and allocations a call: the best of several rounds, and the mean of the last.
fn measure<S, B>(mut service: S) -> (f64, f64)
where
    S: Service<Request<Body>, Response = Response<B>>,
    B: http_body::Body<Data = Bytes>,
{
    let mut best = f64::MAX;
    let mut allocations = 0.0;
    for _ in 0..ROUNDS {
        let (start, before) = (Instant::now(), ALLOCATOR.stats().allocations);
        for id in 0..CALLS {
            call(&mut service, id);
        }
        best = best.min(start.elapsed().as_nanos() as f64 / CALLS as f64);
        allocations = (ALLOCATOR.stats().allocations - before) as f64 / CALLS as f64;
    }
    (best, allocations)
}

fn stack<S>(
    ambient: &Ambient,
    inner: S,
) -> impl Service<
    Request<Body>,
    Response = Response<impl http_body::Body<Data = Bytes, Error: Into<tonic::codegen::StdError>> + Send + 'static>,
    Error: Into<tonic::codegen::StdError>,
    Future: Send,
> + Clone
where
    S: Service<Request<Body>, Response = Response<Answer>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let limit = LimitConfig::new(LimitAlgorithm::GRADIENT2);
    ServiceBuilder::new()
        .layer(Deadline::new(Duration::from_secs(60)).expect("valid").within(ambient).unstamped())
        .layer(Throttle::new(ThrottleConfig::sre()).expect("valid").layer(ambient))
        .layer(Retry::new(RetryConfig::default()).expect("valid"))
        .layer(Breaker::new(BreakerConfig::default()).expect("valid").layer(ambient))
        .layer(Limit::new(limit).expect("valid").layer(ambient))
        .layer(AttemptTimeout::new(Duration::from_secs(30)).expect("valid").within(ambient))
        .service(inner)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _guard = runtime.enter();
    let ambient = Ambient::default();
    let seconds = Duration::from_secs;

    // The first measurement warms up; the second counts.
    measure(Backend);
    let (bare, base) = measure(Backend);
    println!("bare service: {bare:.0} ns, {base:.1} allocations");
    let report = |name: &str, (ns, allocations): (f64, f64)| {
        println!("{name}: {:.0} ns, {:.1} allocations", ns - bare, allocations - base);
        println!("figure layers.{name} = {:.0} ns", ns - bare);
    };
    let deadline: Bounded<Backend> = Deadline::new(seconds(60)).expect("valid").within(&ambient).layer(Backend);
    report("deadline", measure(deadline));
    report(
        "attempt_timeout",
        measure(AttemptTimeout::new(seconds(60)).expect("valid").within(&ambient).layer(Backend)),
    );
    report("retry", measure(Retry::new(RetryConfig::default()).expect("valid").layer(Backend)));
    report("hedge", measure(Hedge::new(HedgeConfig::default()).expect("valid").layer(Backend)));
    report("breaker", measure(Breaker::new(BreakerConfig::default()).expect("valid").layer(&ambient).layer(Backend)));
    let limit = LimitConfig::new(LimitAlgorithm::Fixed { max: 64 });
    report("limit", measure(Limit::new(limit).expect("valid").layer(&ambient).layer(Backend)));
    report("throttle", measure(Throttle::new(ThrottleConfig::sre()).expect("valid").layer(&ambient).layer(Backend)));
    let rate = RateLimitConfig { per_second: 1e9, burst: 1000, max_wait: Duration::ZERO, scope: Scope::Client };
    report("rate_limit", measure(RateLimit::new(rate).expect("valid").layer(&ambient).layer(Backend)));
    let fallback = FallbackConfig { on: Codes::UNAVAILABLE, message: Bytes::new() };
    report("fallback", measure(Fallback::new(&fallback).expect("valid").within(&ambient).layer(Backend)));

    let (full, allocations) = measure(stack(&ambient, Backend));
    println!("full stack: {:.0} ns, {:.1} allocations", full - bare, allocations - base);
    println!("figure layers.full_stack = {:.0} ns", full - bare);
    println!("figure layers.full_stack_allocations = {:.1} 1", allocations - base);

    let tonic_call = runtime.block_on(bare_tonic_call());
    println!("bare tonic call over duplex: {tonic_call:.0} ns");
    println!("figure layers.overhead = {:.2} %", 100.0 * (full - bare) / tonic_call);
}

/// Nanoseconds a call of tonic's own client to tonic's own server over an in-process pipe, both on this thread.
async fn bare_tonic_call() -> f64 {
    const TONIC_CALLS: u32 = 20_000;
    let (client, server) = tokio::io::duplex(1 << 16);
    let incoming = tokio_stream::once(Ok::<_, std::io::Error>(server));
    tokio::spawn(tonic::transport::Server::builder().add_service(Echo).serve_with_incoming(incoming));
    let mut client = Some(hyper_util::rt::TokioIo::new(client));
    let connector = tower::service_fn(move |_: http::Uri| {
        ready(client.take().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::ConnectionRefused)))
    });
    let channel = tonic::transport::Endpoint::from_static("http://echo")
        .connect_with_connector(connector)
        .await
        .expect("connected");
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..TONIC_CALLS {
            let mut grpc = tonic::client::Grpc::new(channel.clone());
            grpc.ready().await.expect("ready");
            let path = http::uri::PathAndQuery::from_static("/bench.Echo/Say");
            grpc.unary(tonic::Request::new(vec![0; 32]), path, Raw).await.expect("answered");
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(TONIC_CALLS));
    }
    best
}

#[derive(Clone)]
struct Echo;

impl tonic::server::NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl tonic::server::UnaryService<Vec<u8>> for Echo {
    type Response = Vec<u8>;
    type Future = Ready<Result<tonic::Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: tonic::Request<Vec<u8>>) -> Self::Future {
        ready(Ok(tonic::Response::new(request.into_inner())))
    }
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).unary(Echo, request).await) })
    }
}

/// Messages are bytes: no protobuf needed.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}
