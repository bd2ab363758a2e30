//! The HTTP face of a server process: faults first, then the generated tonic service.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use tonic::body::Body;
use tower_service::Service as _;

use super::interference::{Stop, Verdict};
use super::proto::telemetry_service_server::TelemetryServiceServer;
use super::spoil::{self, StreamReset};
use super::{Caller, Handler, Replica, health};
use crate::clock;

type Response = http::Response<Body>;
type Boxed<E> = Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>;

/// What hyper calls for every request of a connection.
#[derive(Clone, Debug)]
pub(super) struct Service {
    replica: Arc<Replica>,
    inner: TelemetryServiceServer<Handler>,
}

impl Service {
    pub(super) fn new(replica: Arc<Replica>, handler: Handler) -> Self {
        Self { replica, inner: TelemetryServiceServer::new(handler) }
    }
}

impl hyper::service::Service<http::Request<Incoming>> for Service {
    type Response = Response;
    type Error = StreamReset;
    type Future = Reply;

    fn call(&self, request: http::Request<Incoming>) -> Reply {
        if request.uri().path().starts_with(health::PATH) {
            let answer = health::answer(&self.replica, request.uri().path());
            return Reply::Faulty { future: Box::pin(std::future::ready(Ok(answer))) };
        }
        let caller = Caller::of(request.headers());
        let method = request.uri().path().rsplit('/').next().unwrap_or_default();
        let verdict = self.replica.verdict(&caller, method);
        let mut inner = self.inner.clone();
        match verdict {
            None => Reply::Plain { future: inner.call(request) },
            Some(verdict) => Reply::Faulty { future: Box::pin(interfere(inner, request, verdict)) },
        }
    }
}

async fn interfere(
    mut inner: TelemetryServiceServer<Handler>,
    request: http::Request<Incoming>,
    verdict: Verdict,
) -> Result<Response, StreamReset> {
    hold_up(&verdict.before).await;
    if let Some(end) = verdict.before.end {
        return spoil::instead(end);
    }
    let Ok(answer) = inner.call(request).await;
    hold_up(&verdict.after).await;
    match verdict.after.end {
        Some(end) => spoil::answer(answer, end).await,
        None => Ok(answer),
    }
}

async fn hold_up(stop: &Stop) {
    if !stop.pause.is_zero() {
        clock::sleep(stop.pause).await;
    }
}

/// The answer to come; without faults it costs no allocation beyond tonic's own.
pub(super) enum Reply {
    Plain { future: Boxed<Infallible> },
    Faulty { future: Boxed<StreamReset> },
}

impl Future for Reply {
    type Output = Result<Response, StreamReset>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Plain { future } => future.as_mut().poll(cx).map(|Ok(response)| Ok(response)),
            Self::Faulty { future } => future.as_mut().poll(cx),
        }
    }
}
