//! The replay buffer: a request that can be sent more than once.
//!
//! Frames are kept as they pass by, sharing their bytes with what is sent, so that a unary request costs no copy. Once a
//! request outgrows the buffer it can be sent only once: the call is committed (gRFC A6, "When Retries are Valid").
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
    overflown: bool,
    failed: bool,
    /// Attempts that wait for the source besides the one whose waker it holds.
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
            overflown: false,
            failed: false,
            waiting: Vec::new(),
        };
        let kept = Kept { head: Head::of(&parts), highest: AtomicU32::new(attempt), body: Mutex::new(state) };
        (Self(Arc::new(kept)), parts)
    }

    /// A body from the beginning.
    pub(crate) fn body(&self) -> tonic::body::Body {
        tonic::body::Body::new(ReplayBody { replay: self.clone(), next: 0 })
    }

    /// The request once more, for the attempt that `call` says.
    pub(crate) fn request(&self, call: Call) -> Request<tonic::body::Body> {
        let head = &self.0.head;
        let mut request = Request::new(self.body());
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
        !state.overflown && !state.failed
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

    /// Takes the next frame from the application, and keeps it if there is room.
    fn pull(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(source) = &mut self.source else { return Poll::Ready(None) };
        match Pin::new(source).poll_frame(cx) {
            Poll::Pending => {
                self.waiting.push(cx.waker().clone());
                Poll::Pending
            }
            Poll::Ready(None) => {
                self.source = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.keep(data.clone());
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(status))) => {
                self.failed = true;
                self.source = None;
                Poll::Ready(Some(Err(status)))
            }
        }
    }

    fn keep(&mut self, data: Bytes) {
        self.bytes += data.len();
        if self.overflown || self.bytes > self.bytes_max {
            self.overflown = true;
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
    next: usize,
}

impl Body for ReplayBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let next = self.next;
        let (polled, woken) = {
            let mut state = self.replay.lock();
            if let Some(data) = state.frame(next) {
                (Poll::Ready(Some(Ok(Frame::data(data.clone())))), Vec::new())
            } else {
                let polled = state.pull(cx);
                let woken = if polled.is_ready() { std::mem::take(&mut state.waiting) } else { Vec::new() };
                (polled, woken)
            }
        };
        for waker in woken {
            waker.wake();
        }
        self.next += 1;
        if polled.is_pending() {
            self.next = next;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let state = self.replay.lock();
        state.frame(self.next).is_none() && state.source.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};

    fn check(size: usize, bytes_max: usize, complete: bool) {
        let content = Bytes::from(vec![7; size]);
        let request = Request::new(tonic::body::Body::new(Full::new(content.clone())));
        let (replay, _) = Replay::keep(request, bytes_max, 1);
        let read = |body: tonic::body::Body| tokio_test::block_on(body.collect()).unwrap().to_bytes();
        assert_eq!(read(replay.body()), content);
        assert_eq!(replay.is_complete(), complete, "{size} bytes in a buffer of {bytes_max}");
        if complete {
            assert_eq!(read(replay.body()), content, "the second time");
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

    /// Exactly what fits is kept: one byte more, and the call is committed.
    #[test]
    fn a_body_replays_until_it_outgrows_the_buffer() {
        check(0, 0, true);
        check(1, 0, false);
        check(256 * 1024, 256 * 1024, true);
        check(256 * 1024 + 1, 256 * 1024, false);
    }
}
