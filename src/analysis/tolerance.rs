//! Tolerances: changes of a figure that are too small to matter.

use std::collections::BTreeMap;

use crate::scenario::metric::Unit;
use crate::scenario::{Margin, Metric};

/// By how much each metric may move and still count as unmoved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tolerances(BTreeMap<Metric, Margin>);

impl Tolerances {
    /// Sets that of a metric; the others keep what is usual.
    pub fn set(&mut self, metric: Metric, margin: Margin) {
        self.0.insert(metric, margin);
    }

    /// That of a metric.
    #[must_use]
    pub fn of(&self, metric: Metric) -> Margin {
        self.0.get(&metric).copied().unwrap_or_else(|| usual(metric))
    }

    /// Whether a figure that was `before` counts as unmoved.
    #[must_use]
    pub fn cover(&self, metric: Metric, before: f64, after: f64) -> bool {
        // Nine digits are kept; what lies beyond them is not a change.
        before == after || (after - before).abs() <= self.of(metric).around(before) + before.abs() * 1e-8
    }
}

fn usual(metric: Metric) -> Margin {
    let (relative, absolute) = match (metric, metric.unit()) {
        // Half a point of success is worth a look; half a point of wasted work is not.
        (Metric::WastedWork, _) => (0.05, 0.01),
        (_, Unit::Share) => (0.0, 0.005),
        (Metric::Recovery, _) => (0.05, 250.0),
        (_, Unit::Milliseconds) => (0.05, 1.0),
        (_, Unit::Ratio | Unit::PerSecond) => (0.02, 0.0),
        (_, Unit::Count) => (0.0, 0.0),
    };
    Margin { relative, absolute }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_margin_counts_and_a_given_one_replaces_both() {
        let mut tolerances = Tolerances::default();
        let table = [(100.0, 104.9, true), (100.0, 105.1, false), (1.0, 1.9, true), (1.0, 2.1, false)];
        for (before, after, covered) in table {
            assert_eq!(tolerances.cover(Metric::P99, before, after), covered, "{before} {after}");
        }
        tolerances.set(Metric::P99, Margin { relative: 0.0, absolute: 0.5 });
        assert!(!tolerances.cover(Metric::P99, 100.0, 100.6) && tolerances.cover(Metric::P99, 100.0, 99.6));
        assert!(!tolerances.cover(Metric::Recovery, 100.0, f64::INFINITY));
    }
}
