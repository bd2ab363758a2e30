//! What happens on the network, for those who want to know: records, counters, packet dumps.

use super::tcp::Segment;
use super::{Address, ConnectionId, HostId, Side};
use crate::clock::Instant;

/// Is told what happens on a network. Called when no lock is held; it may look at the network, but not change it.
pub trait Observer: Send + Sync {
    /// Something happened to a connection.
    fn connection(&self, at: Instant, id: ConnectionId, event: &ConnectionEvent);

    /// A packet was sent. Called only if [`wants_packets`](Self::wants_packets).
    fn packet(&self, packet: &Packet) {
        let _ = packet;
    }

    /// The next bytes of one direction of a connection, in order: what the positions in packets stand for. Called only if
    /// [`wants_packets`](Self::wants_packets), before the packets that carry them, and while the connection is locked: it may
    /// keep the bytes and nothing else.
    fn payload(&self, id: ConnectionId, sender: Side, bytes: &[u8]) {
        let _ = (id, sender, bytes);
    }

    /// Whether to be told of packets too. Then bursts travel packet by packet, as on a real link, which costs time.
    fn wants_packets(&self) -> bool {
        false
    }
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// The first SYN was sent.
    Connecting {
        /// By whom.
        from: HostId,
        /// To where.
        to: Address,
    },
    /// One side's handshake is done.
    Established {
        /// Whose.
        side: Side,
    },
    /// Nobody listens: the SYN was answered with RST.
    Refused,
    /// One side gave up: no answer to a SYN, to data, or to keepalive probes.
    TimedOut {
        /// Which.
        side: Side,
    },
    /// One side was told by RST that the other knows nothing of the connection.
    Reset {
        /// Which.
        side: Side,
    },
    /// One side closed and everything it sent, its FIN included, was acknowledged.
    Closed {
        /// Which.
        side: Side,
    },
    /// A segment was sent again.
    Retransmit {
        /// By whom.
        side: Side,
    },
    /// The retransmission timer fired.
    RetransmissionTimeout {
        /// Whose.
        side: Side,
        /// How often in a row, this one included.
        count: u32,
    },
}

/// One packet on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packet {
    /// The connection it belongs to.
    pub connection: ConnectionId,
    /// Who sends it.
    pub sender: Side,
    /// When it was handed to the link.
    pub sent_at: Instant,
    /// When it arrives. `None`: it is lost.
    pub arrives_at: Option<Instant>,
    /// When a second copy of it arrives, if the link doubled it.
    pub copy_at: Option<Instant>,
    /// What it says.
    pub segment: Segment,
}
