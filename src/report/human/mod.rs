//! The terminal: one table a scenario, what was expected of it, and how it went over time.
//!
//! Rule: colour repeats what a mark already says (`*` best, `✓ ✗ ?` verdicts), so nothing is lost without it. Everything fits
//! the width it is given, from 80 columns on; a wider terminal gets more columns and the intervals.

mod expectations;
mod front;
mod paint;
mod sparkline;
mod table;

use std::io;

pub use self::front::side_by_side;
pub use self::paint::Paint;
use super::{Run, ranking, units};
use crate::analysis::{ScenarioOutcome, Verdict};

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many columns there are; fewer than [`NARROWEST`] count as that many.
    pub width: usize,
    /// How to colour.
    pub paint: Paint,
    /// How much to say.
    pub summary: Summary,
}

/// How much to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Summary {
    /// The table, and what failed.
    Compact,
    /// Also what passed, and how it went over time.
    #[default]
    Full,
}

/// The narrowest terminal that everything fits in.
pub const NARROWEST: usize = 80;

/// Writes a run.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(run: &Run, options: Options, out: &mut dyn io::Write) -> io::Result<()> {
    let options = Options { width: options.width.max(NARROWEST), ..options };
    for outcome in &run.scenarios {
        scenario(run, outcome, options, out)?;
    }
    total(run, options.paint, out)
}

fn scenario(run: &Run, outcome: &ScenarioOutcome, options: Options, out: &mut dyn io::Write) -> io::Result<()> {
    let paint = options.paint;
    let verdict = outcome.verdict(run.policy);
    writeln!(out, "{} {}", mark(verdict, paint), paint.bold(&outcome.name))?;
    writeln!(out, "  {}", paint.dim(&about(outcome, options.width - 2)))?;
    writeln!(out, "  {}\n", paint.dim(&facts(outcome)))?;
    table::write(outcome, options, out)?;
    ranking(outcome, options, out)?;
    if options.summary == Summary::Full {
        sparkline::write(outcome, options, out)?;
    }
    expectations::write(run, outcome, options, out)?;
    writeln!(out)
}

/// Who beats whom, and who ties; the narrowest terminal has room for what it says but not for its intervals.
fn ranking(outcome: &ScenarioOutcome, options: Options, out: &mut dyn io::Write) -> io::Result<()> {
    let rows = ranking::rows(outcome);
    if rows.is_empty() {
        return Ok(());
    }
    let name_width = table::name_width(&outcome.strategies);
    writeln!(out, "\n  {}", options.paint.dim("ranking"))?;
    for ([place, name, standing], rank) in rows.into_iter().zip(&outcome.ranking) {
        let standing = rank.next.iter().fold(standing, |said, (next, _)| said.replacen(next, &table::cut(next), 1));
        let line = format!("  {place:<2} {:name_width$}  {standing}", table::cut(&name));
        let fits = line.chars().count() <= options.width;
        let line = line.split_once(" [").map_or(line.as_str(), |(short, _)| if fits { &line } else { short });
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn about(outcome: &ScenarioOutcome, width: usize) -> String {
    let line = outcome.about.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= width { line } else { line.chars().take(width - 3).chain("...".chars()).collect() }
}

fn facts(outcome: &ScenarioOutcome) -> String {
    let seeds = match outcome.seeds[..] {
        [seed] => format!("seed {seed}"),
        ref seeds => format!("{} seeds", seeds.len()),
    };
    format!("{}: {}, {seeds}", outcome.file, units::nanoseconds(outcome.duration_ns))
}

fn total(run: &Run, paint: Paint, out: &mut dyn io::Write) -> io::Result<()> {
    let count = |verdict| run.scenarios.iter().filter(|one| one.verdict(run.policy) == verdict).count();
    let counts: Vec<String> =
        [(Verdict::Pass, "passed"), (Verdict::Fail, "failed"), (Verdict::Inconclusive, "inconclusive")]
            .into_iter()
            .filter(|(verdict, _)| count(*verdict) > 0)
            .map(|(verdict, word)| format!("{} {word}", count(verdict)))
            .collect();
    let plural = if run.scenarios.len() == 1 { "" } else { "s" };
    let mark = mark(run.verdict(), paint);
    writeln!(out, "{mark} {} scenario{plural}: {}", run.scenarios.len(), counts.join(", "))
}

fn mark(verdict: Verdict, paint: Paint) -> String {
    match verdict {
        Verdict::Pass => paint.good("✓"),
        Verdict::Inconclusive => paint.unsure("?"),
        Verdict::Fail => paint.bad("✗"),
    }
}

#[cfg(test)]
mod tests;
