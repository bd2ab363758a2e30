//! Configurations that make no sense.

use std::fmt;

/// A configuration that makes no sense, with a reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct InvalidConfig {
    field: &'static str,
    reason: String,
}

impl InvalidConfig {
    pub(crate) fn new(field: &'static str, reason: impl fmt::Display) -> Self {
        Self { field, reason: reason.to_string() }
    }

    /// The option that is wrong, such as `retry.attempts`.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// Why, as a clause: `must be at least 1`.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// `Ok` when `good`, else an error with the reason.
pub(crate) fn ensure(good: bool, field: &'static str, reason: impl fmt::Display) -> Result<(), InvalidConfig> {
    if good { Ok(()) } else { Err(InvalidConfig::new(field, reason)) }
}

/// No pause or window may be longer: a year. Sums of such durations cannot overflow the clock.
pub(crate) const LONGEST: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 3600);

/// A duration above zero and at most a year.
pub(crate) fn ensure_positive(duration: std::time::Duration, field: &'static str) -> Result<(), InvalidConfig> {
    ensure(!duration.is_zero(), field, "must be above zero")?;
    ensure(duration <= LONGEST, field, "must be at most a year")
}

/// A finite number within bounds.
pub(crate) fn ensure_between(value: f64, low: f64, high: f64, field: &'static str) -> Result<(), InvalidConfig> {
    ensure(value >= low && value <= high, field, format_args!("must be between {low} and {high}, not {value}"))
}
