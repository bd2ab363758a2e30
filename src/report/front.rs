//! The Pareto front in words, the same in every report.

use crate::analysis::{Dominance, ScenarioOutcome};

/// Why a strategy is not on the front: `dominated by budget: no better in anything, and worse in p99`; none if it is.
pub(super) fn why(dominance: &Dominance) -> Option<String> {
    let by = dominance.by.as_ref()?;
    let metrics: Vec<&str> = dominance.better_in.iter().map(|metric| metric.name()).collect();
    Some(format!("dominated by {by}: no better in anything, and worse in {}", metrics.join(", ")))
}

/// The names of those on the front; empty with a single strategy, which has nobody to be held against.
pub(super) fn names(outcome: &ScenarioOutcome) -> Vec<&str> {
    let on = outcome.front.iter().filter(|one| one.by.is_none() && outcome.front.len() > 1);
    on.map(|one| one.strategy.as_str()).collect()
}
