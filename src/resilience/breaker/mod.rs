//! Circuit breakers: stop asking a server that cannot answer, and find out gently when it can again.
//!
//! A breaker trades errors now for capacity: while it is open, calls fail at once and the server gets air. Its price is
//! that it also fails calls which would have succeeded, so what counts as a failure, over which attempts, and how many
//! probes decide, is all of its worth.
//!
//! Rule: outside a retry it counts calls, inside it counts attempts; what layers further in turned away says nothing about
//! the server, and is not counted. What a bound outside gives up at its deadline has ended with DEADLINE_EXCEEDED, as every
//! layer of a gRPC client sees it; what is given up before (the caller has left, a hedge has won) says nothing.

mod config;
mod machine;
#[cfg(test)]
mod model;

pub use self::config::{BreakerConfig, BreakerWindow, SlowCalls, Trip};
pub(crate) use self::machine::{Machine, Ticket, Transition};

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tonic::Code;

use super::gate::{Admission, Caller, End, Gate, GateLayer, NoQueue, Pass};
use super::{Ambient, BreakerState, CallId, EventKind, Failure, InvalidConfig, Origin, Outcome, Scope};
use crate::clock::{self, Instant};

/// A circuit breaker; put it before a service with [`layer`](Self::layer).
///
/// ```
/// use squall::resilience::{Ambient, Breaker, BreakerConfig};
/// let breaker = Breaker::new(BreakerConfig::default())?;
/// let layer = breaker.layer(&Ambient::default());
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone)]
pub struct Breaker(Arc<Shared>);

struct Shared {
    name: Arc<str>,
    config: BreakerConfig,
    machine: Mutex<Machine>,
}

impl Breaker {
    /// A closed breaker.
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense.
    pub fn new(config: BreakerConfig) -> Result<Self, InvalidConfig> {
        config.check()?;
        let machine = Mutex::new(Machine::new(&config));
        Ok(Self(Arc::new(Shared { name: config.name.as_str().into(), config, machine })))
    }

    /// The breaker that the scope asks for: a new one, or that of the group.
    pub(crate) fn build(config: BreakerConfig, ambient: &Ambient, place: &str) -> Result<Self, InvalidConfig> {
        let own = Self::new(config)?;
        Ok(match own.0.config.scope {
            Scope::Client => own,
            Scope::Shared => Self(ambient.shared(&format!("breaker {place}"), || own.0)),
        })
    }

    /// A layer that asks this breaker.
    #[must_use]
    pub fn layer(&self, ambient: &Ambient) -> GateLayer<Self> {
        GateLayer::new(self.clone(), ambient)
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.machine().state()
    }

    /// Whether it would let an attempt through now.
    pub(crate) fn would_admit(&self, now: Instant) -> bool {
        self.machine().would_admit(&self.0.config, now)
    }

    /// Lets one attempt through, or not.
    pub(crate) fn enter(
        &self,
        now: Instant,
        deadline: Option<Instant>,
        ambient: &Ambient,
        call: CallId,
        attempt: u32,
    ) -> Option<BreakerPass> {
        let (ticket, transition) = self.machine().admit(&self.0.config, now);
        let told = ambient.is_heard().then(|| Told { ambient: ambient.clone(), call, attempt });
        tell(told.as_ref(), &self.0.name, transition);
        let until = deadline.unwrap_or(Instant::NEVER);
        ticket.map(|ticket| BreakerPass { breaker: self.clone(), ticket: Some(ticket), started: now, until, told })
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.0.machine.lock().expect("nothing panics while holding it")
    }
}

impl Gate for Breaker {
    type Pass = BreakerPass;
    type Queue = NoQueue<BreakerPass>;

    fn admit(&self, caller: &Caller<'_>) -> Admission<BreakerPass, Self::Queue> {
        match self.enter(caller.now, caller.deadline, caller.ambient, caller.call, caller.attempt) {
            Some(pass) => Admission::Pass(pass),
            None => {
                caller.ambient.emit(Some(caller.call), caller.attempt, || EventKind::BreakerRejected);
                let message = format!("circuit breaker {} is {}", self.0.name, BreakerState::Open);
                Admission::Reject(Failure::new(Code::Unavailable, Origin::Breaker, message))
            }
        }
    }

    fn heeds_criticality(&self) -> bool {
        false
    }
}

/// Whom to tell about transitions, and of whom.
struct Told {
    ambient: Ambient,
    call: CallId,
    attempt: u32,
}

fn tell(told: Option<&Told>, name: &Arc<str>, transition: Transition) {
    if let (Some(told), Some((from, to))) = (told, transition) {
        let kind = || EventKind::BreakerTransition { name: Arc::clone(name), from, to };
        told.ambient.emit(Some(told.call), told.attempt, kind);
    }
}

/// One attempt under way through a [`Breaker`].
pub struct BreakerPass {
    breaker: Breaker,
    ticket: Option<Ticket>,
    started: Instant,
    /// When the bounds outside give it up.
    until: Instant,
    /// Nobody, if nobody listens.
    told: Option<Told>,
}

impl BreakerPass {
    fn release(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.machine().release(ticket);
        }
    }

    fn record(&mut self, now: Instant, failed: bool) {
        let Some(ticket) = self.ticket.take() else { return };
        let latency: Duration = now - self.started;
        let transition = self.breaker.machine().record(&self.breaker.0.config, now, ticket, failed, latency);
        tell(self.told.as_ref(), &self.breaker.0.name, transition);
    }
}

impl Pass for BreakerPass {
    fn ended(mut self, end: End) {
        match verdict(end.outcome, &self.breaker.0.config) {
            Some(failed) => self.record(end.at(), failed),
            None => self.release(),
        }
    }
}

/// Whether an outcome is a failure; `None` if it says nothing about what lies behind the breaker.
pub(crate) fn verdict(outcome: Outcome, config: &BreakerConfig) -> Option<bool> {
    let silent = outcome.origin.is_local_rejection() || matches!(outcome.origin, Origin::Cancelled | Origin::Fallback);
    (!silent).then(|| config.failures.contains(outcome.code))
}

/// What is given up early leaves no trace.
impl Drop for BreakerPass {
    fn drop(&mut self) {
        if self.ticket.is_none() {
            return;
        }
        let now = clock::now();
        if now >= self.until {
            self.record(now, self.breaker.0.config.failures.contains(Code::DeadlineExceeded));
        } else {
            self.release();
        }
    }
}

impl fmt::Debug for BreakerPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerPass").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("name", &self.0.name).field("state", &self.state()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A limit further in turns a call away at the very moment of its deadline: it has said nothing, and is given back.
    #[test]
    fn a_rejection_further_in_says_nothing_at_the_deadline_either() {
        let config = BreakerConfig { trip: Trip::Consecutive { failures: 1 }, ..BreakerConfig::default() };
        let breaker = Breaker::new(config).unwrap();
        let deadline = Some(Instant::ORIGIN);
        let pass = breaker.enter(Instant::ORIGIN, deadline, &Ambient::default(), CallId(1), 1).unwrap();
        pass.ended(End::here(Outcome { code: Code::ResourceExhausted, origin: Origin::Limiter }, CallId(1)));
        assert_eq!(breaker.state(), BreakerState::Closed);
        // Dropped then, it has timed out.
        drop(breaker.enter(Instant::ORIGIN, deadline, &Ambient::default(), CallId(2), 1));
        assert_eq!(breaker.state(), BreakerState::Open);
    }
}
