//! Quantities with units, as people write them: `250us`, `2/s`, `99.9%`, `64KiB`, `10Mbit/s`.
//!
//! Rule: a number without its unit is a mistake, never a guess; each parser says what it would have accepted.

use std::fmt;

/// Calls a second. Above zero and finite, or unlimited.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct CallRate(f64);

/// Bytes a second. Above zero and finite.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct ByteRate(f64);

/// The number is no rate.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a rate must be above zero")]
pub struct InvalidRate;

impl CallRate {
    /// No limit.
    pub const UNLIMITED: Self = Self(f64::INFINITY);

    /// So many calls a second.
    ///
    /// # Errors
    ///
    /// When the number is not above zero and finite.
    pub fn per_second(value: f64) -> Result<Self, InvalidRate> {
        if value > 0.0 && value.is_finite() { Ok(Self(value)) } else { Err(InvalidRate) }
    }

    /// The number; infinite when unlimited.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }
}

impl ByteRate {
    /// So many bytes a second.
    ///
    /// # Errors
    ///
    /// When the number is not above zero and finite.
    pub fn per_second(value: f64) -> Result<Self, InvalidRate> {
        if value > 0.0 && value.is_finite() { Ok(Self(value)) } else { Err(InvalidRate) }
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }
}

impl fmt::Display for CallRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}
