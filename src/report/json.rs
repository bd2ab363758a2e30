//! JSON: the contract with programs. Fields may be added, never changed or removed without a new `schema_version`.
//!
//! Rule: fields come in a fixed order and numbers with nine significant digits, so the text is the same, byte for byte,
//! wherever the run was made. What is not a number (an infinite recovery, a metric with nothing to measure) is `null`, and
//! `never` says how many seeds did not recover.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Run;
use crate::analysis::stats::Estimate;
use crate::analysis::{Comparison, FaultOutcome, Figure, Judgement, Rank, ScenarioOutcome, Standing, StrategyOutcome};
use crate::scenario::Metric;

/// The version of the JSON's shape.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    squall_version: &'static str,
    scenarios: Vec<Scenario<'a>>,
    verdict: &'static str,
}

#[derive(Serialize)]
struct Scenario<'a> {
    name: &'a str,
    file: &'a str,
    seeds: &'a [u64],
    faults: Vec<Fault<'a>>,
    strategies: Vec<Strategy<'a>>,
    comparisons: Vec<Value>,
    ranking: Vec<Value>,
    /// The strategies that no other dominates in success, p99 and amplification.
    pareto_front: Vec<&'a str>,
    verdict: &'static str,
}

#[derive(Serialize)]
struct Fault<'a> {
    id: &'a str,
    kind: &'a str,
    line: u32,
    matched: u64,
    fired: u64,
    may_not_fire: bool,
}

#[derive(Serialize)]
struct Strategy<'a> {
    name: &'a str,
    metrics: Map<String, Value>,
    errors: &'a BTreeMap<String, u64>,
    expectations: Vec<Value>,
    fingerprints: Vec<String>,
}

/// Writes a run, with a line feed at the end.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(run: &Run, out: &mut dyn io::Write) -> io::Result<()> {
    let document = Document {
        schema_version: SCHEMA_VERSION,
        squall_version: env!("CARGO_PKG_VERSION"),
        scenarios: run.scenarios.iter().map(|one| scenario(run, one)).collect(),
        verdict: run.verdict().name(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn scenario<'a>(run: &Run, outcome: &'a ScenarioOutcome) -> Scenario<'a> {
    Scenario {
        name: &outcome.name,
        file: &outcome.file,
        seeds: &outcome.seeds,
        faults: outcome.faults.iter().map(fault).collect(),
        strategies: outcome.strategies.iter().map(strategy).collect(),
        comparisons: outcome.comparisons.iter().map(comparison).collect(),
        ranking: outcome.ranking.iter().map(rank).collect(),
        pareto_front: super::front::names(outcome),
        verdict: outcome.verdict(run.policy).name(),
    }
}

fn fault(outcome: &FaultOutcome) -> Fault<'_> {
    let FaultOutcome { id, kind, line, matched, fired, may_not_fire } = outcome;
    Fault { id, kind, line: *line, matched: *matched, fired: *fired, may_not_fire: *may_not_fire }
}

fn strategy(outcome: &StrategyOutcome) -> Strategy<'_> {
    let metrics = outcome.metrics.iter().map(|(metric, one)| (metric.name().to_owned(), figure(one)));
    let fingerprints = outcome.fingerprints.iter().map(|(_, fingerprint)| format!("{fingerprint:016x}"));
    Strategy {
        name: &outcome.name,
        metrics: metrics.collect(),
        errors: &outcome.errors,
        expectations: outcome.expectations.iter().map(expectation).collect(),
        fingerprints: fingerprints.collect(),
    }
}

fn figure(figure: &Figure) -> Value {
    let mut object = interval(figure.estimate);
    if figure.never > 0 {
        object.insert("never".to_owned(), figure.never.into());
    }
    object.into()
}

fn interval(estimate: Estimate) -> Map<String, Value> {
    let ends = [("mean", estimate.mean), ("low", estimate.low), ("high", estimate.high)];
    ends.into_iter().map(|(name, value)| (name.to_owned(), number(value))).collect()
}

fn expectation(judgement: &Judgement) -> Value {
    let observed = judgement.observed;
    serde_json::json!({
        "text": judgement.text,
        "line": judgement.line,
        "verdict": judgement.verdict,
        "observed": observed.map(|observed| number(observed.mean)),
        "low": observed.map(|observed| number(observed.low)),
        "high": observed.map(|observed| number(observed.high)),
        "bound": judgement.bound.map(number),
        "failing_seeds": judgement.failing_seeds,
        "window_ns": judgement.window_ns,
        "witnesses": judgement.witnesses,
    })
}

fn comparison(comparison: &Comparison) -> Value {
    serde_json::json!({
        "metric": comparison.metric.name(),
        "a": comparison.a,
        "b": comparison.b,
        "difference": number(comparison.difference.mean),
        "low": number(comparison.difference.low),
        "high": number(comparison.difference.high),
    })
}

/// A place, and how its strategy stands to the next one: `beats`, `loses` or `ties`.
fn rank(rank: &Rank) -> Value {
    let margin = |metric: Metric, by: Estimate| {
        let mut object = interval(by);
        object.insert("metric".to_owned(), metric.name().into());
        Value::from(object)
    };
    let (next, standing, margin) = match &rank.next {
        None => (Value::Null, Value::Null, Value::Null),
        Some((next, Standing::Ties)) => (next.as_str().into(), "ties".into(), Value::Null),
        Some((next, Standing::Beats { metric, by })) => (next.as_str().into(), "beats".into(), margin(*metric, *by)),
        Some((next, Standing::Loses { metric, by })) => (next.as_str().into(), "loses".into(), margin(*metric, *by)),
    };
    serde_json::json!({
        "place": rank.place, "strategy": rank.strategy, "next": next, "standing": standing, "margin": margin,
    })
}

/// Nine significant digits; whole numbers without a fraction; `null` for what is no number.
fn number(value: f64) -> Value {
    let Ok(tidy) = format!("{value:.8e}").parse::<f64>() else { return Value::Null };
    // 2^53: whole numbers up to here are exact.
    if tidy == tidy.trunc() && tidy.abs() < 9_007_199_254_740_992.0 {
        return Value::from(tidy as i64);
    }
    Value::from(tidy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_tidy() {
        let table = [
            (1.0, "1"),
            (-0.0, "0"),
            (0.1 + 0.2, "0.3"),
            (2.0 / 3.0, "0.666666667"),
            (1e-12, "1e-12"),
            (60_000_000.0, "60000000"),
            (f64::INFINITY, "null"),
            (f64::NAN, "null"),
        ];
        for (value, expected) in table {
            assert_eq!(number(value).to_string(), expected);
        }
    }
}
