//! Bring your own layer: a tower layer of your own between those of this crate, and your own gate with its bookkeeping for free.
//!
//! `cargo run --example own_layer --no-default-features --features resilience`

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use squall::resilience::{
    Admission, Ambient, Caller, Deadline, End, Failure, Gate, GateLayer, NoQueue, Origin, Pass, Retry, RetryConfig,
};
use tonic::Code;
use tonic::body::Body;
use tower::{Service, ServiceBuilder, ServiceExt};

/// A gate that lets every other attempt through. A gate only decides; that its pass comes back, whatever happens to the
/// call, is taken care of.
#[derive(Clone, Default)]
struct EveryOther(Arc<AtomicU32>);

impl Gate for EveryOther {
    type Pass = Said;
    type Queue = NoQueue<Said>;

    fn admit(&self, caller: &Caller<'_>) -> Admission<Said, Self::Queue> {
        if self.0.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            println!("call {} attempt {}: turned away", caller.call.0, caller.attempt);
            return Admission::Reject(Failure::new(Code::Unavailable, Origin::Limiter, "not this one"));
        }
        Admission::Pass(Said)
    }
}

/// Says how an attempt ended; dropped without a word when the caller gives up.
struct Said;

impl Pass for Said {
    fn ended(self, end: End) {
        println!("let through: {:?} from the {}", end.outcome.code, end.outcome.origin);
    }
}

/// A plain tower layer: says in a header who calls. Behind a retry it sees every attempt.
#[derive(Clone)]
struct Named<S>(S);

impl<S: Service<Request<Body>>> Service<Request<Body>> for Named<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> S::Future {
        request.headers_mut().insert("x-tenant", HeaderValue::from_static("example"));
        self.0.call(request)
    }
}

/// Stands for a channel: answers OK to whoever says who they are.
#[derive(Clone)]
struct Backend;

impl Service<Request<Body>> for Backend {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let code = if request.headers().contains_key("x-tenant") { Code::Ok } else { Code::Unauthenticated };
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert("grpc-status", HeaderValue::from(code as i32));
        ready(Ok(response))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let ambient = Ambient::default();
    let client = ServiceBuilder::new()
        .layer(Deadline::new(Duration::from_secs(2))?)
        .layer(Retry::new(RetryConfig { on_rejection: true, ..RetryConfig::default() })?)
        .layer_fn(Named)
        .layer(GateLayer::new(EveryOther::default(), &ambient))
        .service(Backend);
    for _ in 0..3 {
        client.clone().oneshot(Request::new(Body::empty())).await?;
    }
    Ok(())
}
