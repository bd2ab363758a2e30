//! `squall compare A B`: which of two strategies is better at what, seed by seed over the same storms.

use super::exit::{Exit, Failure};
use super::request::Selection;
use super::streams::Streams;
use super::trials::{self, Ran};
use super::{args, conclude};
use crate::analysis::{Comparison, ScenarioOutcome};
use crate::report::figure;
use crate::scenario::metric::Better;

pub(super) fn compare(typed: args::Compare, streams: &Streams) -> Result<Exit, Failure> {
    if typed.a == typed.b {
        return Err(Failure::Usage("a strategy does not differ from itself".to_owned()));
    }
    let mut selection = Selection::meant(typed.selection);
    selection.strategies = vec![typed.a.clone(), typed.b.clone()];
    let Ran { plans, log, .. } = trials::run(&selection, streams)?;
    let mut outcomes = conclude::outcomes(&plans, &log)?;
    outcomes.retain(|outcome| outcome.strategies.len() == 2);
    if outcomes.is_empty() {
        return Err(Failure::Nothing(format!("no scenario compares `{}` with `{}`", typed.a, typed.b)));
    }
    streams.data(|out| {
        for outcome in &outcomes {
            writeln!(out, "{}: {} against {}, {} seeds", outcome.name, typed.a, typed.b, outcome.seeds.len())?;
            for comparison in &outcome.comparisons {
                writeln!(out, "  {}", line(outcome, comparison, &typed.a, &typed.b))?;
            }
            writeln!(out)?;
        }
        Ok(())
    })?;
    Ok(Exit::Good)
}

/// `p99  812ms against 2s: better by 1.19s [1.01s, 1.3s]`; a tie if the interval holds zero.
fn line(outcome: &ScenarioOutcome, comparison: &Comparison, a: &str, b: &str) -> String {
    let metric = comparison.metric;
    // Comparisons stand in the order of the file, which need not be the order that was asked for.
    let difference = if comparison.a == a { comparison.difference } else { comparison.difference.negated() };
    let mean = |name: &str| {
        let strategy = outcome.strategies.iter().find(|strategy| strategy.name == name);
        let estimate = strategy.and_then(|strategy| strategy.metrics.get(&metric));
        estimate.map_or_else(|| "-".to_owned(), |estimate| figure(metric, estimate.estimate.mean))
    };
    let figures = format!("{metric:18}  {:>9} against {:>9}", mean(a), mean(b));
    if difference.low <= 0.0 && difference.high >= 0.0 {
        return format!("{figures}  tie");
    }
    let word = match (metric.better() == Better::Higher) == (difference.mean > 0.0) {
        true => "better",
        false => "worse",
    };
    let mut ends = [difference.low.abs(), difference.high.abs()];
    ends.sort_by(f64::total_cmp);
    let [by, low, high] = [difference.mean.abs(), ends[0], ends[1]].map(|value| figure(metric, value));
    format!("{figures}  {word} by {by} [{low}, {high}]")
}
