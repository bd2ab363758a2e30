//! A point in time, as nanoseconds since an origin.
//!
//! `std::time::Instant` cannot be built from a number, so it can neither be written to a log nor read back from one.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::sync::OnceLock;
use std::time::Duration;

/// A point in time: nanoseconds since the simulation began (or, outside one, since the process first asked for the time).
///
/// Additions saturate: 584 years after the origin is the end of time, and "never" for a timer.
///
/// ```
/// use squall::clock::Instant;
/// use std::time::Duration;
/// let later = Instant::ORIGIN + Duration::from_micros(250);
/// assert_eq!(later.as_nanos(), 250_000);
/// assert_eq!(later - Instant::ORIGIN, Duration::from_micros(250));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The moment a simulation begins.
    pub const ORIGIN: Self = Self(0);
    /// The end of time: a timer set to it never fires.
    pub const NEVER: Self = Self(u64::MAX);

    /// The instant that lies `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the origin.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        Duration::from_nanos(self.0).as_secs_f64()
    }

    /// The time from `earlier` to `self`, or zero when `earlier` is the later one.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(duration)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_nanos(duration)))
    }
}

/// Seconds with nine decimals, as in a packet dump: `12.000250000s`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Without the 128-bit arithmetic of `as_nanos`: every reading of the real clock comes by here.
fn saturating_nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}

/// tokio's instant of the process's origin; its clock follows a paused runtime, so that user tests may pause it too.
fn real_origin() -> tokio::time::Instant {
    static ORIGIN: OnceLock<tokio::time::Instant> = OnceLock::new();
    *ORIGIN.get_or_init(tokio::time::Instant::now)
}

pub(super) fn real_now() -> Instant {
    let origin = real_origin();
    Instant(saturating_nanos(tokio::time::Instant::now().saturating_duration_since(origin)))
}

/// The tokio instant of a real-time [`Instant`], if the platform can represent it.
pub(super) fn to_tokio(at: Instant) -> Option<tokio::time::Instant> {
    real_origin().checked_add(Duration::from_nanos(at.0))
}
