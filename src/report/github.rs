//! GitHub annotations: each failure at the line of the scenario file that it is about.
//!
//! Workflow commands are lines on stdout: `::error file=F,line=N,title=T::message`.

use std::io;

use super::{Run, junit, reproduce};
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
        annotation("error", &outcome.file, fault.line as usize, &title, &message, out)?;
    }
    for strategy in &outcome.strategies {
        for judgement in strategy.expectations.iter().filter(|judgement| judgement.verdict != Verdict::Pass) {
            let level = if judgement.fails(run.policy) { "error" } else { "warning" };
            let command = reproduce::expectation(outcome, &strategy.name, judgement);
            let message = format!("{}: {}\n{command}", strategy.name, junit::observed(judgement));
            annotation(level, &outcome.file, judgement.line, &judgement.text, &message, out)?;
        }
    }
    Ok(())
}

fn annotation(
    level: &str,
    file: &str,
    line: usize,
    title: &str,
    message: &str,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let (file, title, message) = (property(file), property(title), data(message));
    writeln!(out, "::{level} file={file},line={line},title={title}::{message}")
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
        annotation("error", "a,b.yaml", 7, "x: y >= 99%", "one\ntwo", &mut out).unwrap();
        let expected = "::error file=a%2Cb.yaml,line=7,title=x%3A y >= 99%25::one%0Atwo\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
