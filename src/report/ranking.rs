//! The ranking in words: `1  full-jitter  beats naive in p99 by 1.19s [1.01s, 1.3s]`.

use super::units;
use crate::analysis::stats::Estimate;
use crate::analysis::{Rank, ScenarioOutcome, Standing};
use crate::scenario::Metric;

/// A line a strategy: its place, its name, and how it stands to the next; empty without a ranking.
pub(super) fn rows(outcome: &ScenarioOutcome) -> Vec<[String; 3]> {
    outcome.ranking.iter().map(|rank| [place(&outcome.ranking, rank), rank.strategy.clone(), standing(rank)]).collect()
}

/// `2=` for a place that is shared.
fn place(ranking: &[Rank], rank: &Rank) -> String {
    let shared = ranking.iter().filter(|other| other.place == rank.place).count() > 1;
    format!("{}{}", rank.place, if shared { "=" } else { "" })
}

fn standing(rank: &Rank) -> String {
    match &rank.next {
        None => String::new(),
        Some((other, Standing::Beats { metric, by })) => {
            format!("beats {other} in {metric} by {}", margin(*metric, *by))
        }
        Some((other, Standing::Loses { metric, by })) => {
            format!("loses to {other} in {metric} by {}, and wins more often", margin(*metric, *by))
        }
        Some((other, Standing::Ties)) => format!("ties with {other}"),
    }
}

fn margin(metric: Metric, by: Estimate) -> String {
    let [mean, low, high] = [by.mean, by.low, by.high].map(|value| units::figure(metric, value));
    if low == mean && high == mean { mean } else { format!("{mean} [{low}, {high}]") }
}
