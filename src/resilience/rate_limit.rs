//! A token bucket: so many calls a second, and so many at once.
//!
//! Kept as the time at which the bucket will be full again (the generic cell rate algorithm): no timer refills it, and a call that
//! has to wait knows at once for how long.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tonic::Code;

use super::budget::Scope;
use super::gate::{Admission, Caller, End, Gate, GateLayer, Pass};
use super::invalid::{LONGEST, ensure, ensure_between};
use super::{Ambient, EventKind, Failure, InvalidConfig, Origin};
use crate::clock::{self, Instant, Sleep};

/// How fast calls may be made.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimitConfig {
    /// Calls a second, over time; 10^-6 to 10^9.
    pub per_second: f64,
    /// Calls at once, after a pause; at least 1.
    pub burst: u32,
    /// How long a call may wait for its turn; zero turns it away.
    pub max_wait: Duration,
    /// Who shares it.
    pub scope: Scope,
}

impl RateLimitConfig {
    /// Makes sure that it makes sense.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        ensure_between(self.per_second, 1e-6, 1e9, "rate_limit.per_second")?;
        ensure(self.burst >= 1, "rate_limit.burst", "must be at least 1")?;
        ensure(self.max_wait <= LONGEST, "rate_limit.max_wait", "must be at most a year")
    }
}

/// A rate limit; put it before a service with [`layer`](Self::layer).
///
/// ```
/// use squall::resilience::{Ambient, RateLimit, RateLimitConfig, Scope};
/// use std::time::Duration;
/// let max_wait = Duration::from_millis(100);
/// let config = RateLimitConfig { per_second: 50.0, burst: 10, max_wait, scope: Scope::Client };
/// let layer = RateLimit::new(config)?.layer(&Ambient::default());
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone)]
pub struct RateLimit(Arc<Shared>);

struct Shared {
    config: RateLimitConfig,
    interval: Duration,
    /// When the bucket is full again.
    full_at: Mutex<Instant>,
}

impl RateLimit {
    /// A full bucket.
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense.
    pub fn new(config: RateLimitConfig) -> Result<Self, InvalidConfig> {
        Self::build(config, &Ambient::default(), "rate_limit")
    }

    pub(crate) fn build(config: RateLimitConfig, ambient: &Ambient, place: &str) -> Result<Self, InvalidConfig> {
        config.check()?;
        let scope = config.scope;
        let interval = Duration::from_secs_f64(1.0 / config.per_second);
        let make = || Arc::new(Shared { config, interval, full_at: Mutex::new(Instant::ORIGIN) });
        Ok(Self(match scope {
            Scope::Client => make(),
            Scope::Shared => ambient.shared(&format!("rate_limit {place}"), make),
        }))
    }

    /// A layer that asks this limit.
    #[must_use]
    pub fn layer(&self, ambient: &Ambient) -> GateLayer<Self> {
        GateLayer::new(self.clone(), ambient)
    }

    /// Takes a token; returns how long to wait for it, or `None` if that is too long.
    fn take(&self, now: Instant) -> Option<Duration> {
        let shared = &self.0;
        let mut full_at = shared.full_at.lock().expect("nothing panics while holding it");
        let begin = (*full_at).max(now);
        let credit = shared.interval.saturating_mul(shared.config.burst - 1);
        let wait = (begin - now).saturating_sub(credit);
        if wait > shared.config.max_wait {
            return None;
        }
        *full_at = begin + shared.interval;
        Some(wait)
    }

    fn give_back(&self) {
        let mut full_at = self.0.full_at.lock().expect("nothing panics while holding it");
        *full_at = *full_at - self.0.interval;
    }
}

impl Gate for RateLimit {
    type Pass = RatePass;
    type Queue = RateQueue;

    fn admit(&self, caller: &Caller<'_>) -> Admission<RatePass, RateQueue> {
        let now = caller.now;
        match self.take(now) {
            Some(wait) if wait.is_zero() => Admission::Pass(RatePass),
            Some(wait) => {
                let token = Some(Token(self.clone()));
                Admission::Wait(RateQueue { sleep: Box::pin(clock::sleep_until(now + wait)), token })
            }
            None => {
                caller.ambient.emit(Some(caller.call), caller.attempt, || EventKind::RateLimited);
                Admission::Reject(Failure::new(Code::ResourceExhausted, Origin::Throttle, "rate limit exceeded"))
            }
        }
    }

    fn heeds_criticality(&self) -> bool {
        false
    }
}

/// A token taken by a call that is not sent yet.
struct Token(RateLimit);

/// Waits for a turn under a [`RateLimit`].
pub struct RateQueue {
    sleep: Pin<Box<Sleep>>,
    token: Option<Token>,
}

impl Future for RateQueue {
    type Output = Result<RatePass, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.sleep.as_mut().poll(cx));
        self.token = None;
        Poll::Ready(Ok(RatePass))
    }
}

/// Who leaves before its turn gives its token back.
impl Drop for RateQueue {
    fn drop(&mut self) {
        if let Some(Token(limit)) = self.token.take() {
            limit.give_back();
        }
    }
}

/// A call that had its turn; a rate limit does not care how it ends.
#[derive(Debug)]
pub struct RatePass;

impl Pass for RatePass {
    fn ended(self, _: End) {}
}

impl fmt::Debug for RateQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateQueue").finish_non_exhaustive()
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").field("config", &self.0.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let at = |ms: u64| Instant::from_nanos(ms * 1_000_000);
        let config =
            RateLimitConfig { per_second: 10.0, burst: 3, max_wait: Duration::from_millis(150), scope: Scope::Client };
        let limit = RateLimit::new(config).unwrap();
        let wait = |ms: u64| limit.take(at(ms)).map(|wait| wait.as_millis());
        assert_eq!([wait(0), wait(0), wait(0)], [Some(0); 3]);
        assert_eq!([wait(0), wait(0)], [Some(100), None]);
        assert_eq!(wait(50), Some(150));
        limit.give_back();
        assert_eq!(wait(50), Some(150));
        assert_eq!([wait(1000), wait(1000), wait(1000), wait(1000)], [Some(0), Some(0), Some(0), Some(100)]);
    }

    proptest::proptest! {
        /// Against a bucket that is refilled drop by drop: a nanosecond of credit a nanosecond, an interval a call.
        #[test]
        fn a_rate_limit_agrees_with_a_bucket(
            burst in 1_u32..5,
            max_wait in 0_u64..4_000,
            steps in proptest::collection::vec(0_u64..2_500, 1..200),
        ) {
            const INTERVAL: i64 = 1_000;
            let config =
                RateLimitConfig { per_second: 1e6, burst, max_wait: Duration::from_nanos(max_wait), scope: Scope::Client };
            let limit = RateLimit::new(config).unwrap();
            let full = i64::from(burst) * INTERVAL;
            let (mut now, mut credit) = (1_000_000, full);
            for step in steps {
                now += step;
                credit = (credit + step as i64).min(full);
                // Below an interval of credit one waits for the rest of it; what is owed shows as negative credit.
                let wait = (INTERVAL - credit).max(0);
                let expected = (wait <= max_wait as i64).then_some(wait);
                if expected.is_some() {
                    credit -= INTERVAL;
                }
                let found = limit.take(Instant::from_nanos(now)).map(|wait| wait.as_nanos() as i64);
                proptest::prop_assert_eq!(found, expected);
            }
        }
    }
}
