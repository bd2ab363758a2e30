//! Retry budgets: how many retries a client may add to a system that is already in trouble.
//!
//! A cap on attempts bounds one call; it does not bound the load. When every call fails, three attempts triple the traffic
//! exactly when the server can least afford it. A budget ties retries to something that fails with the system instead:
//! successes, calls, or what is in flight.
//!
//! Rule: a budget is asked *before* the backoff and charged once per retry, whoever wins. When it deposits (a call begins, a
//! call succeeds, an attempt fails) and in what unit (tokens, a window, concurrency) is what the kinds differ in.

mod config;
mod kinds;
#[cfg(test)]
mod model;

pub use self::config::{BudgetConfig, BudgetKind, Scope};

use std::sync::Arc;

use crate::clock::Instant;

/// Something that says whether one more retry may start. Shared by all calls of a client or of a group.
pub trait Budget: Send + Sync {
    /// A call begins.
    fn begun(&self, _now: Instant) {}

    /// An attempt failed in a way that calls for a retry, or the server pushed back.
    fn failed(&self, _now: Instant) {}

    /// Asks for one retry, and charges it. Returns what to give back if it never starts, or `None` if it may not start.
    fn charge(&self, now: Instant, why: Charge) -> Option<Permit>;

    /// An attempt succeeded: the first of its call, or the retry that `permit` paid for.
    fn succeeded(&self, _now: Instant, _permit: Option<Permit>) {}

    /// The retry that `permit` paid for has ended, however.
    fn released(&self, _now: Instant, _permit: Permit) {}

    /// The retry that `permit` paid for never started: the deadline came first, the attempts were used up, or the caller
    /// left during the pause.
    fn refunded(&self, now: Instant, permit: Permit) {
        self.released(now, permit);
    }

    /// A call has ended, however.
    fn ended(&self, _now: Instant) {}
}

/// Why a retry is asked for: the AWS SDKs charge more for some reasons than for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// The attempt failed.
    Failure,
    /// The attempt timed out, the connection was lost, or the server was not available.
    Transient,
    /// The attempt is only slow: a hedge.
    Hedge,
}

/// One retry that may start, and what it cost.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "a permit pays for one retry"]
pub struct Permit {
    cost: f64,
}

/// The account of one call: begins it, and however it ends (a dropped future, too) gives everything back.
#[derive(Debug)]
pub(crate) struct Account<B: ?Sized + Budget> {
    permit: Option<Permit>,
    /// Whether the retry that the permit paid for has started.
    begun: bool,
    /// When the call ended, once it has.
    ended: Option<Instant>,
    budget: Arc<B>,
}

impl<B: ?Sized + Budget> Account<B> {
    pub(crate) fn open(budget: Arc<B>, now: Instant) -> Self {
        budget.begun(now);
        Self { permit: None, begun: false, ended: None, budget }
    }

    pub(crate) fn failed(&mut self, now: Instant) {
        self.release(now);
        self.budget.failed(now);
    }

    /// Whether one more attempt may start.
    pub(crate) fn charge(&mut self, now: Instant, why: Charge) -> bool {
        self.release(now);
        self.begun = false;
        self.permit = self.budget.charge(now, why);
        self.permit.is_some()
    }

    /// The attempt that was charged starts.
    pub(crate) fn begin(&mut self) {
        self.begun = true;
    }

    /// The attempt that was charged will not start.
    pub(crate) fn refund(&mut self, now: Instant) {
        self.release(now);
    }

    /// The call has ended, well or badly.
    pub(crate) fn settle(&mut self, now: Instant, well: bool) {
        self.ended = Some(now);
        if well {
            self.budget.succeeded(now, self.permit);
        }
    }

    /// One more attempt beside those under way: what it was charged is held apart, for as long as it runs.
    pub(crate) fn hedge(&self, now: Instant) -> Option<Paid<B>> {
        let permit = self.budget.charge(now, Charge::Hedge)?;
        Some(Paid { permit: Some(permit), budget: Arc::clone(&self.budget) })
    }

    /// The attempt that was paid for so is the one that the call is committed to.
    pub(crate) fn adopt(&mut self, mut paid: Paid<B>) {
        (self.permit, self.begun) = (paid.permit.take(), true);
    }

    fn release(&mut self, now: Instant) {
        match self.permit.take() {
            Some(permit) if self.begun => self.budget.released(now, permit),
            Some(permit) => self.budget.refunded(now, permit),
            None => {}
        }
    }
}

/// What a hedge was charged: given back when it ends, however.
pub(crate) struct Paid<B: ?Sized + Budget> {
    permit: Option<Permit>,
    budget: Arc<B>,
}

impl<B: ?Sized + Budget> Drop for Paid<B> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.budget.released(crate::clock::now(), permit);
        }
    }
}

impl<B: ?Sized + Budget> Drop for Account<B> {
    fn drop(&mut self) {
        let now = self.ended.unwrap_or_else(crate::clock::now);
        self.release(now);
        self.budget.ended(now);
    }
}
