//! The schedules by name, with their parameters.

use std::time::Duration;

use super::Schedule;
use crate::resilience::InvalidConfig;
use crate::resilience::invalid::{LONGEST, ensure, ensure_between};

/// Which schedule, with its parameters. `n` counts failed attempts from 1; pauses are at most a year, and multipliers at most 10^6.
///
/// Sources: AWS Architecture Blog, "Exponential Backoff And Jitter", for the three kinds of jitter; gRFC A6 for `Grpc`; smithy-rs for
/// `AwsSdk`; Envoy, `router_filter.rst`, for `Envoy`.
///
/// ```
/// use squall::resilience::BackoffConfig;
/// use std::time::Duration;
/// let backoff = BackoffConfig::FullJitter { base: Duration::from_millis(50), cap: Duration::from_secs(2) };
/// backoff.check()?;
/// let upside_down = BackoffConfig::FullJitter { base: Duration::from_secs(2), cap: Duration::from_millis(50) };
/// assert!(upside_down.check().is_err());
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum BackoffConfig {
    /// No pause at all.
    #[default]
    None,
    /// Always the same.
    Constant {
        /// The pause.
        pause: Duration,
    },
    /// `base * n`, at most `cap`.
    Linear {
        /// The first pause.
        base: Duration,
        /// The longest pause.
        cap: Duration,
    },
    /// `base` times 1, 1, 2, 3, 5, 8 ..., at most `cap`.
    Fibonacci {
        /// The first pause.
        base: Duration,
        /// The longest pause.
        cap: Duration,
    },
    /// `base * multiplier^(n-1)`, at most `cap`, without jitter.
    Exponential {
        /// The first pause.
        base: Duration,
        /// The longest pause.
        cap: Duration,
        /// The growth a failure.
        multiplier: f64,
    },
    /// `U(0, v)` where `v = min(cap, base * 2^(n-1))`.
    FullJitter {
        /// The ceiling of the first pause.
        base: Duration,
        /// The highest ceiling.
        cap: Duration,
    },
    /// `v/2 + U(0, v/2)` where `v = min(cap, base * 2^(n-1))`.
    EqualJitter {
        /// The ceiling of the first pause.
        base: Duration,
        /// The highest ceiling.
        cap: Duration,
    },
    /// `min(cap, U(base, 3 * previous))`, where the pause before the first is `base`.
    Decorrelated {
        /// The shortest pause.
        base: Duration,
        /// The longest pause.
        cap: Duration,
    },
    /// `min(max, initial * multiplier^(n-1)) * U(1 - jitter, 1 + jitter)`: gRFC A6, with jitter 0.2.
    Grpc {
        /// The first pause, before jitter.
        initial: Duration,
        /// The longest pause, before jitter.
        max: Duration,
        /// The growth a failure.
        multiplier: f64,
        /// The share by which a pause varies to either side.
        jitter: f64,
    },
    /// `U(0, min(cap, base * 2^(n-1)))` with the AWS SDKs' base of 1 s and cap of 20 s as usual values.
    AwsSdk {
        /// The ceiling of the first pause.
        base: Duration,
        /// The highest ceiling.
        cap: Duration,
    },
    /// `U(0, (2^n - 1) * base)`, at most `cap`: Envoy, with 25 ms and 250 ms.
    Envoy {
        /// The unit.
        base: Duration,
        /// The longest pause.
        cap: Duration,
    },
}

impl BackoffConfig {
    /// Makes sure that it makes sense.
    ///
    /// # Errors
    ///
    /// When bounds are the wrong way round, a duration exceeds a year, or a factor is not a sensible number.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let bounds = |base: Duration, cap: Duration| {
            ensure(base <= cap, "backoff.base", format_args!("must be at most the cap of {cap:?}, not {base:?}"))?;
            ensure(cap <= LONGEST, "backoff.cap", "must be at most a year")
        };
        match *self {
            Self::None => Ok(()),
            Self::Constant { pause } => ensure(pause <= LONGEST, "backoff.pause", "must be at most a year"),
            Self::Linear { base, cap } | Self::Fibonacci { base, cap } => bounds(base, cap),
            Self::FullJitter { base, cap } | Self::EqualJitter { base, cap } | Self::Decorrelated { base, cap } => {
                bounds(base, cap)
            }
            Self::AwsSdk { base, cap } | Self::Envoy { base, cap } => bounds(base, cap),
            Self::Exponential { base, cap, multiplier } => {
                bounds(base, cap)?;
                ensure_between(multiplier, 1.0, 1e6, "backoff.multiplier")
            }
            Self::Grpc { initial, max, multiplier, jitter } => {
                bounds(initial, max)?;
                // gRFC A6 allows any positive multiplier.
                ensure_between(multiplier, f64::MIN_POSITIVE, 1e6, "backoff.multiplier")?;
                ensure_between(jitter, 0.0, 1.0, "backoff.jitter")
            }
        }
    }

    /// A schedule for one call.
    #[must_use]
    pub const fn schedule(self) -> Schedule {
        Schedule::new(self)
    }

    /// gRFC A6 with its jitter of ±20 %.
    #[must_use]
    pub const fn grpc(initial: Duration, max: Duration, multiplier: f64) -> Self {
        Self::Grpc { initial, max, multiplier, jitter: 0.2 }
    }
}
