//! Several gates in a row as one: what a strategy with a breaker, a limit and a throttle on top of each other amounts to.
//!
//! Each gate alone is a layer with a future and a response body of its own. For a strategy known only at run time each would
//! be a box, too. In a row they are asked one after the other and told of the same end, so one layer does for all.
//!
//! Rule: exactly as if they were nested: the outermost is asked first and told last, and one that turns a call away has this
//! rejection told to all outside of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::adaptive_rate::{AdaptivePass, AdaptiveQueue, AdaptiveRate};
use super::breaker::{Breaker, BreakerPass};
use super::gate::{Admission, Caller, End, Gate, Pass};
use super::limit::{Limit, LimitPass, LimitQueue};
use super::rate_limit::{RateLimit, RatePass, RateQueue};
use super::throttle::{Throttle, ThrottlePass};
use super::{Ambient, CallId, Criticality, Failure};
use crate::clock::{self, Instant};

/// How many gates stand in one row: passes are kept in place, without an allocation.
pub(crate) const ROW_MAX: usize = 4;

/// One gate of a row.
#[derive(Clone, Debug)]
pub(crate) enum AnyGate {
    Breaker(Breaker),
    Limit(Limit),
    Throttle(Throttle),
    RateLimit(RateLimit),
    AdaptiveRate(AdaptiveRate),
}

#[derive(Debug)]
enum AnyPass {
    Breaker(BreakerPass),
    Limit(LimitPass),
    Throttle(ThrottlePass),
    RateLimit(RatePass),
    AdaptiveRate(AdaptivePass),
}

#[derive(Debug)]
enum AnyQueue {
    Limit(LimitQueue),
    Rate(RateQueue),
    Adaptive(AdaptiveQueue),
}

/// A row of gates, outermost first.
#[derive(Clone, Debug)]
pub struct Gates(Arc<[AnyGate]>);

impl Gates {
    /// `gates`, at most [`ROW_MAX`]; `None` if there is none.
    pub(crate) fn in_a_row(gates: Vec<AnyGate>) -> Option<Self> {
        debug_assert!(gates.len() <= ROW_MAX);
        (!gates.is_empty()).then(|| Self(gates.into()))
    }

    /// Asks the gates from the `from`-th on.
    fn go_on(&self, from: usize, mut passes: Passes, caller: &Caller<'_>) -> Admission<Passes, GatesQueue> {
        for (at, gate) in self.0.iter().enumerate().skip(from) {
            match gate.admit(caller) {
                Admission::Pass(pass) => passes.0[at] = Some(pass),
                Admission::Reject(failure) => {
                    passes.ended(End::here(failure.outcome(), caller.call));
                    return Admission::Reject(failure);
                }
                Admission::Wait(waiting) => {
                    let Caller { call, attempt, deadline, criticality, ambient, .. } = *caller;
                    let waits = Waits { call, attempt, deadline, criticality, ambient: ambient.clone() };
                    return Admission::Wait(GatesQueue { gates: self.clone(), at, waiting, passes, waits });
                }
            }
        }
        Admission::Pass(passes)
    }
}

impl Gate for Gates {
    type Pass = Passes;
    type Queue = GatesQueue;

    fn admit(&self, caller: &Caller<'_>) -> Admission<Passes, GatesQueue> {
        self.go_on(0, Passes::default(), caller)
    }

    fn heeds_criticality(&self) -> bool {
        self.0.iter().any(|gate| matches!(gate, AnyGate::Limit(limit) if limit.heeds_criticality()))
    }
}

impl AnyGate {
    fn admit(&self, caller: &Caller<'_>) -> Admission<AnyPass, AnyQueue> {
        match self {
            Self::Breaker(gate) => of(gate.admit(caller), AnyPass::Breaker, |queue| match queue.nobody {}),
            Self::Limit(gate) => of(gate.admit(caller), AnyPass::Limit, AnyQueue::Limit),
            Self::Throttle(gate) => of(gate.admit(caller), AnyPass::Throttle, |queue| match queue.nobody {}),
            Self::RateLimit(gate) => of(gate.admit(caller), AnyPass::RateLimit, AnyQueue::Rate),
            Self::AdaptiveRate(gate) => of(gate.admit(caller), AnyPass::AdaptiveRate, AnyQueue::Adaptive),
        }
    }
}

/// The same answer, of any gate.
fn of<P, Q>(
    answer: Admission<P, Q>,
    pass: impl FnOnce(P) -> AnyPass,
    queue: impl FnOnce(Q) -> AnyQueue,
) -> Admission<AnyPass, AnyQueue> {
    match answer {
        Admission::Pass(held) => Admission::Pass(pass(held)),
        Admission::Wait(waiting) => Admission::Wait(queue(waiting)),
        Admission::Reject(failure) => Admission::Reject(failure),
    }
}

/// What the gates of a row gave out.
#[derive(Debug, Default)]
pub struct Passes([Option<AnyPass>; ROW_MAX]);

impl Pass for Passes {
    fn ended(mut self, end: End) {
        for pass in self.0.iter_mut().rev().filter_map(Option::take) {
            match pass {
                AnyPass::Breaker(pass) => pass.ended(end),
                AnyPass::Limit(pass) => pass.ended(end),
                AnyPass::Throttle(pass) => pass.ended(end),
                AnyPass::RateLimit(pass) => pass.ended(end),
                AnyPass::AdaptiveRate(pass) => pass.ended(end),
            }
        }
    }
}

/// As nested layers are dropped: innermost first.
impl Drop for Passes {
    fn drop(&mut self) {
        for pass in self.0.iter_mut().rev() {
            *pass = None;
        }
    }
}

/// Who waits, in a form that can wait.
#[derive(Debug)]
struct Waits {
    call: CallId,
    attempt: u32,
    deadline: Option<Instant>,
    criticality: Criticality,
    ambient: Ambient,
}

/// Waits before one gate of a row, and then asks the others.
#[derive(Debug)]
pub struct GatesQueue {
    gates: Gates,
    at: usize,
    waiting: AnyQueue,
    passes: Passes,
    waits: Waits,
}

impl Future for GatesQueue {
    type Output = Result<Passes, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let this = &mut *self;
            let turn = ready!(match &mut this.waiting {
                AnyQueue::Limit(queue) => Pin::new(queue).poll(cx).map_ok(AnyPass::Limit),
                AnyQueue::Rate(queue) => Pin::new(queue).poll(cx).map_ok(AnyPass::RateLimit),
                AnyQueue::Adaptive(queue) => Pin::new(queue).poll(cx).map_ok(AnyPass::AdaptiveRate),
            });
            let mut passes = std::mem::take(&mut this.passes);
            match turn {
                Ok(pass) => passes.0[this.at] = Some(pass),
                Err(failure) => {
                    passes.ended(End::here(failure.outcome(), this.waits.call));
                    return Poll::Ready(Err(failure));
                }
            }
            let Waits { call, attempt, deadline, criticality, ref ambient } = this.waits;
            let caller = Caller { call, attempt, deadline, criticality, ambient, now: clock::now() };
            match this.gates.go_on(this.at + 1, passes, &caller) {
                Admission::Pass(passes) => return Poll::Ready(Ok(passes)),
                Admission::Reject(failure) => return Poll::Ready(Err(failure)),
                Admission::Wait(further) => *this = further,
            }
        }
    }
}
