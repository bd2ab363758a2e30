//! What a trial showed to those who were not in it: events, packets on the wire, and HTTP/2 frames inside them.
//!
//! A fault's own books are held against these. Packets are told by the network's observer, which knows nothing of faults; frames are
//! read out of the bytes that programs wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::clock::{self, Instant};
use squall::net::{ConnectionEvent, ConnectionId, Observer, Packet, Side};
use squall::record::Event;
use squall::scenario::Plan;
use squall::trial::{self, TrialSpec};

/// Everything that a trial showed.
pub(crate) struct Seen {
    pub(crate) events: Vec<Event>,
    pub(crate) packets: Vec<Sent>,
    pub(crate) frames: Vec<Frame>,
}

/// A packet, and between which hosts: servers are counted first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) client: usize,
    pub(crate) server: usize,
    pub(crate) packet: Packet,
}

/// An HTTP/2 frame that a program wrote.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) at: Instant,
    pub(crate) connection: ConnectionId,
    /// The host that connected.
    pub(crate) client: usize,
    /// Who wrote it.
    pub(crate) sender: Side,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
}

/// Kinds of frames (RFC 9113, section 6).
pub(crate) const DATA: u8 = 0;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
/// The flag of an acknowledgement.
const ACK: u8 = 1;

/// Runs the first strategy of a plan, watched.
pub(crate) fn watch(plan: &Plan, seed: u64, control: bool) -> Seen {
    let tap = Arc::new(Tap::default());
    let spec = TrialSpec { strategy: 0, seed, control };
    let events = trial::run_watched(plan, spec, Vec::new(), Some(Arc::clone(&tap) as Arc<dyn Observer>)).unwrap();
    let Wire { packets, frames, .. } = std::mem::take(&mut *tap.0.lock().unwrap());
    Seen { events, packets, frames }
}

impl Sent {
    /// Whether it was sent while the fault held.
    pub(crate) fn meanwhile(&self) -> bool {
        held(self.packet.sent_at)
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.packet.arrives_at.is_none()
    }

    /// Whether it arrived, later than the link alone would have it.
    pub(crate) fn is_late(&self, link: Duration) -> bool {
        self.packet.arrives_at.is_some_and(|at| at - self.packet.sent_at > link)
    }

    /// Whether it asks for a connection, and arrives while the fault holds.
    pub(crate) fn knocks(&self) -> bool {
        let flags = self.packet.segment.flags;
        flags.syn && !flags.ack && self.packet.arrives_at.is_some_and(held)
    }
}

/// Whether a fault from 5 s to 10 s holds.
pub(crate) fn held(at: Instant) -> bool {
    (5.0..10.0).contains(&at.as_secs_f64())
}

impl Frame {
    pub(crate) fn is_ack(&self) -> bool {
        self.flags & ACK != 0
    }

    /// Whether it says GOAWAY with this code.
    pub(crate) fn goes_away(&self, code: u8) -> bool {
        self.kind == GOAWAY && self.payload[4..8] == [0, 0, 0, code]
    }

    /// The value of a setting, if it has it.
    pub(crate) fn setting(&self, id: u16) -> Option<u32> {
        let settings = self.payload.chunks_exact(6).filter(|_| self.kind == SETTINGS);
        let of = |setting: &&[u8]| setting[..2] == id.to_be_bytes();
        settings.filter(of).map(|setting| u32::from_be_bytes(setting[2..].try_into().unwrap())).next()
    }
}

impl Seen {
    /// Packets of this sort.
    pub(crate) fn packets(&self, which: impl Fn(&Sent) -> bool) -> usize {
        self.packets.iter().filter(|sent| which(sent)).count()
    }

    /// Connections that lost a packet.
    pub(crate) fn connections_with_losses(&self) -> usize {
        let lost = self.packets.iter().filter(|sent| sent.is_lost());
        lost.map(|sent| sent.packet.connection).collect::<BTreeSet<_>>().len()
    }

    /// Frames of servers of this sort, written while the fault held.
    pub(crate) fn said(&self, which: impl Fn(&Frame) -> bool) -> usize {
        let servers = self.frames.iter().filter(|frame| frame.sender == Side::Server && held(frame.at));
        servers.filter(|frame| which(frame)).count()
    }

    /// Frames of clients of this sort, that reached their server while the fault held.
    pub(crate) fn heard(&self, link: Duration, which: impl Fn(&Frame) -> bool) -> usize {
        let clients = self.frames.iter().filter(|frame| frame.sender == Side::Client && held(frame.at + link));
        clients.filter(|frame| which(frame)).count()
    }

    /// Connections on which a server wrote such a frame.
    pub(crate) fn connections_that_heard(&self, which: impl Fn(&Frame) -> bool) -> usize {
        let servers = self.frames.iter().filter(|frame| frame.sender == Side::Server && which(frame));
        servers.map(|frame| frame.connection).collect::<BTreeSet<_>>().len()
    }
}

#[derive(Default)]
struct Tap(Mutex<Wire>);

#[derive(Default)]
struct Wire {
    /// From which host to which.
    between: BTreeMap<ConnectionId, (usize, usize)>,
    /// What programs have written that is no whole frame yet.
    halves: BTreeMap<(ConnectionId, usize), Vec<u8>>,
    packets: Vec<Sent>,
    frames: Vec<Frame>,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER: usize = 9;

impl Observer for Tap {
    fn connection(&self, _: Instant, id: ConnectionId, event: &ConnectionEvent) {
        if let ConnectionEvent::Connecting { from, to } = event {
            self.0.lock().unwrap().between.insert(id, (from.index(), to.host.index()));
        }
    }

    fn packet(&self, packet: &Packet) {
        let mut wire = self.0.lock().unwrap();
        let (client, server) = wire.between[&packet.connection];
        wire.packets.push(Sent { client, server, packet: *packet });
    }

    fn payload(&self, connection: ConnectionId, sender: Side, bytes: &[u8]) {
        let mut wire = self.0.lock().unwrap();
        let Wire { between, halves, frames, .. } = &mut *wire;
        let half = halves.entry((connection, sender as usize)).or_default();
        half.extend_from_slice(bytes);
        if half.starts_with(PREFACE) {
            half.drain(..PREFACE.len());
        }
        while half.len() >= HEADER && !PREFACE.starts_with(&half[..HEADER]) {
            let length = usize::from(half[0]) << 16 | usize::from(half[1]) << 8 | usize::from(half[2]);
            if half.len() < HEADER + length {
                return;
            }
            let (kind, flags, client) = (half[3], half[4], between[&connection].0);
            let payload = half[HEADER..HEADER + length].to_vec();
            half.drain(..HEADER + length);
            frames.push(Frame { at: clock::now(), connection, client, sender, kind, flags, payload });
        }
    }

    fn wants_packets(&self) -> bool {
        true
    }
}
