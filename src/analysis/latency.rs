//! Latency: how long applications waited, from the moment a call was due.
//!
//! Every call enters, however it ended. If only answered calls counted, a strategy without a deadline would look fastest in a
//! partition: the calls that hang for ever are exactly those that would be left out. A call that still hangs at the end
//! of the run enters with the time it has waited so far. The other trap, errors that come back at once and pull the
//! quantiles down, shows in the success rate beside them.
//!
//! Quantiles come from a histogram with three significant digits: a value is at most 0.1 % above the true one, and the
//! longest is exact.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The latencies of many calls, in bounded memory.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    histogram: Histogram<u32>,
    sum_ns: u128,
    max_ns: u64,
}

/// What remains of them: enough for every report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// How many calls.
    pub count: u64,
    /// Their sum, in nanoseconds. A whole number, so that it survives a log to the last bit.
    pub sum_ns: u64,
    /// The quantiles [`CURVE`], in nanoseconds; all zero without calls.
    pub curve_ns: Vec<u64>,
}

/// The quantiles that are kept: every metric's, and between them enough to draw a curve whose tail is not a corner.
pub const CURVE: [f64; 17] =
    [0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0];

/// Half an hour is the longest that is told apart; nobody waits longer for a unary call.
const LONGEST_NS: u64 = 1 << 41;

impl Latencies {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new(3).expect("three digits are supported");
        Self { histogram, sum_ns: 0, max_ns: 0 }
    }

    pub(super) fn add(&mut self, latency_ns: u64) {
        self.histogram.record(latency_ns.min(LONGEST_NS)).expect("the histogram grows as needed");
        self.sum_ns += u128::from(latency_ns);
        self.max_ns = self.max_ns.max(latency_ns);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("the histogram grows as needed");
        self.sum_ns += other.sum_ns;
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    pub(super) fn summary(&self) -> Latency {
        let count = self.histogram.len();
        let sum_ns = u64::try_from(self.sum_ns).unwrap_or(u64::MAX);
        let curve_ns = CURVE.iter().map(|quantile| self.quantile_ns(*quantile)).collect();
        Latency { count, sum_ns, curve_ns }
    }

    /// The latency that a share of `quantile` of the calls did not exceed; zero without calls.
    pub(crate) fn quantile_ns(&self, quantile: f64) -> u64 {
        // The histogram rounds up within a bucket; the longest is known exactly.
        if quantile == 1.0 { self.max_ns } else { self.histogram.value_at_quantile(quantile).min(self.max_ns) }
    }

    /// The share of the calls that took longer; not a number without calls.
    pub(crate) fn share_above(&self, latency_ns: u64) -> f64 {
        let within = self.histogram.count_between(0, latency_ns.min(LONGEST_NS));
        1.0 - within as f64 / self.histogram.len() as f64
    }
}

impl Latency {
    /// Their mean, if there were calls.
    #[must_use]
    pub fn mean_ns(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_ns as f64 / self.count as f64)
    }

    /// The latency that a share of `quantile` of the calls did not exceed, if there were calls and the quantile is one of
    /// [`CURVE`].
    #[must_use]
    pub fn quantile_ns(&self, quantile: f64) -> Option<u64> {
        let place = CURVE.iter().position(|kept| *kept == quantile)?;
        if self.count == 0 { None } else { self.curve_ns.get(place).copied() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Metric;

    #[test]
    fn quantiles_are_within_a_thousandth() {
        let mut latencies = Latencies::new();
        for micros in 1..=1000_u64 {
            latencies.add(micros * 1000);
        }
        let summary = latencies.summary();
        assert_eq!((summary.count, summary.mean_ns()), (1000, Some(500_500.0)));
        for (quantile, true_ns) in [(0.5, 500_000.0), (0.99, 990_000.0), (0.999, 999_000.0), (1.0, 1_000_000.0)] {
            let error = summary.quantile_ns(quantile).unwrap() as f64 / true_ns - 1.0;
            assert!((0.0..0.001).contains(&error), "{quantile}: {error}");
        }
    }

    #[test]
    fn every_metric_that_is_a_quantile_is_kept() {
        for quantile in Metric::ALL.into_iter().filter_map(Metric::quantile) {
            assert!(CURVE.contains(&quantile), "{quantile}");
        }
    }

    #[test]
    fn no_calls_have_no_latency() {
        assert_eq!(Latencies::new().summary().quantile_ns(0.5), None);
    }
}
