//! Faults of processes, machines, disks and clocks; and of fleets of them.

use std::collections::BTreeMap;

use squall::record::{Code, HostChange, Kind};

use crate::capture::{Seen, held};
use crate::world::{
    Fired, Row, USUAL, With, busier, count, ended, failed, hosts, lost, meanwhile, ms, others_failed, row, slower,
    slower_by, started, with,
};

fn down(seen: &Seen) -> usize {
    hosts(seen, HostChange::Down)
}

fn draining(seen: &Seen) -> usize {
    hosts(seen, HostChange::Draining)
}

fn wrong_clock(seen: &Seen) -> usize {
    ended(seen, Code::FailedPrecondition)
}

fn no_room(seen: &Seen) -> usize {
    ended(seen, Code::ResourceExhausted)
}

/// Servers that worked on several calls at once until the fault, and on one at a time from then until its end.
fn narrowed(seen: &Seen) -> usize {
    let mut now: BTreeMap<u32, u32> = BTreeMap::new();
    let mut most: BTreeMap<(u32, bool), u32> = BTreeMap::new();
    for event in &seen.events {
        match event.kind {
            Kind::HandlerStarted { server, .. } => {
                let busy = now.entry(server).or_default();
                *busy += 1;
                let most = most.entry((server, held(event.at))).or_default();
                *most = (*most).max(*busy);
            }
            Kind::HandlerEnded { server, .. } => *now.entry(server).or_default() -= 1,
            _ => {}
        }
    }
    (0..3).filter(|server| most.get(&(*server, false)) > Some(&1) && most.get(&(*server, true)) == Some(&1)).count()
}

/// Handlers of one client that were busy for longer than this, and those of all others.
fn busy_for(seen: &Seen, client: u32, than_ms: u64) -> (usize, usize) {
    let busy = |own: bool| {
        let is = |kind: &Kind| {
            matches!(kind, Kind::HandlerEnded { call, busy_ns, .. }
                if (call.client() == client) == own && *busy_ns > than_ms * 1_000_000)
        };
        count(seen, is)
    };
    (busy(true), busy(false))
}

fn handled(seen: &Seen) -> usize {
    meanwhile(seen, |kind| matches!(kind, Kind::HandlerStarted { .. }))
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = processes();
    rows.extend(slowness());
    rows.extend(disks_and_clocks());
    rows.extend(fleets());
    rows
}

fn processes() -> Vec<Row> {
    vec![
        row("crash", "crash: { server: telemetry/0 }", |seen| down(seen) == 1, Fired::As(down)),
        row(
            "crash",
            "crash: { server: telemetry, some: 2, how: power_loss }",
            |seen| down(seen) == 2 && ended(seen, Code::DeadlineExceeded) > 20,
            Fired::As(down),
        ),
        row(
            "crash",
            "crash: { server: telemetry, some: 2, how: { graceful: 2s } }",
            |seen| draining(seen) == 2 && down(seen) == 2 && failed(seen) == 0,
            Fired::As(draining),
        ),
        // A grace longer than the fault ends with it: the process that follows is left alone.
        row(
            "crash",
            "crash: { server: telemetry, how: { graceful: 7s } }",
            |seen| draining(seen) == 3 && down(seen) == 3 && hosts(seen, HostChange::Up) == 6,
            Fired::As(draining),
        ),
        row(
            "crash_loop",
            "crash_loop: { server: telemetry/1, up: 500ms, down: 200ms, cap: 1s }",
            |seen| down(seen) >= 4,
            Fired::As(down),
        ),
        row(
            "pause",
            "pause: { server: telemetry/2 }",
            |seen| ended(seen, Code::DeadlineExceeded) > 20,
            Fired::As(|seen| hosts(seen, HostChange::Paused)),
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
                |seen| slower(seen, ms(300)) > 20,
                Fired::As(narrowed),
            ),
        ),
    ]
}

fn slowness() -> Vec<Row> {
    vec![
        row(
            "slow_server",
            "slow_server: { server: telemetry/0, factor: 5 }",
            |seen| busier(seen, ms(45)) > 20,
            Fired::As(|seen| busier(seen, ms(45))),
        ),
        row(
            "slow_server",
            "only: { clients: [devices/1], method: ReportAlert }, slow_server: { server: telemetry, add: 90ms }",
            |seen| matches!(busy_for(seen, 1, 90), (20.., 0)),
            Fired::As(|seen| busier(seen, ms(90))),
        ),
        row(
            "slow_server",
            "only: { every: 7, first: 6 }, slow_server: { server: telemetry, add: 90ms }",
            |seen| busier(seen, ms(90)) == 6,
            Fired::As(|seen| busier(seen, ms(90))),
        ),
        row(
            "cold_cache",
            "cold_cache: { server: telemetry, factor: 5 }",
            |seen| busier(seen, ms(30)) > 20 && busier(seen, ms(30)) < 100,
            Fired::As(handled),
        ),
        row(
            "cold_cache",
            "only: { clients: [devices/3] }, cold_cache: { server: telemetry, factor: 50 }",
            |seen| matches!(busy_for(seen, 3, 30), (15.., 0)),
            Fired::As(|seen| busy_for(seen, 3, 10).0),
        ),
    ]
}

fn disks_and_clocks() -> Vec<Row> {
    const SKEW: With = With { server: "max_skew: 2s", ..USUAL };
    const SYNC: With = With { server: "durability: sync, disk: 2ms", ..USUAL };
    vec![
        with(
            SKEW,
            row(
                "clock_skew",
                "clock_skew: { hosts: devices/0-1, behind: 3s }",
                |seen| wrong_clock(seen) > 20,
                Fired::As(wrong_clock),
            ),
        ),
        with(
            SKEW,
            row(
                "clock_skew",
                "clock_skew: { hosts: telemetry/0, ahead: 3s }",
                |seen| wrong_clock(seen) > 20,
                Fired::As(wrong_clock),
            ),
        ),
        with(
            SYNC,
            row(
                "slow_disk",
                "slow_disk: { server: telemetry/0, factor: 50 }",
                |seen| busier(seen, ms(100)) > 20,
                Fired::As(|seen| busier(seen, ms(100))),
            ),
        ),
        with(
            SYNC,
            row(
                "slow_disk",
                "only: { clients: [devices/0] }, slow_disk: { server: telemetry, add: 150ms }",
                |seen| matches!(slower_by(seen, 0, ms(150)), (20.., 0)),
                Fired::As(|seen| slower(seen, ms(150))),
            ),
        ),
        row("full_disk", "full_disk: { server: telemetry/0 }", |seen| no_room(seen) > 20, Fired::As(no_room)),
        row(
            "full_disk",
            "only: { first: 9, clients: [devices/0, devices/5] }, full_disk: { server: telemetry }",
            |seen| no_room(seen) == 9 && others_failed(seen, 0) < 9 && others_failed(seen, 5) < 9,
            Fired::As(no_room),
        ),
        with(
            With { faults: "  - { at: 9900ms, for: 1s, crash: { server: telemetry/0, how: power_loss } }\n", ..USUAL },
            row("lying_disk", "lying_disk: { server: telemetry/0 }", |seen| lost(seen) > 20, Fired::As(lost)),
        ),
    ]
}

fn fleets() -> Vec<Row> {
    vec![
        row(
            "rolling_restart",
            "rolling_restart: { server: telemetry, down: 500ms, how: { graceful: 500ms } }",
            |seen| draining(seen) == 3,
            Fired::As(down),
        ),
        row(
            "deploy",
            "deploy: { server: telemetry, batch: 2, down: 200ms, how: kill, errors: 50%, factor: 3 }",
            |seen| ended(seen, Code::Internal) > 20 && busier(seen, ms(25)) > 20,
            Fired::As(down),
        ),
        row(
            "autoscale",
            "autoscale: { server: telemetry, to: 1, grace: 500ms }",
            |seen| started(seen, 1) + started(seen, 2) < 10 && started(seen, 0) > 100,
            Fired::As(draining),
        ),
        // The default grace is as long as the fault: who starts again must not be taken for who drains.
        row(
            "autoscale",
            "autoscale: { server: telemetry, to: 2 }",
            |seen| draining(seen) == 1 && down(seen) == 1 && hosts(seen, HostChange::Up) == 4,
            Fired::As(draining),
        ),
    ]
}
