//! Baselines: what a run came to when it was last accepted, and whether it got worse since.
//!
//! Logs are compared first, a seed at a time: equal fingerprints mean that nothing changed at all, and there is nothing to
//! say. Where one did change, figures are compared with tolerances that know which way is better. Runs are deterministic, so
//! the tolerance is not for noise: it is for changes too small to matter. Fingerprints belong to the version of Squall that
//! made them; where that is another, whoever reports says so, and figures decide.
//!
//! Rule: the text of a baseline has one order and one way to write a number, so that its diff in a review shows what moved
//! and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::outcome::{ScenarioOutcome, StrategyOutcome};
use super::tolerance::Tolerances;
use crate::scenario::Metric;
use crate::scenario::metric::Better;

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
    /// The logs of these seeds are others, and no figure moved beyond its tolerance. Another version of Squall may number
    /// events in another way; the same version does not.
    Changed(Vec<u64>),
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
    pub fn compare(&self, now: &Self, everything: bool, tolerances: &Tolerances) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (scenario, strategies) in &now.scenarios {
            let known = self.scenarios.get(scenario);
            for (strategy, entry) in strategies {
                let kinds = match known.and_then(|known| known.get(strategy)) {
                    None => vec![DifferenceKind::New],
                    Some(before) => entry.compare(before, tolerances),
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

    /// The first scenario and strategy that both ran with other seeds: their figures cannot be compared.
    #[must_use]
    pub fn other_seeds(&self, now: &Self) -> Option<(&str, &str)> {
        let known =
            self.scenarios.iter().flat_map(|(name, all)| all.iter().map(move |(one, entry)| (name, one, entry)));
        let mut both =
            known.filter_map(|(name, one, entry)| Some((name, one, entry, now.scenarios.get(name)?.get(one)?)));
        let other = both.find(|(.., before, now)| !before.fingerprints.keys().eq(now.fingerprints.keys()));
        other.map(|(scenario, strategy, ..)| (scenario.as_str(), strategy.as_str()))
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

    fn compare(&self, before: &Self, tolerances: &Tolerances) -> Vec<DifferenceKind> {
        let other = |(seed, print): (&u64, &String)| (before.fingerprints.get(seed) != Some(print)).then_some(*seed);
        let changed: Vec<u64> = self.fingerprints.iter().filter_map(other).collect();
        if changed.is_empty() {
            return Vec::new();
        }
        let moved = |metric| self.moved(before, metric, tolerances);
        let moved: Vec<DifferenceKind> = KEPT.into_iter().filter_map(moved).collect();
        if moved.is_empty() { vec![DifferenceKind::Changed(changed)] } else { moved }
    }

    fn moved(&self, before: &Self, metric: Metric, tolerances: &Tolerances) -> Option<DifferenceKind> {
        let figure = |entry: &Self| entry.metrics.get(metric.name()).map(|figure| figure.unwrap_or(f64::INFINITY));
        let (before, after) = (figure(before)?, figure(self)?);
        if tolerances.cover(metric, before, after) {
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
        before.compare(now, true, &Tolerances::default()).into_iter().map(|difference| difference.kind).collect()
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
            (baseline("b", Some(104.0), 0.903), vec![DifferenceKind::Changed(vec![1])]),
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

    /// Equal is equal, whichever version of Squall said so; and the same figures from another log are told as such.
    #[test]
    fn another_version_of_squall_is_judged_by_its_figures() {
        let mut before = baseline("a", Some(100.0), 0.9);
        before.squall_version = "0.0.9".to_owned();
        assert_eq!(kinds(&before, &baseline("a", Some(100.0), 0.9)), []);
        assert_eq!(kinds(&before, &baseline("b", Some(100.0), 0.9)), [DifferenceKind::Changed(vec![1])]);
    }

    #[test]
    fn figures_of_other_seeds_are_not_compared() {
        let (before, mut now) = (baseline("a", None, 0.9), baseline("a", None, 0.9));
        assert_eq!(before.other_seeds(&now), None);
        now.scenarios.get_mut("storm").unwrap().get_mut("retry").unwrap().fingerprints.insert(2, "b".to_owned());
        assert_eq!(before.other_seeds(&now), Some(("storm", "retry")));
    }

    #[test]
    fn what_appears_is_new_and_what_vanishes_is_gone() {
        let (known, mut empty) = (baseline("a", None, 0.9), baseline("a", None, 0.9));
        empty.scenarios.clear();
        assert_eq!(kinds(&empty, &known), [DifferenceKind::New]);
        assert_eq!(kinds(&known, &empty), [DifferenceKind::Gone]);
        assert_eq!(known.compare(&empty, false, &Tolerances::default()), [], "only a part was run");
    }

    #[test]
    fn the_file_reads_back() {
        let text = serde_json::to_string_pretty(&baseline("a", None, 0.9)).unwrap();
        assert_eq!(serde_json::from_str::<Baseline>(&text).unwrap(), baseline("a", None, 0.9));
    }
}
