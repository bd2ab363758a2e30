//! What a page must be, whatever run it is of.

use super::super::samples;
use super::*;
use crate::analysis::Policy;

fn page() -> String {
    let run = Run {
        scenarios: vec![samples::outcome(), samples::failing(), samples::never_fired()],
        policy: Policy::ByFigure,
    };
    let text = "name: crash-restart\nabout: <script>alert(1)</script> & more\n".to_owned();
    let source = Text { file: "a.yaml".to_owned(), text, shared: Vec::new(), files: Vec::new() };
    let mut out = Vec::new();
    write(&run, &[source.clone(), source.clone(), source], &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Nothing is loaded, nothing is run, and what a scenario says is shown and not obeyed.
#[test]
fn a_page_stands_alone() {
    let page = page();
    for foreign in ["<script", "http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("&lt;script&gt;") || page.contains("&#60;script&#62;"));
}

#[test]
fn a_page_says_what_came_of_the_run() {
    let page = page();
    for said in [
        "3 scenarios: 1 passed, 2 failed",
        "never fired",
        "5 of 5 seeds miss it, seed 3 most",
        "squall run scenarios/server/crash-restart.yaml --strategy naive --seed 3",
        "99.92%",
    ] {
        assert!(page.contains(said), "{said}");
    }
}

/// Every link leads somewhere, and no place is named twice.
#[test]
fn links_within_a_page_hold() {
    let page = page();
    let values = |attribute: &str| -> Vec<&str> {
        page.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    };
    let ids = values(" id=\"");
    let distinct: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len());
    let lost: Vec<&str> =
        values("href=\"#").into_iter().filter(|link| !distinct.contains(link) && !link.contains("-L")).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn the_same_run_is_the_same_page() {
    assert_eq!(page(), page());
}

/// Ten strategies whose every line zigzags: as large as a scenario's part of a page gets, whatever the number of seeds.
#[test]
fn a_large_comparison_is_a_small_page() {
    let mut outcome = samples::outcome();
    let model = outcome.strategies[1].clone();
    let rough = |strategy: u32, place: u32| {
        let noise = (place * 7919 + strategy * 104_729) % 997;
        crate::analysis::Stretch {
            offered: 1000,
            ok: noise,
            timely: noise,
            attempts: 1000 + noise,
            p50_us: 1000 + noise * 100,
            p99_us: 2000 + noise * 1000,
            queued: noise,
            breakers: noise % 50,
            connections: noise % 100,
        }
    };
    outcome.strategies = (0..10)
        .map(|strategy| {
            let mut one = model.clone();
            one.name = format!("strategy-{strategy}");
            one.series.stretches = (0..200).map(|place| rough(strategy, place)).collect();
            one
        })
        .collect();
    let run = Run { scenarios: vec![outcome], policy: Policy::ByFigure };
    let mut out = Vec::new();
    write(&run, &[], &mut out).unwrap();
    assert!(out.len() < 2_000_000, "{} bytes", out.len());
}
