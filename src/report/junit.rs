//! JUnit XML, in the dialect of cargo-nextest: a suite a scenario, a case an expectation and a case a fault.
//!
//! Times are left out: a run's wall-clock time is no property of what was tested, and the same run gives the same bytes.

use std::io;

use super::{Run, reproduce, units};
use crate::analysis::{FaultOutcome, Judgement, ScenarioOutcome};

/// A test case: its name, and what went wrong.
struct Case {
    name: String,
    class: String,
    failure: Option<(&'static str, String)>,
}

/// Writes a run.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(run: &Run, out: &mut dyn io::Write) -> io::Result<()> {
    let suites: Vec<(&ScenarioOutcome, Vec<Case>)> =
        run.scenarios.iter().map(|scenario| (scenario, cases(run, scenario))).collect();
    let tests: usize = suites.iter().map(|(_, cases)| cases.len()).sum();
    let failures: usize = suites.iter().map(|(_, cases)| failures(cases)).sum();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<testsuites name="squall" tests="{tests}" failures="{failures}" errors="0">"#)?;
    suites.iter().try_for_each(|(scenario, cases)| suite(scenario, cases, out))?;
    writeln!(out, "</testsuites>")
}

fn suite(scenario: &ScenarioOutcome, cases: &[Case], out: &mut dyn io::Write) -> io::Result<()> {
    let (name, tests, failures) = (escaped(&scenario.name), cases.len(), failures(cases));
    let head = format!(r#"name="{name}" tests="{tests}" disabled="0" errors="0" failures="{failures}""#);
    writeln!(out, "    <testsuite {head}>")?;
    for case in cases {
        let head = format!(r#"name="{}" classname="{}""#, escaped(&case.name), escaped(&case.class));
        match &case.failure {
            None => writeln!(out, "        <testcase {head}/>")?,
            Some((kind, text)) => {
                let message = escaped(text.lines().next().unwrap_or_default());
                writeln!(out, "        <testcase {head}>")?;
                writeln!(out, r#"            <failure message="{message}" type="{kind}">{}</failure>"#, escaped(text))?;
                writeln!(out, "        </testcase>")?;
            }
        }
    }
    writeln!(out, "    </testsuite>")
}

fn failures(cases: &[Case]) -> usize {
    cases.iter().filter(|case| case.failure.is_some()).count()
}

fn cases(run: &Run, scenario: &ScenarioOutcome) -> Vec<Case> {
    let faults = scenario.faults.iter().map(|one| fault(scenario, one));
    let expectations = scenario.strategies.iter().flat_map(|strategy| {
        strategy.expectations.iter().map(|judgement| expectation(run, scenario, &strategy.name, judgement))
    });
    faults.chain(expectations).collect()
}

fn fault(scenario: &ScenarioOutcome, fault: &FaultOutcome) -> Case {
    let text = || {
        let place = format!("{}:{}", scenario.file, fault.line);
        format!("fault {} never fired\n{place}\n{}", fault.id, reproduce::scenario(scenario))
    };
    Case {
        name: format!("fault {} fires", fault.id),
        class: scenario.name.clone(),
        failure: fault.never_fired().then(|| ("never fired", text())),
    }
}

fn expectation(run: &Run, scenario: &ScenarioOutcome, strategy: &str, judgement: &Judgement) -> Case {
    let text = || {
        let place = format!("{}:{}", scenario.file, judgement.line);
        let observed = observed(judgement);
        format!("{observed}\n{place}\n{}", reproduce::expectation(scenario, strategy, judgement))
    };
    Case {
        name: judgement.text.clone(),
        class: format!("{}.{strategy}", scenario.name),
        failure: judgement.fails(run.policy).then(|| (judgement.verdict.name(), text())),
    }
}

/// `p99 is 812ms, to be <= 800ms`.
pub(super) fn observed(judgement: &Judgement) -> String {
    let show = |value: f64| units::figure(judgement.metric, value);
    match (judgement.observed, judgement.bound) {
        (Some(observed), Some(bound)) => {
            let (observed, bound) = (show(observed.mean), show(bound));
            format!("{} is {observed}, to be {} {bound}", judgement.metric, judgement.op.symbol())
        }
        _ => format!("{}: nothing to measure", judgement.metric),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            // XML 1.0 has no way to write other control characters.
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(escaped("a < b & \"c\" > \u{1}"), "a &lt; b &amp; &quot;c&quot; &gt; \u{fffd}");
    }
}
