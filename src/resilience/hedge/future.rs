//! One call under hedging: several attempts at once, until one of them decides.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::util::Oneshot;
use tower_service::Service;

use super::Shared;
use super::course::{After, Begun, Course};
use crate::clock::{self, Sleep};
use crate::resilience::BoxError;
use crate::resilience::budget::{Budget, Paid};
use crate::resilience::call::Call;
use crate::resilience::moment::WayOut;
use crate::resilience::retry::{Replay, Settle, failed, settle};
use crate::resilience::watch::Watch;

pin_project_lite::pin_project! {
    /// The future of a hedged call.
    pub struct HedgeFuture<S>
    where
        S: Service<Request<tonic::body::Body>>,
    {
        inner: S,
        course: Course,
        #[pin]
        first: Option<S::Future>,
        hedges: Vec<Hedged<S>>,
        #[pin]
        next: Option<Sleep>,
        // How the last attempt failed: what the call ends with if none follows.
        last: Option<Result<S::Response, BoxError>>,
    }
}

/// A hedge under way.
struct Hedged<S: Service<Request<tonic::body::Body>>> {
    number: u32,
    attempt: Pin<Box<Oneshot<S, Request<tonic::body::Body>>>>,
    paid: Option<Paid<dyn Budget>>,
}

impl<S> HedgeFuture<S>
where
    S: Service<Request<tonic::body::Body>> + Clone,
{
    pub(super) fn start(inner: S, shared: Arc<Shared>, mut request: Request<tonic::body::Body>) -> Self {
        // Read once, a deadline that the caller wrote into the headers spans all attempts.
        let number = Call::timed(&mut request, &shared.ambient, clock::now()).attempt;
        let (replay, mut parts) = Replay::keep(request, shared.config.buffer_bytes, number);
        let call = parts.extensions.get_or_insert_with(Call::default);
        call.number_from(|| replay.numbers());
        let call = call.clone();
        // The instance that was polled ready makes the first attempt; hedges wait for clones to become ready.
        let (clone, mut ready) = (inner.clone(), inner);
        let course = Course::begin(shared, call, replay);
        let attempt = ready.call(Request::from_parts(parts, course.body(number)));
        let next = course.next_hedge();
        Self { inner: clone, course, first: Some(attempt), hedges: Vec::new(), next, last: None }
    }
}

impl<S, B> Future for HedgeFuture<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<Watch<B, Settle>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            // In the order in which they started: at equal instants the earliest wins.
            let way = WayOut::begin();
            let mut ended = None;
            if let Some(first) = this.first.as_mut().as_pin_mut()
                && let Poll::Ready(result) = first.poll(cx)
            {
                this.first.set(None);
                this.course.learn();
                ended = Some((this.course.first, result.map_err(Into::into), None));
            }
            if ended.is_none() {
                for at in 0..this.hedges.len() {
                    if let Poll::Ready(result) = this.hedges[at].attempt.as_mut().poll(cx) {
                        let Hedged { number, paid, .. } = this.hedges.remove(at);
                        ended = Some((number, result.map_err(Into::into), paid));
                        break;
                    }
                }
            }
            if let Some((attempt, result, paid)) = ended {
                let Some(failure) = failed(&result) else {
                    // The others are cancelled by being dropped, here and not when the application is done reading.
                    this.course.learn();
                    this.first.set(None);
                    this.hedges.clear();
                    let number = this.course.call.number();
                    let account = &mut this.course.account;
                    if let (Some(account), Some(paid)) = (account.as_mut(), paid) {
                        account.adopt(paid);
                    }
                    return Poll::Ready(result.map(|response| settle(response, account, number, way)));
                };
                drop(paid);
                let alone = this.first.is_none() && this.hedges.is_empty();
                match this.course.after(attempt, failure, alone) {
                    After::End => {
                        this.first.set(None);
                        this.hedges.clear();
                        return Poll::Ready(result.map(Watch::unwatched));
                    }
                    After::Wait => *this.last = Some(result),
                    After::Hedge(at) => {
                        *this.last = Some(result);
                        this.next.set(Some(clock::sleep_until(at)));
                    }
                }
                continue;
            }
            let due = match this.next.as_mut().as_pin_mut() {
                Some(sleep) if !this.course.stopped => sleep.poll(cx).is_ready(),
                _ => false,
            };
            if !due {
                return Poll::Pending;
            }
            match this.course.hedge() {
                Some(Begun { number, request, paid }) => {
                    let attempt = Box::pin(Oneshot::new(this.inner.clone(), request));
                    this.hedges.push(Hedged { number, attempt, paid });
                    this.next.set(this.course.next_hedge());
                }
                None => {
                    this.next.set(None);
                    // Nothing is under way and nothing follows: the call has failed as its last attempt did.
                    if this.first.is_none()
                        && this.hedges.is_empty()
                        && let Some(last) = this.last.take()
                    {
                        return Poll::Ready(last.map(Watch::unwatched));
                    }
                }
            }
        }
    }
}
