//! The bounds of a tier at work: when they strike, and which of them it is.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request};
use tonic::Code;

use crate::clock::{self, Instant, Sleep};
use crate::resilience::call::{Call, stamp_deadline, stamp_whole};
use crate::resilience::gate::{End, Pass};
use crate::resilience::moment::{Watchful, WayOut};
use crate::resilience::{Ambient, BoxError, CallId, Failure, Origin, Outcome};

/// How long something may take.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) timeout: Duration,
    pub(crate) origin: Origin,
    /// What this layer writes into `grpc-timeout` when all of the timeout remains; formatted once, not once a call.
    pub(crate) stamp: Option<HeaderValue>,
}

impl Bound {
    /// Bounds the call of `request`, and says so in its headers.
    pub(super) fn begin<B>(&self, request: &mut Request<B>, ambient: &Ambient, now: Instant) -> Timer {
        let call = Call::timed(request, ambient, now);
        call.watched = true;
        let number = call.number();
        let (earlier, deadline) = (call.deadline, now + self.timeout);
        call.bound(deadline, self.origin);
        let origin = call.deadline_origin;
        match earlier {
            // Whoever set the earlier deadline outside of us watches it; if it was the caller alone, nobody does but us. It stays
            // what it was: the timeout of an attempt further out may be retried there.
            Some(earlier) if earlier <= deadline => {
                if self.stamp.is_some() {
                    stamp_deadline(request, ambient, now);
                }
                Timer { call: number, deadline: earlier, origin }
            }
            _ => {
                call.unstamp();
                if let Some(stamp) = &self.stamp {
                    stamp_whole(request, ambient, now, stamp);
                }
                Timer { call: number, deadline, origin: self.origin }
            }
        }
    }
}

/// One bound of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    call: CallId,
    deadline: Instant,
    origin: Origin,
}

impl Timer {
    pub(super) fn call(self) -> CallId {
        self.call
    }

    pub(super) fn is_over(self, now: Instant) -> bool {
        self.deadline <= now
    }

    pub(super) fn failure(self) -> BoxError {
        let what = if self.origin == Origin::AttemptTimeout { "attempt timed out" } else { "deadline exceeded" };
        Box::new(Failure::new(Code::DeadlineExceeded, self.origin, what))
    }

    fn outcome(self) -> Outcome {
        Outcome { code: Code::DeadlineExceeded, origin: self.origin }
    }

    /// Tells the gate further out that this bound has struck.
    pub(super) fn tell<P: Pass>(self, pass: Option<P>) {
        if let Some(pass) = pass {
            pass.ended(End::here(self.outcome(), self.call));
        }
    }

    /// Whether this end of the call was brought about by the deadline, on the server's clock.
    fn caused(self, outcome: Outcome, way: WayOut) -> bool {
        let cancelled = outcome.code == Code::Cancelled && outcome.origin == Origin::Server;
        cancelled && way.now(self.call) >= self.deadline
    }
}

/// The bounds of one call in a tier.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timers {
    pub(super) outer: Option<Timer>,
    /// Only while the service behind the gate is at work.
    pub(super) inner: Option<Timer>,
}

/// Which bound has struck.
pub(super) enum Struck {
    Inner(Timer),
    Outer(Timer),
}

impl Timers {
    pub(super) fn is_empty(&self) -> bool {
        self.outer.is_none() && self.inner.is_none()
    }

    /// The one that strikes first: of two at the same time, the one further in.
    fn next(&self) -> Option<Struck> {
        match (self.inner, self.outer) {
            (Some(inner), Some(outer)) if outer.deadline < inner.deadline => Some(Struck::Outer(outer)),
            (Some(inner), _) => Some(Struck::Inner(inner)),
            (None, outer) => outer.map(Struck::Outer),
        }
    }

    /// Waits for the first bound, with a timer that is made when there is something to wait for and nobody further in has an
    /// earlier one.
    pub(super) fn poll(
        &self,
        watch: &Watchful,
        mut sleep: Pin<&mut Option<Sleep>>,
        cx: &mut Context<'_>,
    ) -> Poll<Struck> {
        let Some(next) = self.next() else { return Poll::Pending };
        let (Struck::Inner(Timer { deadline, .. }) | Struck::Outer(Timer { deadline, .. })) = next;
        if sleep.as_ref().as_pin_ref().is_none_or(|sleep| sleep.deadline() != deadline) {
            if watch.is_relieved(deadline) {
                return Poll::Pending;
            }
            sleep.set(Some(clock::sleep_until(deadline)));
        }
        watch.arm(deadline);
        match sleep.as_pin_mut() {
            Some(sleep) => sleep.poll(cx).map(|()| next),
            None => Poll::Pending,
        }
    }

    /// The end of a call as the gate sees it, and as the caller does: a bound may have brought it about.
    pub(super) fn judge(&self, outcome: Option<Outcome>, way: WayOut) -> Judged {
        let caused = |timer: &Option<Timer>, outcome: Option<Outcome>| {
            (*timer).filter(|timer| outcome.is_some_and(|outcome| timer.caused(outcome, way)))
        };
        let bound = caused(&self.inner, outcome).or_else(|| caused(&self.outer, outcome));
        Judged { gate: bound.map(Timer::outcome).or(outcome), caller: bound }
    }
}

/// What became of a call.
pub(super) struct Judged {
    /// How it ended, for the gate; `None` if that is still open.
    pub(super) gate: Option<Outcome>,
    /// The bound that ended it, whatever the service says.
    pub(super) caller: Option<Timer>,
}
