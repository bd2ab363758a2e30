//! `VALIDATION.md` says what Squall does now: the suites that take no time are run again, and every row must be on the page.
//!
//! To renew the page: `cargo run --release -- validate --markdown > VALIDATION.md`.
#![cfg(feature = "sim")]

use std::sync::atomic::AtomicBool;

use squall::validate::render::{Section, markdown};
use squall::validate::{Finding, Lab, LabError, Params, SUITES, Suite, suite};

const QUICK: [&str; 3] = ["connect-backoff", "amplification", "adaptive"];

#[test]
fn the_page_is_fresh() {
    let page = include_str!("../VALIDATION.md");
    for known in SUITES {
        assert!(page.contains(&format!("\n## {}\n", known.name)), "{} is not on the page", known.name);
    }
    let cancelled = AtomicBool::new(false);
    for name in QUICK {
        let suite = suite(name).unwrap();
        let findings = (suite.run)(&Lab::new(2, &cancelled), &Params::of(suite, false, &[]).unwrap()).unwrap();
        let mut text = Vec::new();
        markdown(&[Section { suite, findings }], false, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in text.lines().filter(|line| line.starts_with(&format!("| {name}"))) {
            assert!(page.contains(line), "VALIDATION.md is stale: it lacks\n{line}");
        }
    }
}

/// Suites that run side by side, one of them a chain of trials, on one thread and on four.
#[test]
fn the_number_of_threads_changes_nothing() {
    let small = [("throttle-engages", "calls", 100.0), ("aws", "clients", 10.0), ("amplification", "layers", 2.0)];
    let suites = small.map(|(name, param, value)| {
        let suite = suite(name).unwrap();
        (suite, Params::of(suite, false, &[(param.to_owned(), vec![value])]).unwrap())
    });
    let cancelled = AtomicBool::new(false);
    let found = |threads| {
        let mut all: Vec<(&str, Vec<Finding>)> = Vec::new();
        let note = |suite: &'static Suite, findings| {
            all.push((suite.name, findings));
            Ok::<(), LabError>(())
        };
        Lab::new(threads, &cancelled).suites(&suites, note).unwrap();
        all
    };
    let one = found(1);
    assert_eq!(one.iter().map(|(name, _)| *name).collect::<Vec<_>>(), small.map(|(name, ..)| name));
    assert_eq!(one, found(4));
}

/// Every suite that is a scenario is one that `squall run` can run.
#[test]
fn scenarios_are_scenarios() {
    for suite in SUITES {
        let Some(scenario) = suite.scenario else { continue };
        let text = scenario(&Params::of(suite, false, &[]).unwrap());
        if let Err(mistakes) = squall::scenario::parse(suite.name, &text, &squall::scenario::Alone) {
            panic!("{mistakes}\n{text}");
        }
    }
}
