//! Markdown: for pull requests and step summaries. A table a scenario, and under it what failed.

use std::io;

use super::{Run, ranking, units, why};
use crate::analysis::{ScenarioOutcome, StrategyOutcome, Verdict};
use crate::scenario::Metric;

const COLUMNS: [(Metric, &str); 8] = [
    (Metric::SuccessRate, "success"),
    (Metric::P50, "p50"),
    (Metric::P99, "p99"),
    (Metric::Amplification, "amplification"),
    (Metric::WastedWork, "wasted"),
    (Metric::Recovery, "recovery"),
    (Metric::LostAcknowledged, "lost"),
    (Metric::Duplicates, "duplicates"),
];

/// Writes a run.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(run: &Run, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "# Squall: {}\n", run.verdict().name())?;
    run.scenarios.iter().try_for_each(|one| scenario(run, one, out))
}

fn scenario(run: &Run, outcome: &ScenarioOutcome, out: &mut dyn io::Write) -> io::Result<()> {
    let mark = mark(outcome.verdict(run.policy));
    let seeds = match outcome.seeds.len() {
        1 => "1 seed".to_owned(),
        count => format!("{count} seeds"),
    };
    writeln!(out, "## {mark} {}\n\n`{}`, {seeds}\n", outcome.name, outcome.file)?;
    let titles: Vec<&str> = COLUMNS.iter().map(|(_, title)| *title).collect();
    writeln!(out, "| strategy | {} |", titles.join(" | "))?;
    writeln!(out, "| :-- |{}", " --: |".repeat(COLUMNS.len()))?;
    for strategy in &outcome.strategies {
        writeln!(out, "| {} | {} |", cell(&strategy.name), row(strategy).join(" | "))?;
    }
    writeln!(out)?;
    for [place, name, standing] in ranking::rows(outcome) {
        let line = format!("- {place} **{name}** {standing}");
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)?;
    failures(run, outcome).iter().try_for_each(|line| writeln!(out, "{line}"))
}

fn row(strategy: &StrategyOutcome) -> Vec<String> {
    let figure = |metric: Metric| strategy.metrics.get(&metric).map(|figure| units::mean(metric, figure));
    COLUMNS.iter().map(|(metric, _)| figure(*metric).unwrap_or_else(|| "-".to_owned())).collect()
}

fn failures(run: &Run, outcome: &ScenarioOutcome) -> Vec<String> {
    let mut lines = Vec::new();
    for fault in outcome.faults.iter().filter(|fault| fault.never_fired()) {
        lines.push(format!(
            "- {} fault `{}` never fired (`{}:{}`)",
            mark(Verdict::Fail),
            fault.id,
            outcome.file,
            fault.line
        ));
    }
    for strategy in &outcome.strategies {
        for judgement in strategy.expectations.iter().filter(|judgement| judgement.verdict != Verdict::Pass) {
            lines.push(format!("- {} {}: `{}`", mark(judgement.verdict), strategy.name, judgement.text));
            lines.extend(why::lines(outcome, judgement).into_iter().map(|line| format!("  - {line}")));
            if judgement.fails(run.policy) {
                let commands = why::commands(outcome, &strategy.name, judgement);
                lines.extend(commands.iter().map(|command| format!("  - `{command}`")));
            }
        }
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// A cell ends at a bar.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::Inconclusive => "❔",
        Verdict::Fail => "❌",
    }
}
