//! Hand-made logs with figures that can be counted on fingers.

use super::*;
use crate::clock::Instant;
use crate::record::{HandlerOutcome, LOG_VERSION};
use crate::scenario::{ErrorFilter, Metric};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;

fn header() -> Header {
    let names = |id: &str| crate::record::FaultNames {
        id: id.to_owned(),
        kind: "crash".to_owned(),
        line: 7,
        may_not_fire: false,
    };
    Header {
        log_version: LOG_VERSION,
        squall_version: "0.1.0".to_owned(),
        scenario: "by-hand".to_owned(),
        file: "by-hand.yaml".to_owned(),
        strategy: "naive".to_owned(),
        seed: 1,
        control: false,
        duration_ns: 20 * SECOND,
        clients: Vec::new(),
        servers: Vec::new(),
        faults: vec![names("crash-1"), names("crash-2")],
    }
}

fn fold(parts: Parts, events: &[(u64, Kind)]) -> TrialMetrics {
    let mut fold = TrialFold::new(&header(), Arc::new(parts));
    for (at, kind) in events {
        fold.event(&Event { at: Instant::from_nanos(*at), kind: *kind });
    }
    fold.finish()
}

fn whole(events: &[(u64, Kind)]) -> PartMetrics {
    fold(Parts::whole(0, 20 * SECOND), events).parts.remove(0)
}

const fn call(number: u32) -> CallId {
    CallId::new(0, number)
}

const fn started(number: u32, due: u64) -> (u64, Kind) {
    (due, Kind::CallStarted { call: call(number), scheduled_ns: due })
}

const fn ended(at: u64, number: u32, code: Code, origin: Origin) -> (u64, Kind) {
    (at, Kind::CallEnded { call: call(number), code, origin })
}

const fn ok(at: u64, number: u32) -> (u64, Kind) {
    ended(at, number, Code::Ok, Origin::Server)
}

const fn attempt(at: u64, number: u32, attempt: u32) -> (u64, Kind) {
    (at, Kind::AttemptStarted { call: call(number), attempt })
}

const fn recorded(number: u32) -> (u64, Kind) {
    (0, Kind::Recorded { server: 0, call: call(number) })
}

const fn record_lost(number: u32) -> (u64, Kind) {
    (0, Kind::RecordLost { server: 0, call: call(number) })
}

const fn handled(number: u32, busy_ns: u64, caller_gone: bool) -> [(u64, Kind); 2] {
    let (server, call, attempt) = (0, call(number), 1);
    let outcome = HandlerOutcome::Acknowledged;
    [
        (0, Kind::HandlerStarted { server, call, attempt, depth: 0 }),
        (0, Kind::HandlerEnded { server, call, attempt, busy_ns, outcome, caller_gone }),
    ]
}

#[test]
fn an_empty_log_has_no_figures() {
    let metrics = whole(&[]);
    for metric in [Metric::SuccessRate, Metric::Amplification, Metric::P99, Metric::MeanLatency, Metric::WastedWork] {
        assert_eq!(metrics.value(metric, ErrorFilter::ANY), None, "{metric}");
    }
    assert_eq!(metrics.value(Metric::Goodput, ErrorFilter::ANY), Some(0.0));
}

#[test]
fn calls_attempts_and_work_are_counted() {
    let events = [
        &[started(0, SECOND), attempt(SECOND, 0, 1), attempt(SECOND, 0, 2), ok(SECOND + MS, 0)][..],
        &[started(1, SECOND), attempt(SECOND, 1, 1), ok(SECOND + 3 * MS, 1)],
        &[started(2, 2 * SECOND), ended(2 * SECOND, 2, Code::Unavailable, Origin::Breaker)],
        &[started(3, 2 * SECOND), attempt(2 * SECOND, 3, 1), (4 * SECOND, Kind::CallAbandoned { call: call(3) })],
        &handled(0, 30, false),
        &handled(0, 10, true),
    ];
    let metrics = whole(&events.concat());
    let table = [
        (Metric::Calls, 4.0),
        (Metric::SuccessRate, 0.5),
        (Metric::Goodput, 0.1),
        (Metric::Attempts, 4.0),
        (Metric::Amplification, 1.0),
        (Metric::Executions, 2.0),
        (Metric::WorkAmplification, 0.5),
        (Metric::WastedWork, 0.25),
        (Metric::Errors, 2.0),
        // (1 + 3 + 0 + 2000) / 4: the abandoned call has waited two seconds.
        (Metric::MeanLatency, 501.0),
        (Metric::MaxLatency, 2000.0),
    ];
    for (metric, expected) in table {
        assert_eq!(metrics.value(metric, ErrorFilter::ANY), Some(expected), "{metric}");
    }
    let expected = [("CANCELLED/cancelled", 1), ("UNAVAILABLE/breaker", 1)];
    assert_eq!(metrics.errors, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

/// A failed expectation names calls: each list holds those that show best what it is about.
#[test]
fn the_calls_to_look_at_are_picked_on_the_way() {
    let events = [
        &[started(0, SECOND), attempt(SECOND, 0, 1), attempt(SECOND, 0, 2), recorded(0), recorded(0)][..],
        &[ok(SECOND + MS, 0)],
        &[started(1, SECOND), attempt(SECOND, 1, 1), ok(SECOND + 9 * MS, 1)],
        &[started(2, 2 * SECOND), ended(2 * SECOND + 2, 2, Code::Unavailable, Origin::Breaker)],
        &[started(3, 3 * SECOND), ended(3 * SECOND + 1, 3, Code::Unavailable, Origin::Breaker)],
        &[started(4, 3 * SECOND), ended(3 * SECOND + 5, 4, Code::Unavailable, Origin::Network)],
    ];
    let worst = whole(&events.concat()).worst;
    let numbers = |calls: &[WorstCall]| calls.iter().map(|one| one.call.number()).collect::<Vec<_>>();
    assert_eq!(numbers(&worst.slowest), [1, 0, 4]);
    assert_eq!(numbers(&worst.failed), [2, 4], "the first of each way to fail");
    assert_eq!(numbers(&worst.retried), [0]);
    assert_eq!((worst.lost, worst.duplicated), (vec![call(1)], vec![call(0)]));
}

#[test]
fn errors_are_counted_by_who_said_so() {
    let failed = |number, code, origin| [started(number, SECOND), ended(2 * SECOND, number, code, origin)];
    let metrics = whole(
        &[
            failed(0, Code::Unavailable, Origin::Network),
            failed(1, Code::Unavailable, Origin::Breaker),
            failed(2, Code::DeadlineExceeded, Origin::ClientDeadline),
            [started(3, SECOND), ok(2 * SECOND, 3)],
        ]
        .concat(),
    );
    let table = [
        (None, None, 3.0),
        (Some(Code::Unavailable), None, 2.0),
        (None, Some(Origin::Breaker), 1.0),
        (Some(Code::Unavailable), Some(Origin::Network), 1.0),
        (Some(Code::DeadlineExceeded), Some(Origin::Network), 0.0),
    ];
    for (code, origin, expected) in table {
        let filter = ErrorFilter { code, origin };
        assert_eq!(metrics.value(Metric::Errors, filter), Some(expected), "{filter:?}");
        assert_eq!(metrics.value(Metric::ErrorRate, filter), Some(expected / 4.0), "{filter:?}");
    }
}

/// The client was held up for a second before it could even begin: that second counts.
#[test]
fn latency_counts_from_the_due_time() {
    let late = (2 * SECOND, Kind::CallStarted { call: call(0), scheduled_ns: SECOND });
    assert_eq!(whole(&[late, ok(2 * SECOND + MS, 0)]).value(Metric::MaxLatency, ErrorFilter::ANY), Some(1001.0));
}

#[test]
fn a_log_that_breaks_off_counts_open_calls_as_abandoned() {
    let metrics = whole(&[started(0, SECOND), started(1, SECOND), ok(3 * SECOND, 1)]);
    assert_eq!(metrics.errors, [("CANCELLED/cancelled".to_owned(), 1)].into());
    assert_eq!(metrics.latency.count, 2);
}

/// Each row: what happened to one call, and how it is counted as (lost, duplicates, unacknowledged but recorded).
#[test]
fn acknowledgements_are_held_against_the_log() {
    let fallback = ended(MS, 0, Code::Ok, Origin::Fallback);
    let failed = ended(MS, 0, Code::Unavailable, Origin::Network);
    type Row<'a> = (&'a [(u64, Kind)], [u64; 3]);
    let table: [Row<'_>; 9] = [
        (&[recorded(0), ok(MS, 0)], [0, 0, 0]),
        (&[ok(MS, 0)], [1, 0, 0]),
        (&[recorded(0), ok(MS, 0), record_lost(0)], [1, 0, 0]),
        (&[recorded(0), record_lost(0), recorded(0), ok(MS, 0)], [0, 0, 0]),
        (&[recorded(0), recorded(0), recorded(0), ok(MS, 0)], [0, 2, 0]),
        (&[recorded(0), recorded(0), ok(MS, 0), record_lost(0)], [0, 0, 0]),
        (&[recorded(0), failed], [0, 0, 1]),
        (&[recorded(0), recorded(0)], [0, 1, 1]),
        // A fallback's answer is no promise.
        (&[fallback], [0, 0, 0]),
    ];
    for (events, expected) in table {
        let metrics = whole(&[&[started(0, 0)], events].concat());
        let observed = [metrics.lost_acknowledged, metrics.duplicates, metrics.unacknowledged_recorded];
        assert_eq!(observed, expected, "{events:?}");
    }
}

#[test]
fn each_part_has_the_calls_that_were_due_in_it() {
    let parts = Parts::new(5 * SECOND, 20 * SECOND, &[std::iter::once(10 * SECOND..15 * SECOND).collect()]);
    let events = [started(0, SECOND), started(1, 6 * SECOND), started(2, 12 * SECOND), ok(16 * SECOND, 2)];
    let metrics = fold(parts, &events);
    let figures: Vec<_> = metrics.parts.iter().map(|part| (part.span_ns / SECOND, part.calls, part.ok)).collect();
    assert_eq!(figures, [(15, 2, 1), (5, 1, 1)]);
}

#[test]
fn the_series_counts_calls_when_due_and_attempts_when_made() {
    let events = [started(0, SECOND), attempt(SECOND, 0, 1), attempt(2 * SECOND, 0, 2), ok(3 * SECOND, 0)];
    let series = fold(Parts::whole(0, 20 * SECOND), &events).series;
    assert_eq!((series.width_ns, series.stretches.len()), (100 * MS, 200));
    let at = |stretch: usize| series.stretches[stretch];
    assert_eq!((at(10).offered, at(10).ok, at(10).timely, at(10).attempts), (1, 1, 0, 1));
    assert_eq!((at(20).attempts, at(30).ok), (1, 0));
}

#[test]
fn faults_have_windows_and_counts() {
    let events = [
        (SECOND, Kind::FaultStarted { fault: 0 }),
        (2 * SECOND, Kind::FaultEnded { fault: 0 }),
        (3 * SECOND, Kind::FaultStarted { fault: 1 }),
        (4 * SECOND, Kind::FaultStarted { fault: 0 }),
        (5 * SECOND, Kind::FaultEnded { fault: 0 }),
        (20 * SECOND, Kind::FaultCounted { fault: 0, matched: 7, fired: 5 }),
        (20 * SECOND, Kind::Ended { wire_bytes: 99 }),
    ];
    let metrics = fold(Parts::whole(0, 20 * SECOND), &events);
    let windows: Vec<_> = metrics.fault_windows.iter().map(|w| (w.fault, w.start_ns, w.end_ns)).collect();
    assert_eq!(windows, [(0, SECOND, 2 * SECOND), (1, 3 * SECOND, u64::MAX), (0, 4 * SECOND, 5 * SECOND)]);
    assert_eq!(metrics.faults, [FaultCount { matched: 7, fired: 5 }, FaultCount::default()]);
    assert_eq!(metrics.wire_bytes, 99);
}
