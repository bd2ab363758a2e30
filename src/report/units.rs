//! Figures as people read them: three significant digits and a unit.

use crate::analysis::Figure;
use crate::scenario::Metric;
use crate::scenario::metric::Unit;

/// A metric's figure, in its unit.
pub(super) fn figure(metric: Metric, value: f64) -> String {
    precise(metric, value, 0)
}

/// The same with so many digits more.
fn precise(metric: Metric, value: f64, more: usize) -> String {
    if value.is_infinite() {
        return "never".to_owned();
    }
    match metric.unit() {
        Unit::Share => share(value, more),
        Unit::Ratio => format!("{value:.0$}", 2 + more),
        Unit::PerSecond => format!("{}/s", significant(value, more)),
        Unit::Milliseconds => time(value, more),
        Unit::Count => significant(value, more),
    }
}

/// A figure and the bound that it is held against, with as many digits as say the bound in full and tell the two apart: who
/// asks for 99.999 % does not ask for 99.99 %.
pub(super) fn held_against(metric: Metric, figure: f64, bound: f64) -> [String; 2] {
    // More digits than anybody writes say that the bound is a figure itself.
    const MOST: usize = 6;
    let exact = precise(metric, bound, MOST);
    let written = (0..=3).find(|more| same(&precise(metric, bound, *more), &exact)).unwrap_or(0);
    let shown = |more: usize| [figure, bound].map(|value| precise(metric, value, more));
    let apart = |more: &usize| {
        figure == bound || {
            let [figure, bound] = shown(*more);
            figure != bound
        }
    };
    shown((written..=MOST).find(apart).unwrap_or(written))
}

/// Whether two texts say the same number, one with more zeros at its end.
fn same(short: &str, long: &str) -> bool {
    let split = |text: &str| {
        let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').unwrap_or(text.len());
        let (number, unit) = text.split_at(unit);
        let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
        (number.to_owned(), unit.to_owned())
    };
    split(short) == split(long)
}

/// The mean of a metric, and whether some seeds had none because they never recovered.
pub(super) fn mean(metric: Metric, figure: &Figure) -> String {
    self::figure(metric, figure.estimate.mean)
}

/// A mean with its interval, such as `99.31% [99.20%, 99.40%]`.
#[cfg(feature = "cli")]
pub(super) fn with_interval(metric: Metric, figure: &Figure) -> String {
    let (mean, low, high) = (figure.estimate.mean, figure.estimate.low, figure.estimate.high);
    let [shown, low, high] = [mean, low, high].map(|value| self::figure(metric, value));
    if shown == low && shown == high { shown } else { format!("{shown} [{low}, {high}]") }
}

/// Two decimals or more, cut and not rounded: 99.999 % is not 100 %.
fn share(value: f64, more: usize) -> String {
    let decimals = 2 + more;
    let scale = 10_f64.powi(decimals as i32);
    // A share that was meant to be 0.9931 must not become 99.30 % for a last bit that is missing.
    format!("{:.decimals$}%", (value * 1e2 * scale + 1e-6).floor() / scale)
}

/// A number of milliseconds as a duration.
pub(super) fn milliseconds(value: f64) -> String {
    time(value, 0)
}

fn time(value: f64, more: usize) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        "0".to_owned()
    } else if magnitude < 0.9995 {
        format!("{}us", significant(value * 1e3, more))
    } else if magnitude < 999.5 {
        format!("{}ms", significant(value, more))
    } else {
        format!("{}s", significant(value / 1e3, more))
    }
}

/// Three significant digits, without an exponent.
pub(super) fn digits(value: f64) -> String {
    significant(value, 0)
}

/// Three significant digits and so many more.
fn significant(value: f64, more: usize) -> String {
    let magnitude = value.abs();
    let decimals = match magnitude {
        _ if value == value.trunc() => 0,
        m if m < 9.995 => 2 + more,
        m if m < 99.95 => 1 + more,
        _ => more,
    };
    format!("{value:.decimals$}")
}

/// A number of nanoseconds as a duration.
pub(super) fn nanoseconds(value: u64) -> String {
    milliseconds(value as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let table = [
            (Metric::SuccessRate, 1.0, "100.00%"),
            (Metric::SuccessRate, 0.999_99, "99.99%"),
            (Metric::SuccessRate, 0.9931, "99.31%"),
            (Metric::Amplification, 1.0, "1.00"),
            (Metric::Goodput, 100.0, "100/s"),
            (Metric::Goodput, 35.61, "35.6/s"),
            (Metric::P99, 0.0, "0"),
            (Metric::P99, 0.5, "500us"),
            (Metric::P99, 4.12, "4.12ms"),
            (Metric::P99, 812.4, "812ms"),
            (Metric::P99, 999.9, "1.00s"),
            (Metric::P99, 30_000.0, "30s"),
            (Metric::Recovery, f64::INFINITY, "never"),
            (Metric::LostAcknowledged, 0.0, "0"),
            (Metric::LostAcknowledged, 1.2, "1.20"),
            (Metric::Calls, 60_000.0, "60000"),
        ];
        for (metric, value, expected) in table {
            assert_eq!(figure(metric, value), expected, "{metric} {value}");
        }
    }

    /// A bound reads as it was written, and a figure that misses it by little does not read like it.
    #[test]
    fn bounds_are_said_in_full() {
        let table = [
            (Metric::SuccessRate, 0.8849, 0.999_99, ["88.490%", "99.999%"]),
            (Metric::SuccessRate, 0.999, 0.99, ["99.90%", "99.00%"]),
            (Metric::SuccessRate, 0.999_989, 0.999_99, ["99.998%", "99.999%"]),
            (Metric::Amplification, 1.5004, 1.5, ["1.5004", "1.5000"]),
            (Metric::Amplification, 2.0, 1.234_567_89, ["2.00", "1.23"]),
            (Metric::P99, 2000.0, 1234.0, ["2s", "1.234s"]),
            (Metric::P99, 1e9, 800.0, ["1000000s", "800ms"]),
            (Metric::Recovery, f64::INFINITY, 5e3, ["never", "5s"]),
            (Metric::Recovery, f64::INFINITY, f64::INFINITY, ["never", "never"]),
            (Metric::Duplicates, 0.2, 0.0, ["0.20", "0"]),
        ];
        for (metric, figure, bound, expected) in table {
            assert_eq!(held_against(metric, figure, bound), expected, "{metric} {figure} {bound}");
        }
    }
}
