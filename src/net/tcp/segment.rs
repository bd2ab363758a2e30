//! Segments: what one end tells the other. They carry positions in the stream; the bytes wait in the connection's pipe.

use std::fmt;

/// The position of the first byte of a stream; the SYN stands before it.
pub(super) const FIRST: u64 = 1;

/// The control bits of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Opens a connection.
    pub syn: bool,
    /// Nothing follows.
    pub fin: bool,
    /// There is no such connection.
    pub rst: bool,
    /// The acknowledgement number is valid.
    pub ack: bool,
}

/// As tcpdump writes them: `S`, `S.`, `.`, `F.`, `R`.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (set, letter) in [(self.syn, "S"), (self.fin, "F"), (self.rst, "R"), (self.ack, ".")] {
            if set {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

/// Up to four ranges that arrived out of order, the most recent first (RFC 2018); the first may be a duplicate (RFC 2883).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sacks {
    blocks: [(u64, u64); 4],
    len: u8,
    duplicate: bool,
}

impl Sacks {
    /// The ranges, [from, to), a duplicate included.
    #[must_use]
    pub fn as_slice(&self) -> &[(u64, u64)] {
        &self.blocks[..self.len as usize]
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The range that arrived twice.
    #[must_use]
    pub fn duplicate(&self) -> Option<(u64, u64)> {
        self.duplicate.then(|| self.blocks[0])
    }

    /// The ranges that wait for what is missing before them.
    #[must_use]
    pub fn waiting(&self) -> &[(u64, u64)] {
        &self.as_slice()[usize::from(self.duplicate)..]
    }

    pub(super) fn push(&mut self, range: (u64, u64)) {
        // With timestamps the options have room for three; a duplicate takes one of them.
        if self.len < 3 {
            self.blocks[self.len as usize] = range;
            self.len += 1;
        }
    }

    pub(super) fn push_duplicate(&mut self, range: (u64, u64)) {
        self.duplicate = true;
        self.push(range);
    }
}

/// One segment. Positions count from 1, the first byte of its direction, as tcpdump shows them; a FIN takes one position
/// after the last byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// The control bits.
    pub flags: Flags,
    /// The position of its first byte.
    pub seq: u64,
    /// The position after its last byte, and after its FIN.
    pub end: u64,
    /// Everything before this position of the other direction has arrived.
    pub ack: u64,
    /// How many bytes beyond `ack` the sender has room for.
    pub window: u64,
    /// The sender's timestamp, in ms (RFC 7323).
    pub timestamp: u64,
    /// The timestamp that the sender saw last.
    pub echo: u64,
    /// What arrived out of order.
    pub sacks: Sacks,
    /// Whether it was sent before.
    pub retransmission: bool,
}

impl Segment {
    /// Payload bytes.
    #[must_use]
    pub fn payload(&self) -> u64 {
        self.end - self.seq - u64::from(self.flags.fin)
    }

    /// Whether it takes no position: a pure acknowledgement, SYN or RST.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end == self.seq
    }

    /// Bytes on the wire, IP and TCP headers included.
    #[must_use]
    pub fn wire_size(&self) -> u64 {
        let sacks = if self.sacks.is_empty() { 0 } else { 4 + 8 * u64::from(self.sacks.len) };
        self.payload() + 52 + sacks
    }

    pub(in crate::net) fn is_pure_ack(&self) -> bool {
        self.is_empty() && self.flags == Flags { ack: true, ..Flags::default() } && self.sacks.is_empty()
    }
}
