//! A short name for a whole log: equal logs have equal fingerprints, on every platform.
//!
//! A baseline compares fingerprints before it compares figures, and the determinism tests compare nothing else.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::{Event, Sink};

/// The running fingerprint of a stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of no events.
    #[must_use]
    pub const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    /// As a number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    const fn absorb(&mut self, word: u64) {
        // A multiply-rotate step a word: every bit of the log reaches every bit of the result.
        self.0 = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29) ^ (word >> 7);
    }
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self::new()
    }
}

impl Sink for Fingerprint {
    fn event(&mut self, event: &Event) {
        event.hash(self);
    }
}

/// Every width is taken as 64 bits, so that the result does not depend on the platform's word or byte order.
impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.absorb(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.absorb(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.absorb(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.absorb(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.absorb(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.absorb(value as u64);
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
