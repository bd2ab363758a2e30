//! The replay buffer: a request body that can be sent more than once.
//!
//! Frames are kept as they pass by, sharing their bytes with what is sent, so that a unary request costs no copy. Once a
//! request outgrows the buffer it can be sent only once: the call is committed (gRFC A6, "When Retries are Valid").

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

/// The memory of one request body, shared by the bodies of all attempts.
#[derive(Clone, Debug)]
pub(crate) struct Replay(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// What the application has not handed over yet.
    source: Option<tonic::body::Body>,
    frames: Vec<Bytes>,
    bytes: usize,
    bytes_max: usize,
    overflown: bool,
    failed: bool,
    /// Attempts that wait for the source besides the one whose waker it holds.
    waiting: Vec<Waker>,
}

impl Replay {
    pub(crate) fn new(source: tonic::body::Body, bytes_max: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            source: Some(source),
            frames: Vec::new(),
            bytes: 0,
            bytes_max,
            overflown: false,
            failed: false,
            waiting: Vec::new(),
        })))
    }

    /// A body from the beginning.
    pub(crate) fn body(&self) -> tonic::body::Body {
        tonic::body::Body::new(ReplayBody { replay: self.clone(), next: 0 })
    }

    /// Whether the request can still be sent once more.
    pub(crate) fn is_complete(&self) -> bool {
        let state = self.lock();
        !state.overflown && !state.failed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while holding it")
    }
}

impl State {
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
            self.frames = Vec::new();
        } else {
            self.frames.push(data);
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
            if let Some(data) = state.frames.get(next) {
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
        self.next >= state.frames.len() && state.source.as_ref().is_none_or(Body::is_end_stream)
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
        let replay = Replay::new(tonic::body::Body::new(Full::new(content.clone())), bytes_max);
        let read = |body: tonic::body::Body| tokio_test::block_on(body.collect()).unwrap().to_bytes();
        assert_eq!(read(replay.body()), content);
        assert_eq!(replay.is_complete(), complete, "{size} bytes in a buffer of {bytes_max}");
        if complete {
            assert_eq!(read(replay.body()), content, "the second time");
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
