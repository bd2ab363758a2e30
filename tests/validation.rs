//! `VALIDATION.md` says what Squall does now: the suites that take no time are run again, and every row must be on the page.
//!
//! To renew the page: `cargo run --release -- validate --markdown > VALIDATION.md`.
#![cfg(feature = "sim")]

use std::sync::atomic::AtomicBool;

use squall::validate::render::{Section, markdown};
use squall::validate::{Lab, Params, SUITES, suite};

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
