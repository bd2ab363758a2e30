//! What people see, for every kind of end that a run can have.

use super::super::samples::{failing, never_fired, outcome, unsure};
use super::*;
use crate::analysis::{Policy, Rank, Standing};

fn drawn(outcome: ScenarioOutcome, policy: Policy, options: Options) -> String {
    let run = Run { scenarios: vec![outcome], policy };
    let mut out = Vec::new();
    write(&run, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn plain(width: usize) -> Options {
    Options { width, paint: Paint::Plain, summary: Summary::Full }
}

#[test]
fn every_verdict_at_two_widths() {
    for width in [80, 140] {
        let cases = [("pass", outcome()), ("fail", failing()), ("unsure", unsure()), ("never_fired", never_fired())];
        for (name, outcome) in cases {
            let drawn = drawn(outcome, Policy::ByFigure, plain(width));
            // A command cannot be cut.
            let lines = drawn.lines().filter(|line| !line.contains("squall run"));
            let widest = lines.map(|line| line.chars().count()).max().unwrap_or_default();
            assert!(widest <= width, "{name}: {widest} of {width} columns");
            insta::assert_snapshot!(format!("{name}_{width}"), drawn);
        }
    }
}

/// Whatever colour says, a mark says too: without the escapes both are the same text.
#[test]
fn colour_only_repeats() {
    for width in [80, 140] {
        let cases = [("pass", outcome()), ("fail", failing()), ("unsure", unsure()), ("never_fired", never_fired())];
        for (name, outcome) in cases {
            let options = Options { paint: Paint::Ansi, ..plain(width) };
            let coloured = drawn(outcome.clone(), Policy::ByFigure, options);
            let stripped = anstream::adapter::strip_str(&coloured).to_string();
            assert_eq!(stripped, drawn(outcome, Policy::ByFigure, plain(width)), "{name}");
            assert!(coloured.contains("\u{1b}["), "{name}");
            insta::assert_snapshot!(format!("{name}_{width}_colour"), coloured);
        }
    }
}

#[test]
fn compact_leaves_out_what_went_well() {
    let options = Options { summary: Summary::Compact, ..plain(80) };
    insta::assert_snapshot!("compact", drawn(failing(), Policy::ByFigure, options));
}

/// Strategies of a sweep have names without end, and a line names two of them.
#[test]
fn long_names_are_cut_wherever_they_stand() {
    let names = ["a", "b"].map(|letter| letter.repeat(64));
    let mut long = outcome();
    for (strategy, name) in long.strategies.iter_mut().zip(&names) {
        strategy.name.clone_from(name);
    }
    let rank = |place: usize, next| Rank { place, strategy: names[place - 1].clone(), next };
    long.ranking = vec![rank(1, Some((names[1].clone(), Standing::Ties))), rank(2, None)];
    long.strategies.iter_mut().for_each(|strategy| strategy.expectations.clear());
    let drawn = drawn(long, Policy::ByFigure, plain(100));
    assert!(drawn.contains("ties with bbbbb") && !drawn.contains(&names[1]), "{drawn}");
}

/// A narrower terminal than the narrowest gets the narrowest; wrapping is then its own business.
#[test]
fn nothing_is_narrower_than_eighty_columns() {
    assert_eq!(drawn(outcome(), Policy::Pass, plain(20)), drawn(outcome(), Policy::Pass, plain(80)));
}
