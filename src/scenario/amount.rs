//! Figures of metrics as people write them, and how far one may lie from another.
//!
//! A figure is written in its metric's unit: `99.9%`, `800ms`, `150/s`. A *margin* is written so too, or as a percentage of
//! the figure that it is held against. A share is already a percentage: its margin counts in points.

use super::metric::{Metric, Unit};
use super::units;
use super::yaml::shorten;
use crate::random::Probability;

/// How far a figure may lie from another and still count as the same, or be known so badly and still count as known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// As a share of the other figure.
    pub relative: f64,
    /// In the metric's unit.
    pub absolute: f64,
}

impl Margin {
    /// The larger of both, around `figure`.
    #[must_use]
    pub fn around(self, figure: f64) -> f64 {
        (figure.abs() * self.relative).max(self.absolute)
    }
}

/// Reads a figure in the unit of `metric`; a time may be `never`.
///
/// # Errors
///
/// Why it is none: a line, and perhaps lines of help.
pub fn figure(text: &str, metric: Metric) -> Result<f64, String> {
    let quantity = |why: units::InvalidQuantity| why.to_string();
    let plain = || {
        let number = text.parse::<f64>().ok().filter(|number| *number >= 0.0 && number.is_finite());
        number.ok_or_else(|| format!("`{}` is no figure for `{metric}`", shorten(text)))
    };
    match metric.unit() {
        Unit::Share => units::percent(text).map(Probability::value).map_err(quantity),
        Unit::PerSecond if text == "0/s" => Ok(0.0),
        Unit::PerSecond => units::call_rate(text).map(units::CallRate::value).map_err(quantity),
        Unit::Milliseconds if text == "never" => Ok(f64::INFINITY),
        Unit::Milliseconds => units::duration(text).map(|time| time.as_secs_f64() * 1e3).map_err(quantity),
        Unit::Ratio => plain(),
        Unit::Count => match plain() {
            Ok(count) if count.fract() != 0.0 => Err(format!("`{metric}` is a whole number, never `{text}`")),
            count => count,
        },
    }
}

/// Reads a margin for `metric`.
///
/// ```
/// use squall::scenario::{Margin, Metric, margin};
/// assert_eq!(margin("10%", Metric::P99), Ok(Margin { relative: 0.1, absolute: 0.0 }));
/// assert_eq!(margin("20ms", Metric::P99), Ok(Margin { relative: 0.0, absolute: 20.0 }));
/// assert_eq!(margin("0.5%", Metric::SuccessRate), Ok(Margin { relative: 0.0, absolute: 0.005 }));
/// assert!(margin("never", Metric::Recovery).is_err());
/// ```
///
/// # Errors
///
/// Why it is none.
pub fn margin(text: &str, metric: Metric) -> Result<Margin, String> {
    if metric.unit() != Unit::Share && text.trim_end().ends_with('%') {
        let relative = units::percent(text).map_err(|why| why.to_string())?.value();
        return Ok(Margin { relative, absolute: 0.0 });
    }
    match figure(text, metric)? {
        absolute if absolute.is_finite() => Ok(Margin { relative: 0.0, absolute }),
        _ => Err(format!("`{}` is no margin", shorten(text))),
    }
}
