//! tonic's own channel, so that users see what it does today.
//!
//! It reconnects without backoff whenever the next call comes, and knows one destination: as for a name with several
//! addresses, each connection attempt takes the next one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use http::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::body::Attempt;
use super::{ChannelConfig, Connector, Endpoint, Target, Transport};
use crate::resilience::call::{Call, stamp_deadline};
use crate::resilience::failure::outcome_of_error;
use crate::resilience::gate::{End, Pass};
use crate::resilience::moment::WayOut;
use crate::resilience::watch::Watch;
use crate::resilience::{Ambient, BoxError, CallId, EventKind, InvalidConfig};

/// tonic's channel, with the events of ours.
#[derive(Clone, Debug)]
pub struct TonicChannel {
    inner: tonic::transport::Channel,
    endpoint: Endpoint,
    ambient: Ambient,
}

impl TonicChannel {
    /// A channel that connects when it is first used.
    ///
    /// # Errors
    ///
    /// When the target's name is no host name, or an option is set that tonic's channel does not have.
    pub fn new<C: Connector>(
        target: Target,
        connector: C,
        config: &ChannelConfig,
        ambient: &Ambient,
    ) -> Result<Self, InvalidConfig> {
        ChannelConfig { transport: Transport::Tonic, ..config.clone() }.check()?;
        let invalid = |error: tonic::transport::Error| InvalidConfig::new("target", error);
        let name = Endpoint::new(&target.name);
        let mut endpoint = tonic::transport::Endpoint::from_shared(format!("http://{name}"))
            .map_err(invalid)?
            // h2 would forget reset streams by a clock that a simulation cannot move.
            .http2_reset_stream_duration(std::time::Duration::from_secs(24 * 3600));
        if let Some(keepalive) = config.keepalive {
            endpoint = endpoint
                .http2_keep_alive_interval(keepalive.time)
                .keep_alive_timeout(keepalive.timeout)
                .keep_alive_while_idle(keepalive.without_calls);
        }
        let dial = Arc::new(Dial { connector, target, turn: AtomicUsize::new(0), ambient: ambient.clone() });
        let inner = endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
            let dial = Arc::clone(&dial);
            async move { dial.connect().await }
        }));
        Ok(Self { inner, endpoint: name, ambient: ambient.clone() })
    }
}

struct Dial<C> {
    connector: C,
    target: Target,
    turn: AtomicUsize,
    ambient: Ambient,
}

impl<C: Connector> Dial<C> {
    async fn connect(&self) -> std::io::Result<TokioIo<C::Io>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let endpoints = &self.target.endpoints;
        let endpoint = endpoints.get(turn % endpoints.len().max(1)).ok_or(std::io::ErrorKind::AddrNotAvailable)?;
        self.ambient.emit(None, 0, || EventKind::ConnectAttempt { endpoint: endpoint.clone() });
        self.connector.connect(endpoint).await.map(TokioIo::new)
    }
}

impl Service<Request<tonic::body::Body>> for TonicChannel {
    type Response = Response<Watch<tonic::body::Body, Attempt>>;
    type Error = BoxError;
    type Future = TonicFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<tonic::body::Body>) -> TonicFuture {
        stamp_deadline(&mut request, &self.ambient, crate::clock::now());
        let context = Call::of(&mut request, &self.ambient);
        let (call, number) = (context.number(), context.attempt);
        let deadline = context.deadline.map(|at| (at, context.deadline_origin));
        let trace = self.ambient.key().named("trace").bits();
        let parent = || super::call::traceparent(trace, call, number);
        request.headers_mut().entry(super::call::TRACEPARENT).or_insert_with(parent);
        let attempt = Attempt::plain(&self.ambient, &self.endpoint, call, number, deadline);
        attempt.started();
        TonicFuture { inner: self.inner.call(request), call, attempt: Some(attempt) }
    }
}

/// The future of a call through tonic's channel.
pub struct TonicFuture {
    inner: <tonic::transport::Channel as Service<Request<tonic::body::Body>>>::Future,
    call: CallId,
    attempt: Option<Attempt>,
}

impl Future for TonicFuture {
    type Output = Result<Response<Watch<tonic::body::Body, Attempt>>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let way = WayOut::begin();
        let result = ready!(Pin::new(&mut self.inner).poll(cx));
        let mut attempt = self.attempt.take().expect("not polled after it was done");
        Poll::Ready(match result {
            Ok(response) => {
                if crate::resilience::Outcome::of_headers(response.headers()).is_none() {
                    attempt.commit();
                }
                Ok(Watch::response(response, attempt, self.call, way))
            }
            Err(error) => {
                attempt.ended(End::new(outcome_of_error(&error), self.call, way));
                Err(error.into())
            }
        })
    }
}
