//! When faults hold, and how strongly: ramps, occurrences, and whether they happen at all.

use std::time::Duration;

use squall::random::Distribution;
use squall::record::{Code, HostChange, Kind};
use squall::scenario::{self, Alone, Plan};

use crate::capture::{Seen, watch};
use crate::world::{Fired, LINK, counts, hosts, ms, row, slower};

/// The counts of a fault, run alone in the usual world.
fn alone(fault: &'static str, edit: fn(&mut Plan)) -> (u64, u64, Seen) {
    let mut plan = row("grpc", fault, |_| true, Fired::Unseen("not asked")).plan();
    edit(&mut plan);
    let seen = watch(&plan, 1, false);
    let (matched, fired) = counts(&seen.events, 0);
    (matched, fired, seen)
}

/// A ramp of five seconds over a window of five: half of what strikes at full strength, and nearly nothing in the first second.
#[test]
fn a_ramp_grows() {
    let fault = "grpc: { server: telemetry, status: INTERNAL }";
    let (matched, fired, seen) = alone(fault, |plan| plan.faults[0].ramp = Duration::from_secs(5));
    assert!(fired.abs_diff(matched / 2) < matched / 8, "{fired} of {matched}");
    let by = |from: f64, to: f64| {
        let inside = seen.events.iter().filter(|event| (from..to).contains(&event.at.as_secs_f64()));
        inside.filter(|event| matches!(event.kind, Kind::CallEnded { code: Code::Internal, .. })).count()
    };
    assert!(by(5.0, 6.0) < 10 && by(9.0, 10.0) > 20, "{} then {}", by(5.0, 6.0), by(9.0, 10.0));
    let slow = |ramp| {
        let fault = "slow_link: { between: [devices, telemetry], add: 100ms }";
        let (_, _, seen) = alone(fault, ramp);
        slower(&seen, ms(150))
    };
    let (at_once, growing) = (slow(|_| ()), slow(|plan| plan.faults[0].ramp = Duration::from_secs(5)));
    assert!(growing * 3 < at_once * 2 && growing * 4 > at_once, "{growing} of {at_once}");
}

/// Each occurrence is drawn on its own, once a seed.
#[test]
fn occurrences_repeat_and_may_not_happen() {
    let fault = "every: 1s, repeat: 4, crash: { server: telemetry/0 }";
    let text = |probability: &str| {
        format!(
            "name: again\nabout: Again.\nduration: 15s\nservers: {{ telemetry: {{ startup: 1ms }} }}\nclients: {{ devices: {{ calls: \
             telemetry, load: {{ constant: 1/s }} }} }}\nfaults: [{{ at: 1s, for: 500ms, probability: {probability}, {fault} }}]\n\
             strategies: [{{ name: plain }}]\n"
        )
    };
    let downs = |probability: &str, seed: u64| {
        let plan = scenario::parse("again.yaml", &text(probability), &Alone).unwrap_or_else(|why| panic!("{why}"));
        let seen = watch(&plan, seed, false);
        assert_eq!(counts(&seen.events, 0).1 as usize, hosts(&seen, HostChange::Down));
        hosts(&seen, HostChange::Down)
    };
    assert_eq!(downs("100%", 1), 4);
    let all: usize = (1..=20).map(|seed| downs("50%", seed)).sum();
    assert!((25..=55).contains(&all), "{all} of 80");
}

/// A fault that changes nothing says so: it applies to much and never fires, which fails a run.
#[test]
fn what_changes_nothing_never_fires() {
    let sync = |plan: &mut Plan| plan.servers[0].disk = Distribution::constant(ms(2));
    for fault in [
        "slow_server: { server: telemetry, factor: 1 }",
        "slow_disk: { server: telemetry, factor: 1, add: 0s }",
        "slow_link: { between: [devices, telemetry], add: 0s }",
        "grpc: { server: telemetry, delay: 0s }",
        "bandwidth: { between: [devices, telemetry], limit: 100Gbit/s }, only: { clients: [devices/0], first: 1, every: 9999 }",
    ] {
        let (matched, fired, seen) = alone(fault, sync);
        let late = seen.packets(|sent| sent.is_late(LINK)) as u64;
        assert!(matched > 0 && fired == late, "{fault}: matched {matched}, fired {fired}, seen {late}");
    }
}

/// Turns are counted anew in each occurrence, while counts go on.
#[test]
fn the_first_so_many_are_those_of_each_occurrence() {
    let fault = "every: 1s, repeat: 3, only: { first: 4 }, grpc: { server: telemetry, status: INTERNAL }";
    let text = row("grpc", fault, |_| true, Fired::Unseen("not asked")).text("at: 5s, for: 900ms");
    let plan = scenario::parse("turns.yaml", &text, &Alone).unwrap_or_else(|why| panic!("{why}"));
    let seen = watch(&plan, 1, false);
    let second = |from: f64| {
        let inside = seen.events.iter().filter(|event| (from..from + 1.0).contains(&event.at.as_secs_f64()));
        inside.filter(|event| matches!(event.kind, Kind::CallEnded { code: Code::Internal, .. })).count()
    };
    assert_eq!(([5.0, 6.0, 7.0].map(second), counts(&seen.events, 0)), ([4, 4, 4], (12, 12)));
}
