//! What time a host believes it is.
//!
//! gRPC sends deadlines as what is left of them, so a wrong clock does no harm there; timestamps in messages are another
//! matter. A host whose clock is right costs nothing here.

use std::sync::{Mutex, PoisonError};

use super::{Knob, Tally};
use crate::clock::Instant;

/// The virtual world's birthday, 2026-01-01T00:00:00Z, in nanoseconds since 1970.
const EPOCH_NS: i64 = 1_767_225_600_000_000_000;

/// A fault's hold on a clock, by how many nanoseconds it is off, and whom to tell.
type Skew = (Knob, i64, Tally);

/// A host's clock, with what faults did to it.
#[derive(Debug, Default)]
pub struct WallClock {
    skews: Mutex<(u64, Vec<Skew>)>,
}

impl WallClock {
    /// Nanoseconds since 1970 at a moment, as this host has it.
    #[must_use]
    pub fn read(&self, at: Instant) -> i64 {
        let skews = self.skews.lock().unwrap_or_else(PoisonError::into_inner);
        let now = EPOCH_NS.saturating_add(i64::try_from(at.as_nanos()).unwrap_or(i64::MAX));
        skews.1.iter().fold(now, |now, (_, ahead, tally)| {
            tally.hit(1);
            now.saturating_add(*ahead)
        })
    }

    /// Puts it ahead by so many nanoseconds, behind if negative, until it is [set right](Self::set_right).
    pub fn skew(&self, ahead_ns: i64, tally: Tally) -> Knob {
        let mut skews = self.skews.lock().unwrap_or_else(PoisonError::into_inner);
        skews.0 += 1;
        let knob = Knob(skews.0);
        skews.1.push((knob, ahead_ns, tally));
        knob
    }

    /// Takes back one skew.
    pub fn set_right(&self, knob: Knob) {
        self.skews.lock().unwrap_or_else(PoisonError::into_inner).1.retain(|(known, ..)| *known != knob);
    }
}
