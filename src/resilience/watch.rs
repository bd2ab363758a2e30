//! A response body that tells how the call ended.
//!
//! A gRPC call is over when its trailers are read, not when its response headers arrive. A policy that judges by headers
//! counts every call that fails after the first byte as a success. This wrapper reads the status as it passes by, and
//! reports it to a [`Pass`] once.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use tonic::Code;

use super::failure::outcome_of_error;
use super::gate::{End, Pass};
use super::moment::WayOut;
use super::{BoxError, CallId, Outcome};

pin_project_lite::pin_project! {
    /// A body that reports the outcome of its call.
    #[derive(Debug)]
    pub struct Watch<B, W> {
        #[pin]
        body: B,
        watcher: Option<W>,
        call: CallId,
    }
}

impl<B, W: Pass> Watch<B, W> {
    /// Watches `response`, whose outcome may be known from its headers already.
    // Requests, responses and futures are large: inlined, they are moved less (`cargo bench --bench layers`).
    #[inline(always)]
    pub(crate) fn response(response: Response<B>, watcher: W, call: CallId, way: WayOut) -> Response<Self> {
        let known = Outcome::of_headers(response.headers());
        response.map(|body| match known {
            Some(outcome) => {
                watcher.ended(End::new(outcome, call, way));
                Self { body, watcher: None, call }
            }
            None => Self { body, watcher: Some(watcher), call },
        })
    }

    /// A body nobody needs to watch.
    #[inline(always)]
    pub(crate) fn unwatched(response: Response<B>) -> Response<Self> {
        response.map(|body| Self { body, watcher: None, call: CallId(0) })
    }
}

/// How a call ended whose response body has just given `frame`; `None` if it goes on.
pub(crate) fn end_of(frame: Option<&Result<Frame<Bytes>, BoxError>>) -> Option<Outcome> {
    match frame {
        // Trailers without a status are the server's mistake; tonic calls them UNKNOWN.
        Some(Ok(frame)) => {
            frame.trailers_ref().map(|trailers| Outcome::of_headers(trailers).unwrap_or(Outcome::server(Code::Unknown)))
        }
        Some(Err(error)) => Some(outcome_of_error(&**error)),
        None => Some(Outcome::server(Code::Unknown)),
    }
}

impl<B, W> Body for Watch<B, W>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    W: Pass,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        if this.watcher.is_none() {
            return this.body.poll_frame(cx).map_err(Into::into);
        }
        let way = WayOut::begin();
        let polled = this.body.poll_frame(cx).map_err(Into::into);
        if let Poll::Ready(frame) = &polled
            && let Some(outcome) = end_of(frame.as_ref())
            && let Some(watcher) = this.watcher.take()
        {
            watcher.ended(End::new(outcome, *this.call, way));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        // A body that says so before it was polled would be thrown away, and the watcher with it.
        self.watcher.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
