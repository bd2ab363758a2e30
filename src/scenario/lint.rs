//! Lints: what is no mistake, and yet hardly meant. An expectation that cannot fail is a gate that is always open.
//!
//! Rule: a lint is certain of what it says. It speaks of what the file alone decides, never of what a run might come to.

use std::time::Duration;

use super::metric::{Metric, Unit};
use super::plan::{Aggregate, Bound, Expectation, Op, Plan, Scope, Strategies};

/// Something that is hardly meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// The line that it is about, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is odd.
    pub message: String,
    /// A way out.
    pub help: String,
}

/// What is odd about a scenario, in the order of its lines.
#[must_use]
pub fn lint(plan: &Plan) -> Vec<Lint> {
    let mut lints = Vec::new();
    if plan.expectations.is_empty() {
        lints.push(Lint {
            line: 0,
            message: "nothing is expected: this scenario passes whatever happens".to_owned(),
            help: "add `expect: [{ all: success_rate >= 99% }]`".to_owned(),
        });
    }
    if plan.seeds.count == 1 && plan.enough.until.is_empty() && !plan.expectations.is_empty() {
        lints.push(Lint {
            line: 0,
            message: "one seed says nothing of others: its verdicts look certain and are not".to_owned(),
            help: "give it `seeds: 5` or more".to_owned(),
        });
    }
    for (place, expectation) in plan.expectations.iter().enumerate() {
        let found = always(expectation)
            .or_else(|| nothing_to_measure(plan, expectation))
            .or_else(|| follows(expectation, &plan.expectations[..place], &plan.expectations[place + 1..]));
        lints.extend(found.map(|(message, help)| Lint {
            line: expectation.line,
            message: format!("`{}` {message}", expectation.text),
            help,
        }));
    }
    lints.sort_by_key(|lint| lint.line);
    lints
}

/// Cannot fail or cannot hold, whatever the figure.
fn always(expectation: &Expectation) -> Option<(String, String)> {
    let fails = |message: &str, help: &str| Some((message.to_owned(), help.to_owned()));
    match expectation.bound {
        Bound::Strategy { strategy, times: 1.0 } if expectation.strategies == Strategies::One(strategy) => {
            match expectation.op {
                Op::AtLeast | Op::AtMost | Op::Equal => fails("cannot fail: it is held against itself", "name another"),
                _ => fails("cannot hold: it is held against itself", "name another"),
            }
        }
        Bound::Strategy { .. } => None,
        Bound::Value(bound) => {
            let range = expectation.metric.range();
            let holds: Vec<bool> =
                [*range.start(), *range.end()].into_iter().map(|end| expectation.op.holds(end, bound)).collect();
            let at_an_end = bound == *range.start() || bound == *range.end();
            let help = format!("a tighter bound than {}", show(expectation.metric, bound));
            match (&holds[..], expectation.op) {
                (_, Op::Equal | Op::NotEqual) => None,
                ([true, true], _) => Some(("cannot fail".to_owned(), help)),
                ([false, false], _) if at_an_end => fails("cannot hold", "a bound that can be reached"),
                _ => None,
            }
        }
    }
}

fn show(metric: Metric, bound: f64) -> String {
    match metric.unit() {
        Unit::Share => format!("{}%", bound * 100.0),
        Unit::Milliseconds if bound.is_infinite() => "never".to_owned(),
        Unit::Milliseconds => format!("{bound}ms"),
        Unit::Ratio | Unit::PerSecond | Unit::Count => bound.to_string(),
    }
}

/// No call is due in its time, or no fault ends for a recovery to follow.
fn nothing_to_measure(plan: &Plan, expectation: &Expectation) -> Option<(String, String)> {
    let ends = plan.faults.iter().flat_map(|fault| &fault.windows).any(|window| window.end < plan.duration);
    if expectation.metric == Metric::Recovery && !ends {
        let help = "a fault that ends before `duration`, or another metric".to_owned();
        return Some(("has nothing to measure: no fault ends while load is offered".to_owned(), help));
    }
    let windows = |fault: usize| plan.faults[fault].windows.iter();
    let (from, to) = match expectation.scope {
        Scope::Whole => return None,
        Scope::During(fault) => {
            (windows(fault).map(|window| window.start).min()?, windows(fault).map(|window| window.end).max()?)
        }
        Scope::Before(fault) => (Duration::ZERO, windows(fault).map(|window| window.start).min()?),
        Scope::After(fault, pause) => (windows(fault).map(|window| window.end).max()? + pause, Duration::MAX),
        Scope::Between(from, to) => (from, to),
    };
    (from.max(plan.warmup) >= to.min(plan.duration)).then(|| {
        let help = "load is offered from `warmup` to `duration`".to_owned();
        ("has nothing to measure: no call is due then".to_owned(), help)
    })
}

/// Whether another expectation is at least as strict in the same matter.
fn follows(one: &Expectation, before: &[Expectation], after: &[Expectation]) -> Option<(String, String)> {
    let strict = |other: &&Expectation, or_equal: bool| {
        let same = (one.metric, one.errors, &one.scope) == (other.metric, other.errors, &other.scope)
            && one.aggregate == other.aggregate
            && matches!(one.aggregate, Aggregate::Mean | Aggregate::Worst)
            && (other.strategies == one.strategies || other.strategies == Strategies::All);
        let (Bound::Value(mine), Bound::Value(others)) = (&one.bound, &other.bound) else { return false };
        let stricter = match (one.op, other.op) {
            (Op::AtLeast, Op::AtLeast | Op::Above) | (Op::Above, Op::Above) => others > mine,
            (Op::AtMost, Op::AtMost | Op::Below) | (Op::Below, Op::Below) => others < mine,
            _ => false,
        };
        let alike = or_equal && one.op == other.op && mine == others;
        same && (stricter || alike)
    };
    let found =
        before.iter().find(|other| strict(other, true)).or_else(|| after.iter().find(|other| strict(other, false)));
    found.map(|other| (format!("cannot fail unless line {} does", other.line), "leave it out".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::{Alone, parse};
    use super::*;

    fn lints(expect: &str) -> Vec<String> {
        let text = format!(
            "name: odd\nabout: Odd.\nduration: 10s\nseeds: 3\nservers: {{ telemetry: {{}} }}\n\
             clients: {{ devices: {{ calls: telemetry, load: {{ poisson: 2/s }} }} }}\n\
             faults: [{{ at: 2s, for: 20s, crash: {{ server: telemetry }} }}]\n\
             strategies: [{{ name: a, layers: [] }}, {{ name: b, layers: [] }}]\nexpect:\n{expect}"
        );
        let plan = parse("odd.yaml", &text, &Alone).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        lint(&plan).into_iter().map(|lint| format!("{}: {}", lint.line, lint.message)).collect()
    }

    #[test]
    fn an_open_gate_is_told() {
        let table = [
            ("  - a: success_rate >= 99%", &[][..]),
            ("  - a: success_rate >= 0%", &["10: `a: success_rate >= 0%` cannot fail"]),
            ("  - a: success_rate <= 100%", &["10: `a: success_rate <= 100%` cannot fail"]),
            ("  - a: success_rate > 100%", &["10: `a: success_rate > 100%` cannot hold"]),
            ("  - a: p99 <= never", &["10: `a: p99 <= never` cannot fail"]),
            ("  - a: lost_acknowledged < 0", &["10: `a: lost_acknowledged < 0` cannot hold"]),
            ("  - a: lost_acknowledged == 0", &[]),
            ("  - a: p99 <= a", &["10: `a: p99 <= a` cannot fail: it is held against itself"]),
            ("  - a: p99 < b", &[]),
            (
                "  - a: recovery <= 1s",
                &["10: `a: recovery <= 1s` has nothing to measure: no fault ends while load is offered"],
            ),
            (
                "  - a: p99 <= 1s after crash-1 + 5s",
                &["10: `a: p99 <= 1s after crash-1 + 5s` has nothing to measure: no call is due then"],
            ),
            ("  - a: p99 <= 1s\n  - all: p99 <= 500ms", &["10: `a: p99 <= 1s` cannot fail unless line 11 does"]),
            ("  - all: p99 <= 1s\n  - a: p99 <= 500ms", &[]),
        ];
        for (expect, expected) in table {
            assert_eq!(lints(expect), expected, "{expect}");
        }
    }
}
