//! The future of a call through a tier.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::timers::{Struck, Timers};
use super::{Parts, TierBody, enter};
use crate::clock::{self, Sleep};
use crate::resilience::call::restamp_deadline;
use crate::resilience::failure::outcome_of_error;
use crate::resilience::gate::{End, Gate, Pass};
use crate::resilience::moment::{self, Watchful, WayOut};
use crate::resilience::{BoxError, CallId, Outcome};

pin_project_lite::pin_project! {
    /// The future of a call through a [`Tier`](super::Tier).
    pub struct TierFuture<S, G, R>
    where
        S: Service<R>,
        G: Gate,
    {
        #[pin]
        state: State<S, S::Future, G, R>,
        #[pin]
        sleep: Option<Sleep>,
        timers: Timers,
        call: CallId,
    }

    impl<S: Service<R>, G: Gate, R> PinnedDrop for TierFuture<S, G, R> {
        fn drop(this: Pin<&mut Self>) {
            if this.sleep.is_some() {
                moment::disarm();
            }
        }
    }
}

pin_project_lite::pin_project! {
    #[project = StateProjection]
    pub(super) enum State<S, F, G: Gate, R> {
        // Who has to wait can afford a box; who passes should not move a request's worth of nothing.
        Waiting { #[pin] queue: G::Queue, held: Option<Box<(S, R, Arc<Parts<G>>)>> },
        Calling { #[pin] call: F, pass: Option<G::Pass> },
        Done { error: Option<BoxError> },
    }
}

impl<S, F, G: Gate, R> State<S, F, G, R> {
    pub(super) fn failed(error: BoxError) -> Self {
        Self::Done { error: Some(error) }
    }
}

impl<S: Service<R>, G: Gate, R> TierFuture<S, G, R> {
    // Requests, responses and futures are large: inlined, they are moved less (`cargo bench --bench layers`).
    #[inline(always)]
    pub(super) fn new(state: State<S, S::Future, G, R>, timers: Timers, call: CallId) -> Self {
        Self { state, sleep: None, timers, call }
    }
}

impl<S, G, ReqBody, B> Future for TierFuture<S, G, Request<ReqBody>>
where
    S: Service<Request<ReqBody>, Response = Response<B>, Error: Into<BoxError>>,
    G: Gate,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<TierBody<B, G::Pass>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (watch, way) = (Watchful::begin(), WayOut::begin());
        loop {
            match this.state.as_mut().project() {
                StateProjection::Done { error } => {
                    return Poll::Ready(Err(error.take().expect("not polled after it was done")));
                }
                StateProjection::Waiting { queue, held } => {
                    let Poll::Ready(turn) = queue.poll(cx) else { break };
                    let (mut inner, mut request, parts) = *held.take().expect("a queue ends once");
                    // What was written before the wait would let the server work on for a caller who has left.
                    restamp_deadline(&mut request, &parts.ambient, clock::now());
                    let next = match turn {
                        Ok(pass) => enter(&mut inner, &parts, request, Some(pass), this.timers),
                        Err(failure) => State::failed(Box::new(failure)),
                    };
                    this.state.set(next);
                }
                StateProjection::Calling { call, pass } => {
                    let Poll::Ready(result) = call.poll(cx) else { break };
                    return Poll::Ready(land(result.map_err(Into::into), pass.take(), this.timers, *this.call, way));
                }
            }
        }
        match this.timers.poll(&watch, this.sleep, cx) {
            Poll::Pending => Poll::Pending,
            // The attempt ends here and now, not when the future happens to be dropped.
            Poll::Ready(Struck::Outer(timer)) => {
                this.state.set(State::Done { error: None });
                Poll::Ready(Err(timer.failure()))
            }
            Poll::Ready(Struck::Inner(timer)) => {
                let pass = match this.state.as_mut().project() {
                    StateProjection::Calling { pass, .. } => pass.take(),
                    _ => None,
                };
                this.state.set(State::Done { error: None });
                timer.tell(pass);
                Poll::Ready(Err(timer.failure()))
            }
        }
    }
}

/// The service has answered, or failed.
#[inline(always)]
fn land<B, P: Pass>(
    result: Result<Response<B>, BoxError>,
    pass: Option<P>,
    timers: &Timers,
    call: CallId,
    way: WayOut,
) -> Result<Response<TierBody<B, P>>, BoxError> {
    if pass.is_none() && timers.is_empty() {
        return result.map(TierBody::plain);
    }
    let outcome = match &result {
        Ok(response) => Outcome::of_headers(response.headers()),
        Err(error) => Some(outcome_of_error(&**error)),
    };
    let judged = timers.judge(outcome, way);
    let pass = match (judged.gate, pass) {
        (Some(outcome), Some(pass)) => {
            pass.ended(End::new(outcome, call, way));
            None
        }
        (_, pass) => pass,
    };
    if let Some(timer) = judged.caller {
        return Err(timer.failure());
    }
    // Once it is over, nothing bounds it, whatever the body still holds.
    let timers = if outcome.is_some() { Timers::default() } else { *timers };
    result.map(|response| TierBody::new(response, pass, timers, call))
}
