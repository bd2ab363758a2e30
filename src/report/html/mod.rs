//! The page: everything that a run has to say, in one file that needs nothing else.
//!
//! No script, no font, no request: it opens from a disk, a mail or a build's artefacts, reads well on a phone, in the dark, on
//! paper and aloud, and is the same bytes for the same run.
//!
//! Rule: whatever a drawing shows, a table says too; whatever a colour says, a shape or a word says too.

mod cdf;
mod course;
mod difference;
mod marks;
mod pareto;
mod scale;
mod scenario;
mod svg;

use std::io;

use askama::Template;

use self::scenario::Scenario;
use super::log::Text;
use super::{Run, units};
use crate::analysis::Verdict;

/// How many colours there are for strategies: those of Okabe and Ito, which nearly everybody can tell apart.
const COLOURS: usize = 8;

#[derive(Template)]
#[template(path = "report.html", escape = "html")]
struct Page<'a> {
    style: &'static str,
    version: &'static str,
    verdict: Badge,
    summary: String,
    scenarios: Vec<Scenario<'a>>,
}

/// A verdict as a mark and a word.
#[derive(Clone, Copy)]
struct Badge {
    class: &'static str,
    mark: &'static str,
    word: &'static str,
}

impl Badge {
    const fn of(verdict: Verdict) -> Self {
        let (class, mark) = match verdict {
            Verdict::Pass => ("good", "✓"),
            Verdict::Inconclusive => ("unsure", "?"),
            Verdict::Fail => ("bad", "✗"),
        };
        Self { class, mark, word: verdict.name() }
    }
}

/// Writes the page of a run. `sources` are the scenario files, in the order of the run's scenarios.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(run: &Run, sources: &[Text], out: &mut dyn io::Write) -> io::Result<()> {
    let texts = sources.iter().map(|source| source.text.as_str()).chain(std::iter::repeat(""));
    let scenarios: Vec<Scenario<'_>> = run
        .scenarios
        .iter()
        .zip(texts)
        .enumerate()
        .map(|(place, (outcome, text))| Scenario::of(run, outcome, text, place + 1))
        .collect();
    let page = Page {
        style: include_str!("../../../templates/report.css"),
        version: env!("CARGO_PKG_VERSION"),
        verdict: Badge::of(run.verdict()),
        summary: summary(run),
        scenarios,
    };
    let text = page.render().map_err(io::Error::other)?;
    // A template's loops leave blank lines; nobody needs to load them.
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn summary(run: &Run) -> String {
    let count = |verdict| run.scenarios.iter().filter(|one| one.verdict(run.policy) == verdict).count();
    let counts: Vec<String> = [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive]
        .into_iter()
        .zip(["passed", "failed", "inconclusive"])
        .filter(|(verdict, _)| count(*verdict) > 0)
        .map(|(verdict, word)| format!("{} {word}", count(verdict)))
        .collect();
    let plural = if run.scenarios.len() == 1 { "" } else { "s" };
    format!("{} scenario{plural}: {}", run.scenarios.len(), counts.join(", "))
}

#[cfg(test)]
mod tests;
