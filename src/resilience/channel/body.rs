//! The response body of a channel, and the record of the attempt it belongs to.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame};
use tonic::Code;
use tracing::Span;

use super::Endpoint;
use super::call::deadline_exceeded;
use super::load::Load;
use super::pool::{Lane, Traffic};
use crate::clock::{self, Instant, Sleep};
use crate::resilience::breaker::BreakerPass;
use crate::resilience::call::Call;
use crate::resilience::failure::outcome_of_h2;
use crate::resilience::gate::{End, Pass};
use crate::resilience::trace;
use crate::resilience::{Ambient, BoxError, CallId, EventKind, Failure, Origin, Outcome};

/// One attempt on a connection. However it ends, it is told once, and leaves the counts as it found them.
pub struct Attempt {
    ambient: Ambient,
    call: CallId,
    number: u32,
    endpoint: Endpoint,
    started: Instant,
    committed: bool,
    deadline: Option<(Instant, Origin)>,
    lane: Option<Held>,
    span: Span,
    open: bool,
}

/// What an attempt occupies.
struct Held {
    load: Arc<Load>,
    traffic: Arc<Traffic>,
    breaker: Option<BreakerPass>,
}

impl Attempt {
    pub(super) fn begin(
        ambient: &Ambient,
        lane: &Lane,
        call: CallId,
        number: u32,
        deadline: Option<(Instant, Origin)>,
        breaker: Option<BreakerPass>,
    ) -> Self {
        lane.load.begin();
        lane.link.traffic.begin();
        Self {
            ambient: ambient.clone(),
            call,
            number,
            endpoint: lane.link.endpoint.clone(),
            started: clock::now(),
            committed: false,
            deadline,
            span: trace::attempt(call, number, &lane.link.endpoint),
            lane: Some(Held { load: Arc::clone(&lane.load), traffic: Arc::clone(&lane.link.traffic), breaker }),
            open: true,
        }
    }

    /// An attempt on a connection that somebody else looks after.
    pub(super) fn plain(
        ambient: &Ambient,
        endpoint: &Endpoint,
        call: CallId,
        number: u32,
        deadline: Option<(Instant, Origin)>,
    ) -> Self {
        Self {
            ambient: ambient.clone(),
            call,
            number,
            endpoint: endpoint.clone(),
            started: clock::now(),
            committed: false,
            deadline,
            span: trace::attempt(call, number, endpoint),
            lane: None,
            open: true,
        }
    }

    /// It was handed to the connection.
    pub(super) fn started(&self) {
        let kind = || EventKind::AttemptStarted { endpoint: self.endpoint.clone() };
        self.ambient.emit(Some(self.call), self.number, kind);
    }

    /// Response headers came, and the end did not come with them.
    pub(super) fn commit(&mut self) {
        self.committed = true;
    }

    /// It never happened, as far as anybody is concerned. Returns where it went.
    pub(super) fn undo(mut self) -> Endpoint {
        self.open = false;
        self.endpoint.clone()
    }

    /// It ended here, at the connection: nobody has seen its end before.
    pub(super) fn finish(mut self, outcome: Outcome) {
        self.close(End::here(outcome, self.call));
    }

    fn close(&mut self, end: End) {
        self.open = false;
        let (outcome, now) = (end.outcome, end.at());
        let latency = now - self.started;
        trace::ended(&self.span, outcome);
        if let Some(held) = &mut self.lane
            && outcome.origin != Origin::Cancelled
        {
            held.load.took(now, latency);
            held.load.count(outcome.is_ok());
            if let Some(breaker) = held.breaker.take() {
                breaker.ended(end);
            }
        }
        self.ambient.emit(Some(self.call), self.number, || EventKind::AttemptEnded {
            endpoint: self.endpoint.clone(),
            code: outcome.code,
            origin: outcome.origin,
            latency,
            committed: self.committed,
        });
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.open {
            self.close(End::here(Call::dropped(self.deadline, clock::now()), self.call));
        }
        if let Some(held) = &self.lane {
            held.load.end();
            held.traffic.end();
        }
    }
}

impl Pass for Attempt {
    fn ended(mut self, end: End) {
        self.close(end);
    }
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt").field("call", &self.call).field("number", &self.number).finish_non_exhaustive()
    }
}

/// The response body of a [`Channel`](super::Channel).
pub struct ChannelBody {
    stream: RecvStream,
    trailers_next: bool,
    attempt: Option<Attempt>,
    /// Until the caller's deadline, if no layer further out ends the call then.
    patience: Option<Pin<Box<Sleep>>>,
}

impl ChannelBody {
    pub(super) fn new(stream: RecvStream, attempt: Option<Attempt>, patience: Option<Pin<Box<Sleep>>>) -> Self {
        Self { stream, trailers_next: false, attempt, patience }
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(attempt) = self.attempt.take() {
            attempt.finish(outcome);
        }
    }

    fn fail(&mut self, error: &h2::Error) -> BoxError {
        let outcome = outcome_of_h2(error);
        self.end(outcome);
        Box::new(Failure::new(outcome.code, outcome.origin, error.to_string()))
    }
}

impl Body for ChannelBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = self.poll_stream(cx) {
            return Poll::Ready(frame);
        }
        let Some(patience) = &mut self.patience else { return Poll::Pending };
        ready!(patience.as_mut().poll(cx));
        self.patience = None;
        // Dropped at the deadline, an attempt has ended with it.
        self.attempt = None;
        Poll::Ready(Some(Err(deadline_exceeded())))
    }

    fn is_end_stream(&self) -> bool {
        self.attempt.is_none() && self.stream.is_end_stream()
    }
}

impl ChannelBody {
    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.trailers_next {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // What the application was given no longer counts against the window.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(self.fail(&error)))),
                None => self.trailers_next = true,
            }
        }
        match ready!(self.stream.poll_trailers(cx)) {
            Ok(Some(trailers)) => {
                self.end(Outcome::of_headers(&trailers).unwrap_or(Outcome::server(Code::Unknown)));
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Ok(None) => {
                self.end(Outcome::server(Code::Unknown));
                Poll::Ready(None)
            }
            Err(error) => Poll::Ready(Some(Err(self.fail(&error)))),
        }
    }
}

impl std::fmt::Debug for ChannelBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChannelBody").finish_non_exhaustive()
    }
}
