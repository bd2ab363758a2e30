//! GitHub annotations: each failure at the line of the scenario file that it is about.
//!
//! Workflow commands are lines on stdout: `::error file=F,line=N,title=T::message`.

use std::io;

use super::{Run, reproduce, why};
use crate::analysis::{ScenarioOutcome, Verdict};

/// Writes a run: a line a failure, none if everything held.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(run: &Run, out: &mut dyn io::Write) -> io::Result<()> {
    run.scenarios.iter().try_for_each(|one| scenario(run, one, out))
}

fn scenario(run: &Run, outcome: &ScenarioOutcome, out: &mut dyn io::Write) -> io::Result<()> {
    for fault in outcome.faults.iter().filter(|fault| fault.never_fired()) {
        let title = format!("fault {} never fired", fault.id);
        let message = format!("{title}\n{}", reproduce::scenario(outcome));
        let place = Place { file: &outcome.file, line: fault.line as usize };
        annotation("error", Some(place), &title, &message, out)?;
    }
    for strategy in &outcome.strategies {
        for judgement in strategy.expectations.iter().filter(|judgement| judgement.verdict != Verdict::Pass) {
            let level = if judgement.fails(run.policy) { "error" } else { "warning" };
            let mut lines = why::lines(outcome, judgement);
            lines.extend(why::commands(outcome, &strategy.name, judgement));
            let message = format!("{}: {}", strategy.name, lines.join("\n"));
            let place = Place { file: &outcome.file, line: judgement.line };
            annotation(level, Some(place), &judgement.text, &message, out)?;
        }
    }
    Ok(())
}

/// A line of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) line: usize,
}

/// Writes one annotation.
pub(super) fn annotation(
    level: &str,
    place: Option<Place<'_>>,
    title: &str,
    message: &str,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let place = place.map_or_else(String::new, |Place { file, line }| format!("file={},line={line},", property(file)));
    writeln!(out, "::{level} {place}title={}::{}", property(title), data(message))
}

/// As GitHub's own toolkit escapes a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As GitHub's own toolkit escapes a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_one_line() {
        let mut out = Vec::new();
        let place = Place { file: "a,b.yaml", line: 7 };
        annotation("error", Some(place), "x: y >= 99%", "one\ntwo", &mut out).unwrap();
        let expected = "::error file=a%2Cb.yaml,line=7,title=x%3A y >= 99%25::one%0Atwo\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
