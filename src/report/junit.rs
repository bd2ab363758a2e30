//! JUnit XML, in the dialect of cargo-nextest: a suite a scenario, a case an expectation and a case a fault.
//!
//! Times are left out: a run's wall-clock time is no property of what was tested, and the same run gives the same bytes.

use std::io;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Run, reproduce, why};
use crate::analysis::{FaultOutcome, Judgement, ScenarioOutcome};

/// Writes a run.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(run: &Run, out: &mut dyn io::Write) -> io::Result<()> {
    let mut report = Report::new("squall");
    report.add_test_suites(run.scenarios.iter().map(|scenario| suite(run, scenario)));
    report.serialize(out).map_err(io::Error::other)
}

fn suite(run: &Run, scenario: &ScenarioOutcome) -> TestSuite {
    let mut suite = TestSuite::new(scenario.name.as_str());
    suite.add_test_cases(scenario.faults.iter().map(|one| fault(scenario, one)));
    for strategy in &scenario.strategies {
        let case = |judgement| expectation(run, scenario, &strategy.name, judgement);
        suite.add_test_cases(strategy.expectations.iter().map(case));
    }
    suite
}

fn fault(scenario: &ScenarioOutcome, fault: &FaultOutcome) -> TestCase {
    let failure = fault.never_fired().then(|| {
        let place = format!("{}:{}", scenario.file, fault.line);
        vec![format!("fault {} never fired", fault.id), place, reproduce::scenario(scenario)]
    });
    case(format!("fault {} fires", fault.id), scenario.name.clone(), "never fired", failure)
}

fn expectation(run: &Run, scenario: &ScenarioOutcome, strategy: &str, judgement: &Judgement) -> TestCase {
    let failure = judgement.fails(run.policy).then(|| {
        let mut lines = why::lines(scenario, judgement);
        lines.extend(why::commands(scenario, strategy, judgement));
        lines
    });
    let class = format!("{}.{strategy}", scenario.name);
    case(judgement.text.clone(), class, judgement.verdict.name(), failure)
}

/// The first line of a failure is its message, all of it its text.
fn case(name: String, class: String, kind: &str, failure: Option<Vec<String>>) -> TestCase {
    let status = match &failure {
        None => TestCaseStatus::success(),
        Some(lines) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(lines.first().cloned().unwrap_or_default());
            status.set_type(kind);
            status.set_description(lines.join("\n"));
            status
        }
    };
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}
