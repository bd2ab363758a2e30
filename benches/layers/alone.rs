//! Each layer over a service that answers at once: no wire, no runtime, nothing to wait for.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body as _, Frame};
use squall::resilience::{
    Ambient, AttemptTimeout, Breaker, BreakerConfig, Call, CallId, Codes, Deadline, Fallback, FallbackConfig, Hedge,
    HedgeConfig, Limit, LimitAlgorithm, LimitConfig, RateLimit, RateLimitConfig, Retry, Scope, Throttle,
    ThrottleConfig,
};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::stack;
use crate::turns::{Contender, Rounds};

const ROUNDS: usize = 31;
const CALLS: u64 = 4_000;

/// What a call costs without any layer, and what each adds.
pub(crate) fn measure() -> Rounds {
    let ambient = Ambient::default();
    let minute = Duration::from_secs(60);
    let limit = LimitConfig::new(LimitAlgorithm::Fixed { max: 64 });
    let rate = RateLimitConfig { per_second: 1e9, burst: 1000, max_wait: Duration::ZERO, scope: Scope::Client };
    let fallback = FallbackConfig { on: Codes::UNAVAILABLE, message: Bytes::new() };
    let contenders = vec![
        contender("bare", Backend),
        contender("deadline", Deadline::new(minute).expect("valid").within(&ambient).layer(Backend)),
        contender("attempt_timeout", AttemptTimeout::new(minute).expect("valid").within(&ambient).layer(Backend)),
        contender("retry", Retry::new(stack::retry()).expect("valid").layer(Backend)),
        contender("hedge", Hedge::new(HedgeConfig::default()).expect("valid").layer(Backend)),
        contender("breaker", Breaker::new(BreakerConfig::default()).expect("valid").layer(&ambient).layer(Backend)),
        contender("limit", Limit::new(limit).expect("valid").layer(&ambient).layer(Backend)),
        contender("throttle", Throttle::new(ThrottleConfig::sre()).expect("valid").layer(&ambient).layer(Backend)),
        contender("rate_limit", RateLimit::new(rate).expect("valid").layer(&ambient).layer(Backend)),
        contender("fallback", Fallback::new(&fallback).expect("valid").within(&ambient).layer(Backend)),
        contender("stack_alone", stack::fused(&ambient).layer(Backend)),
        contender("six_alone", stack::six(&ambient).layer(Backend)),
    ];
    Rounds::measure(contenders, ROUNDS, CALLS)
}

fn contender<'a, S, B>(name: &'static str, mut service: S) -> Contender<'a>
where
    S: Service<Request<Body>, Response = Response<B>> + 'a,
    B: http_body::Body<Data = Bytes>,
{
    let calls = move |calls| {
        for id in 0..calls {
            call(&mut service, id);
        }
    };
    (name, Box::new(calls))
}

/// One call as a generated client makes it, its body read to the end.
fn call<S, B>(service: &mut S, id: u64)
where
    S: Service<Request<Body>, Response = Response<B>>,
    B: http_body::Body<Data = Bytes>,
{
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let mut request = Request::new(Body::empty());
    request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request.extensions_mut().insert(Call::new().id(CallId(id)));
    let mut future = pin!(service.call(request));
    let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut cx) else { panic!("the backend answers at once") };
    let mut body = pin!(response.into_body());
    while let Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut cx) {}
}

/// A response body of one message and trailers.
#[derive(Default)]
struct Answer(u8);

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
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

impl Service<Request<Body>> for Backend {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Answer>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // A transport reads the request, so that what a layer keeps of it is kept here, too.
        let mut body = pin!(request.into_body());
        while let Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop())) {}
        let mut response = Response::new(Answer::default());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        ready(Ok(response))
    }
}
