//! Figures as people read them: three significant digits and a unit.

use crate::analysis::Figure;
use crate::scenario::Metric;
use crate::scenario::metric::Unit;

/// A metric's figure, in its unit.
pub(super) fn figure(metric: Metric, value: f64) -> String {
    if value.is_infinite() {
        return "never".to_owned();
    }
    match metric.unit() {
        Unit::Share => share(value),
        Unit::Ratio => format!("{value:.2}"),
        Unit::PerSecond => format!("{}/s", digits(value)),
        Unit::Milliseconds => milliseconds(value),
        Unit::Count => digits(value),
    }
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

/// Two decimals, cut and not rounded: 99.999 % is not 100 %.
fn share(value: f64) -> String {
    // A share that was meant to be 0.9931 must not become 99.30 % for a last bit that is missing.
    format!("{:.2}%", (value * 1e4 + 1e-6).floor() / 1e2)
}

/// A number of milliseconds as a duration.
pub(super) fn milliseconds(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        "0".to_owned()
    } else if magnitude < 0.9995 {
        format!("{}us", digits(value * 1e3))
    } else if magnitude < 999.5 {
        format!("{}ms", digits(value))
    } else {
        format!("{}s", digits(value / 1e3))
    }
}

/// Three significant digits, without an exponent.
pub(super) fn digits(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = match magnitude {
        _ if value == value.trunc() => 0,
        m if m < 9.995 => 2,
        m if m < 99.95 => 1,
        _ => 0,
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
}
