//! `squall compare`: strategies side by side, and which of two is better at what, seed by seed over the same storms.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use super::plans;
use super::request::Selection;
use super::streams::Streams;
use super::trials::{self, Ran};
use super::{args, conclude};
use crate::analysis::{Comparison, Policy, ScenarioOutcome};
use crate::report::{Run, figure, human, json};
use crate::scenario::metric::Better;

pub(super) fn compare(typed: args::Compare, streams: &Streams) -> Result<Exit, Failure> {
    let mut selection = Selection::meant(typed.selection);
    let (paths, names) = std::mem::take(&mut selection.paths).into_iter().partition(|word| is_path(word));
    selection.paths = paths;
    selection.strategies.extend(names.into_iter().map(|name: PathBuf| name.to_string_lossy().into_owned()));
    let wanted = selection.strategies.clone();
    if let [a, b] = &wanted[..]
        && a == b
    {
        return Err(Failure::Usage("a strategy does not differ from itself".to_owned()));
    }
    let Ran { plans, log, .. } = trials::run(&selection, streams)?;
    let mut outcomes = conclude::outcomes(&plans, &log)?;
    outcomes.retain(|outcome| outcome.strategies.len() >= 2);
    if outcomes.is_empty() {
        let wanted = if wanted.is_empty() { String::new() } else { format!(": `{}`", wanted.join("`, `")) };
        return Err(Failure::Nothing(format!("no scenario has two such strategies to compare{wanted}")));
    }
    if typed.json {
        let run = Run { scenarios: outcomes, policy: Policy::ByFigure };
        streams.data(|out| json::write(&run, out))?;
        return Ok(Exit::Good);
    }
    let options =
        human::Options { width: streams.stdout_width(), paint: streams.paint(), summary: human::Summary::Full };
    streams.data(|out| outcomes.iter().try_for_each(|outcome| write(outcome, &wanted, options, out)))?;
    Ok(Exit::Good)
}

/// What is on the disk, is written like a file, or is a scenario of the catalogue; any other word names a strategy.
fn is_path(word: &Path) -> bool {
    let written = word.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    written || word.exists() || plans::embedded(word).is_some()
}

/// Two that were named against each other; any others side by side.
fn write(outcome: &ScenarioOutcome, wanted: &[String], options: human::Options, out: &mut dyn Write) -> io::Result<()> {
    let is_here = |name: &String| outcome.strategies.iter().any(|strategy| strategy.name == *name);
    match wanted {
        [a, b] if is_here(a) && is_here(b) => pair(outcome, a, b, out),
        _ => human::side_by_side(outcome, options, out),
    }
}

fn pair(outcome: &ScenarioOutcome, a: &str, b: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {a} against {b}, {} seeds", outcome.name, outcome.seeds.len())?;
    for comparison in &outcome.comparisons {
        writeln!(out, "  {}", line(outcome, comparison, a, b))?;
    }
    writeln!(out)
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
    let signed = |value: f64| format!("{}{}", if value < 0.0 { "-" } else { "" }, figure(metric, value.abs()));
    if difference.low == 0.0 && difference.high == 0.0 {
        return format!("{figures}  tie");
    }
    if difference.low <= 0.0 && difference.high >= 0.0 {
        let [low, high] = [difference.low, difference.high].map(signed);
        return format!("{figures}  tie: the difference is somewhere in [{low}, {high}]");
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
