//! Every format of one run in which everything that can be said is said; and JUnit against its schema.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::*;
use crate::analysis::stats::Estimate;
use crate::analysis::{
    Comparison, Dominance, FaultOutcome, FaultWindow, Figure, Judgement, Rank, Saw, Series, Standing, StrategyOutcome,
    Witness,
};
use crate::record::{CallId, Code, Origin};
use crate::scenario::Op;

const SECOND: u64 = 1_000_000_000;

fn estimate(mean: f64, low: f64, high: f64) -> Estimate {
    Estimate { mean, low, high }
}

fn judgement(
    text: &str,
    metric: Metric,
    op: Op,
    verdict: Verdict,
    observed: Option<Estimate>,
    bound: f64,
) -> Judgement {
    Judgement {
        text: text.to_owned(),
        line: 24,
        subject: metric.name().to_owned(),
        metric,
        op,
        verdict,
        observed,
        bound: observed.map(|_| bound),
        share: None,
        holds: verdict == Verdict::Pass,
        failing_seeds: Vec::new(),
        window_ns: Vec::new(),
        witnesses: Vec::new(),
    }
}

fn strategy(name: &str, success: Estimate, expectations: Vec<Judgement>) -> StrategyOutcome {
    let figure = |estimate: Estimate| Figure { estimate, never: usize::from(estimate.mean.is_infinite()) };
    StrategyOutcome {
        name: name.to_owned(),
        metrics: [
            (Metric::SuccessRate, figure(success)),
            (Metric::P99, figure(estimate(812.0, 700.0, 1012.0))),
            (Metric::Recovery, figure(Estimate::point(f64::INFINITY))),
        ]
        .into(),
        errors: BTreeMap::from([("UNAVAILABLE/network".to_owned(), 12)]),
        series: Series::default(),
        latency_ns: Vec::new(),
        expectations,
        fingerprints: vec![(1, 0xfeed), (2, 7)],
    }
}

fn run() -> Run {
    use Verdict::{Fail, Inconclusive, Pass};
    let mut late = judgement(
        "full-jitter: worst p99 <= 800ms during <crash> & \"restart\"",
        Metric::P99,
        Op::AtMost,
        Fail,
        Some(Estimate::point(2012.0)),
        800.0,
    );
    late.failing_seeds = vec![2, 1];
    late.window_ns = vec![(10 * SECOND, 13 * SECOND), (20 * SECOND, 21 * SECOND)];
    late.witnesses = vec![
        Witness {
            call: CallId::new(17, 4),
            what: Saw::End {
                took_ns: 2 * SECOND,
                code: Code::DeadlineExceeded,
                origin: Origin::ClientDeadline,
                attempts: 4,
            },
        },
        Witness { call: CallId::new(3, 0), what: Saw::Lost },
    ];
    let unsure = estimate(0.985, 0.97, 0.995);
    let none = judgement("naive: recovery <= 5s", Metric::Recovery, Op::AtMost, Inconclusive, None, 5.0);
    let expectations = vec![
        late,
        judgement(
            "full-jitter: success_rate >= 98%",
            Metric::SuccessRate,
            Op::AtLeast,
            Inconclusive,
            Some(unsure),
            0.98,
        ),
        judgement("all: amplification <= 2", Metric::Amplification, Op::AtMost, Pass, Some(Estimate::point(1.2)), 2.0),
    ];
    let beats = Standing::Beats { metric: Metric::SuccessRate, by: estimate(0.2, 0.15, 0.25) };
    let rank = |place, strategy: &str, next| Rank { place, strategy: strategy.to_owned(), next };
    Run {
        scenarios: vec![ScenarioOutcome {
            name: "crash-restart".to_owned(),
            about: "A crash, and what comes of it.".to_owned(),
            file: "scenarios/crash, restart.yaml".to_owned(),
            duration_ns: 30 * SECOND,
            seeds: vec![1, 2],
            faults: vec![FaultOutcome {
                id: "crash-1".to_owned(),
                kind: "crash".to_owned(),
                line: 14,
                matched: 3,
                fired: 0,
                may_not_fire: false,
            }],
            fault_windows: vec![FaultWindow { start_ns: 10 * SECOND, end_ns: 13 * SECOND, fault: 0 }],
            strategies: vec![
                strategy("naive", estimate(0.785, 0.77, 0.8), vec![none]),
                strategy("full-jitter", unsure, expectations),
                strategy("hedged | twice", unsure, Vec::new()),
            ],
            comparisons: vec![Comparison {
                metric: Metric::SuccessRate,
                a: "naive".to_owned(),
                b: "full-jitter".to_owned(),
                difference: estimate(-0.2, -0.25, -0.15),
            }],
            ranking: vec![
                rank(1, "full-jitter", Some(("hedged | twice".to_owned(), Standing::Ties))),
                rank(1, "hedged | twice", Some(("naive".to_owned(), beats))),
                rank(3, "naive", None),
            ],
            front: vec![
                dominance("naive", Some("full-jitter")),
                dominance("full-jitter", None),
                dominance("hedged | twice", None),
            ],
        }],
        policy: Policy::ByFigure,
    }
}

fn dominance(strategy: &str, by: Option<&str>) -> Dominance {
    let better_in = if by.is_some() { vec![Metric::SuccessRate, Metric::P99] } else { Vec::new() };
    Dominance { strategy: strategy.to_owned(), by: by.map(str::to_owned), better_in }
}

fn written(write: impl Fn(&Run, &mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&run(), &mut out).unwrap();
    String::from_utf8(out).unwrap().replace(env!("CARGO_PKG_VERSION"), "[VERSION]")
}

#[test]
fn every_format_says_why() {
    insta::assert_snapshot!("json", written(json::write));
    insta::assert_snapshot!("junit", written(junit::write));
    insta::assert_snapshot!("markdown", written(markdown::write));
    insta::assert_snapshot!("github", written(github::write));
    let options = human::Options { width: 100, paint: human::Paint::Plain, summary: human::Summary::Full };
    insta::assert_snapshot!("human", written(|run, out| human::write(run, options, out)));
}

/// An element, what it may stand in, the attributes it must have, and those it may have.
type Element = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

/// The dialect of nextest as a schema.
const SCHEMA: [Element; 8] = [
    ("testsuites", &[""], &["name", "tests", "skipped", "failures", "errors"], &["uuid", "timestamp", "time"]),
    ("testsuite", &["testsuites"], &["name", "tests", "skipped", "errors", "failures"], &["timestamp", "time"]),
    ("testcase", &["testsuite"], &["name", "classname"], &["timestamp", "time"]),
    ("failure", &["testcase"], &["message", "type"], &[]),
    ("error", &["testcase"], &["message", "type"], &[]),
    ("skipped", &["testcase"], &[], &["message", "type"]),
    ("system-out", &["testcase", "testsuite"], &[], &[]),
    ("system-err", &["testcase", "testsuite"], &[], &[]),
];

/// Elements stand where they may, have what they must and nothing else, and the counts of suites are those of their cases.
#[test]
fn junit_keeps_its_schema() {
    let xml = written(junit::write);
    let mut reader = Reader::from_str(&xml);
    let mut above = vec![String::new()];
    let mut counts = BTreeMap::<String, usize>::new();
    let mut suite = BTreeMap::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(element) => {
                let (name, attributes) = checked(&element, above.last().unwrap());
                *counts.entry(name.clone()).or_default() += 1;
                if name == "testsuite" {
                    suite = attributes;
                }
                above.push(name);
            }
            Event::Empty(element) => *counts.entry(checked(&element, above.last().unwrap()).0).or_default() += 1,
            Event::End(_) => drop(above.pop()),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!((suite["tests"].as_str(), counts["testcase"]), ("5", 5));
    assert_eq!((suite["failures"].as_str(), counts["failure"]), ("4", 4));
}

fn checked(element: &BytesStart<'_>, above: &str) -> (String, BTreeMap<String, String>) {
    let name = String::from_utf8(element.name().as_ref().to_vec()).unwrap();
    let known = SCHEMA.iter().find(|(known, ..)| *known == name);
    let (_, parents, must, may) = known.unwrap_or_else(|| panic!("<{name}> is not in the schema"));
    assert!(parents.contains(&above), "<{name}> in <{above}>");
    let attributes: BTreeMap<String, String> = element
        .attributes()
        .map(|attribute| {
            let attribute = attribute.unwrap();
            let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
            (key, String::from_utf8(attribute.value.into_owned()).unwrap())
        })
        .collect();
    for attribute in *must {
        assert!(attributes.contains_key(*attribute), "<{name}> has no {attribute}");
    }
    for attribute in attributes.keys() {
        assert!(must.contains(&attribute.as_str()) || may.contains(&attribute.as_str()), "<{name} {attribute}>");
    }
    (name, attributes)
}
