//! The ranking of a scenario's strategies: who beats whom, in what, by how much; and who ties.
//!
//! A strategy beats another if the paired difference in success is certain, its interval does not hold zero; where success
//! is a tie, the tail of latency decides, and then amplification: what was answered, how fast, at what price. Such a
//! relation need not be transitive (A may tie with B, B with C, and A beat C), so places go by wins less losses over all
//! pairs, as Copeland proposed for elections.
//!
//! Rule: strategies that tie with each other share a place. A ranking that orders ties invents knowledge.

use super::outcome::Comparison;
use super::stats::Estimate;
use crate::scenario::Metric;
use crate::scenario::metric::Better;

/// By what strategies are ranked, what matters most first.
const RANKED_BY: [Metric; 3] = [Metric::SuccessRate, Metric::P99, Metric::Amplification];

/// A strategy in the ranking.
#[derive(Clone, Debug, PartialEq)]
pub struct Rank {
    /// Its place, from 1; those that tie share one.
    pub place: usize,
    /// Its name.
    pub strategy: String,
    /// The next strategy of the ranking, and how it stands to that; none for the last.
    pub next: Option<(String, Standing)>,
}

/// How a strategy stands to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    /// It is certain to be better.
    Beats {
        /// In what; in all that matters more they tie.
        metric: Metric,
        /// By how much, seed by seed: positive, whichever way is better.
        by: Estimate,
    },
    /// It is certain to be worse, though it won more often against others.
    Loses {
        /// In what.
        metric: Metric,
        /// By how much: positive.
        by: Estimate,
    },
    /// Neither success, nor the tail of latency, nor amplification tells them apart: every interval holds zero.
    Ties,
}

/// Ranks strategies, given in the order of the file, by their comparisons.
pub(super) fn ranking(names: &[&str], comparisons: &[Comparison]) -> Vec<Rank> {
    if names.len() < 2 {
        return Vec::new();
    }
    let score = |one: usize| -> i64 {
        let against = |other: &usize| match standing(names[one], names[*other], comparisons) {
            Standing::Beats { .. } => 1,
            Standing::Loses { .. } => -1,
            Standing::Ties => 0,
        };
        (0..names.len()).filter(|other| *other != one).map(|other| against(&other)).sum()
    };
    let mut order: Vec<(i64, usize)> = (0..names.len()).map(|one| (-score(one), one)).collect();
    order.sort_unstable();
    let mut ranks: Vec<Rank> = Vec::new();
    for (position, (_, one)) in order.iter().enumerate() {
        let ties = |above: &&Rank| standing(&above.strategy, names[*one], comparisons) == Standing::Ties;
        let place = ranks.last().map_or(1, |last| last.place);
        let group = || ranks.iter().filter(|above| above.place == place);
        let place = if group().all(|above| ties(&above)) { place } else { position + 1 };
        let next = order
            .get(position + 1)
            .map(|(_, other)| (names[*other].to_owned(), standing(names[*one], names[*other], comparisons)));
        ranks.push(Rank { place, strategy: names[*one].to_owned(), next });
    }
    ranks
}

fn standing(one: &str, other: &str, comparisons: &[Comparison]) -> Standing {
    for metric in RANKED_BY {
        let found = comparisons.iter().filter(|comparison| comparison.metric == metric).find_map(|comparison| {
            let (a, b) = (comparison.a.as_str(), comparison.b.as_str());
            match () {
                () if (a, b) == (one, other) => Some(comparison.difference),
                () if (a, b) == (other, one) => Some(comparison.difference.negated()),
                () => None,
            }
        });
        let Some(more) = found.filter(|difference| difference.low > 0.0 || difference.high < 0.0) else { continue };
        let better = (metric.better() == Better::Higher) == (more.mean > 0.0);
        let by = if more.mean > 0.0 { more } else { more.negated() };
        return if better { Standing::Beats { metric, by } } else { Standing::Loses { metric, by } };
    }
    Standing::Ties
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(metric: Metric, a: &str, b: &str, mean: f64, half: f64) -> Comparison {
        let difference = Estimate { mean, low: mean - half, high: mean + half };
        Comparison { metric, a: a.to_owned(), b: b.to_owned(), difference }
    }

    fn places(comparisons: &[Comparison]) -> Vec<(usize, String)> {
        ranking(&["a", "b", "c"], comparisons).into_iter().map(|rank| (rank.place, rank.strategy)).collect()
    }

    #[test]
    fn success_decides_then_the_tail_then_the_price() {
        let table = [
            // Everybody ties: one place, in the order of the file.
            (vec![], [(1, "a"), (1, "b"), (1, "c")]),
            (
                vec![
                    comparison(Metric::SuccessRate, "a", "b", -0.1, 0.05),
                    comparison(Metric::SuccessRate, "a", "c", -0.1, 0.05),
                    comparison(Metric::P99, "a", "b", -900.0, 1.0),
                    comparison(Metric::P99, "b", "c", 50.0, 10.0),
                ],
                [(1, "c"), (2, "b"), (3, "a")],
            ),
            // Success ties (zero is inside), amplification does not: less is better.
            (
                vec![
                    comparison(Metric::SuccessRate, "a", "b", 0.1, 0.2),
                    comparison(Metric::Amplification, "a", "b", 0.5, 0.1),
                ],
                [(1, "b"), (1, "c"), (3, "a")],
            ),
        ];
        for (comparisons, expected) in table {
            assert_eq!(places(&comparisons), expected.map(|(place, name)| (place, name.to_owned())), "{comparisons:?}");
        }
    }

    #[test]
    fn the_margin_is_told_as_a_positive_number() {
        let ranks = ranking(&["a", "b"], &[comparison(Metric::P99, "a", "b", -30.0, 10.0)]);
        let by = Estimate { mean: 30.0, low: 20.0, high: 40.0 };
        assert_eq!(ranks[0].next, Some(("b".to_owned(), Standing::Beats { metric: Metric::P99, by })));
        assert_eq!(ranking(&["alone"], &[]), []);
    }
}
