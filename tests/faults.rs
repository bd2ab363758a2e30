//! Every kind of fault bites, and counts what it did: one row a kind, each trial beside its twin without the fault.
//!
//! `bites` must be false of the twin, so that no row can pass by chance; `fired` is counted from what the trial wrote down, not from
//! the fault's own books.
#![cfg(feature = "sim")]

use std::time::Duration;

use squall::record::{Code, ConnectionChange, Event, HandlerOutcome, HostChange, Kind};
use squall::scenario::{self, Alone, FAULTS, Plan};
use squall::trial::{self, TrialSpec};

/// The fault under test is the first one, from 5 s to 10 s unless it is a moment.
struct Row {
    kind: &'static str,
    /// What it says beside its time: `crash: { server: telemetry/0 }`.
    fault: &'static str,
    /// What the scenario needs for it beyond the usual.
    with: With,
    bites: fn(&[Event]) -> bool,
    fired: Fired,
}

/// How often it must have fired.
enum Fired {
    /// As the trial wrote down.
    As(fn(&[Event]) -> usize),
    /// What it fires on, such as packets, is not written down: at least once, and never more than it matched.
    Somehow,
}

#[derive(Default)]
struct With {
    server: &'static str,
    client: &'static str,
    channel: &'static str,
    faults: &'static str,
}

const USUAL: With = With { server: "", client: "load: { constant: 5/s }", channel: "balance: round_robin", faults: "" };
/// Connections are cut when the fault begins, so that new ones are made.
const CUT: &str = "  - { at: 5s, reset: { between: [devices, telemetry] } }\n";
const AGAIN: &str = "balance: round_robin, connect_backoff: { constant: 200ms }";

fn plan(row: &Row) -> Plan {
    let moment = FAULTS.iter().any(|info| info.kind == row.kind && info.shape == scenario::Shape::Moment);
    let time = if moment { "at: 5s" } else { "at: 5s, for: 5s" };
    let With { server, client, channel, faults } = &row.with;
    let text = format!(
        "name: row
about: One fault.
duration: 15s
drain: 5s
servers:
  telemetry: {{ replicas: 3, service_time: 10ms, startup: 100ms, {server} }}
clients:
  devices: {{ count: 6, calls: telemetry, {client} }}
links:
  - {{ between: [devices, telemetry], latency: 2ms }}
faults:
  - {{ {time}, {} }}
{faults}
strategies:
  - {{ name: plain, layers: [{{ deadline: 1s }}], channel: {{ {channel} }} }}
",
        row.fault
    );
    scenario::parse("row.yaml", &text, &Alone).unwrap_or_else(|mistakes| panic!("{}: {mistakes}", row.fault))
}

fn run(plan: &Plan, control: bool) -> Vec<Event> {
    trial::run(plan, TrialSpec { strategy: 0, seed: 1, control }, Vec::new()).unwrap()
}

fn counts(events: &[Event], fault: u32) -> (u64, u64) {
    let of = |event: &Event| match event.kind {
        Kind::FaultCounted { fault: number, matched, fired } if number == fault => Some((matched, fired)),
        _ => None,
    };
    events.iter().find_map(of).expect("every fault is counted")
}

fn count(events: &[Event], which: impl Fn(&Kind) -> bool) -> usize {
    events.iter().filter(|event| which(&event.kind)).count()
}

/// How often something happened while the fault held.
fn meanwhile(events: &[Event], which: impl Fn(&Kind) -> bool) -> usize {
    let during = |event: &&Event| (5.0..10.0).contains(&event.at.as_secs_f64());
    events.iter().filter(during).filter(|event| which(&event.kind)).count()
}

fn ended(events: &[Event], with: Code) -> usize {
    count(events, |kind| matches!(kind, Kind::CallEnded { code, .. } if *code == with))
}

fn failed(events: &[Event]) -> usize {
    count(events, |kind| matches!(kind, Kind::CallEnded { code, .. } if *code != Code::Ok))
}

fn hosts(events: &[Event], what: HostChange) -> usize {
    count(events, |kind| matches!(kind, Kind::Host { change, .. } if *change == what))
}

fn connections(events: &[Event], what: ConnectionChange) -> usize {
    count(events, |kind| matches!(kind, Kind::Connection { change, .. } if *change == what))
}

/// Connections that became ready after the first ones.
fn again(events: &[Event]) -> usize {
    meanwhile(events, |kind| matches!(kind, Kind::Connection { change: ConnectionChange::Ready, .. }))
}

/// Calls that took longer than this.
fn slower(events: &[Event], than: Duration) -> usize {
    let mut begun = std::collections::BTreeMap::new();
    let mut slow = 0;
    for event in events {
        match event.kind {
            Kind::CallStarted { call, .. } => {
                begun.insert(call, event.at);
            }
            Kind::CallEnded { call, .. } => slow += usize::from(event.at - begun[&call] > than),
            _ => {}
        }
    }
    slow
}

/// Handlers that were busy for longer than this.
fn busier(events: &[Event], than: Duration) -> usize {
    count(events, |kind| matches!(kind, Kind::HandlerEnded { busy_ns, .. } if u128::from(*busy_ns) > than.as_nanos()))
}

fn started(events: &[Event], on: u32) -> usize {
    meanwhile(events, |kind| matches!(kind, Kind::HandlerStarted { server, .. } if *server == on))
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn row(kind: &'static str, fault: &'static str, bites: fn(&[Event]) -> bool, fired: Fired) -> Row {
    Row { kind, fault, with: USUAL, bites, fired }
}

const fn with(with: With, row: Row) -> Row {
    Row { with, ..row }
}

/// An answer that is recorded at the server and is an error to the client, counted by that.
fn spoilt(fault: &'static str) -> Row {
    row("grpc", fault, |events| recorded_and_failed(events) > 0, Fired::As(recorded_and_failed))
}

fn rows() -> Vec<Row> {
    let cut = || With { faults: CUT, channel: AGAIN, ..USUAL };
    vec![
        row(
            "slow_link",
            "slow_link: { between: [devices, telemetry], add: 50ms }",
            |e| slower(e, ms(100)) > 100,
            Fired::Somehow,
        ),
        row(
            "jitter",
            "jitter: { between: [devices, telemetry], up_to: 100ms }",
            |e| slower(e, ms(60)) > 50,
            Fired::Somehow,
        ),
        row("loss", "loss: { between: [devices, telemetry], rate: 20% }", |e| slower(e, ms(100)) > 10, Fired::Somehow),
        row(
            "reorder",
            "reorder: { between: [devices, telemetry], rate: 30%, hold: 40ms }",
            |e| slower(e, ms(50)) > 20,
            Fired::Somehow,
        ),
        with(
            With { client: "load: { constant: 5/s }, payload: 20KiB", ..USUAL },
            row(
                "bandwidth",
                "bandwidth: { between: [devices, telemetry], limit: 1Mbit/s }",
                |e| slower(e, ms(100)) > 50,
                Fired::Somehow,
            ),
        ),
        row(
            "partition",
            "partition: { between: [devices, telemetry/0] }",
            |e| ended(e, Code::DeadlineExceeded) > 20,
            Fired::Somehow,
        ),
        row(
            "flap",
            "flap: { between: [devices, telemetry], down: 200ms, up: 800ms }",
            |e| slower(e, ms(150)) > 20,
            Fired::Somehow,
        ),
        row(
            "black_hole",
            "black_hole: { hosts: telemetry/1 }",
            |e| ended(e, Code::DeadlineExceeded) > 20,
            Fired::Somehow,
        ),
        with(
            With { client: "load: { bursts: { size: 1, every: 4s } }", channel: "balance: pick_first", ..USUAL },
            // Each client's only connection, once: nobody tells the client.
            row(
                "nat_expiry",
                "nat_expiry: { between: [devices, telemetry], idle: 1s }",
                |e| ended(e, Code::DeadlineExceeded) >= 6,
                Fired::As(|_| 6),
            ),
        ),
        row(
            "reset",
            "reset: { between: [devices, telemetry] }",
            |e| connections(e, ConnectionChange::Closed) > 0,
            Fired::As(|e| connections(e, ConnectionChange::Closed)),
        ),
        row(
            "half_open",
            "half_open: { clients: devices, server: telemetry/0 }",
            |e| connections(e, ConnectionChange::Closed) > 0,
            Fired::As(|e| connections(e, ConnectionChange::Closed)),
        ),
        with(
            cut(),
            row(
                "refuse",
                "refuse: { server: telemetry }",
                |e| connections(e, ConnectionChange::Failed) > 50,
                Fired::As(|e| connections(e, ConnectionChange::Failed)),
            ),
        ),
        with(
            cut(),
            row(
                "backlog_full",
                "backlog_full: { server: telemetry/0 }",
                |e| slower(e, ms(15)) + failed(e) > 0 && again(e) == 12,
                Fired::Somehow,
            ),
        ),
        with(
            cut(),
            row(
                "slow_accept",
                "slow_accept: { server: telemetry/0, delay: 300ms }",
                |e| again(e) == 18 && late_ready(e),
                Fired::As(|_| 6),
            ),
        ),
        with(
            With { client: "load: { bursts: { size: 1, every: 4s } }", channel: "balance: pick_first", ..USUAL },
            row(
                "idle_kill",
                "idle_kill: { server: telemetry, idle: 1s }",
                |e| connections(e, ConnectionChange::Closed) > 0,
                Fired::As(|e| connections(e, ConnectionChange::Closed)),
            ),
        ),
        row(
            "goaway",
            "goaway: { server: telemetry/1 }",
            |e| connections(e, ConnectionChange::Closed) == 6,
            Fired::As(|e| connections(e, ConnectionChange::Closed)),
        ),
        with(
            With {
                client: "load: { bursts: { size: 8, every: 1s } }",
                channel: "balance: pick_first, connect_backoff: { constant: 200ms }",
                faults: CUT,
                ..USUAL
            },
            row(
                "max_streams",
                "max_streams: { server: telemetry, streams: 1 }",
                |e| slower(e, ms(60)) > 20,
                Fired::As(again),
            ),
        ),
        with(
            With {
                channel: "balance: round_robin, keepalive: { time: 500ms, timeout: 500ms, without_calls: true }",
                ..USUAL
            },
            row(
                "withhold",
                "withhold: { server: telemetry, frames: ping_ack }",
                |e| connections(e, ConnectionChange::Closed) > 0,
                Fired::Somehow,
            ),
        ),
        with(
            With { client: "load: { constant: 5/s }, payload: 200KiB", ..USUAL },
            row(
                "withhold",
                "withhold: { server: telemetry, frames: window_update }",
                |e| ended(e, Code::DeadlineExceeded) > 20,
                Fired::Somehow,
            ),
        ),
        with(
            cut(),
            row("withhold", "withhold: { server: telemetry, frames: settings }", |e| failed(e) > 20, Fired::Somehow),
        ),
        row(
            "grpc",
            "grpc: { server: telemetry, status: INTERNAL, rate: 30% }",
            |e| ended(e, Code::Internal) > 20,
            Fired::As(|e| ended(e, Code::Internal)),
        ),
        row(
            "grpc",
            "grpc: { server: telemetry, status: INTERNAL, when: after_handler, rate: 30% }",
            |e| recorded_and_failed(e) > 20,
            Fired::As(recorded_and_failed),
        ),
        row(
            "grpc",
            "grpc: { server: telemetry, when: response_lost, rate: 30% }",
            |e| recorded_and_failed(e) > 20,
            Fired::As(recorded_and_failed),
        ),
        row(
            "grpc",
            "grpc: { server: telemetry, delay: 100ms }",
            |e| slower(e, ms(100)) > 100,
            Fired::As(|e| slower(e, ms(100))),
        ),
        row(
            "grpc",
            "grpc: { server: telemetry, delay: 100ms, when: after_handler }",
            |e| slower(e, ms(100)) > 100,
            Fired::As(|e| slower(e, ms(100))),
        ),
        row(
            "grpc",
            "grpc: { server: telemetry, reset: ENHANCE_YOUR_CALM, every: 4 }",
            |e| ended(e, Code::ResourceExhausted) > 20,
            Fired::As(|e| ended(e, Code::ResourceExhausted)),
        ),
        row(
            "grpc",
            "grpc: { server: telemetry, reset: CANCEL, first: 7 }",
            |e| failed(e) > 0,
            Fired::As(|e| ended(e, Code::Cancelled)),
        ),
        row(
            "grpc",
            "grpc: { server: telemetry, http_status: 503, clients: [devices/2] }",
            |e| failed(e) == 25,
            Fired::As(failed),
        ),
        row("grpc", "grpc: { server: telemetry, http_status: 404 }", |e| failed(e) > 0, Fired::As(failed)),
        spoilt("grpc: { server: telemetry, answer: no_trailers }"),
        spoilt("grpc: { server: telemetry, answer: no_message }"),
        spoilt("grpc: { server: telemetry, answer: corrupt }"),
        spoilt("grpc: { server: telemetry, answer: truncated }"),
        spoilt("grpc: { server: telemetry, answer: cut }"),
        row(
            "grpc",
            "grpc: { server: telemetry, set_trailers: { grpc-status: '8' } }",
            |e| ended(e, Code::ResourceExhausted) > 0,
            Fired::As(|e| ended(e, Code::ResourceExhausted)),
        ),
        spoilt("grpc: { server: telemetry, set_headers: { grpc-encoding: zstd } }"),
        row(
            "crash",
            "crash: { server: telemetry/0 }",
            |e| hosts(e, HostChange::Down) == 1,
            Fired::As(|e| hosts(e, HostChange::Down)),
        ),
        row(
            "crash",
            "crash: { server: telemetry, some: 2, how: power_loss }",
            |e| ended(e, Code::DeadlineExceeded) > 20,
            Fired::As(|e| hosts(e, HostChange::Down)),
        ),
        row(
            "crash",
            "crash: { server: telemetry, some: 2, how: { graceful: 2s } }",
            |e| hosts(e, HostChange::Draining) == 2,
            Fired::As(|e| hosts(e, HostChange::Draining)),
        ),
        row(
            "crash_loop",
            "crash_loop: { server: telemetry/1, up: 500ms, down: 200ms, cap: 1s }",
            |e| hosts(e, HostChange::Down) >= 4,
            Fired::As(|e| hosts(e, HostChange::Down)),
        ),
        row(
            "rolling_restart",
            "rolling_restart: { server: telemetry, down: 500ms, how: { graceful: 500ms } }",
            |e| hosts(e, HostChange::Draining) == 3,
            Fired::As(|e| hosts(e, HostChange::Down)),
        ),
        row(
            "deploy",
            "deploy: { server: telemetry, batch: 2, down: 200ms, how: kill, errors: 50%, factor: 3 }",
            |e| ended(e, Code::Internal) > 20 && busier(e, ms(25)) > 20,
            Fired::As(|e| hosts(e, HostChange::Down)),
        ),
        row(
            "autoscale",
            "autoscale: { server: telemetry, to: 1, grace: 500ms }",
            |e| started(e, 1) + started(e, 2) < 10 && started(e, 0) > 100,
            Fired::As(|e| hosts(e, HostChange::Draining)),
        ),
        row(
            "pause",
            "pause: { server: telemetry/2 }",
            |e| ended(e, Code::DeadlineExceeded) > 20,
            Fired::As(|e| hosts(e, HostChange::Paused)),
        ),
        row(
            "slow_server",
            "slow_server: { server: telemetry/0, factor: 5 }",
            |e| busier(e, ms(45)) > 20,
            Fired::As(|e| busier(e, ms(45))),
        ),
        row(
            "cold_cache",
            "cold_cache: { server: telemetry, factor: 5 }",
            |e| busier(e, ms(30)) > 20 && busier(e, ms(30)) < 100,
            Fired::As(|e| started(e, 0) + started(e, 1) + started(e, 2)),
        ),
        with(
            With {
                server: "workers: 8, queue: { limit: 100 }",
                client: "load: { bursts: { size: 20, every: 1s } }",
                ..USUAL
            },
            row(
                "capacity",
                "capacity: { server: telemetry, workers: 1 }",
                |e| slower(e, ms(300)) > 20,
                Fired::As(|_| 3),
            ),
        ),
        with(
            With { server: "max_skew: 2s", ..USUAL },
            row(
                "clock_skew",
                "clock_skew: { hosts: devices/0-1, behind: 3s }",
                |e| ended(e, Code::FailedPrecondition) > 20,
                Fired::As(|e| ended(e, Code::FailedPrecondition)),
            ),
        ),
        with(
            With { server: "max_skew: 2s", ..USUAL },
            row(
                "clock_skew",
                "clock_skew: { hosts: telemetry/0, ahead: 3s }",
                |e| ended(e, Code::FailedPrecondition) > 20,
                Fired::As(|e| ended(e, Code::FailedPrecondition)),
            ),
        ),
        with(
            With { server: "durability: sync, disk: 2ms", ..USUAL },
            row(
                "slow_disk",
                "slow_disk: { server: telemetry/0, factor: 50 }",
                |e| busier(e, ms(100)) > 20,
                Fired::As(|e| busier(e, ms(100))),
            ),
        ),
        row(
            "full_disk",
            "full_disk: { server: telemetry/0 }",
            |e| ended(e, Code::ResourceExhausted) > 20,
            Fired::As(|e| ended(e, Code::ResourceExhausted)),
        ),
        with(
            With { faults: "  - { at: 9900ms, for: 1s, crash: { server: telemetry/0, how: power_loss } }\n", ..USUAL },
            row("lying_disk", "lying_disk: { server: telemetry/0 }", |e| lost(e) > 20, Fired::As(lost)),
        ),
        with(
            With { channel: "balance: round_robin, health: telemetry", ..USUAL },
            // Each client watches each replica; those of one are told a lie.
            row(
                "health_lie",
                "health_lie: { server: telemetry/0, says: not_serving }",
                |e| started(e, 0) < 10 && started(e, 1) > 60,
                Fired::As(|_| 6),
            ),
        ),
    ]
}

/// Whether the last connection to the first server was ready late: six are accepted one after the other, 300 ms apart.
fn late_ready(events: &[Event]) -> bool {
    let ready =
        |event: &&Event| matches!(event.kind, Kind::Connection { server: 0, change: ConnectionChange::Ready, .. });
    events.iter().rfind(ready).is_some_and(|event| event.at.as_secs_f64() > 6.5)
}

/// Calls whose handler committed and whose client was told that they failed.
fn recorded_and_failed(events: &[Event]) -> usize {
    let mut done = std::collections::BTreeSet::new();
    for event in events {
        if let Kind::HandlerEnded { call, outcome: HandlerOutcome::Acknowledged, .. } = event.kind {
            done.insert(call);
        }
    }
    count(events, |kind| matches!(kind, Kind::CallEnded { call, code, .. } if *code != Code::Ok && done.contains(call)))
}

fn lost(events: &[Event]) -> usize {
    count(events, |kind| matches!(kind, Kind::RecordLost { .. }))
}

impl Row {
    fn check(&self) -> Result<(), String> {
        let plan = plan(self);
        let (storm, calm) = (run(&plan, false), run(&plan, true));
        let (matched, fired) = counts(&storm, 0);
        if (self.bites)(&calm) {
            return Err("the twin without the fault shows it too".into());
        }
        if !(self.bites)(&storm) {
            return Err(format!("does not bite (matched {matched}, fired {fired}, {} calls failed)", failed(&storm)));
        }
        if fired == 0 || fired > matched {
            return Err(format!("matched {matched}, fired {fired}"));
        }
        match self.fired {
            Fired::As(seen) if seen(&storm) as u64 != fired => {
                Err(format!("says that it fired {fired} times; the trial saw {}", seen(&storm)))
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn every_kind_of_fault_bites_and_counts() {
    let wrong: Vec<String> =
        rows().iter().filter_map(|row| Some(format!("{}: {}", row.fault, row.check().err()?))).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A kind without a row is a fault that nobody has seen bite.
#[test]
fn no_kind_is_left_out() {
    let rows = rows();
    // Its effect is on what TCP does with a second copy: nothing that a call could show.
    let elsewhere = ["duplicate"];
    for info in FAULTS.iter().filter(|info| !elsewhere.contains(&info.kind)) {
        assert!(rows.iter().any(|row| row.kind == info.kind), "{} has no row", info.kind);
    }
}

/// How often two faults struck the calls due while both held: the one that delays, the one that fails, both, of how many.
fn struck(delays: &str, fails: &str, seed: u64) -> (usize, usize, usize, usize) {
    let text = format!(
        "name: two
about: Two faults.
duration: 12s
servers: {{ telemetry: {{ replicas: 3 }} }}
clients: {{ devices: {{ count: 6, calls: telemetry, load: {{ constant: 100/s }} }} }}
faults:
  - {{ at: 1s, for: 11s, grpc: {delays} }}
  - {{ at: 1s, for: 11s, grpc: {fails} }}
strategies: [{{ name: plain }}]
"
    );
    let plan = scenario::parse("two.yaml", &text, &Alone).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let events = trial::run(&plan, TrialSpec { strategy: 0, seed, control: false }, Vec::new()).unwrap();
    let mut begun = std::collections::BTreeMap::new();
    let (mut a, mut b, mut both, mut all) = (0, 0, 0, 0);
    for event in &events {
        match event.kind {
            Kind::CallStarted { call, scheduled_ns } if (1_000_000_000..11_000_000_000).contains(&scheduled_ns) => {
                begun.insert(call, event.at);
            }
            Kind::CallEnded { call, code, .. } => {
                let Some(at) = begun.get(&call) else { continue };
                let (late, failed) = (event.at - *at > ms(200), code != Code::Ok);
                all += 1;
                a += usize::from(late);
                b += usize::from(failed);
                both += usize::from(late && failed);
            }
            _ => {}
        }
    }
    (a, b, both, all)
}

/// 10% is a tenth of the calls, for each of two faults, and a hundredth for both: neither draw knows of the other.
#[test]
fn a_rate_is_per_call_and_independent_between_faults() {
    let near = |count: usize, share: f64, all: usize| {
        let (expected, sd) = (share * all as f64, (share * (1.0 - share) * all as f64).sqrt());
        assert!((count as f64 - expected).abs() < 4.0 * sd, "{count} of {all}, not {expected:.0}");
    };
    for seed in 1..=3 {
        let late = "{ server: telemetry, rate: 10%, delay: 300ms }";
        let fails = "{ server: telemetry, rate: 10%, when: after_handler, status: INTERNAL }";
        let (a, b, both, all) = struck(late, fails, seed);
        assert!(all > 5500, "{all}");
        near(a, 0.1, all);
        near(b, 0.1, all);
        near(both, 0.01, all);
    }
}

/// The counts of a fault, run alone in the usual world.
fn alone(fault: &'static str, edit: fn(&mut Plan)) -> (u64, u64, Vec<Event>) {
    let mut plan = plan(&row("grpc", fault, |_| true, Fired::Somehow));
    edit(&mut plan);
    let events = run(&plan, false);
    let (matched, fired) = counts(&events, 0);
    (matched, fired, events)
}

/// A ramp of five seconds over a window of five: half of what strikes at full strength, and nearly nothing in the first second.
#[test]
fn a_ramp_grows() {
    let fault = "grpc: { server: telemetry, status: INTERNAL }";
    let (matched, fired, events) = alone(fault, |plan| plan.faults[0].ramp = Duration::from_secs(5));
    assert!(fired.abs_diff(matched / 2) < matched / 8, "{fired} of {matched}");
    let by = |from: f64, to: f64| {
        let inside = |event: &&Event| (from..to).contains(&event.at.as_secs_f64());
        events.iter().filter(inside).filter(|e| matches!(e.kind, Kind::CallEnded { code: Code::Internal, .. })).count()
    };
    assert!(by(5.0, 6.0) < 10 && by(9.0, 10.0) > 20, "{} then {}", by(5.0, 6.0), by(9.0, 10.0));
    let slow = |ramp| {
        let fault = "slow_link: { between: [devices, telemetry], add: 100ms }";
        let (_, _, events) = alone(fault, ramp);
        slower(&events, ms(150))
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
        let events = trial::run(&plan, TrialSpec { strategy: 0, seed, control: false }, Vec::new()).unwrap();
        assert_eq!(counts(&events, 0).1 as usize, hosts(&events, HostChange::Down));
        hosts(&events, HostChange::Down)
    };
    assert_eq!(downs("100%", 1), 4);
    let all: usize = (1..=20).map(|seed| downs("50%", seed)).sum();
    assert!((25..=55).contains(&all), "{all} of 80");
}
