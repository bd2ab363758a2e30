//! What is hedged, how often and when: the decision of gRFC A6, apart from the futures that carry it out.
//!
//! Rule: hedging stops for one reason, told once. What is under way then goes on, unless the server has spoken for all of them: an
//! attempt that failed for good, or the one to which the call is committed.

use std::sync::Arc;

use http::Request;
use tonic::Code;

use super::Shared;
use crate::clock::{self, Instant, Sleep};
use crate::resilience::budget::{Account, Budget, Paid};
use crate::resilience::call::Call;
use crate::resilience::retry::{Failed, Pushback, Replay, again};
use crate::resilience::{EventKind, Idempotency, Origin, StopReason};

/// What the attempts of a call have in common.
pub(super) struct Course {
    shared: Arc<Shared>,
    pub(super) account: Option<Account<dyn Budget>>,
    pub(super) call: Call,
    replay: Replay,
    started: Instant,
    /// The number of the first attempt, which others may have started before the call came here.
    pub(super) first: u32,
    /// Attempts started.
    attempts: u32,
    /// No further attempt may start.
    pub(super) stopped: bool,
    /// What the last attempt to fail failed with.
    code: Code,
    /// The first attempt has taught the delay what it had to teach.
    learned: bool,
}

/// One more attempt, and what it was charged.
pub(super) struct Begun {
    pub(super) number: u32,
    pub(super) request: Request<tonic::body::Body>,
    pub(super) paid: Option<Paid<dyn Budget>>,
}

/// What follows from a failed attempt.
pub(super) enum After {
    /// The call has failed.
    End,
    /// Others are still under way.
    Wait,
    /// The next attempt starts then.
    Hedge(Instant),
}

impl Course {
    pub(super) fn begin(shared: Arc<Shared>, call: Call, replay: Replay) -> Self {
        let started = clock::now();
        let account = shared.budget.as_ref().map(|budget| Account::open(Arc::clone(budget), started));
        let first = call.attempt;
        let (attempts, stopped, code, learned) = (1, false, Code::Ok, false);
        Self { shared, account, call, replay, started, first, attempts, stopped, code, learned }
    }

    /// The body of the attempt of this number.
    pub(super) fn body(&self, attempt: u32) -> tonic::body::Body {
        self.replay.body(attempt)
    }

    /// The first attempt has ended, or is about to be cancelled: either way it took this long at least.
    pub(super) fn learn(&mut self) {
        if !self.learned {
            self.learned = true;
            self.shared.delay.learn(clock::now() - self.started);
        }
    }

    /// Until the next hedge is due, if there may be one.
    pub(super) fn next_hedge(&self) -> Option<Sleep> {
        let may = self.attempts < self.shared.config.attempts && self.call.idempotency != Idempotency::NotIdempotent;
        may.then(|| clock::sleep_until(clock::now() + self.shared.delay.get()))
    }

    /// One more attempt, if there may be one.
    pub(super) fn hedge(&mut self) -> Option<Begun> {
        let now = clock::now();
        let over = self.call.deadline.is_some_and(|deadline| now >= deadline);
        if over || !self.replay.is_complete() {
            self.stop(if over { StopReason::Deadline } else { StopReason::Committed });
            return None;
        }
        let paid = match &self.account {
            None => None,
            Some(account) => {
                let paid = account.hedge(now);
                if paid.is_none() {
                    self.stop(StopReason::Budget);
                    return None;
                }
                paid
            }
        };
        self.call.advance(self.attempts);
        self.attempts += 1;
        self.shared.ambient.emit(Some(self.call.number()), self.call.attempt, || EventKind::Hedged);
        let request = again(&self.call, &self.replay, &self.shared.ambient);
        Some(Begun { number: self.call.attempt, request, paid })
    }

    /// What follows when this attempt has failed; `alone` if no other is under way.
    pub(super) fn after(&mut self, attempt: u32, failed: Failed, alone: bool) -> After {
        if !alone && self.replay.is_committed_elsewhere(attempt) {
            // It could not have sent the whole request: how it ended says nothing.
            return After::Wait;
        }
        let now = clock::now();
        self.code = failed.outcome.code;
        let fatal = self.fatal(&failed);
        if (fatal.is_none() || failed.pushback == Pushback::Never)
            && let Some(account) = &mut self.account
        {
            account.failed(now);
        }
        if let Some(reason) = fatal {
            self.stop(reason);
            // What this side has turned away says nothing about those under way.
            return if reason == StopReason::Rejected && !alone { After::Wait } else { After::End };
        }
        let at = if let Pushback::After(pause) = failed.pushback { now + pause } else { now };
        if let Some(reason) = self.obstacle(&failed, at) {
            self.stop(reason);
        }
        match self.stopped {
            false => After::Hedge(at),
            true if alone || !self.replay.is_complete() => After::End,
            true => After::Wait,
        }
    }

    /// Why this failure is the call's, if it is.
    fn fatal(&self, failed: &Failed) -> Option<StopReason> {
        match failed.outcome.origin {
            Origin::Server | Origin::Network if self.shared.config.non_fatal.contains(failed.outcome.code) => None,
            Origin::AttemptTimeout => None,
            Origin::ClientDeadline => Some(StopReason::Deadline),
            origin if origin.is_local_rejection() => Some(StopReason::Rejected),
            _ => Some(StopReason::NotRetryable),
        }
    }

    /// Why no hedge can follow at this time, budgets aside.
    fn obstacle(&self, failed: &Failed, at: Instant) -> Option<StopReason> {
        if failed.pushback == Pushback::Never {
            return Some(StopReason::Pushback);
        }
        if self.call.idempotency == Idempotency::NotIdempotent {
            return Some(StopReason::NotIdempotent);
        }
        if !self.replay.is_complete() {
            return Some(StopReason::Committed);
        }
        if self.attempts >= self.shared.config.attempts {
            return Some(StopReason::Attempts);
        }
        self.call.deadline.is_some_and(|deadline| at >= deadline).then_some(StopReason::Deadline)
    }

    fn stop(&mut self, reason: StopReason) {
        if !self.stopped {
            self.stopped = true;
            let kind = || EventKind::RetryStopped { reason, code: self.code };
            self.shared.ambient.emit(Some(self.call.number()), self.call.attempt, kind);
        }
    }
}
