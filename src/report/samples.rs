//! Outcomes made by hand, for the tests of every report: one a kind of end that a run can have.

use std::collections::BTreeMap;

use crate::analysis::stats::Estimate;
use crate::analysis::{
    Comparison, FaultOutcome, FaultWindow, Figure, Judgement, ScenarioOutcome, Series, StrategyOutcome, Stretch,
    Verdict,
};
use crate::scenario::{Metric, Op};

const SECOND: u64 = 1_000_000_000;

fn estimate(mean: f64, low: f64, high: f64) -> Figure {
    Figure { estimate: Estimate { mean, low, high }, never: usize::from(mean.is_infinite()) }
}

/// Success over thirty seconds, where each character says how many of nine calls were OK.
fn series(picture: &str) -> Series {
    let stretch = |digit: char| Stretch { offered: 9, ok: digit.to_digit(10).unwrap(), ..Stretch::default() };
    Series { width_ns: SECOND, stretches: picture.chars().map(stretch).collect() }
}

fn strategy(name: &str, success: f64, recovery_ms: f64, picture: &str) -> StrategyOutcome {
    let metrics = [
        (Metric::SuccessRate, estimate(success, success - 0.004, success + 0.001)),
        (Metric::Goodput, estimate(100.0 * success, 99.0 * success, 100.5 * success)),
        (Metric::Amplification, estimate(2.0 - success, 2.0 - success, 2.0 - success)),
        (Metric::WorkAmplification, estimate(1.0, 1.0, 1.0)),
        (Metric::WastedWork, estimate(0.012, 0.01, 0.02)),
        (Metric::P50, estimate(4.2, 4.1, 4.3)),
        (Metric::P99, estimate(812.0, 700.0, 1012.0)),
        (Metric::P999, estimate(2000.0, 1900.0, 2000.0)),
        (Metric::Recovery, estimate(recovery_ms, recovery_ms, recovery_ms)),
        (Metric::LostAcknowledged, estimate(0.0, 0.0, 0.0)),
        (Metric::Duplicates, estimate(0.2, 0.0, 0.6)),
    ];
    StrategyOutcome {
        name: name.to_owned(),
        metrics: metrics.into(),
        errors: BTreeMap::new(),
        series: series(picture),
        latency_ns: (0..17).map(|place| 1_000_000 << (place / 2)).collect(),
        expectations: Vec::new(),
        fingerprints: Vec::new(),
    }
}

fn judgement(
    text: &str,
    metric: Metric,
    verdict: Verdict,
    observed: [f64; 3],
    bound: f64,
    failing: &[u64],
) -> Judgement {
    let [mean, low, high] = observed;
    Judgement {
        text: text.to_owned(),
        line: 24,
        subject: metric.name().to_owned(),
        metric,
        op: Op::AtLeast,
        verdict,
        observed: Some(Estimate { mean, low, high }),
        bound: Some(bound),
        share: None,
        holds: verdict == Verdict::Pass,
        failing_seeds: failing.to_vec(),
        window_ns: Vec::new(),
        witnesses: Vec::new(),
    }
}

pub(super) fn outcome() -> ScenarioOutcome {
    let mut naive = strategy("naive", 0.712, f64::INFINITY, "999999990000004444444444444444");
    let mut jitter = strategy("full-jitter", 0.999_2, 1_300.0, "999999995567899999999999999999");
    naive.expectations.push(judgement(
        "all: lost_acknowledged == 0",
        Metric::LostAcknowledged,
        Verdict::Pass,
        [0.0; 3],
        0.0,
        &[],
    ));
    jitter.expectations.push(judgement(
        "full-jitter: success_rate >= 99%",
        Metric::SuccessRate,
        Verdict::Pass,
        [0.9992, 0.998, 1.0],
        0.99,
        &[],
    ));
    ScenarioOutcome {
        name: "crash-restart".to_owned(),
        about: "The server's process dies and comes back while fifty devices\nreport.".to_owned(),
        file: "scenarios/server/crash-restart.yaml".to_owned(),
        duration_ns: 30 * SECOND,
        seeds: vec![1, 2, 3, 4, 5],
        faults: vec![FaultOutcome {
            id: "crash-1".to_owned(),
            kind: "crash".to_owned(),
            line: 14,
            matched: 10,
            fired: 10,
            may_not_fire: false,
        }],
        fault_windows: vec![FaultWindow { start_ns: 8 * SECOND, end_ns: 14 * SECOND, fault: 0 }],
        strategies: vec![naive, jitter],
        comparisons: vec![Comparison {
            metric: Metric::SuccessRate,
            a: "naive".to_owned(),
            b: "full-jitter".to_owned(),
            difference: Estimate { mean: -0.287, low: -0.29, high: -0.28 },
        }],
        ranking: Vec::new(),
        front: Vec::new(),
    }
}

pub(super) fn failing() -> ScenarioOutcome {
    let mut outcome = outcome();
    let text = "all: success_rate >= 99%";
    let observed = [0.712, 0.708, 0.713];
    outcome.strategies[0].expectations.push(judgement(
        text,
        Metric::SuccessRate,
        Verdict::Fail,
        observed,
        0.99,
        &[3, 1, 2, 4, 5],
    ));
    outcome
}

pub(super) fn unsure() -> ScenarioOutcome {
    let mut outcome = outcome();
    let text = "full-jitter: p99 <= 800ms";
    let observed = [812.0, 700.0, 1012.0];
    outcome.strategies[1].expectations.push(judgement(
        text,
        Metric::P99,
        Verdict::Inconclusive,
        observed,
        800.0,
        &[2, 5],
    ));
    outcome
}

pub(super) fn never_fired() -> ScenarioOutcome {
    let mut outcome = outcome();
    outcome.faults[0].fired = 0;
    outcome
}
