//! How a trial went over time: a fixed number of equal stretches, whatever the length of the run.
//!
//! Calls are counted in the stretch in which they were *due*: a call that fails after two seconds is a failure of the
//! moment that asked for it. Attempts are counted when they were made, as they are load on the server.

use serde::{Deserialize, Serialize};

/// How many stretches a run is cut into. 200 are as many as a wide terminal or a chart can show, and a fault that lasts 5 %
/// of a run still spans ten of them.
pub const STRETCHES: u64 = 200;

/// How many stretches a call may take and still count as timely: see [`Stretch::timely`].
pub const TIMELY_STRETCHES: u64 = 5;

/// A trial over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// The length of a stretch, in nanoseconds.
    pub width_ns: u64,
    /// The stretches, from 0 on. What happens after load has ended is not among them.
    pub stretches: Vec<Stretch>,
}

/// What happened in one stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Calls that were due.
    pub offered: u32,
    /// Those of them that came back OK, however late.
    pub ok: u32,
    /// Those of them that came back OK within [`TIMELY_STRETCHES`]. A call that waited out half the storm in a queue is a
    /// success, but does not show that the storm is over.
    pub timely: u32,
    /// Attempts made.
    pub attempts: u32,
}

impl Series {
    pub(super) fn new(duration_ns: u64) -> Self {
        let width_ns = duration_ns.div_ceil(STRETCHES).max(1);
        let count = usize::try_from(duration_ns.div_ceil(width_ns)).expect("at most STRETCHES");
        Self { width_ns, stretches: vec![Stretch::default(); count] }
    }

    pub(super) fn at(&mut self, at_ns: u64) -> Option<&mut Stretch> {
        self.stretches.get_mut((at_ns / self.width_ns) as usize)
    }

    /// How long a call may take and still be timely.
    pub(super) const fn timely_ns(&self) -> u64 {
        self.width_ns * TIMELY_STRETCHES
    }

    /// Adds another seed's series of the same scenario.
    pub fn merge(&mut self, other: &Self) {
        self.width_ns = other.width_ns;
        self.stretches.resize(other.stretches.len().max(self.stretches.len()), Stretch::default());
        for (mine, others) in self.stretches.iter_mut().zip(&other.stretches) {
            mine.offered += others.offered;
            mine.ok += others.ok;
            mine.timely += others.timely;
            mine.attempts += others.attempts;
        }
    }
}
