//! Concurrency limits: how many calls may be under way at once.
//!
//! A server that holds more calls than it can work on does not work faster; it only answers later, to callers who have left.
//! A limit turns the excess away while it is cheap to do so: on the client (a bulkhead), or on the server (load shedding).
//!
//! Rule: what is turned away is not counted as latency. What was given up teaches nothing, unless it was at the deadline of a bound
//! outside: that call timed out, and counts as dropped.

mod algorithm;
mod config;
#[cfg(test)]
mod model;
mod queue;
#[cfg(test)]
mod reference;

pub use self::config::{Discipline, LimitAlgorithm, LimitConfig, Side};

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tonic::Code;

use self::algorithm::{Algorithm, Sample};
use self::queue::{Found, Places, Turn};
use super::budget::Scope;
use super::gate::{Admission, Caller, End, Gate, GateLayer, Pass};
use super::{Ambient, Codes, EventKind, Failure, InvalidConfig, Origin, Outcome};
use crate::clock::{self, Instant};

/// What tells a limit that the server has too much to do.
const DROPPED: Codes = Codes::of(&[Code::Unavailable, Code::ResourceExhausted, Code::DeadlineExceeded]);

/// A concurrency limit; put it before a service with [`layer`](Self::layer).
///
/// ```
/// use squall::resilience::{Ambient, Limit, LimitAlgorithm, LimitConfig};
/// let limit = Limit::new(LimitConfig::new(LimitAlgorithm::Fixed { max: 64 }))?;
/// let layer = limit.layer(&Ambient::default());
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone)]
pub struct Limit {
    places: Arc<Places>,
    side: Side,
}

impl Limit {
    /// A limit with all places free.
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense.
    pub fn new(config: LimitConfig) -> Result<Self, InvalidConfig> {
        Self::build(config, &Ambient::default(), "limit")
    }

    pub(crate) fn build(config: LimitConfig, ambient: &Ambient, place: &str) -> Result<Self, InvalidConfig> {
        config.check()?;
        let side = config.side;
        let scope = config.scope;
        let make = || {
            let algorithm = Algorithm::new(config.algorithm, ambient.key().named("limit"));
            Arc::new(Places::new(config, algorithm))
        };
        let places = match scope {
            Scope::Client => make(),
            Scope::Shared => ambient.shared(&format!("limit {place}"), make),
        };
        Ok(Self { places, side })
    }

    /// A layer that asks this limit.
    #[must_use]
    pub fn layer(&self, ambient: &Ambient) -> GateLayer<Self> {
        GateLayer::new(self.clone(), ambient)
    }

    /// Calls under way, and the limit now.
    #[must_use]
    pub fn usage(&self) -> (u32, u32) {
        self.places.usage()
    }

    fn reject(&self, caller: &Caller<'_>) -> Failure {
        let (code, origin, kind) = match self.side {
            Side::Client => (Code::ResourceExhausted, Origin::Limiter, EventKind::LimitRejected),
            Side::Server => (Code::Unavailable, Origin::Shedder, EventKind::Shed),
        };
        caller.ambient.emit(Some(caller.call), caller.attempt, || kind);
        Failure::new(code, origin, "too many calls under way")
    }
}

impl Gate for Limit {
    type Pass = LimitPass;
    type Queue = LimitQueue;

    fn admit(&self, caller: &Caller<'_>) -> Admission<LimitPass, LimitQueue> {
        let now = caller.now;
        match self.places.enter(now, caller.criticality) {
            Found::Place(inflight) => Admission::Pass(LimitPass::new(&self.places, now, inflight, caller.deadline)),
            Found::Full => Admission::Reject(self.reject(caller)),
            Found::Queue { ticket, wait } => {
                let turn = Turn::new(Arc::clone(&self.places), ticket, wait.map(|wait| now + wait));
                let rejection = {
                    let (limit, call, attempt, ambient) =
                        (self.clone(), caller.call, caller.attempt, caller.ambient.clone());
                    let (deadline, criticality) = (caller.deadline, caller.criticality);
                    move || limit.reject(&Caller { call, attempt, deadline, criticality, now, ambient: &ambient })
                };
                Admission::Wait(LimitQueue {
                    turn: Box::pin(turn),
                    places: Arc::clone(&self.places),
                    deadline: caller.deadline,
                    rejection: Some(Box::new(rejection)),
                })
            }
        }
    }

    fn heeds_criticality(&self) -> bool {
        self.places.heeds_criticality()
    }
}

/// Waits for a place under a [`Limit`].
pub struct LimitQueue {
    turn: Pin<Box<Turn>>,
    places: Arc<Places>,
    deadline: Option<Instant>,
    rejection: Option<Box<dyn FnOnce() -> Failure + Send>>,
}

impl Future for LimitQueue {
    type Output = Result<LimitPass, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(inflight) = ready!(self.turn.as_mut().poll(cx)) {
            // Time spent waiting here is not the server's latency.
            return Poll::Ready(Ok(LimitPass::new(&self.places, clock::now(), inflight, self.deadline)));
        }
        let rejection = self.rejection.take().expect("not polled after it was done");
        Poll::Ready(Err(rejection()))
    }
}

/// A place under a [`Limit`].
pub struct LimitPass {
    places: Arc<Places>,
    started: Instant,
    /// Calls under way then, this one included: what the sources' limits go by.
    inflight: u32,
    /// When the bounds outside give it up.
    until: Instant,
    end: Known,
}

/// What is known of the end of a call.
#[derive(Clone, Copy)]
enum Known {
    /// Nothing yet.
    Nothing,
    /// It says nothing about the server.
    Silent,
    /// When it was, and whether the call was turned away or timed out.
    Ended(Instant, bool),
}

impl LimitPass {
    fn new(places: &Arc<Places>, started: Instant, inflight: u32, deadline: Option<Instant>) -> Self {
        let until = deadline.unwrap_or(Instant::NEVER);
        Self { places: Arc::clone(places), started, inflight, until, end: Known::Nothing }
    }
}

impl Pass for LimitPass {
    fn ended(mut self, end: End) {
        let Outcome { code, origin } = end.outcome;
        let silent = origin.is_local_rejection() || origin == Origin::Cancelled;
        self.end = if silent { Known::Silent } else { Known::Ended(end.at(), DROPPED.contains(code)) };
    }
}

impl Drop for LimitPass {
    fn drop(&mut self) {
        let (now, dropped) = match self.end {
            Known::Ended(at, dropped) => (at, Some(dropped)),
            Known::Silent => (clock::now(), None),
            Known::Nothing => {
                let now = clock::now();
                (now, (now >= self.until).then_some(true))
            }
        };
        let (latency, inflight) = (now - self.started, self.inflight);
        self.places.leave(now, dropped.map(|dropped| Sample { now, latency, inflight, dropped }));
    }
}

impl fmt::Debug for LimitPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitPass").finish_non_exhaustive()
    }
}

impl fmt::Debug for LimitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitQueue").finish_non_exhaustive()
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inflight, limit) = self.usage();
        f.debug_struct("Limit").field("inflight", &inflight).field("limit", &limit).finish_non_exhaustive()
    }
}
