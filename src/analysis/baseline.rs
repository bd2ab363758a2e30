//! Baselines: what a run came to when it was last accepted, and whether it got worse since.
//!
//! A log is compared first: equal fingerprints mean that nothing changed at all, and there is nothing to say. Where it did
//! change, figures are compared with tolerances that know which way is better. Runs are deterministic, so the tolerance is
//! not for noise: it is for changes too small to matter.
//!
//! Rule: the text of a baseline has one order and one way to write a number, so that its diff in a review shows what moved
//! and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::outcome::{ScenarioOutcome, StrategyOutcome};
use crate::scenario::Metric;
use crate::scenario::metric::{Better, Unit};

/// The version of the file's shape; readers refuse others.
pub const BASELINE_VERSION: u32 = 1;

/// What was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// [`BASELINE_VERSION`] when it was written.
    pub baseline_version: u32,
    /// The version of Squall that ran it: another version may run the same trial in another way.
    pub squall_version: String,
    /// By scenario, then by strategy.
    pub scenarios: BTreeMap<String, BTreeMap<String, Entry>>,
}

/// What one strategy came to in one scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The fingerprint of each seed's log, in hexadecimal digits.
    pub fingerprints: BTreeMap<u64, String>,
    /// The mean of each metric in its unit; `null` for a recovery that did not come in every seed.
    pub metrics: BTreeMap<String, Option<f64>>,
}

/// How a strategy differs from its baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// In which scenario.
    pub scenario: String,
    /// Which strategy.
    pub strategy: String,
    /// How.
    pub kind: DifferenceKind,
}

/// A way to differ.
#[derive(Clone, Debug, PartialEq)]
pub enum DifferenceKind {
    /// The baseline does not know it.
    New,
    /// The baseline knows it, and it was not run.
    Gone,
    /// The log is another, and no figure moved beyond its tolerance.
    Changed,
    /// A figure got better.
    Improved(Moved),
    /// A figure got worse.
    Regressed(Moved),
}

/// A figure that moved; infinite for a recovery that did not come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moved {
    /// Which.
    pub metric: Metric,
    /// The baseline's.
    pub before: f64,
    /// This run's.
    pub after: f64,
}

/// By how much a figure may move and still count as unmoved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// As a share of the baseline's figure.
    pub relative: f64,
    /// In the metric's unit.
    pub absolute: f64,
}

/// The metrics that are kept and compared. What only counts calls follows from the scenario.
const KEPT: [Metric; 13] = [
    Metric::SuccessRate,
    Metric::Goodput,
    Metric::Amplification,
    Metric::WorkAmplification,
    Metric::WastedWork,
    Metric::MeanLatency,
    Metric::P50,
    Metric::P99,
    Metric::P999,
    Metric::Recovery,
    Metric::LostAcknowledged,
    Metric::Duplicates,
    Metric::UnacknowledgedRecorded,
];

impl Baseline {
    /// The baseline that these outcomes make.
    #[must_use]
    pub fn of(outcomes: &[ScenarioOutcome]) -> Self {
        let strategies = |outcome: &ScenarioOutcome| {
            outcome.strategies.iter().map(|strategy| (strategy.name.clone(), Entry::of(strategy))).collect()
        };
        Self {
            baseline_version: BASELINE_VERSION,
            squall_version: env!("CARGO_PKG_VERSION").to_owned(),
            scenarios: outcomes.iter().map(|outcome| (outcome.name.clone(), strategies(outcome))).collect(),
        }
    }

    /// How `now` differs from it, in the order of names. `everything` says that `now` is all there is: what the baseline
    /// knows beyond it is gone.
    #[must_use]
    pub fn compare(&self, now: &Self, everything: bool) -> Vec<Difference> {
        let mut differences = Vec::new();
        let same_engine = self.squall_version == now.squall_version;
        for (scenario, strategies) in &now.scenarios {
            let known = self.scenarios.get(scenario);
            for (strategy, entry) in strategies {
                let kinds = match known.and_then(|known| known.get(strategy)) {
                    None => vec![DifferenceKind::New],
                    Some(before) => entry.compare(before, same_engine),
                };
                let (scenario, strategy) = (scenario.clone(), strategy.clone());
                differences.extend(kinds.into_iter().map(|kind| Difference {
                    scenario: scenario.clone(),
                    strategy: strategy.clone(),
                    kind,
                }));
            }
        }
        if everything {
            differences.extend(self.gone(now));
        }
        differences
    }

    fn gone<'a>(&'a self, now: &'a Self) -> impl Iterator<Item = Difference> + 'a {
        let known = self.scenarios.iter().flat_map(|(scenario, all)| all.keys().map(move |one| (scenario, one)));
        let gone = known.filter(|(scenario, strategy)| {
            now.scenarios.get(*scenario).is_none_or(|strategies| !strategies.contains_key(*strategy))
        });
        gone.map(|(scenario, strategy)| Difference {
            scenario: scenario.clone(),
            strategy: strategy.clone(),
            kind: DifferenceKind::Gone,
        })
    }
}

impl Entry {
    fn of(strategy: &StrategyOutcome) -> Self {
        let fingerprints = strategy.fingerprints.iter().map(|(seed, print)| (*seed, format!("{print:016x}")));
        let kept = KEPT.into_iter().filter_map(|metric| Some((metric, strategy.metrics.get(&metric)?.estimate.mean)));
        let metrics = kept.map(|(metric, mean)| (metric.name().to_owned(), tidy(mean)));
        Self { fingerprints: fingerprints.collect(), metrics: metrics.collect() }
    }

    fn compare(&self, before: &Self, same_engine: bool) -> Vec<DifferenceKind> {
        if same_engine && self.fingerprints == before.fingerprints {
            return Vec::new();
        }
        let moved: Vec<DifferenceKind> = KEPT.into_iter().filter_map(|metric| self.moved(before, metric)).collect();
        if moved.is_empty() { vec![DifferenceKind::Changed] } else { moved }
    }

    fn moved(&self, before: &Self, metric: Metric) -> Option<DifferenceKind> {
        let figure = |entry: &Self| entry.metrics.get(metric.name()).map(|figure| figure.unwrap_or(f64::INFINITY));
        let (before, after) = (figure(before)?, figure(self)?);
        if Tolerance::of(metric).covers(before, after) {
            return None;
        }
        let moved = Moved { metric, before, after };
        let better = (after > before) == (metric.better() == Better::Higher);
        Some(if better { DifferenceKind::Improved(moved) } else { DifferenceKind::Regressed(moved) })
    }
}

impl Difference {
    /// Whether somebody must look at it: something got worse, or is not looked at any more.
    #[must_use]
    pub const fn fails(&self) -> bool {
        matches!(self.kind, DifferenceKind::Regressed(_) | DifferenceKind::Gone)
    }
}

impl Tolerance {
    /// What is too small a change to matter.
    #[must_use]
    pub fn of(metric: Metric) -> Self {
        let (relative, absolute) = match (metric, metric.unit()) {
            // Half a point of success is worth a look; half a point of wasted work is not.
            (Metric::WastedWork, _) => (0.05, 0.01),
            (_, Unit::Share) => (0.0, 0.005),
            (Metric::Recovery, _) => (0.05, 250.0),
            (_, Unit::Milliseconds) => (0.05, 1.0),
            (_, Unit::Ratio | Unit::PerSecond) => (0.02, 0.0),
            (_, Unit::Count) => (0.0, 0.0),
        };
        Self { relative, absolute }
    }

    fn covers(self, before: f64, after: f64) -> bool {
        // Nine digits are kept; what lies beyond them is not a change.
        before == after
            || (after - before).abs() <= (before.abs() * self.relative).max(self.absolute) + before.abs() * 1e-8
    }
}

/// Nine significant digits; none for what is not finite.
fn tidy(value: f64) -> Option<f64> {
    if value.is_finite() { format!("{value:.8e}").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(fingerprint: &str, p99: Option<f64>, success: f64) -> Baseline {
        let metrics = [("p99".to_owned(), p99), ("success_rate".to_owned(), Some(success))];
        let entry = Entry { fingerprints: [(1, fingerprint.to_owned())].into(), metrics: metrics.into() };
        Baseline {
            baseline_version: BASELINE_VERSION,
            squall_version: "0.1.0".to_owned(),
            scenarios: [("storm".to_owned(), [("retry".to_owned(), entry)].into())].into(),
        }
    }

    fn kinds(before: &Baseline, now: &Baseline) -> Vec<DifferenceKind> {
        before.compare(now, true).into_iter().map(|difference| difference.kind).collect()
    }

    #[test]
    fn an_equal_log_is_not_even_looked_at() {
        assert_eq!(kinds(&baseline("a", Some(100.0), 0.9), &baseline("a", Some(500.0), 0.1)), []);
    }

    #[test]
    fn moves_know_which_way_is_better() {
        let before = baseline("a", Some(100.0), 0.9);
        let moved = |metric, before, after| Moved { metric, before, after };
        let table = [
            (baseline("b", Some(104.0), 0.903), vec![DifferenceKind::Changed]),
            (
                baseline("b", Some(110.0), 0.95),
                vec![
                    DifferenceKind::Improved(moved(Metric::SuccessRate, 0.9, 0.95)),
                    DifferenceKind::Regressed(moved(Metric::P99, 100.0, 110.0)),
                ],
            ),
            (baseline("b", None, 0.9), vec![DifferenceKind::Regressed(moved(Metric::P99, 100.0, f64::INFINITY))]),
        ];
        for (now, expected) in table {
            assert_eq!(kinds(&before, &now), expected);
        }
    }

    /// Another engine may number events differently: then figures decide alone.
    #[test]
    fn fingerprints_of_another_engine_say_nothing() {
        let mut before = baseline("a", Some(100.0), 0.9);
        before.squall_version = "0.0.9".to_owned();
        assert_eq!(kinds(&before, &baseline("a", Some(100.0), 0.9)), [DifferenceKind::Changed]);
    }

    #[test]
    fn what_appears_is_new_and_what_vanishes_is_gone() {
        let (known, mut empty) = (baseline("a", None, 0.9), baseline("a", None, 0.9));
        empty.scenarios.clear();
        assert_eq!(kinds(&empty, &known), [DifferenceKind::New]);
        assert_eq!(kinds(&known, &empty), [DifferenceKind::Gone]);
        assert_eq!(known.compare(&empty, false), [], "only a part was run");
    }

    #[test]
    fn the_file_reads_back() {
        let text = serde_json::to_string_pretty(&baseline("a", None, 0.9)).unwrap();
        assert_eq!(serde_json::from_str::<Baseline>(&text).unwrap(), baseline("a", None, 0.9));
    }
}
