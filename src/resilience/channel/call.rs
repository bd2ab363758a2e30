//! One call on a channel: waits for a connection, sends the request, and hands back the response.
//!
//! The request body is sent by this future itself; a task is needed only for a stream that goes on after the response has
//! begun. A request that no application on the server can have seen is sent again at no cost to budgets: as often as it takes
//! if it never left, once a call if the server refused its stream (gRFC A6, "Transparent Retries").

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::SendStream;
use h2::client::ResponseFuture;
use http::header::{HeaderName, HeaderValue, USER_AGENT};
use http::uri::{Scheme, Uri};
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tonic::Code;

use super::body::{Attempt, ChannelBody};
use super::pool::{Lane, Pick};
use super::{Channel, Connector, foreign, runner};
use crate::clock::{self, Instant, Sleep};
use crate::resilience::call::{Call, stamp_deadline};
use crate::resilience::failure::{outcome_of_error, outcome_of_h2};
use crate::resilience::{BoxError, CallId, EventKind, Failure, Origin, Outcome};

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The future of a call.
pub struct ChannelFuture<C: Connector> {
    channel: Channel<C>,
    call: CallId,
    attempt: u32,
    deadline: Option<(Instant, Origin)>,
    wait_for_ready: Option<bool>,
    /// Until the caller's deadline, if no layer further out ends the call then.
    patience: Option<Pin<Box<Sleep>>>,
    /// Transparent retries made so far of requests that may have left the client.
    replays: u32,
    state: State,
}

#[expect(clippy::large_enum_variant, reason = "a box would cost every call an allocation")]
enum State {
    /// Waits for a connection.
    Picking(Option<Request<tonic::body::Body>>),
    Flying(Flight),
    Done,
}

/// A request on its way.
struct Flight {
    response: ResponseFuture,
    upload: Upload,
    attempt: Option<Attempt>,
    /// What it takes to send the request again.
    head: Request<()>,
}

impl<C: Connector> ChannelFuture<C> {
    pub(super) fn new(channel: Channel<C>, mut request: Request<tonic::body::Body>) -> Self {
        let context = Call::timed(&mut request, &channel.shared.ambient, clock::now());
        let (call, attempt, wait_for_ready) = (context.number(), context.attempt, context.wait_for_ready);
        let deadline = context.deadline.map(|at| (at, context.deadline_origin));
        let patience = context.deadline.filter(|_| !context.watched).map(|at| Box::pin(clock::sleep_until(at)));
        let state = State::Picking(Some(request));
        Self { channel, call, attempt, deadline, wait_for_ready, patience, replays: 0, state }
    }

    /// Hands the request to a connection, if there is one.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let State::Picking(request) = &mut self.state else { return Poll::Ready(Ok(())) };
        let shared = &self.channel.shared;
        loop {
            let now = clock::now();
            let mut lane = match shared.pick(now, self.wait_for_ready, cx) {
                Pick::Ready(lane) => lane,
                Pick::Wait => {
                    runner::wake_idle(shared);
                    return Poll::Pending;
                }
                Pick::Fail(failure) => {
                    let Outcome { code, origin } = failure.outcome();
                    shared.ambient.emit(Some(self.call), self.attempt, || EventKind::NotSent { code, origin });
                    return Poll::Ready(Err(failure));
                }
            };
            let breaker = match &lane.breaker {
                None => None,
                Some(breaker) => match breaker.enter(now, None, &shared.ambient, self.call, self.attempt) {
                    Some(pass) => Some(pass),
                    // Its last probe was taken between the choice and now.
                    None => continue,
                },
            };
            let mut taken = request.take().expect("a request is sent once");
            stamp_deadline(&mut taken, &shared.ambient, now);
            let (head, body) = address(taken, &lane, shared.trace, self.call, self.attempt);
            let again = copy(&head);
            let attempt = Attempt::begin(&shared.ambient, &lane, self.call, self.attempt, self.deadline, breaker);
            match lane.link.send.send_request(head, false) {
                Ok((response, stream)) => {
                    let upload = Upload::new(body, stream);
                    // Sent again transparently, it is still the same attempt.
                    if self.replays == 0 {
                        attempt.started();
                    }
                    let attempt = Some(attempt);
                    self.state = State::Flying(Flight { response, upload, attempt, head: again });
                    return Poll::Ready(Ok(()));
                }
                Err(error) if lane.link.is_leaving() => {
                    // It never left: choose again, as often as it takes.
                    attempt.undo();
                    drop(error);
                    shared.retire(&lane);
                    *request = Some(again.map(|()| body));
                }
                Err(error) => {
                    let failure = failure_of(&error);
                    attempt.finish(failure.outcome());
                    return Poll::Ready(Err(failure));
                }
            }
        }
    }

    /// Sends a request again that nobody has processed; `false` if that is not possible.
    fn replay(&mut self, error: &h2::Error) -> bool {
        let State::Flying(flight) = &mut self.state else { return false };
        let single = flight.upload.single.take();
        // Later attempts of a call leave it to the policy that made them, as in grpc-go.
        let may = self.attempt == 1 && self.replays == 0 && is_unprocessed(error);
        let (Some(single), true) = (single, may) else { return false };
        self.replays += 1;
        let head = std::mem::take(&mut flight.head);
        if let Some(attempt) = flight.attempt.take() {
            let endpoint = attempt.undo();
            let ambient = &self.channel.shared.ambient;
            ambient.emit(Some(self.call), self.attempt, || EventKind::TransparentRetry { endpoint });
        }
        self.state = State::Picking(Some(head.map(|()| tonic::body::Body::new(Full::new(single)))));
        true
    }
}

impl<C: Connector> Future for ChannelFuture<C> {
    type Output = Result<Response<ChannelBody>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let late = self.patience.as_ref().is_some_and(|patience| patience.deadline() <= clock::now());
        let unsent = matches!(self.state, State::Picking(_));
        if !(late && unsent)
            && let Poll::Ready(answer) = self.poll_answer(cx)
        {
            return Poll::Ready(if late && was_cancelled(&answer) { Err(deadline_exceeded()) } else { answer });
        }
        let Some(patience) = &mut self.patience else { return Poll::Pending };
        ready!(patience.as_mut().poll(cx));
        // The attempt ends here, and its stream with it.
        self.state = State::Done;
        Poll::Ready(Err(deadline_exceeded()))
    }
}

impl<C: Connector> ChannelFuture<C> {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<ChannelBody>, BoxError>> {
        loop {
            if let Err(failure) = ready!(self.poll_send(cx)) {
                self.state = State::Done;
                return Poll::Ready(Err(Box::new(failure)));
            }
            let State::Flying(flight) = &mut self.state else { panic!("polled after it was done") };
            // An error of the upload shows in the response, or is the server's right: it has answered early.
            let _ = flight.upload.poll(cx);
            match ready!(Pin::new(&mut flight.response).poll(cx)) {
                Ok(response) => {
                    let State::Flying(flight) = std::mem::replace(&mut self.state, State::Done) else { unreachable!() };
                    let response = flight.land(foreign::translated(response), self.patience.take());
                    return Poll::Ready(Ok(response));
                }
                Err(error) => {
                    if self.replay(&error) {
                        continue;
                    }
                    let failure = failure_of(&error);
                    if let State::Flying(flight) = &mut self.state
                        && let Some(attempt) = flight.attempt.take()
                    {
                        attempt.finish(failure.outcome());
                    }
                    self.state = State::Done;
                    return Poll::Ready(Err(Box::new(failure)));
                }
            }
        }
    }
}

impl Flight {
    /// Response headers are here.
    fn land(self, response: Response<h2::RecvStream>, patience: Option<Pin<Box<Sleep>>>) -> Response<ChannelBody> {
        let mut upload = self.upload;
        let known = Outcome::of_headers(response.headers());
        // Who has the status already sends no more: what is left of the request belongs to the next attempt.
        if !upload.done && known.is_none() {
            tokio::spawn(async move {
                // The server may stop listening at any time; the response says how the call ended.
                let _ = std::future::poll_fn(|cx| upload.poll(cx)).await;
            });
        }
        let mut attempt = self.attempt;
        match known {
            Some(outcome) => {
                if let Some(attempt) = attempt.take() {
                    attempt.finish(outcome);
                }
            }
            None => {
                if let Some(attempt) = &mut attempt {
                    attempt.commit();
                }
            }
        }
        // Once it is over, nothing bounds it, whatever the body still holds.
        let patience = patience.filter(|_| known.is_none());
        response.map(|stream| ChannelBody::new(stream, attempt, patience))
    }
}

/// Whether the server gave the call up; at the deadline that is the deadline's doing: its timer was faster than ours.
fn was_cancelled(answer: &Result<Response<ChannelBody>, BoxError>) -> bool {
    let outcome = match answer {
        Ok(response) => Outcome::of_headers(response.headers()),
        Err(error) => Some(outcome_of_error(&**error)),
    };
    outcome == Some(Outcome::server(Code::Cancelled))
}

/// The end of a call whose caller's deadline has come.
pub(super) fn deadline_exceeded() -> BoxError {
    Box::new(Failure::new(Code::DeadlineExceeded, Origin::ClientDeadline, "deadline exceeded"))
}

/// The request as HTTP/2 wants it, with the headers that name the attempt.
fn address(
    request: Request<tonic::body::Body>,
    lane: &Lane,
    trace: u64,
    call: CallId,
    attempt: u32,
) -> (Request<()>, tonic::body::Body) {
    let (mut head, body) = request.into_parts();
    let mut uri = std::mem::take(&mut head.uri).into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(lane.link.authority.clone());
    head.uri = Uri::from_parts(uri).expect("scheme, authority and path make a URI");
    head.version = http::Version::HTTP_2;
    // Extensions are for this side of the wire.
    head.extensions = http::Extensions::new();
    head.headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("squall/", env!("CARGO_PKG_VERSION"))));
    // A caller that traces has said already which trace this is.
    head.headers.entry(TRACEPARENT).or_insert_with(|| {
        let mut value = traceparent(trace, call, attempt);
        // No trace comes twice. Once the header's name is known, its values stay out of the compression table (RFC 7541, 6.2.3), where
        // they would push out what does come again, and be searched one by one for each further call.
        value.set_sensitive(lane.link.traffic.has_begun());
        value
    });
    (Request::from_parts(head, ()), body)
}

/// W3C trace context: the trace id ends in the call's number, the span id is the attempt's.
pub(super) fn traceparent(trace: u64, call: CallId, attempt: u32) -> HeaderValue {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = *b"00-0000000000000000xxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-01";
    let mut write = |at: usize, value: u64| {
        for digit in 0..16 {
            text[at + digit] = HEX[(value >> (60 - 4 * digit)) as usize & 15];
        }
    };
    write(3, trace);
    write(19, call.0);
    write(36, u64::from(attempt));
    HeaderValue::from_bytes(&text).expect("hexadecimal digits and hyphens")
}

fn copy(head: &Request<()>) -> Request<()> {
    let mut copy = Request::new(());
    *copy.method_mut() = head.method().clone();
    *copy.uri_mut() = head.uri().clone();
    *copy.headers_mut() = head.headers().clone();
    copy
}

fn failure_of(error: &h2::Error) -> Failure {
    let Outcome { code, origin } = outcome_of_h2(error);
    let failure = Failure::new(code, origin, error.to_string());
    if is_unprocessed(error) { failure.unprocessed() } else { failure }
}

/// REFUSED_STREAM, or GOAWAY with a last stream before this one: no application has seen the request.
fn is_unprocessed(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}

/// Sends a request body, as fast as flow control allows.
struct Upload {
    body: tonic::body::Body,
    stream: SendStream<Bytes>,
    /// A frame that is not sent yet: the last one has to say that it is, which saves an empty frame a call.
    held: Option<Bytes>,
    sent_any: bool,
    done: bool,
    /// The whole body, if it consisted of one frame: what a transparent retry sends again.
    single: Option<Bytes>,
}

/// A first frame up to this size is handed to h2 at once: the window of a new stream has room for it.
const EAGER_BYTES: usize = 16 * 1024;

impl Upload {
    fn new(body: tonic::body::Body, stream: SendStream<Bytes>) -> Self {
        Self { body, stream, held: None, sent_any: false, done: false, single: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        while !self.done {
            if self.held.is_some() && !self.has_room(cx)? {
                return Poll::Pending;
            }
            let next = match self.body_frame(cx)? {
                // Nothing follows yet: what is held must not wait for it.
                Poll::Pending => {
                    if let Some(held) = self.held.take() {
                        self.send(held, false)?;
                    }
                    return Poll::Pending;
                }
                Poll::Ready(next) => next,
            };
            let Some(next) = next else {
                self.done = true;
                let last = self.held.take().unwrap_or_default();
                if !self.sent_any {
                    self.single = Some(last.clone());
                }
                self.send(last, true)?;
                break;
            };
            if let Some(held) = self.held.replace(next) {
                self.send(held, false)?;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn body_frame(&mut self, cx: &mut Context<'_>) -> Result<Poll<Option<Bytes>>, ()> {
        loop {
            return match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => Ok(Poll::Pending),
                Poll::Ready(None) => Ok(Poll::Ready(None)),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => Ok(Poll::Ready(Some(data))),
                    // gRPC clients send no trailers.
                    Err(_) => continue,
                },
                Poll::Ready(Some(Err(_))) => {
                    self.stream.send_reset(h2::Reason::CANCEL);
                    self.done = true;
                    Err(())
                }
            };
        }
    }

    /// Whether the windows have room for some of the held frame; h2 keeps the rest of it.
    fn has_room(&mut self, cx: &mut Context<'_>) -> Result<bool, ()> {
        let len = self.held.as_ref().map_or(0, Bytes::len);
        if len == 0 || (!self.sent_any && len <= EAGER_BYTES) {
            return Ok(true);
        }
        self.stream.reserve_capacity(len);
        while self.stream.capacity() == 0 {
            match self.stream.poll_capacity(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => {
                    self.done = true;
                    return Err(());
                }
            }
        }
        Ok(true)
    }

    fn send(&mut self, data: Bytes, last: bool) -> Result<(), ()> {
        self.sent_any = true;
        let sent = self.stream.send_data(data, last);
        self.done |= sent.is_err();
        sent.map_err(|_| ())
    }
}

impl<C: Connector> std::fmt::Debug for ChannelFuture<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChannelFuture").field("call", &self.call).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparent_names_call_and_attempt() {
        let value = traceparent(0xabc, CallId((7 << 32) | 9), 2);
        assert_eq!(value, "00-0000000000000abc0000000700000009-0000000000000002-01");
    }
}
