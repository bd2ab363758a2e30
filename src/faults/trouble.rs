//! Replicas that are there, but not themselves: a trouble is given to each for a window, and taken back.
//!
//! It fires as often as the trouble changed something, which the replica counts; a few count by replica.

use super::{Fault, Stage, Window};
use crate::net::Counts;
use crate::scenario::{Members, Selector};
use crate::telemetry::{Knob, Tally, Trouble};

/// Replicas in trouble.
pub(super) struct TroubleFault<F> {
    server: Members,
    only: Selector,
    /// What is wrong, made anew for each window.
    make: F,
    knobs: Vec<Knob>,
    tally: Tally,
    counts_replicas: bool,
    reads_frames: bool,
}

impl<F: Fn(Window) -> Trouble> TroubleFault<F> {
    pub(super) fn new(server: Members, only: Selector, make: F) -> Self {
        let (knobs, tally) = (Vec::new(), Tally::default());
        Self { server, only, make, knobs, tally, counts_replicas: false, reads_frames: false }
    }

    /// It fires once a replica, when it begins.
    pub(super) fn by_replica(self) -> Self {
        Self { counts_replicas: true, ..self }
    }

    /// It needs connections to be looked at frame by frame.
    pub(super) fn on_frames(self) -> Self {
        Self { reads_frames: true, ..self }
    }
}

impl<F: Fn(Window) -> Trouble + Send> Fault for TroubleFault<F> {
    fn prepare(&mut self, stage: &Stage) {
        if self.reads_frames {
            for replica in stage.replicas(&self.server) {
                replica.watch_frames();
            }
        }
    }

    fn start(&mut self, stage: &Stage, window: Window) {
        let trouble = (self.make)(window);
        let tally = self.tally.of(stage.whom(&self.only));
        for replica in stage.replicas(&self.server) {
            self.knobs.push(replica.trouble(trouble.clone(), &tally));
            self.tally.hit(u64::from(self.counts_replicas));
        }
    }

    fn stop(&mut self, stage: &Stage) {
        for (replica, knob) in stage.replicas(&self.server).zip(self.knobs.drain(..)) {
            replica.undo(knob);
        }
    }

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}
