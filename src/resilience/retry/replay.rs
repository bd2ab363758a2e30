//! The replay buffer: a request that can be sent more than once.
//!
//! Frames are kept as they pass by, sharing their bytes with what is sent, so that a unary request costs no copy. Once a
//! request outgrows the buffer it can be sent only once: the call is committed (gRFC A6, "When Retries are Valid") to the attempt that
//! was furthest. Another that still needs what is forgotten fails, and so does every attempt when the application's own stream
//! does: a server must never take a part of a request for all of it.
//!
//! Rule: all that a unary call must keep in order to be repeated lies in one allocation; the body that reads it is another.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, request};
use http_body::{Body, Frame, SizeHint};
use tonic::{GrpcMethod, Status};

use crate::resilience::call::Call;

/// The memory of one request, shared by all its attempts.
#[derive(Clone, Debug)]
pub(crate) struct Replay(Arc<Kept>);

/// Where the attempts of one call take their numbers from, whichever layer starts them.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    head: Head,
    /// The highest number of an attempt given out.
    highest: AtomicU32,
    body: Mutex<State>,
}

/// What is sent before the body.
#[derive(Debug)]
struct Head {
    method: Method,
    uri: Uri,
    version: Version,
    headers: Headers,
    /// What generated clients say of every call; apart from the others, as two static strings need no allocation.
    called: Option<GrpcMethod<'static>>,
    /// Without the [`Call`], which differs between attempts.
    extensions: Extensions,
}

impl Head {
    fn of(parts: &request::Parts) -> Self {
        let mut called = parts.extensions.get::<GrpcMethod<'static>>().cloned();
        let known = usize::from(called.is_some()) + usize::from(parts.extensions.get::<Call>().is_some());
        let mut extensions = Extensions::new();
        if parts.extensions.len() > known {
            extensions = parts.extensions.clone();
            extensions.remove::<Call>();
            called = None;
        }
        let request::Parts { method, uri, version, headers, .. } = parts;
        let (method, uri, headers) = (method.clone(), uri.clone(), Headers::of(headers));
        Self { method, uri, version: *version, headers, called, extensions }
    }
}

/// How many headers are kept in place: what gRPC itself sends, and one or two of the application.
const FEW_HEADERS: usize = 4;

/// A copy of a header map. Copying the map as it is takes two allocations, and most calls never look at the copy.
#[derive(Debug)]
enum Headers {
    Few([Option<(HeaderName, HeaderValue)>; FEW_HEADERS]),
    Many(HeaderMap),
}

impl Headers {
    fn of(headers: &HeaderMap) -> Self {
        if headers.len() > FEW_HEADERS {
            return Self::Many(headers.clone());
        }
        let mut all = headers.iter();
        Self::Few(std::array::from_fn(|_| all.next().map(|(name, value)| (name.clone(), value.clone()))))
    }

    fn restore(&self) -> HeaderMap {
        match self {
            Self::Few(headers) => {
                let mut map = HeaderMap::new();
                for (name, value) in headers.iter().flatten() {
                    map.append(name.clone(), value.clone());
                }
                map
            }
            Self::Many(headers) => headers.clone(),
        }
    }
}

#[derive(Debug)]
struct State {
    /// What the application has not handed over yet.
    source: Option<tonic::body::Body>,
    /// A unary request is one frame.
    first: Option<Bytes>,
    others: Vec<Bytes>,
    bytes: usize,
    bytes_max: usize,
    /// How many frames the application has handed over.
    passed: usize,
    /// The attempt that took the frame for which there was no room.
    committed: Option<u32>,
    /// How the application's stream has failed.
    failed: Option<Status>,
    /// Attempts that wait for the source. It knows only the last that asked; that one wakes the others.
    waiting: Vec<Waker>,
}

impl Replay {
    /// Keeps `request`, and turns it into the first attempt.
    pub(crate) fn keep(request: Request<tonic::body::Body>, bytes_max: usize, attempt: u32) -> (Self, request::Parts) {
        let (parts, source) = request.into_parts();
        let state = State {
            source: Some(source),
            first: None,
            others: Vec::new(),
            bytes: 0,
            bytes_max,
            passed: 0,
            committed: None,
            failed: None,
            waiting: Vec::new(),
        };
        let kept = Kept { head: Head::of(&parts), highest: AtomicU32::new(attempt), body: Mutex::new(state) };
        (Self(Arc::new(kept)), parts)
    }

    /// A body from the beginning, for the attempt of this number.
    pub(crate) fn body(&self, attempt: u32) -> tonic::body::Body {
        tonic::body::Body::new(ReplayBody { replay: self.clone(), attempt, next: 0 })
    }

    /// The request once more, for the attempt that `call` says.
    pub(crate) fn request(&self, call: Call) -> Request<tonic::body::Body> {
        let head = &self.0.head;
        let mut request = Request::new(self.body(call.attempt));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.version_mut() = head.version;
        *request.headers_mut() = head.headers.restore();
        *request.extensions_mut() = head.extensions.clone();
        if let Some(called) = &head.called {
            request.extensions_mut().insert(called.clone());
        }
        request.extensions_mut().insert(call);
        request
    }

    /// The numbers of further attempts.
    pub(crate) fn numbers(&self) -> Numbers {
        Numbers(Arc::clone(&self.0))
    }

    /// Whether the request can still be sent once more.
    pub(crate) fn is_complete(&self) -> bool {
        let state = self.lock();
        state.committed.is_none() && state.failed.is_none()
    }

    /// Whether the call is committed to another attempt than this one.
    pub(crate) fn is_committed_elsewhere(&self, attempt: u32) -> bool {
        self.lock().committed.is_some_and(|committed| committed != attempt)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.body.lock().expect("nothing panics while holding it")
    }
}

impl Numbers {
    /// The number of one more attempt.
    pub(crate) fn take(&self) -> u32 {
        self.0.highest.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl State {
    fn frame(&self, number: usize) -> Option<&Bytes> {
        match number.checked_sub(1) {
            None => self.first.as_ref(),
            Some(other) => self.others.get(other),
        }
    }

    /// Whether a frame is forgotten.
    fn is_lost(&self, number: usize) -> bool {
        self.committed.is_some() && number < self.passed
    }

    /// Takes the next frame from the application for an attempt, and keeps it if there is room.
    fn pull(&mut self, attempt: u32, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(status) = &self.failed {
            return Poll::Ready(Some(Err(status.clone())));
        }
        let Some(source) = &mut self.source else { return Poll::Ready(None) };
        match Pin::new(source).poll_frame(cx) {
            Poll::Pending => {
                if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                    self.waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
            Poll::Ready(None) => {
                self.source = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.keep(data.clone(), attempt);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(status))) => {
                self.failed = Some(status.clone());
                self.source = None;
                Poll::Ready(Some(Err(status)))
            }
        }
    }

    fn keep(&mut self, data: Bytes, attempt: u32) {
        self.passed += 1;
        self.bytes = self.bytes.saturating_add(data.len());
        if self.committed.is_some() || self.bytes > self.bytes_max {
            self.committed.get_or_insert(attempt);
            (self.first, self.others) = (None, Vec::new());
        } else if self.first.is_none() {
            self.first = Some(data);
        } else {
            self.others.push(data);
        }
    }
}

/// The body of one attempt: what is remembered, then what comes.
struct ReplayBody {
    replay: Replay,
    attempt: u32,
    next: usize,
}

impl Body for ReplayBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut state = self.replay.lock();
        if let Some(data) = state.frame(self.next).cloned() {
            drop(state);
            self.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if state.is_lost(self.next) {
            return Poll::Ready(Some(Err(Status::cancelled(
                "the request outgrew its replay buffer on another attempt",
            ))));
        }
        let polled = state.pull(self.attempt, cx);
        if polled.is_ready() {
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            self.next += 1;
            wake(waiting);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let state = self.replay.lock();
        let over = state.failed.is_none() && state.source.as_ref().is_none_or(Body::is_end_stream);
        over && state.frame(self.next).is_none() && !state.is_lost(self.next)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Whoever waits for the source may have waited through this attempt's waker.
impl Drop for ReplayBody {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut self.replay.lock().waiting);
        wake(waiting);
    }
}

fn wake(waiting: Vec<Waker>) {
    for waker in waiting {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use http_body_util::{BodyExt, Full};

    fn check(size: usize, bytes_max: usize, complete: bool) {
        let content = Bytes::from(vec![7; size]);
        let request = Request::new(tonic::body::Body::new(Full::new(content.clone())));
        let (replay, _) = Replay::keep(request, bytes_max, 1);
        let read = |body: tonic::body::Body| tokio_test::block_on(body.collect()).unwrap().to_bytes();
        assert_eq!(read(replay.body(1)), content);
        assert_eq!(replay.is_complete(), complete, "{size} bytes in a buffer of {bytes_max}");
        if complete {
            assert_eq!(read(replay.body(1)), content, "the second time");
        }
    }

    /// Few headers and many, and one name with several values: the second request has those of the first.
    #[test]
    fn headers_are_restored_as_they_were() {
        for count in 0..10_u32 {
            let mut headers = HeaderMap::new();
            for n in 0..count {
                headers.append(
                    if n % 3 == 0 {
                        "x-same".parse().unwrap()
                    } else {
                        HeaderName::try_from(format!("x-{n}")).unwrap()
                    },
                    HeaderValue::from(n),
                );
            }
            assert_eq!(Headers::of(&headers).restore(), headers, "{count}");
        }
    }

    /// A request of several frames, each of which the test hands over.
    fn fed() -> (tokio::sync::mpsc::UnboundedSender<Result<&'static str, Status>>, tonic::body::Body) {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<Result<&'static str, Status>>();
        let frames = futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx));
        let frames = frames.map(|frame| frame.map(|text| Frame::data(Bytes::from_static(text.as_bytes()))));
        (sender, tonic::body::Body::new(http_body_util::StreamBody::new(frames)))
    }

    type Read = tokio_test::task::Spawn<tonic::body::Body>;

    /// What a body gives next: a frame, `Err`, or `None` at the end.
    fn next(body: &mut Read) -> Poll<Option<Result<Bytes, tonic::Code>>> {
        let frame = body.enter(|cx, body| body.poll_frame(cx));
        frame.map(|frame| {
            frame.map(|frame| frame.map(|frame| frame.into_data().unwrap()).map_err(|status| status.code()))
        })
    }

    fn two(bytes_max: usize) -> (tokio::sync::mpsc::UnboundedSender<Result<&'static str, Status>>, Replay, [Read; 2]) {
        let (sender, source) = fed();
        let (replay, _) = Replay::keep(Request::new(source), bytes_max, 1);
        let bodies = [1, 2].map(|attempt| tokio_test::task::spawn(replay.body(attempt)));
        (sender, replay, bodies)
    }

    fn frame(text: &'static str) -> Poll<Option<Result<Bytes, tonic::Code>>> {
        Poll::Ready(Some(Ok(Bytes::from_static(text.as_bytes()))))
    }

    const FAILED: Poll<Option<Result<Bytes, tonic::Code>>> = Poll::Ready(Some(Err(tonic::Code::Cancelled)));

    /// Two attempts at once, and the buffer overflows: the one ahead goes on, the other must not send the rest as if it were all.
    #[test]
    fn an_attempt_that_lags_behind_a_full_buffer_fails() {
        let (sender, replay, [mut ahead, mut behind]) = two(4);
        sender.send(Ok("abc")).unwrap();
        assert_eq!([next(&mut ahead), next(&mut behind)], [frame("abc"), frame("abc")]);
        assert!(!replay.is_committed_elsewhere(2));
        sender.send(Ok("de")).unwrap();
        sender.send(Ok("f")).unwrap();
        drop(sender);
        assert_eq!(next(&mut ahead), frame("de"));
        assert!(!replay.is_complete() && replay.is_committed_elsewhere(2) && !replay.is_committed_elsewhere(1));
        assert!(!behind.is_end_stream());
        assert_eq!(next(&mut behind), FAILED);
        assert_eq!([next(&mut ahead), next(&mut ahead)], [frame("f"), Poll::Ready(None)]);
        assert_eq!(next(&mut behind), FAILED);
    }

    /// An application that gives up half-way has given up all attempts: none may end as if that were the whole request.
    #[test]
    fn a_stream_that_fails_fails_every_attempt() {
        let (sender, replay, [mut first, mut second]) = two(100);
        sender.send(Ok("abc")).unwrap();
        sender.send(Err(Status::cancelled("changed my mind"))).unwrap();
        drop(sender);
        assert_eq!([next(&mut first), next(&mut first)], [frame("abc"), FAILED]);
        assert_eq!(next(&mut second), frame("abc"));
        assert!(!second.is_end_stream());
        assert_eq!(next(&mut second), FAILED);
        assert!(!replay.is_complete());
    }

    /// The source knows only the attempt that asked last. When that one is cancelled, the others must ask themselves.
    #[test]
    fn an_attempt_that_is_dropped_wakes_those_who_waited_through_it() {
        let (sender, replay, [mut first, mut second]) = two(100);
        for _ in 0..3 {
            assert!(next(&mut first).is_pending() && next(&mut second).is_pending());
        }
        assert_eq!(replay.lock().waiting.len(), 2, "however often they have asked");
        drop(second);
        assert!(first.is_woken());
        assert!(next(&mut first).is_pending());
        sender.send(Ok("abc")).unwrap();
        assert!(first.is_woken());
        assert_eq!(next(&mut first), frame("abc"));
    }

    /// Exactly what fits is kept: one byte more, and the call is committed.
    #[test]
    fn a_body_replays_until_it_outgrows_the_buffer() {
        check(0, 0, true);
        check(1, 0, false);
        check(256 * 1024, 256 * 1024, true);
        check(256 * 1024 + 1, 256 * 1024, false);
    }
}
