//! What was expected, what came of it, and how to see a failure again.

use std::io;

use super::super::{Run, reproduce, units, why};
use super::{Options, Paint, Summary, mark};
use crate::analysis::{FaultOutcome, Judgement, ScenarioOutcome, Verdict};

pub(super) fn write(run: &Run, outcome: &ScenarioOutcome, options: Options, out: &mut dyn io::Write) -> io::Result<()> {
    let mut lines = Vec::new();
    for fault in outcome.faults.iter().filter(|fault| fault.never_fired()) {
        lines.extend(never_fired(outcome, fault, options.paint));
    }
    for strategy in &outcome.strategies {
        for judgement in &strategy.expectations {
            let worth_saying = judgement.verdict != Verdict::Pass;
            if worth_saying || options.summary == Summary::Full {
                lines.extend(expectation(run, outcome, &strategy.name, judgement, options));
            }
        }
    }
    if !lines.is_empty() {
        writeln!(out)?;
    }
    lines.iter().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

fn never_fired(outcome: &ScenarioOutcome, fault: &FaultOutcome, paint: Paint) -> Vec<String> {
    let place = format!("{}:{}", outcome.file, fault.line);
    let why = match fault.matched {
        0 => "nothing that it applies to ever happened".to_owned(),
        matched => format!("it applied {matched} times and changed nothing"),
    };
    vec![
        format!("  {} fault {} never fired ({place})", paint.bad("✗"), paint.bold(&fault.id)),
        format!("      {why}"),
        "      if that is meant to be, give it `may_not_fire: true`".to_owned(),
        format!("      {}", paint.dim(&reproduce::scenario(outcome))),
    ]
}

fn expectation(
    run: &Run,
    outcome: &ScenarioOutcome,
    strategy: &str,
    judgement: &Judgement,
    options: Options,
) -> Vec<String> {
    let paint = options.paint;
    let observed = judgement
        .observed
        .map_or("nothing to measure".to_owned(), |observed| units::figure(judgement.metric, observed.mean));
    let text = whose(&judgement.text, strategy);
    // Figures stand in one column where there is room for it.
    let pad = options.width.saturating_sub(4 + 12).min(56);
    let mut lines = vec![format!("  {} {text:pad$}  {observed}", mark(judgement.verdict, paint))];
    if judgement.verdict == Verdict::Pass {
        return lines;
    }
    lines.extend(why::lines(outcome, judgement).into_iter().map(|reason| format!("      {reason}")));
    if judgement.fails(run.policy) {
        let commands = why::commands(outcome, strategy, judgement);
        lines.extend(commands.iter().map(|command| format!("      {}", paint.dim(command))));
    }
    lines
}

/// An expectation of all is shown with the name of the one it was held against.
fn whose(text: &str, strategy: &str) -> String {
    match text.split_once(':') {
        Some((all, rest)) if all.trim() == "all" => format!("{strategy}:{rest}"),
        _ => text.to_owned(),
    }
}
