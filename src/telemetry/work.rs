//! The work on one request: begun when a worker takes it up, ended exactly once, also when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Admitted, Caller, Replica};
use crate::clock::{self, Instant};
use crate::record::{HandlerOutcome, Kind};

/// A worker that is busy with a request. Dropping it says that the work was dropped.
#[derive(Debug)]
pub(super) struct Work {
    replica: Arc<Replica>,
    caller: Caller,
    began: Instant,
    process: u64,
    outcome: HandlerOutcome,
    gone: Gone,
    /// Freed after the end was recorded, so that the next handler starts after this one ended.
    _worker: Admitted,
}

impl Work {
    pub(super) fn begin(replica: Arc<Replica>, caller: Caller, worker: Admitted, depth: usize, gone: Gone) -> Self {
        replica.recorder().record(Kind::HandlerStarted {
            server: replica.number(),
            call: caller.call,
            attempt: caller.attempt,
            depth: u32::try_from(depth).unwrap_or(u32::MAX),
        });
        let process = replica.incarnation();
        Self { replica, caller, began: clock::now(), process, outcome: HandlerOutcome::Dropped, gone, _worker: worker }
    }

    pub(super) fn end(mut self, outcome: HandlerOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let now = clock::now();
        let busy = now - self.began;
        // A handler dies with its caller or with its process; only the former was work for nobody.
        let left = self.outcome == HandlerOutcome::Dropped && self.replica.incarnation() == self.process;
        self.replica.recorder().record(Kind::HandlerEnded {
            server: self.replica.number(),
            call: self.caller.call,
            attempt: self.caller.attempt,
            busy_ns: u64::try_from(busy.as_nanos()).unwrap_or(u64::MAX),
            outcome: self.outcome,
            caller_gone: left || self.gone.is_true() || now > self.caller.deadline,
        });
    }
}

/// Whether the caller of a request has hung up while its work goes on without it.
#[derive(Clone, Debug, Default)]
pub(super) struct Gone(Arc<AtomicBool>);

impl Gone {
    /// Dropped together with the request's stream, it says so.
    pub(super) fn when_dropped(&self) -> impl Drop + Send + use<> {
        Leaving(self.clone())
    }

    fn is_true(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct Leaving(Gone);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Whether anybody still waits for the answer.
pub(super) fn is_late(caller: &Caller) -> bool {
    caller.deadline != Instant::NEVER && clock::now() - caller.deadline > Duration::ZERO
}
