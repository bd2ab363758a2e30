//! A trial made by hand: one call, whose first attempt fails and whose second waits at a server and succeeds.

use crate::clock::Instant;
use crate::record::{
    CallId, ClientNames, Code, Event, FaultNames, HandlerOutcome, Header, Kind, LOG_VERSION, Origin, ServerNames,
};

pub(super) fn header() -> Header {
    Header {
        log_version: LOG_VERSION,
        squall_version: "0.1.0".to_owned(),
        scenario: "by-hand".to_owned(),
        file: "by-hand.yaml".to_owned(),
        strategy: "naive".to_owned(),
        seed: 7,
        control: false,
        duration_ns: 1000,
        clients: vec![
            ClientNames { name: "devices".to_owned(), count: 2 },
            ClientNames { name: "robots".to_owned(), count: 1 },
        ],
        servers: vec![ServerNames { name: "telemetry".to_owned(), replicas: 2, workers: 1, called_by_clients: true }],
        faults: vec![FaultNames { id: "crash-1".to_owned(), kind: "crash".to_owned(), line: 3, may_not_fire: false }],
    }
}

pub(super) fn retried() -> Vec<Event> {
    let call = CallId::new(1, 4);
    let (ok, unavailable) = ((Code::Ok, Origin::Server), (Code::Unavailable, Origin::Network));
    let ended = |attempt, (code, origin)| Kind::AttemptEnded { call, attempt, code, origin };
    let handled = Kind::HandlerEnded {
        server: 0,
        call,
        attempt: 2,
        busy_ns: 150,
        outcome: HandlerOutcome::Acknowledged,
        caller_gone: false,
    };
    [
        (0, Kind::CallStarted { call, scheduled_ns: 0 }),
        (0, Kind::AttemptStarted { call, attempt: 1 }),
        (100, Kind::FaultStarted { fault: 0 }),
        (300, ended(1, unavailable)),
        (300, Kind::RetryScheduled { call, attempt: 1, after_ns: 200 }),
        (400, Kind::FaultEnded { fault: 0 }),
        (500, Kind::AttemptStarted { call, attempt: 2 }),
        (600, Kind::Queued { server: 0, call, attempt: 2, depth: 1 }),
        (650, Kind::HandlerStarted { server: 0, call, attempt: 2, depth: 0 }),
        (800, handled),
        (900, ended(2, ok)),
        (900, Kind::CallEnded { call, code: Code::Ok, origin: Origin::Server }),
        (1000, Kind::Ended { wire_bytes: 1 }),
    ]
    .into_iter()
    .map(|(at, kind)| Event { at: Instant::from_nanos(at), kind })
    .collect()
}
