//! Adaptive throttling: a client (or a server's front) that turns calls away by itself once most of them are rejected anyway.
//!
//! Rejecting a call costs a server work, too. When most calls are rejected, the client drops a share of them before they are
//! sent, and that share follows how many the server accepts.
//!
//! Rule: by the SRE book's formula a call counts as a request before it is decided whether it is sent, also when it is not: the
//! pressure the application puts on is what the share is a share of. Envoy counts a request when it has ended, and those it turns
//! away not at all, or the share would never fall back to zero.
//!
//! Sources: SRE book, "Handling Overload", client-side throttling; Envoy, `admission_control_filter.rst` and
//! `admission_control.cc`.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tonic::Code;

use super::budget::Scope;
use super::call::Call;
use super::gate::{Admission, Caller, End, Gate, GateLayer, NoQueue, Pass};
use super::invalid::{ensure, ensure_between, ensure_positive};
use super::window::Window;
use super::{Ambient, Codes, EventKind, Failure, InvalidConfig, Origin, Outcome};
use crate::clock::{self, Instant};

/// When to turn calls away.
#[derive(Clone, Debug, PartialEq)]
pub struct ThrottleConfig {
    /// By which formula.
    pub rule: ThrottleRule,
    /// How far back it looks; longer than the longest latency.
    pub window: Duration,
    /// Which codes mean that the server did not take the call on.
    pub rejected: Codes,
    /// Who shares it.
    pub scope: Scope,
}

/// How likely a call is turned away, given what happened in the window.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ThrottleRule {
    /// `max(0, (requests - k * accepts) / (requests + 1))`.
    Sre {
        /// How many requests are sent for one that is accepted; 2 in the book, at least 1.
        k: f64,
    },
    /// `max(0, (requests - accepts / threshold) / (requests + 1)) ^ (1 / aggression)`, at most `max`.
    EnvoyAdmission {
        /// The success rate below which calls are turned away, 0.95 in Envoy; 0.01 to 1.
        threshold: f64,
        /// How steeply, 1 in Envoy, at least 1.
        aggression: f64,
        /// The highest probability, 0.8 in Envoy.
        max: f64,
    },
}

impl ThrottleConfig {
    /// The SRE book's: K = 2 over two minutes.
    #[must_use]
    pub const fn sre() -> Self {
        Self {
            rule: ThrottleRule::Sre { k: 2.0 },
            window: Duration::from_secs(120),
            rejected: Codes::of(&[Code::Unavailable, Code::ResourceExhausted]),
            scope: Scope::Client,
        }
    }

    /// Envoy's admission control: 95 % over 30 s, and its default criteria of success.
    #[must_use]
    pub const fn envoy_admission() -> Self {
        Self {
            rule: ThrottleRule::EnvoyAdmission { threshold: 0.95, aggression: 1.0, max: 0.8 },
            window: Duration::from_secs(30),
            rejected: Codes::of(&[
                Code::DeadlineExceeded,
                Code::ResourceExhausted,
                Code::Aborted,
                Code::Internal,
                Code::Unavailable,
                Code::DataLoss,
            ]),
            scope: Scope::Client,
        }
    }

    /// Makes sure that it makes sense.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        ensure_positive(self.window, "throttle.window")?;
        ensure(!self.rejected.contains(Code::Ok), "throttle.rejected", "OK is not a rejection")?;
        match self.rule {
            ThrottleRule::Sre { k } => ensure_between(k, 1.0, 1e6, "throttle.k"),
            ThrottleRule::EnvoyAdmission { threshold, aggression, max } => {
                ensure_between(threshold, 0.01, 1.0, "throttle.threshold")?;
                ensure_between(aggression, 1.0, 1e6, "throttle.aggression")?;
                ensure_between(max, 0.0, 1.0, "throttle.max")
            }
        }
    }
}

impl ThrottleRule {
    /// Whether a request counts when it has ended, not when it comes.
    const fn counts_ends(self) -> bool {
        matches!(self, Self::EnvoyAdmission { .. })
    }

    /// The probability of turning a call away.
    fn probability(self, requests: f64, accepts: f64) -> f64 {
        match self {
            Self::Sre { k } => ((requests - k * accepts) / (requests + 1.0)).max(0.0),
            Self::EnvoyAdmission { threshold, aggression, max } => {
                let share = ((requests - accepts / threshold) / (requests + 1.0)).max(0.0);
                libm::pow(share, 1.0 / aggression).min(max)
            }
        }
    }
}

/// Adaptive throttling; put it before a service with [`layer`](Self::layer).
///
/// ```
/// use squall::resilience::{Ambient, Throttle, ThrottleConfig, ThrottleRule};
/// let config = ThrottleConfig { rule: ThrottleRule::Sre { k: 1.1 }, ..ThrottleConfig::sre() };
/// let layer = Throttle::new(config)?.layer(&Ambient::default());
/// let not_a_number = ThrottleConfig { rule: ThrottleRule::Sre { k: f64::NAN }, ..ThrottleConfig::sre() };
/// assert!(Throttle::new(not_a_number).is_err());
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone)]
pub struct Throttle(Arc<Shared>);

struct Shared {
    config: ThrottleConfig,
    /// Requests and accepts.
    window: Mutex<Window<2>>,
}

const REQUEST: [f64; 2] = [1.0, 0.0];
const ACCEPT: [f64; 2] = [0.0, 1.0];

impl Throttle {
    /// A throttle that has seen nothing yet.
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense.
    pub fn new(config: ThrottleConfig) -> Result<Self, InvalidConfig> {
        Self::build(config, &Ambient::default(), "throttle")
    }

    pub(crate) fn build(config: ThrottleConfig, ambient: &Ambient, place: &str) -> Result<Self, InvalidConfig> {
        config.check()?;
        let scope = config.scope;
        let make = || Arc::new(Shared { window: Mutex::new(Window::new(config.window)), config });
        Ok(Self(match scope {
            Scope::Client => make(),
            Scope::Shared => ambient.shared(&format!("throttle {place}"), make),
        }))
    }

    /// A layer that asks this throttle.
    #[must_use]
    pub fn layer(&self, ambient: &Ambient) -> GateLayer<Self> {
        GateLayer::new(self.clone(), ambient)
    }

    /// Requests and accepts before one more request, which is counted if the rule counts it now.
    fn requested(&self, now: Instant) -> [f64; 2] {
        if self.0.config.rule.counts_ends() {
            return self.window().sums(now);
        }
        let [requests, accepts] = self.window().add(now, REQUEST);
        [requests - REQUEST[0], accepts]
    }

    /// Counts how a request has ended.
    fn learn(&self, now: Instant, Outcome { code, origin }: Outcome) {
        let config = &self.0.config;
        let accepted = origin == Origin::Server && !config.rejected.contains(code);
        let said = !origin.is_local_rejection() && !matches!(origin, Origin::Cancelled | Origin::Fallback);
        match (config.rule.counts_ends() && said, accepted) {
            (true, true) => self.window().add(now, [REQUEST[0], ACCEPT[1]]),
            (true, false) => self.window().add(now, REQUEST),
            (false, true) => self.window().add(now, ACCEPT),
            (false, false) => return,
        };
    }

    fn window(&self) -> MutexGuard<'_, Window<2>> {
        self.0.window.lock().expect("nothing panics while holding it")
    }
}

impl Gate for Throttle {
    type Pass = ThrottlePass;
    type Queue = NoQueue<ThrottlePass>;

    fn admit(&self, caller: &Caller<'_>) -> Admission<ThrottlePass, Self::Queue> {
        let [requests, accepts] = self.requested(caller.now);
        let probability = self.0.config.rule.probability(requests, accepts);
        let draw = || {
            let key = caller.ambient.key().named("throttle").with(caller.call.0).with(u64::from(caller.attempt));
            key.draw().value()
        };
        if probability <= 0.0 || draw() >= probability {
            let until = caller.deadline.unwrap_or(Instant::NEVER);
            return Admission::Pass(ThrottlePass { throttle: self.clone(), until, over: false });
        }
        let (origin, kind) = match self.0.config.rule {
            ThrottleRule::Sre { .. } => (Origin::Throttle, EventKind::ThrottleRejected),
            ThrottleRule::EnvoyAdmission { .. } => (Origin::Shedder, EventKind::Shed),
        };
        caller.ambient.emit(Some(caller.call), caller.attempt, || kind);
        Admission::Reject(Failure::new(Code::Unavailable, origin, "throttled: the server rejects most calls"))
    }

    fn heeds_criticality(&self) -> bool {
        false
    }
}

/// An attempt under way through a [`Throttle`].
pub struct ThrottlePass {
    throttle: Throttle,
    /// When the bounds outside give it up.
    until: Instant,
    over: bool,
}

impl Pass for ThrottlePass {
    fn ended(mut self, end: End) {
        self.over = true;
        self.throttle.learn(end.at(), end.outcome);
    }
}

/// What is given up at the deadline has ended with it; what is given up early has not ended.
impl Drop for ThrottlePass {
    fn drop(&mut self) {
        if self.over || !self.throttle.0.config.rule.counts_ends() {
            return;
        }
        let now = clock::now();
        self.throttle.learn(now, Call::dropped(Some((self.until, Origin::ClientDeadline)), now));
    }
}

impl fmt::Debug for ThrottlePass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrottlePass").finish_non_exhaustive()
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").field("config", &self.0.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_the_formulas() {
        let check = |rule: ThrottleRule, requests: f64, accepts: f64, expected: f64| {
            let found = rule.probability(requests, accepts);
            assert!((found - expected).abs() < 1e-9, "{rule:?} {requests} {accepts}: {found}");
        };
        let sre = ThrottleRule::Sre { k: 2.0 };
        check(sre, 0.0, 0.0, 0.0);
        check(sre, 100.0, 50.0, 0.0);
        check(sre, 99.0, 0.0, 0.99);
        check(sre, 99.0, 25.0, 0.49);
        let envoy = ThrottleRule::EnvoyAdmission { threshold: 0.95, aggression: 2.0, max: 0.8 };
        check(envoy, 100.0, 95.0, 0.0);
        check(envoy, 99.0, 0.0, 0.8);
        check(envoy, 99.0, 71.25, libm::sqrt(0.24));
    }

    proptest::proptest! {
        /// Against the plain model that keeps every event of the window: the same calls are turned away, by the same draws.
        #[test]
        fn a_throttle_agrees_with_a_list_of_events(
            steps in proptest::collection::vec((0_u64..8, 0_u32..4), 1..300),
            envoy in proptest::bool::ANY,
        ) {
            let config = ThrottleConfig {
                window: Duration::from_nanos(100),
                ..if envoy { ThrottleConfig::envoy_admission() } else { ThrottleConfig::sre() }
            };
            let rule = config.rule;
            let ambient = Ambient::new(crate::random::Key::from_seed(1));
            let throttle = Throttle::new(config).unwrap();
            let (mut now, mut requests, mut accepts) = (0, Vec::new(), Vec::new());
            for (number, (step, end)) in (0..).zip(steps) {
                now += step;
                let recent = |times: &[u64]| times.iter().filter(|at| **at / 10 + 9 >= now / 10).count() as f64;
                let probability = rule.probability(recent(&requests), recent(&accepts));
                let draw = ambient.key().named("throttle").with(number).with(1).draw().value();
                let (call, at) = (super::super::CallId(number), Instant::from_nanos(now));
                let caller = Caller { call, attempt: 1, deadline: None, criticality: Default::default(), now: at, ambient: &ambient };
                let answer = throttle.admit(&caller);
                let admitted = matches!(answer, Admission::Pass(_));
                proptest::prop_assert_eq!(admitted, draw >= probability, "{} of {:?}", probability, requests);
                // OK, a failure of the server, a rejection further in, or the caller leaves.
                let outcome = [
                    Some(Outcome::OK),
                    Some(Outcome::server(Code::Unavailable)),
                    Some(Outcome { code: Code::Unavailable, origin: Origin::Limiter }),
                    None,
                ][end as usize];
                if !envoy || (admitted && end < 2) {
                    requests.push(now);
                }
                if admitted && end == 0 {
                    accepts.push(now);
                }
                if let Admission::Pass(mut pass) = answer
                    && let Some(outcome) = outcome
                {
                    pass.over = true;
                    throttle.learn(at, outcome);
                }
            }
        }
    }
}
