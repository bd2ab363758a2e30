//! What a circuit breaker can be told.

use std::time::Duration;

use crate::resilience::budget::Scope;
use crate::resilience::invalid::{ensure, ensure_between, ensure_positive};
use crate::resilience::{Codes, InvalidConfig};

/// When a breaker opens, how long it stays open, and how it finds out whether to close.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerConfig {
    /// The name in events and in rejections.
    pub name: String,
    /// What opens it.
    pub trip: Trip,
    /// Attempts that take longer than this count as slow, and what share of slow ones opens it too.
    pub slow: Option<SlowCalls>,
    /// How long it stays open before it lets probes through.
    pub open: Duration,
    /// How many attempts it lets through to find out. It closes when all have ended and too few of them failed.
    pub probes: u32,
    /// Which codes are failures.
    pub failures: Codes,
    /// Who shares it.
    pub scope: Scope,
}

/// What opens a breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Trip {
    /// So many failures in a row.
    Consecutive {
        /// How many.
        failures: u32,
    },
    /// This share of the attempts in a window, once it holds enough of them.
    FailureRate {
        /// The share, in (0, 1]; reaching it is enough.
        rate: f64,
        /// Over which attempts.
        window: BreakerWindow,
        /// Fewer attempts than this prove nothing.
        min_calls: u32,
    },
    /// This share in an average that halves the weight of the past every `half_life`.
    Ewma {
        /// The share, in (0, 1]; reaching it is enough.
        rate: f64,
        /// How fast it forgets.
        half_life: Duration,
        /// Fewer attempts than this, weighted, prove nothing.
        min_calls: u32,
    },
}

/// Over which attempts a rate is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerWindow {
    /// The last so many.
    Count(u32),
    /// Those that ended within the last so long, in tenths of it.
    Time(Duration),
}

/// When slowness opens a breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowCalls {
    /// An attempt that takes longer is slow.
    pub threshold: Duration,
    /// Which share of slow attempts opens it, in (0, 1].
    pub rate: f64,
}

/// Half of at least 20 attempts in 10 s; open for 5 s; 3 probes.
impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            name: "breaker".to_owned(),
            trip: Trip::FailureRate { rate: 0.5, window: BreakerWindow::Time(Duration::from_secs(10)), min_calls: 20 },
            slow: None,
            open: Duration::from_secs(5),
            probes: 3,
            failures: Codes::UNHEALTHY,
            scope: Scope::Client,
        }
    }
}

impl BreakerConfig {
    /// Makes sure that it makes sense.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let rate = |rate: f64, field| ensure_between(rate, f64::MIN_POSITIVE, 1.0, field);
        match self.trip {
            Trip::Consecutive { failures } => ensure(failures >= 1, "breaker.failures", "must be at least 1")?,
            Trip::FailureRate { rate: share, window, min_calls } => {
                rate(share, "breaker.failure_rate")?;
                ensure(min_calls >= 1, "breaker.min_calls", "must be at least 1")?;
                match window {
                    BreakerWindow::Count(count) => {
                        ensure((1..=1_000_000).contains(&count), "breaker.window", "must be 1 to 1000000 attempts")?;
                        ensure(min_calls <= count, "breaker.min_calls", "must be at most the window")?;
                    }
                    BreakerWindow::Time(length) => ensure_positive(length, "breaker.window")?,
                }
            }
            Trip::Ewma { rate: share, half_life, min_calls } => {
                rate(share, "breaker.failure_rate")?;
                ensure_positive(half_life, "breaker.half_life")?;
                ensure(min_calls >= 1, "breaker.min_calls", "must be at least 1")?;
            }
        }
        if let Some(slow) = self.slow {
            ensure(
                !matches!(self.trip, Trip::Consecutive { .. }),
                "breaker.slow",
                "needs a window, not a row of failures",
            )?;
            ensure_positive(slow.threshold, "breaker.slow.threshold")?;
            rate(slow.rate, "breaker.slow.rate")?;
        }
        ensure_positive(self.open, "breaker.open")?;
        ensure(self.probes >= 1, "breaker.probes", "must be at least 1")?;
        ensure(!self.failures.contains(tonic::Code::Ok), "breaker.failures", "OK is not a failure")
    }

    /// How many failed probes out of all keep it from closing, and how many slow ones.
    pub(super) fn probe_limits(&self) -> (u32, u32) {
        let share = |rate: f64| (libm::ceil(rate * f64::from(self.probes) - 1e-9) as u32).max(1);
        let failed = match self.trip {
            Trip::Consecutive { .. } => 1,
            Trip::FailureRate { rate, .. } | Trip::Ewma { rate, .. } => share(rate),
        };
        (failed, self.slow.map_or(u32::MAX, |slow| share(slow.rate)))
    }
}
