//! The troubles that faults give a replica: a list that each is added to and taken from on its own.
//!
//! Rule: a trouble changes nothing but what asks for it, and counts each time that it did, so that a fault can prove that
//! it bit. Several of one kind add up or the worst wins, whichever comes first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tonic::Code;

use super::Whom;
use crate::clock::Ramp;
use crate::net::Counts;
use crate::scenario::{Slowdown, Withheld};

/// Something that is wrong with a replica while it lasts.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// Calls take longer in the handler, by as much as the ramp is strong.
    Slow(Slowdown, Ramp),
    /// Only so many workers are left.
    Workers(u32),
    /// Each connection waits so long before it is accepted.
    AcceptDelay(Duration),
    /// A new connection may have so many streams open.
    Streams(u32),
    /// Frames of this kind are not sent.
    Withhold(Withheld),
    /// Writes to disk take longer.
    SlowDisk(Slowdown, Ramp),
    /// Writes to disk fail with this status.
    FullDisk(Code),
    /// Writes are called safe and are not.
    LyingDisk,
    /// The health service says this, whatever is so.
    Health(bool),
}

/// How much a fault applied to, and how much of that it changed, of those that it is for. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: Arc<(AtomicU64, AtomicU64)>,
    whom: Arc<Whom>,
}

impl Tally {
    /// Counts together with this one, for `whom`: turns begin anew.
    #[must_use]
    pub fn of(&self, whom: Whom) -> Self {
        Self { counts: Arc::clone(&self.counts), whom: Arc::new(whom) }
    }

    /// Whom the fault is for.
    #[must_use]
    pub fn whom(&self) -> &Whom {
        &self.whom
    }

    /// It applied to something.
    pub fn matched(&self) {
        self.counts.0.fetch_add(1, Ordering::Relaxed);
    }

    /// It changed something that it applied to.
    pub fn fired(&self) {
        self.counts.1.fetch_add(1, Ordering::Relaxed);
    }

    /// It applied to so many things and changed all of them.
    pub fn hit(&self, times: u64) {
        self.counts.0.fetch_add(times, Ordering::Relaxed);
        self.counts.1.fetch_add(times, Ordering::Relaxed);
    }

    /// The sums so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { matched: self.counts.0.load(Ordering::Relaxed), fired: self.counts.1.load(Ordering::Relaxed) }
    }
}

/// Names a change that a fault made to a replica, so that it can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knob(pub(super) u64);

/// The troubles of a replica, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    all: Vec<(Knob, Trouble, Tally)>,
}

impl Troubles {
    pub(super) fn add(&mut self, knob: Knob, trouble: Trouble, tally: Tally) {
        self.all.push((knob, trouble, tally));
    }

    pub(super) fn remove(&mut self, knob: Knob) {
        self.all.retain(|(known, ..)| *known != knob);
    }

    /// What `pick` makes of each, with who counts it.
    pub(super) fn pick<T>(&self, pick: impl Fn(&Trouble) -> Option<T>) -> impl Iterator<Item = (T, &Tally)> {
        self.all.iter().filter_map(move |(_, trouble, tally)| Some((pick(trouble)?, tally)))
    }
}
