//! Faults of connections and of the HTTP/2 frames on them.

use squall::record::{Code, ConnectionChange, Kind};

use crate::capture::{DATA, GOAWAY, PING, SETTINGS, Seen, WINDOW_UPDATE};
use crate::world::{
    CUT, Fired, LINK, Row, USUAL, With, again, again_at, connections, connections_of, ended, failed, ms, row, slower,
    slower_by, started, with,
};

/// SETTINGS_MAX_CONCURRENT_STREAMS.
const MAX_STREAMS: u16 = 3;
/// ENHANCE_YOUR_CALM.
const CALM: u8 = 11;
/// What a health service says that does not serve, as a gRPC message.
const NOT_SERVING: [u8; 7] = [0, 0, 0, 0, 2, 8, 2];

const IDLE: With = With { client: "load: { bursts: { size: 1, every: 4s } }", channel: "balance: pick_first", ..USUAL };
const PINGS: With =
    With { channel: "balance: round_robin, keepalive: { time: 500ms, timeout: 500ms, without_calls: true }", ..USUAL };
const BURSTS: With = With {
    client: "load: { bursts: { size: 8, every: 1s } }",
    channel: "balance: pick_first, connect_backoff: { constant: 200ms }",
    ..CUT
};

fn closed(seen: &Seen) -> usize {
    connections(seen, ConnectionChange::Closed)
}

fn refused(seen: &Seen) -> usize {
    connections(seen, ConnectionChange::Failed)
}

/// Whether the last connection to the first server was ready late: six are accepted one after the other, 300 ms apart.
fn late_ready(seen: &Seen) -> bool {
    let ready = |kind: &Kind| matches!(kind, Kind::Connection { server: 0, change: ConnectionChange::Ready, .. });
    seen.events.iter().rfind(|event| ready(&event.kind)).is_some_and(|event| event.at.as_secs_f64() > 6.5)
}

/// Connections that were allowed one stream.
fn narrowed(seen: &Seen) -> usize {
    seen.connections_that_heard(|frame| frame.setting(MAX_STREAMS) == Some(1))
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = ends();
    rows.extend(beginnings());
    rows.extend(frames());
    rows
}

/// How connections end.
fn ends() -> Vec<Row> {
    vec![
        row("reset", "reset: { between: [devices, telemetry] }", |seen| closed(seen) == 18, Fired::As(closed)),
        row(
            "reset",
            "only: { every: 3 }, reset: { between: [devices, telemetry] }",
            |seen| closed(seen) == 6,
            Fired::As(closed),
        ),
        row(
            "half_open",
            "half_open: { clients: devices, server: telemetry/0 }",
            |seen| closed(seen) == 6,
            Fired::As(closed),
        ),
        row(
            "half_open",
            "only: { first: 2 }, half_open: { clients: devices, server: telemetry/0 }",
            |seen| closed(seen) == 2,
            Fired::As(closed),
        ),
        with(
            IDLE,
            row("idle_kill", "idle_kill: { server: telemetry, idle: 1s }", |seen| closed(seen) > 0, Fired::As(closed)),
        ),
        with(
            IDLE,
            row(
                "idle_kill",
                "only: { clients: [devices/1, devices/3-4] }, idle_kill: { server: telemetry, idle: 1s }",
                |seen| {
                    let of = |client: u32| connections_of(seen, client, ConnectionChange::Closed);
                    of(1) > 0 && of(3) > 0 && of(4) > 0 && of(0) + of(2) + of(5) == 0
                },
                Fired::As(closed),
            ),
        ),
        row(
            "goaway",
            "goaway: { server: telemetry/1 }",
            |seen| closed(seen) == 6 && failed(seen) == 0,
            Fired::As(|seen| seen.connections_that_heard(|frame| frame.goes_away(0))),
        ),
        row(
            "goaway",
            "only: { first: 4 }, goaway: { server: telemetry }",
            |seen| closed(seen) == 4,
            Fired::As(|seen| seen.connections_that_heard(|frame| frame.kind == GOAWAY)),
        ),
        // With an error: what is open fails, as with any connection that is lost.
        with(
            With { service: "300ms", ..USUAL },
            row(
                "goaway",
                "goaway: { server: telemetry/1, code: ENHANCE_YOUR_CALM }",
                |seen| closed(seen) == 6 && ended(seen, Code::Unavailable) > 0,
                Fired::As(|seen| seen.connections_that_heard(|frame| frame.goes_away(CALM))),
            ),
        ),
        with(
            With { service: "300ms", ..USUAL },
            row(
                "goaway",
                "only: { clients: [devices/0-2] }, goaway: { server: telemetry, code: INTERNAL_ERROR }",
                |seen| closed(seen) == 9 && failed(seen) > 0,
                Fired::As(|seen| seen.connections_that_heard(|frame| frame.goes_away(2))),
            ),
        ),
    ]
}

/// How they are made.
fn beginnings() -> Vec<Row> {
    vec![
        with(CUT, row("refuse", "refuse: { server: telemetry }", |seen| refused(seen) > 50, Fired::As(refused))),
        with(
            CUT,
            row(
                "refuse",
                "only: { every: 2, first: 4 }, refuse: { server: telemetry }",
                |seen| refused(seen) == 4 && again(seen) == 18,
                Fired::As(refused),
            ),
        ),
        with(
            CUT,
            row(
                "refuse",
                "only: { clients: [devices/5] }, refuse: { server: telemetry }",
                |seen| refused(seen) > 10 && connections_of(seen, 5, ConnectionChange::Failed) == refused(seen),
                Fired::As(refused),
            ),
        ),
        with(
            CUT,
            row(
                "backlog_full",
                "only: { first: 3 }, backlog_full: { server: telemetry/0 }",
                // The kernel knocks again after a second, and is let in.
                |seen| seen.packets(|sent| sent.server == 0 && sent.knocks()) == 9 && again(seen) == 18,
                Fired::As(|seen| seen.packets(|sent| sent.server == 0 && sent.knocks()) - 6),
            ),
        ),
        with(
            CUT,
            row(
                "slow_accept",
                "slow_accept: { server: telemetry/0, delay: 300ms }",
                |seen| again(seen) == 18 && late_ready(seen),
                Fired::As(|seen| again_at(seen, 0)),
            ),
        ),
        with(
            CUT,
            row(
                "slow_accept",
                "only: { first: 2 }, slow_accept: { server: telemetry/0, delay: 2s }",
                |seen| again_at(seen, 0) == 6 && late_ready(seen),
                Fired::As(|_| 2),
            ),
        ),
        with(
            BURSTS,
            row(
                "max_streams",
                "max_streams: { server: telemetry, streams: 1 }",
                |seen| slower(seen, ms(60)) > 20,
                Fired::As(narrowed),
            ),
        ),
        with(
            BURSTS,
            row(
                "max_streams",
                "only: { clients: [devices/0] }, max_streams: { server: telemetry, streams: 1 }",
                |seen| matches!(slower_by(seen, 0, ms(60)), (5.., 0)),
                Fired::As(narrowed),
            ),
        ),
    ]
}

/// What is said on them.
fn frames() -> Vec<Row> {
    vec![
        with(
            PINGS,
            row(
                "withhold",
                "withhold: { server: telemetry, frames: ping_ack }",
                |seen| closed(seen) > 0,
                Fired::As(|seen| seen.heard(LINK, |frame| frame.kind == PING && !frame.is_ack())),
            ),
        ),
        with(
            PINGS,
            row(
                "withhold",
                "only: { clients: [devices/2] }, withhold: { server: telemetry, frames: ping_ack }",
                |seen| closed(seen) > 0 && connections_of(seen, 2, ConnectionChange::Closed) == closed(seen),
                // Servers are counted before clients.
                Fired::As(|seen| {
                    seen.heard(LINK, |frame| frame.kind == PING && !frame.is_ack() && frame.client == 3 + 2)
                }),
            ),
        ),
        with(
            With { client: "load: { constant: 5/s }, payload: 200KiB", ..USUAL },
            row(
                "withhold",
                "withhold: { server: telemetry, frames: window_update }",
                |seen| ended(seen, Code::DeadlineExceeded) > 20 && seen.said(|frame| frame.kind == WINDOW_UPDATE) == 0,
                Fired::Unseen("when a server would have opened a window, only the server knows"),
            ),
        ),
        with(
            CUT,
            row(
                "withhold",
                "withhold: { server: telemetry, frames: settings }",
                |seen| failed(seen) > 20 && seen.said(|frame| frame.kind == SETTINGS) == 0,
                // Its own for each connection, and the acknowledgement of the client's.
                Fired::As(|seen| 2 * seen.heard(LINK, |frame| frame.kind == SETTINGS && !frame.is_ack())),
            ),
        ),
        with(
            With { channel: "balance: round_robin, health: telemetry", ..USUAL },
            // Each client watches each replica; those of one are told a lie.
            row(
                "health_lie",
                "health_lie: { server: telemetry/0, says: not_serving }",
                |seen| started(seen, 0) < 10 && started(seen, 1) > 60,
                Fired::As(|seen| seen.said(|frame| frame.kind == DATA && frame.payload == NOT_SERVING)),
            ),
        ),
    ]
}
