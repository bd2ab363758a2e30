//! The rate at which the AWS SDKs send in their adaptive mode: CUBIC, as TCP has it, with throttling in the place of loss.
//!
//! Until the server throttles for the first time, nothing is held back. From then on calls take tokens, and the rate at which tokens
//! come falls by 30 % with every throttled answer, and grows back along a cubic curve: slowly near the rate at which it
//! was throttled last, quickly far from it. It never exceeds twice the rate that is really used.
//!
//! Rule: whoever finds no token waits for it, unless that takes longer than `max_wait`; who leaves before gives it back.
//!
//! Source: smithy-rs, `client_rate_limiter.rs`; AWS SDKs and Tools Reference, "Retry behavior", adaptive.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tonic::Code;

use super::budget::Scope;
use super::gate::{Admission, Caller, End, Gate, GateLayer, Pass};
use super::invalid::{LONGEST, ensure};
use super::{Ambient, Codes, EventKind, Failure, InvalidConfig, Origin};
use crate::clock::{self, Instant, Sleep};

/// What counts as throttled, and how long calls may wait.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptiveRateConfig {
    /// Which codes of a server say that it throttles.
    pub throttled: Codes,
    /// How long a call may wait for its token; zero turns it away.
    pub max_wait: Duration,
    /// Who shares it.
    pub scope: Scope,
}

/// RESOURCE_EXHAUSTED; a call waits for up to a minute.
impl Default for AdaptiveRateConfig {
    fn default() -> Self {
        let throttled = Codes::of(&[Code::ResourceExhausted]);
        Self { throttled, max_wait: Duration::from_secs(60), scope: Scope::Client }
    }
}

impl AdaptiveRateConfig {
    /// Makes sure that it makes sense.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        ensure(!self.throttled.is_empty(), "adaptive_rate.throttled", "must name at least one code")?;
        ensure(!self.throttled.contains(Code::Ok), "adaptive_rate.throttled", "OK is no throttling")?;
        ensure(self.max_wait <= LONGEST, "adaptive_rate.max_wait", "must be at most a year")
    }
}

/// An adaptive rate limit; put it before a service with [`layer`](Self::layer).
///
/// ```
/// use squall::resilience::{AdaptiveRate, AdaptiveRateConfig, Ambient};
/// let layer = AdaptiveRate::new(AdaptiveRateConfig::default())?.layer(&Ambient::default());
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone)]
pub struct AdaptiveRate(Arc<Shared>);

struct Shared {
    config: AdaptiveRateConfig,
    cubic: Mutex<Cubic>,
}

impl AdaptiveRate {
    /// A limit that holds nothing back yet.
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense.
    pub fn new(config: AdaptiveRateConfig) -> Result<Self, InvalidConfig> {
        Self::build(config, &Ambient::default(), "adaptive_rate")
    }

    pub(crate) fn build(config: AdaptiveRateConfig, ambient: &Ambient, place: &str) -> Result<Self, InvalidConfig> {
        config.check()?;
        let scope = config.scope;
        let make = || Arc::new(Shared { config, cubic: Mutex::new(Cubic::default()) });
        Ok(Self(match scope {
            Scope::Client => make(),
            Scope::Shared => ambient.shared(&format!("adaptive_rate {place}"), make),
        }))
    }

    /// A layer that asks this limit.
    #[must_use]
    pub fn layer(&self, ambient: &Ambient) -> GateLayer<Self> {
        GateLayer::new(self.clone(), ambient)
    }

    fn cubic(&self) -> MutexGuard<'_, Cubic> {
        self.0.cubic.lock().expect("nothing panics while holding it")
    }
}

impl Gate for AdaptiveRate {
    type Pass = AdaptivePass;
    type Queue = AdaptiveQueue;

    fn admit(&self, caller: &Caller<'_>) -> Admission<AdaptivePass, AdaptiveQueue> {
        let now = caller.now;
        match self.cubic().take(now, self.0.config.max_wait) {
            Some(wait) if wait.is_zero() => Admission::Pass(AdaptivePass { rate: self.clone() }),
            Some(wait) => {
                let sleep = Box::pin(clock::sleep_until(now + wait));
                Admission::Wait(AdaptiveQueue { sleep, rate: Some(self.clone()) })
            }
            None => {
                caller.ambient.emit(Some(caller.call), caller.attempt, || EventKind::RateLimited);
                Admission::Reject(Failure::new(Code::ResourceExhausted, Origin::Throttle, "the server throttles"))
            }
        }
    }

    fn heeds_criticality(&self) -> bool {
        false
    }
}

/// Waits for a token of an [`AdaptiveRate`].
pub struct AdaptiveQueue {
    sleep: Pin<Box<Sleep>>,
    rate: Option<AdaptiveRate>,
}

impl Future for AdaptiveQueue {
    type Output = Result<AdaptivePass, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.sleep.as_mut().poll(cx));
        let rate = self.rate.take().expect("not polled after it was done");
        Poll::Ready(Ok(AdaptivePass { rate }))
    }
}

/// Who leaves before its turn gives its token back.
impl Drop for AdaptiveQueue {
    fn drop(&mut self) {
        if let Some(rate) = self.rate.take() {
            rate.cubic().tokens += 1.0;
        }
    }
}

/// An attempt under way through an [`AdaptiveRate`].
pub struct AdaptivePass {
    rate: AdaptiveRate,
}

impl Pass for AdaptivePass {
    fn ended(self, end: End) {
        if end.outcome.origin == Origin::Server {
            let throttled = self.rate.0.config.throttled.contains(end.outcome.code);
            self.rate.cubic().learn(end.at(), throttled);
        }
    }
}

/// How much is left of the rate after a throttled answer.
const BETA: f64 = 0.7;
/// How quickly the rate grows: the factor of the cubic curve.
const SCALE: f64 = 0.4;
/// The weight of the latest half second in the measured rate.
const SMOOTH: f64 = 0.8;
/// The rate falls no lower, in calls a second.
const RATE_MIN: f64 = 0.5;

/// The rule itself: no lock, no future. Times in seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Cubic {
    enabled: bool,
    /// Tokens a second, tokens now (negative while calls wait for theirs), and how many there may be.
    rate: f64,
    tokens: f64,
    tokens_max: f64,
    refilled_at: Option<f64>,
    /// What is really sent, in calls a second.
    measured: f64,
    answers: f64,
    measured_until: f64,
    throttled_at: f64,
    throttled_rate: f64,
}

impl Cubic {
    /// Takes a token; returns how long to wait for it, or `None` if that is too long.
    fn take(&mut self, now: Instant, max_wait: Duration) -> Option<Duration> {
        if !self.enabled {
            return Some(Duration::ZERO);
        }
        self.refill(now.as_secs_f64());
        let wait = Duration::from_secs_f64(((1.0 - self.tokens) / self.rate).max(0.0));
        if wait > max_wait {
            return None;
        }
        self.tokens -= 1.0;
        Some(wait)
    }

    /// A server has answered.
    fn learn(&mut self, now: Instant, throttled: bool) {
        let now = now.as_secs_f64();
        self.measure(now);
        let rate = if throttled {
            let used = if self.enabled { self.measured.min(self.rate) } else { self.measured };
            (self.throttled_rate, self.throttled_at, self.enabled) = (used, now, true);
            used * BETA
        } else {
            // The curve passes through the rate of the last throttling after this long.
            let back = libm::cbrt(self.throttled_rate * (1.0 - BETA) / SCALE);
            let since = now - self.throttled_at - back;
            SCALE * since * since * since + self.throttled_rate
        };
        self.refill(now);
        let rate = rate.min(2.0 * self.measured);
        self.rate = rate.max(RATE_MIN);
        self.tokens_max = rate.max(1.0);
        self.tokens = self.tokens.min(self.tokens_max);
    }

    fn refill(&mut self, now: f64) {
        if let Some(before) = self.refilled_at {
            self.tokens = self.tokens_max.min(self.tokens + (now - before) * self.rate);
        }
        self.refilled_at = Some(now);
    }

    /// Counts an answer; every half second becomes a part of the measured rate.
    fn measure(&mut self, now: f64) {
        let half = libm::floor(now * 2.0) / 2.0;
        self.answers += 1.0;
        if half > self.measured_until {
            let latest = self.answers / (half - self.measured_until);
            self.measured = latest * SMOOTH + self.measured * (1.0 - SMOOTH);
            (self.answers, self.measured_until) = (0.0, half);
        }
    }
}

impl fmt::Debug for AdaptivePass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptivePass").finish_non_exhaustive()
    }
}

impl fmt::Debug for AdaptiveQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveQueue").finish_non_exhaustive()
    }
}

impl fmt::Debug for AdaptiveRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveRate").field("cubic", &*self.cubic()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table with which the AWS SDKs test theirs: an answer every 200 ms, two of them throttled; the rate measured and the
    /// rate set after each.
    #[test]
    fn rates_are_those_of_the_sdks_table() {
        let table = [
            (false, 0.0, 0.5),
            (false, 0.0, 0.5),
            (false, 4.8, 0.5),
            (false, 4.8, 0.5),
            (false, 4.16, 0.5),
            (false, 4.16, 0.5),
            (false, 4.16, 0.5),
            (false, 5.632, 0.5),
            (false, 5.632, 0.5),
            (true, 4.3264, 3.02848),
            (false, 4.3264, 3.486_639),
            (false, 4.3264, 3.821_874),
            (false, 5.66528, 4.053_386),
            (false, 5.66528, 4.200_373),
            (false, 4.333_056, 4.282_037),
            (true, 4.333_056, 2.997_426),
            (false, 4.333_056, 3.452_226),
        ];
        let mut cubic = Cubic::default();
        for (n, (throttled, measured, rate)) in (1_u64..).zip(table) {
            cubic.learn(Instant::from_nanos(n * 200_000_000), throttled);
            // Before the first throttling the curve has no meaning, and nothing asks for the rate.
            let close = |found: f64, expected: f64| (found - expected).abs() < 1e-5;
            assert!(close(cubic.measured, measured), "{n}: {cubic:?}");
            assert!(!cubic.enabled || close(cubic.rate, rate), "{n}: {cubic:?}");
        }
    }

    #[test]
    fn nothing_waits_before_the_first_throttling_and_all_wait_their_turn_after_it() {
        let mut cubic = Cubic::default();
        let at = |ms: u64| Instant::from_nanos(ms * 1_000_000);
        for _ in 0..1000 {
            assert_eq!(cubic.take(at(0), Duration::ZERO), Some(Duration::ZERO));
        }
        cubic.learn(at(600), false);
        cubic.learn(at(1000), true);
        assert!(cubic.enabled && (cubic.rate - 1.344).abs() < 1e-9, "{cubic:?}");
        let waits: Vec<u128> =
            (0..3).filter_map(|_| cubic.take(at(1000), Duration::from_secs(9))).map(|wait| wait.as_millis()).collect();
        assert_eq!(waits, [595, 1339, 2083], "a fifth of a token is there; then one each 1/1.344 s");
        assert_eq!(cubic.take(at(1000), Duration::from_secs(1)), None, "too long");
    }
}
