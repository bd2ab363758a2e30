//! The Pareto front of a scenario: the strategies to choose from, when success, tail and price pull in different directions.
//!
//! A strategy is dominated if another is at least as good in success, in the 99th percentile and in amplification, and certain to
//! be better in one of them. Who is dominated has nothing to offer that the other has not; who is not stands for a choice.
//!
//! Rule: what ties is never dominated. A difference in means whose interval holds zero is no reason to drop a strategy. As
//! means are in order and certainty implies a better mean, nobody dominates in a circle, and the front is never empty.

use super::outcome::{Comparison, StrategyOutcome};
use crate::scenario::Metric;
use crate::scenario::metric::Better;

/// What the front is made of.
pub const FRONT: [Metric; 3] = [Metric::SuccessRate, Metric::P99, Metric::Amplification];

/// How a strategy stands to the front.
#[derive(Clone, Debug, PartialEq)]
pub struct Dominance {
    /// The strategy.
    pub strategy: String,
    /// Who dominates it, the first in the order of the file; none: it is on the front.
    pub by: Option<String>,
    /// In what that one is certain to be better.
    pub better_in: Vec<Metric>,
}

/// How every strategy stands to the front, in the order of the file.
pub(super) fn front(strategies: &[StrategyOutcome], comparisons: &[Comparison]) -> Vec<Dominance> {
    let of = |one: &StrategyOutcome| {
        let dominates = |other: &&StrategyOutcome| {
            other.name != one.name && as_good(other, one) && !certainly(other, one, comparisons).is_empty()
        };
        let by = strategies.iter().find(dominates);
        let better_in = by.map(|other| certainly(other, one, comparisons)).unwrap_or_default();
        Dominance { strategy: one.name.clone(), by: by.map(|other| other.name.clone()), better_in }
    };
    strategies.iter().map(of).collect()
}

/// Whether `one` is at least as good as `other` in every mean that both have.
fn as_good(one: &StrategyOutcome, other: &StrategyOutcome) -> bool {
    FRONT.iter().all(|metric| {
        let mean = |strategy: &StrategyOutcome| Some(strategy.metrics.get(metric)?.estimate.mean);
        let (Some(one), Some(other)) = (mean(one), mean(other)) else { return true };
        if metric.better() == Better::Higher { one >= other } else { one <= other }
    })
}

/// In what `one` is certain to be better than `other`.
fn certainly(one: &StrategyOutcome, other: &StrategyOutcome, comparisons: &[Comparison]) -> Vec<Metric> {
    let is_better = |metric: &Metric| {
        let difference = comparisons.iter().filter(|known| known.metric == *metric).find_map(|known| {
            match (known.a == one.name && known.b == other.name, known.a == other.name && known.b == one.name) {
                (true, _) => Some(known.difference),
                (_, true) => Some(known.difference.negated()),
                _ => None,
            }
        });
        difference.is_some_and(|more| if metric.better() == Better::Higher { more.low > 0.0 } else { more.high < 0.0 })
    };
    FRONT.into_iter().filter(|metric| is_better(metric)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::analysis::stats::Estimate;
    use crate::analysis::{Figure, Series};

    fn strategy(name: &str, means: [f64; 3]) -> StrategyOutcome {
        let figure = |mean| Figure { estimate: Estimate::point(mean), never: 0 };
        StrategyOutcome {
            name: name.to_owned(),
            metrics: FRONT.into_iter().zip(means.map(figure)).collect(),
            errors: BTreeMap::new(),
            series: Series::pooled(&[]),
            latency_ns: Vec::new(),
            expectations: Vec::new(),
            fingerprints: Vec::new(),
        }
    }

    /// Compares all pairs; a difference is certain if it is larger than `half`.
    fn stand(strategies: &[(&str, [f64; 3])], half: f64) -> Vec<Option<String>> {
        let outcomes: Vec<StrategyOutcome> = strategies.iter().map(|(name, means)| strategy(name, *means)).collect();
        let mut comparisons = Vec::new();
        for (place, (a, one)) in strategies.iter().enumerate() {
            for (b, other) in &strategies[place + 1..] {
                for (axis, metric) in FRONT.into_iter().enumerate() {
                    let mean = one[axis] - other[axis];
                    let difference = Estimate { mean, low: mean - half, high: mean + half };
                    comparisons.push(Comparison { metric, a: (*a).into(), b: (*b).into(), difference });
                }
            }
        }
        front(&outcomes, &comparisons).into_iter().map(|dominance| dominance.by).collect()
    }

    #[test]
    fn who_offers_nothing_of_its_own_is_dominated() {
        let by = |name: &str| Some(name.to_owned());
        let table = [
            // Success has its price: both are choices.
            (vec![("cheap", [0.9, 10.0, 1.0]), ("dear", [1.0, 10.0, 2.0])], vec![None, None]),
            // The second is as good and cheaper.
            (vec![("waste", [0.9, 10.0, 3.0]), ("thrift", [0.9, 10.0, 1.0])], vec![by("thrift"), None]),
            // Dominated by one that is dominated itself.
            (
                vec![("worst", [0.8, 30.0, 3.0]), ("middle", [0.9, 20.0, 2.0]), ("best", [1.0, 10.0, 1.0])],
                vec![by("middle"), by("best"), None],
            ),
        ];
        for (strategies, expected) in table {
            assert_eq!(stand(&strategies, 0.01), expected, "{strategies:?}");
        }
    }

    /// The same figures, not told apart by their intervals: nobody is dropped.
    #[test]
    fn a_tie_dominates_nobody() {
        assert_eq!(stand(&[("a", [0.90, 10.0, 1.0]), ("b", [0.91, 9.9, 1.0])], 5.0), [None, None]);
        assert_eq!(stand(&[("a", [0.9, 10.0, 1.0]), ("b", [0.9, 10.0, 1.0])], 0.0), [None, None]);
    }
}
