//! Hosts that are wrong about what time it is. It fires each time somebody looked at a wrong clock.

use super::{Fault, Stage, Window};
use crate::net::Counts;
use crate::scenario::Members;
use crate::telemetry::{Knob, Tally};

/// Clocks that are off for a window, and set right at its end, in one step.
pub(super) struct ClockSkew {
    hosts: Members,
    ahead_ns: i64,
    knobs: Vec<Knob>,
    tally: Tally,
}

impl ClockSkew {
    pub(super) fn new(hosts: Members, ahead_ns: i64) -> Self {
        Self { hosts, ahead_ns, knobs: Vec::new(), tally: Tally::default() }
    }
}

impl Fault for ClockSkew {
    fn start(&mut self, stage: &Stage, _: Window) {
        let clocks = stage.clocks(&self.hosts);
        self.knobs.extend(clocks.map(|clock| clock.skew(self.ahead_ns, self.tally.clone())));
    }

    fn stop(&mut self, stage: &Stage) {
        for (clock, knob) in stage.clocks(&self.hosts).zip(self.knobs.drain(..)) {
            clock.set_right(knob);
        }
    }

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}
