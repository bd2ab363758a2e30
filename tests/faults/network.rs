//! Faults of packets: counted on the wire.

use crate::capture::{Seen, Sent};
use crate::world::{CUT, Fired, LINK, Row, USUAL, With, ended, ms, row, slower, slower_by, with};
use squall::record::Code;

/// Packets that were sent while the fault held and took longer than the link.
fn late(seen: &Seen) -> usize {
    seen.packets(|sent| sent.meanwhile() && sent.is_late(LINK))
}

/// Packets that never arrived.
fn gone(seen: &Seen) -> usize {
    seen.packets(Sent::is_lost)
}

pub(crate) fn rows() -> Vec<Row> {
    const PAIRS: With = With { client: "load: { constant: 5/s }, payload: 20KiB", ..USUAL };
    const IDLE: With =
        With { client: "load: { bursts: { size: 1, every: 4s } }", channel: "balance: pick_first", ..USUAL };
    vec![
        row(
            "slow_link",
            "slow_link: { between: [devices, telemetry], add: 50ms }",
            |seen| slower(seen, ms(100)) > 100,
            Fired::As(late),
        ),
        row(
            "slow_link",
            "only: { clients: [devices/2] }, slow_link: { between: [devices, telemetry], add: 50ms }",
            |seen| matches!(slower_by(seen, 2, ms(100)), (20.., 0)),
            Fired::As(late),
        ),
        row(
            "jitter",
            "jitter: { between: [devices, telemetry], up_to: 100ms }",
            |seen| slower(seen, ms(60)) > 50,
            Fired::As(late),
        ),
        row(
            "loss",
            "loss: { between: [devices, telemetry], rate: 20% }",
            |seen| slower(seen, ms(100)) > 10,
            Fired::As(gone),
        ),
        row(
            "loss",
            "loss: { from: devices, to: telemetry, rate: { gilbert_elliott: { enter: 5%, leave: 30%, bad: 90%, good: 1% } } }",
            |seen| slower(seen, ms(100)) > 5,
            Fired::As(gone),
        ),
        // Every tenth packet, to the packet, until there were five.
        row(
            "loss",
            "only: { every: 10, first: 5 }, loss: { between: [devices, telemetry], rate: 100% }",
            |seen| {
                let held: Vec<bool> = seen.packets.iter().filter(|s| s.meanwhile()).map(Sent::is_lost).collect();
                held.iter().enumerate().all(|(turn, lost)| *lost == (turn % 10 == 0 && turn < 50))
            },
            Fired::As(gone),
        ),
        row(
            "reorder",
            "reorder: { between: [devices, telemetry], rate: 30%, hold: 40ms }",
            |seen| slower(seen, ms(50)) > 20,
            Fired::As(late),
        ),
        // What TCP makes of a second copy no call can show; its kernel says so (D-SACK, RFC 2883).
        row(
            "duplicate",
            "duplicate: { between: [devices, telemetry], rate: 30% }",
            |seen| seen.packets(|sent| sent.packet.segment.sacks.duplicate().is_some()) > 20,
            Fired::As(|seen| seen.packets(|sent| sent.packet.copy_at.is_some())),
        ),
        with(
            PAIRS,
            row(
                "bandwidth",
                "bandwidth: { between: [devices, telemetry], limit: 1Mbit/s }",
                |seen| slower(seen, ms(100)) > 50,
                // What waited, and what found no room.
                Fired::As(|seen| late(seen) + gone(seen)),
            ),
        ),
        row(
            "partition",
            "partition: { between: [devices, telemetry/0] }",
            |seen| ended(seen, Code::DeadlineExceeded) > 20,
            Fired::As(gone),
        ),
        row(
            "partition",
            "partition: { from: telemetry/0, to: devices }",
            |seen| ended(seen, Code::DeadlineExceeded) > 20,
            Fired::As(gone),
        ),
        row(
            "partition",
            "only: { first: 3 }, partition: { between: [devices, telemetry] }",
            |seen| gone(seen) == 3,
            Fired::As(gone),
        ),
        row(
            "flap",
            "flap: { between: [devices, telemetry], down: 200ms, up: 800ms }",
            |seen| slower(seen, ms(150)) > 20,
            Fired::As(gone),
        ),
        // Turns go on through the times when the link is up.
        row(
            "flap",
            "only: { first: 30 }, flap: { between: [devices, telemetry], down: 200ms, up: 800ms }",
            |seen| gone(seen) == 30,
            Fired::As(gone),
        ),
        row(
            "black_hole",
            "black_hole: { hosts: telemetry/1 }",
            |seen| ended(seen, Code::DeadlineExceeded) > 20,
            Fired::As(gone),
        ),
        row(
            "black_hole",
            "only: { clients: [devices/4] }, black_hole: { hosts: telemetry }",
            |seen| gone(seen) > 5 && seen.packets(|sent| sent.is_lost() && sent.client != 3 + 4) == 0,
            Fired::As(gone),
        ),
        with(
            IDLE,
            // Each client's only connection, once: nobody tells the client.
            row(
                "nat_expiry",
                "nat_expiry: { between: [devices, telemetry], idle: 1s }",
                |seen| ended(seen, Code::DeadlineExceeded) >= 6,
                Fired::As(Seen::connections_with_losses),
            ),
        ),
        with(
            IDLE,
            row(
                "nat_expiry",
                "only: { first: 2 }, nat_expiry: { between: [devices, telemetry], idle: 1s }",
                |seen| ended(seen, Code::DeadlineExceeded) >= 2 && seen.connections_with_losses() == 2,
                Fired::As(Seen::connections_with_losses),
            ),
        ),
        with(
            CUT,
            row(
                "backlog_full",
                "backlog_full: { server: telemetry/0 }",
                |seen| seen.packets(|sent| sent.server == 0 && sent.knocks()) > 12,
                Fired::As(|seen| seen.packets(|sent| sent.server == 0 && sent.knocks())),
            ),
        ),
    ]
}
