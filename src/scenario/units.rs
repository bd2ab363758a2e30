//! Quantities with units, as people write them: `250us`, `2/s`, `99.9%`, `64KiB`, `10Mbit/s`.
//!
//! Rule: a number without its unit is a mistake, never a guess; each parser says what it would have accepted.

use std::fmt;
use std::time::Duration;

use super::yaml::shorten;
use crate::random::Probability;

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

/// The text is no such quantity. The first line says why, the others what would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidQuantity(String);

impl InvalidQuantity {
    fn new(text: &str, why: &str, instead: &str) -> Self {
        Self(format!("`{}` {why}\n{instead}", shorten(text)))
    }
}

const DURATION_HELP: &str = "durations are written `250us`, `20ms`, `1.5s`, `2m`, `1h` or `1m30s`";
const DURATION_UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
/// The longest duration a file may name. Sums of a few such durations stay far inside what virtual time can count.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Reads a duration: one or more numbers with units, at most 30 days in all.
///
/// ```
/// use squall::scenario::units::duration;
/// use std::time::Duration;
/// assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
/// assert_eq!(duration("2.5ms"), Ok(Duration::from_micros(2_500)));
/// assert!(duration("5").is_err() && duration("-1s").is_err() && duration("3 weeks").is_err());
/// ```
///
/// # Errors
///
/// When a unit is missing or unknown, or the duration is negative or longer than 30 days.
pub fn duration(text: &str) -> Result<Duration, InvalidQuantity> {
    let wrong = |why: &str| InvalidQuantity::new(text, why, DURATION_HELP);
    if text.starts_with('-') {
        return Err(wrong("is negative: a duration cannot be"));
    }
    let (mut rest, mut nanos) = (text.trim(), 0_f64);
    if rest.is_empty() {
        return Err(wrong("is no duration"));
    }
    while !rest.is_empty() {
        let (value, after) = number(rest).ok_or_else(|| wrong("is no duration"))?;
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let (_, scale) = DURATION_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| match unit {
            "" => InvalidQuantity::new(text, "has no unit", &format!("write `{text}s` or `{text}ms`")),
            unit => wrong(&format!("has the unknown unit `{unit}`")),
        })?;
        nanos += value * *scale as f64;
        rest = next.trim_start();
    }
    let longest = LONGEST.as_nanos() as f64;
    if nanos > longest { Err(wrong("is longer than 30 days")) } else { Ok(Duration::from_nanos(nanos.round() as u64)) }
}

/// A number without sign or exponent at the start of a text, and what follows it.
fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    digits.starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
    digits.parse().ok().map(|value| (value, rest))
}

/// Writes a duration as [`duration`] reads it, in the largest unit that leaves a whole number, or in seconds.
#[must_use]
pub fn show_duration(value: Duration) -> String {
    let nanos = value.as_nanos();
    let whole =
        [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];
    match whole.iter().find(|(_, scale)| nanos.is_multiple_of(*scale)) {
        _ if nanos == 0 => "0s".to_owned(),
        Some((unit, scale)) => format!("{}{unit}", nanos / scale),
        None => format!("{nanos}ns"),
    }
}

const PERCENT_HELP: &str = "shares are written as percentages: `10%`, `99.9%`";

/// Reads a share, written as a percentage.
///
/// # Errors
///
/// When the percent sign is missing, or the share is not within 0 % and 100 %.
pub fn percent(text: &str) -> Result<Probability, InvalidQuantity> {
    let wrong = |why: &str, help: &str| InvalidQuantity::new(text, why, help);
    let trimmed = text.trim();
    let Some(figure) = trimmed.strip_suffix('%') else {
        let share = trimmed.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
        let help = share.map_or(PERCENT_HELP.to_owned(), |share| format!("write `{}%`", tidy(share * 100.0)));
        return Err(wrong("is no percentage", &help));
    };
    // Shifted in decimal: 99.9 / 100 is not the number that 999 of 1000 calls come to.
    let value: f64 = format!("{}e-2", figure.trim()).parse().map_err(|_| wrong("is no percentage", PERCENT_HELP))?;
    if value < 0.0 {
        return Err(wrong("is negative: a share cannot be", PERCENT_HELP));
    }
    Probability::new(value).map_err(|_| wrong("is more than everything", "a share is at most `100%`"))
}

/// Without the noise of binary fractions: 12.3 rather than 12.299999999999999.
fn tidy(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

const RATE_HELP: &str = "rates are written `2/s`, `90/m` or `100/h`";

/// Reads a rate of calls.
///
/// # Errors
///
/// When the unit is missing or unknown, or the rate is not above zero.
pub fn call_rate(text: &str) -> Result<CallRate, InvalidQuantity> {
    let wrong = |why: &str, help: &str| InvalidQuantity::new(text, why, help);
    let Some((figure, unit)) = text.split_once('/') else {
        return match text.trim().parse::<f64>() {
            Ok(_) => Err(wrong("has no unit", &format!("write `{}/s`", text.trim()))),
            Err(_) => Err(wrong("is no rate", RATE_HELP)),
        };
    };
    let seconds = match unit.trim() {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        unit => return Err(wrong(&format!("has the unknown unit `{}`", shorten(unit)), RATE_HELP)),
    };
    let value: f64 = figure.trim().parse().map_err(|_| wrong("is no rate", RATE_HELP))?;
    if value > MOST_CALLS_PER_SECOND * seconds {
        return Err(wrong("is more than a client can make", "at most `1000000/s`"));
    }
    CallRate::per_second(value / seconds).map_err(|_| wrong("is not above zero", RATE_HELP))
}

/// One call a microsecond: more says nothing about a client and only fills memory.
const MOST_CALLS_PER_SECOND: f64 = 1e6;

const SIZE_HELP: &str = "sizes are written `512B`, `64KiB`, `1MiB` or `1500B`";

/// Reads a number of bytes.
///
/// # Errors
///
/// When the unit is missing or unknown, or the number is negative or above 1 GiB.
pub fn size(text: &str) -> Result<u64, InvalidQuantity> {
    let wrong = |why: &str| InvalidQuantity::new(text, why, SIZE_HELP);
    let (value, unit) = number(text.trim()).ok_or_else(|| wrong("is no size"))?;
    let scale = match unit.trim() {
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "" => return Err(wrong("has no unit")),
        unit => return Err(wrong(&format!("has the unknown unit `{}`", shorten(unit)))),
    };
    let bytes = (value * scale).round();
    if bytes > 1024.0 * 1024.0 * 1024.0 { Err(wrong("is more than 1GiB")) } else { Ok(bytes as u64) }
}

const BANDWIDTH_HELP: &str = "bandwidths are written `10Mbit/s`, `1Gbit/s`, `64kbit/s` or `1MiB/s`";

/// Reads a bandwidth.
///
/// # Errors
///
/// When the unit is missing or unknown, or the bandwidth is not above zero.
pub fn byte_rate(text: &str) -> Result<ByteRate, InvalidQuantity> {
    let wrong = |why: &str| InvalidQuantity::new(text, why, BANDWIDTH_HELP);
    let (value, unit) = number(text.trim()).ok_or_else(|| wrong("is no bandwidth"))?;
    let bytes = match unit.trim() {
        "bit/s" => 1.0 / 8.0,
        "kbit/s" | "Kbit/s" => 1e3 / 8.0,
        "Mbit/s" => 1e6 / 8.0,
        "Gbit/s" => 1e9 / 8.0,
        "B/s" => 1.0,
        "kB/s" | "KB/s" => 1e3,
        "MB/s" => 1e6,
        "KiB/s" => 1024.0,
        "MiB/s" => 1024.0 * 1024.0,
        "" => return Err(wrong("has no unit")),
        unit => return Err(wrong(&format!("has the unknown unit `{}`", shorten(unit)))),
    };
    ByteRate::per_second(value * bytes).map_err(|_| wrong("is not above zero"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        let check = |text: &str, nanos: u64| assert_eq!(duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        check("250us", 250_000);
        check("250µs", 250_000);
        check("1ns", 1);
        check("0s", 0);
        check("1.5s", 1_500_000_000);
        check("1m30s", 90_000_000_000);
        check("1h 2m", 3_720_000_000_000);
        check("100 ms", 100_000_000);
        check("720h", 2_592_000_000_000_000);
    }

    #[test]
    fn a_wrong_quantity_says_why() {
        let check = |error: String, why: &str| assert!(error.lines().next().unwrap().contains(why), "{error}");
        let of = |text: &str| duration(text).unwrap_err().to_string();
        check(of("5"), "has no unit");
        check(of("-5s"), "is negative");
        check(of("5sec"), "the unknown unit `sec`");
        check(of("1e9s"), "the unknown unit `e`");
        check(of("fast"), "is no duration");
        check(of(""), "is no duration");
        check(of("1.2.3s"), "is no duration");
        check(of("721h"), "longer than 30 days");
        check(of("99999999999999999999999999999999999999h"), "longer than 30 days");
        check(percent("101%").unwrap_err().to_string(), "more than everything");
        check(percent("-1%").unwrap_err().to_string(), "is negative");
        check(percent("NaN%").unwrap_err().to_string(), "is no percentage");
        assert!(percent("0.1").unwrap_err().to_string().contains("write `10%`"));
        check(call_rate("2").unwrap_err().to_string(), "has no unit");
        check(call_rate("0/s").unwrap_err().to_string(), "is not above zero");
        check(call_rate("inf/s").unwrap_err().to_string(), "more than a client can make");
        check(call_rate("2/fortnight").unwrap_err().to_string(), "unknown unit");
        check(size("64").unwrap_err().to_string(), "has no unit");
        check(byte_rate("0Mbit/s").unwrap_err().to_string(), "is not above zero");
    }

    #[test]
    fn rates_and_sizes_have_one_base_unit() {
        assert_eq!(call_rate("90/m").unwrap().value(), 1.5);
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(byte_rate("8Mbit/s").unwrap().value(), 1e6);
        assert_eq!(percent("99.9%").unwrap().value(), 0.999);
    }

    #[test]
    fn a_shown_duration_reads_back() {
        for nanos in [0, 1, 250_000, 1_500_000_000, 90_000_000_000, 3_600_000_000_000, 1_000_001] {
            let value = Duration::from_nanos(nanos);
            assert_eq!(duration(&show_duration(value)), Ok(value));
        }
    }
}
