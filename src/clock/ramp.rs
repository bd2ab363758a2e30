//! A strength that grows or falls evenly with time.

use std::time::Duration;

use super::Instant;

/// How strong something is at a moment: from 0 to 1 over a while, or from 1 to 0.
///
/// ```
/// use squall::clock::{Instant, Ramp};
/// use std::time::Duration;
///
/// let second = Duration::from_secs(1);
/// let ramp = Ramp::rising(Instant::ORIGIN + second, second * 4);
/// assert_eq!(ramp.at(Instant::ORIGIN + second * 2), 0.25);
/// assert_eq!(ramp.at(Instant::ORIGIN + second * 9), 1.0);
/// assert_eq!(Ramp::rising(Instant::ORIGIN, Duration::ZERO).at(Instant::ORIGIN), 1.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ramp {
    start: Instant,
    over: Duration,
    falls: bool,
}

impl Ramp {
    /// From 0 at `start` to 1 after `over`, and 1 from then on.
    #[must_use]
    pub const fn rising(start: Instant, over: Duration) -> Self {
        Self { start, over, falls: false }
    }

    /// From 1 at `start` to 0 after `over`, and 0 from then on.
    #[must_use]
    pub const fn falling(start: Instant, over: Duration) -> Self {
        Self { start, over, falls: true }
    }

    /// The strength at a moment, in [0, 1].
    #[must_use]
    pub fn at(self, now: Instant) -> f64 {
        let passed = now.saturating_since(self.start);
        let share = if passed >= self.over { 1.0 } else { passed.as_secs_f64() / self.over.as_secs_f64() };
        if self.falls { 1.0 - share } else { share }
    }

    /// Whether it is at full strength at all times.
    #[must_use]
    pub const fn is_flat(self) -> bool {
        self.over.is_zero() && !self.falls
    }
}
