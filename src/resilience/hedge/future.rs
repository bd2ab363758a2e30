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
use crate::clock::{self, Instant, Sleep};
use crate::resilience::budget::{Account, Budget, Paid};
use crate::resilience::call::Call;
use crate::resilience::moment::WayOut;
use crate::resilience::retry::{Failed, Pushback, Replay, Settle, again, failed, settle};
use crate::resilience::watch::Watch;
use crate::resilience::{BoxError, EventKind, Idempotency, Origin, StopReason};

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
    attempt: Pin<Box<Oneshot<S, Request<tonic::body::Body>>>>,
    paid: Option<Paid<dyn Budget>>,
}

/// What the attempts of a call have in common.
struct Course {
    shared: Arc<Shared>,
    account: Option<Account<dyn Budget>>,
    call: Call,
    replay: Replay,
    started: Instant,
    /// Attempts started.
    attempts: u32,
    /// No further attempt may start.
    stopped: bool,
    /// The first attempt has taught the delay what it had to teach.
    learned: bool,
}

impl<S> HedgeFuture<S>
where
    S: Service<Request<tonic::body::Body>> + Clone,
{
    pub(super) fn start(inner: S, shared: Arc<Shared>, mut request: Request<tonic::body::Body>) -> Self {
        let number = Call::of(&mut request, &shared.ambient).attempt;
        let (replay, mut parts) = Replay::keep(request, shared.config.buffer_bytes, number);
        let call = parts.extensions.get_or_insert_with(Call::default);
        call.number_from(|| replay.numbers());
        let call = call.clone();
        let now = clock::now();
        let account = shared.budget.as_ref().map(|budget| Account::open(Arc::clone(budget), now));
        // The instance that was polled ready makes the first attempt; hedges wait for clones to become ready.
        let (clone, mut ready) = (inner.clone(), inner);
        let first = ready.call(Request::from_parts(parts, replay.body()));
        let delay = shared.delay.get();
        let stopped = call.idempotency == Idempotency::NotIdempotent;
        let course = Course { shared, account, call, replay, started: now, attempts: 1, stopped, learned: false };
        let next = Some(clock::sleep_until(now + delay));
        Self { inner: clone, course, first: Some(first), hedges: Vec::new(), next, last: None }
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
            let (mut ended, mut paid) = (None, None);
            if let Some(first) = this.first.as_mut().as_pin_mut()
                && let Poll::Ready(result) = first.poll(cx)
            {
                this.first.set(None);
                this.course.learn();
                ended = Some(result.map_err(Into::into));
            }
            if ended.is_none() {
                for at in 0..this.hedges.len() {
                    if let Poll::Ready(result) = this.hedges[at].attempt.as_mut().poll(cx) {
                        paid = this.hedges.remove(at).paid;
                        ended = Some(result.map_err(Into::into));
                        break;
                    }
                }
            }
            if let Some(result) = ended {
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
                match this.course.after(failure, alone) {
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
            let delay = this.course.shared.delay.get();
            match this.course.hedge() {
                Some((request, paid)) => {
                    let attempt = Box::pin(Oneshot::new(this.inner.clone(), request));
                    this.hedges.push(Hedged { attempt, paid });
                    this.next.set(Some(clock::sleep_until(clock::now() + delay)));
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

/// The request of a hedge, and what the hedge was charged.
type Begun = (Request<tonic::body::Body>, Option<Paid<dyn Budget>>);

/// What follows from a failed attempt.
enum After {
    /// The call has failed.
    End,
    /// Others are still under way.
    Wait,
    /// The next attempt starts then.
    Hedge(Instant),
}

impl Course {
    /// The first attempt has ended, or is about to be cancelled: either way it took this long at least.
    fn learn(&mut self) {
        if !self.learned {
            self.learned = true;
            self.shared.delay.learn(clock::now() - self.started);
        }
    }

    /// One more attempt, if there may be one.
    fn hedge(&mut self) -> Option<Begun> {
        let now = clock::now();
        let config = &self.shared.config;
        let over = self.call.deadline.is_some_and(|deadline| now >= deadline);
        if self.attempts >= config.attempts || over || !self.replay.is_complete() {
            self.stopped = true;
            return None;
        }
        let paid = match &self.account {
            None => None,
            Some(account) => {
                let paid = account.hedge(now);
                if paid.is_none() {
                    self.stop(StopReason::Budget, tonic::Code::Ok);
                    return None;
                }
                paid
            }
        };
        self.call.advance(self.attempts);
        self.attempts += 1;
        self.shared.ambient.emit(Some(self.call.number()), self.call.attempt, || EventKind::Hedged);
        Some((again(&self.call, &self.replay, &self.shared.ambient), paid))
    }

    /// What follows from a failed attempt; `alone` if no other is under way.
    fn after(&mut self, failed: Failed, alone: bool) -> After {
        let now = clock::now();
        let code = failed.outcome.code;
        let non_fatal = match failed.outcome.origin {
            Origin::Server | Origin::Network => self.shared.config.non_fatal.contains(code),
            Origin::AttemptTimeout => true,
            _ => false,
        };
        if (non_fatal || failed.pushback == Pushback::Never)
            && let Some(account) = &mut self.account
        {
            account.failed(now);
        }
        if !non_fatal {
            self.stop(StopReason::NotRetryable, code);
            return After::End;
        }
        if failed.pushback == Pushback::Never {
            self.stop(StopReason::Pushback, code);
        }
        if self.attempts >= self.shared.config.attempts && !self.stopped {
            self.stop(StopReason::Attempts, code);
        }
        match (self.stopped, failed.pushback) {
            (true, _) if alone => After::End,
            (true, _) => After::Wait,
            (false, Pushback::After(pause)) => After::Hedge(now + pause),
            (false, _) => After::Hedge(now),
        }
    }

    fn stop(&mut self, reason: StopReason, code: tonic::Code) {
        if !self.stopped {
            self.stopped = true;
            let kind = || EventKind::RetryStopped { reason, code };
            self.shared.ambient.emit(Some(self.call.number()), self.call.attempt, kind);
        }
    }
}
