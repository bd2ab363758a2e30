//! A number in [0, 1] that was checked once.

use super::Draw;

/// How likely something is: from 0 (never) to 1 (always).
///
/// ```
/// use squall::random::{Draw, Probability};
/// let ten_percent = Probability::new(0.1)?;
/// assert!(ten_percent.hits(Draw::new(0.05)));
/// assert!(!ten_percent.hits(Draw::new(0.1)));
/// assert!(Probability::new(1.5).is_err());
/// # Ok::<(), squall::random::InvalidProbability>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Probability(f64);

/// The number is no probability.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is not between 0 and 1")]
pub struct InvalidProbability(f64);

impl Probability {
    /// It never happens.
    pub const NEVER: Self = Self(0.0);
    /// It always happens.
    pub const ALWAYS: Self = Self(1.0);

    /// Checks a number.
    ///
    /// # Errors
    ///
    /// When `value` lies outside [0, 1] or is not a number.
    pub fn new(value: f64) -> Result<Self, InvalidProbability> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(InvalidProbability(value)) }
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }

    /// Whether `draw` makes it happen.
    #[must_use]
    pub fn hits(self, draw: Draw) -> bool {
        draw.value() < self.0
    }
}
