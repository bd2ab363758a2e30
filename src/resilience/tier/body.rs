//! The body of a response through a tier: it must end in time, and its end is told to the gate.
//!
//! A gRPC call is over when its trailers are read, not when its response headers arrive. A policy that judges by headers
//! counts every call that fails after the first byte as a success.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};

use super::timers::{Struck, Timers};
use crate::clock::Sleep;
use crate::resilience::gate::{End, Pass};
use crate::resilience::moment::{self, Watchful, WayOut};
use crate::resilience::watch::end_of;
use crate::resilience::{BoxError, CallId};

pin_project_lite::pin_project! {
    /// The body of a response through a [`Tier`](super::Tier).
    #[derive(Debug)]
    pub struct TierBody<B, P> {
        #[pin]
        body: B,
        #[pin]
        sleep: Option<Sleep>,
        pass: Option<P>,
        timers: Timers,
        call: CallId,
    }

    impl<B, P> PinnedDrop for TierBody<B, P> {
        fn drop(this: Pin<&mut Self>) {
            if this.sleep.is_some() {
                moment::disarm();
            }
        }
    }
}

impl<B, P> TierBody<B, P> {
    // Requests, responses and futures are large: inlined, they are moved less (`cargo bench --bench layers`).
    #[inline(always)]
    pub(super) fn new(response: Response<B>, pass: Option<P>, timers: Timers, call: CallId) -> Response<Self> {
        response.map(|body| Self { body, sleep: None, pass, timers, call })
    }

    /// Nobody bounds it, and nobody wants to know how it ends.
    pub(super) fn plain(response: Response<B>) -> Response<Self> {
        Self::new(response, None, Timers::default(), CallId(0))
    }
}

impl<B, P> Body for TierBody<B, P>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    P: Pass,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        if this.pass.is_none() && this.timers.is_empty() {
            return this.body.poll_frame(cx).map_err(Into::into);
        }
        let (watch, way) = (Watchful::begin(), WayOut::begin());
        let Poll::Ready(frame) = this.body.poll_frame(cx).map_err(Into::into) else {
            let Poll::Ready(struck) = this.timers.poll(&watch, this.sleep, cx) else { return Poll::Pending };
            *this.timers = Timers::default();
            let pass = this.pass.take();
            return Poll::Ready(Some(Err(match struck {
                Struck::Outer(timer) => timer.failure(),
                Struck::Inner(timer) => {
                    timer.tell(pass);
                    timer.failure()
                }
            })));
        };
        let Some(outcome) = end_of(frame.as_ref()) else { return Poll::Ready(frame) };
        let timers = std::mem::take(this.timers);
        let judged = timers.judge(Some(outcome), way);
        if let (Some(outcome), Some(pass)) = (judged.gate, this.pass.take()) {
            pass.ended(End::new(outcome, *this.call, way));
        }
        Poll::Ready(match judged.caller {
            Some(timer) => Some(Err(timer.failure())),
            _ => frame,
        })
    }

    fn is_end_stream(&self) -> bool {
        // A body that says so before it was polled would be thrown away, and the pass with it.
        self.pass.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
