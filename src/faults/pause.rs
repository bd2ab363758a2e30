//! Stop the world: the process stands still, its kernel goes on acknowledging, and then it continues as if nothing had been.
//!
//! It fires once for each process that was running.

use super::{Fault, Stage, Window};
use crate::net::Counts;
use crate::record::HostChange;
use crate::scenario::Members;

/// Servers stand still for a window.
pub(super) struct Pause {
    server: Members,
    counts: Counts,
}

impl Pause {
    pub(super) fn new(server: Members) -> Self {
        Self { server, counts: Counts::default() }
    }
}

impl Fault for Pause {
    fn start(&mut self, stage: &Stage, _: Window) {
        for server in stage.servers(&self.server) {
            self.counts.matched += 1;
            if stage.net().is_up(server.host()) {
                self.counts.fired += 1;
                stage.net().pause(server.host());
                stage.record(server, HostChange::Paused);
            }
        }
    }

    fn stop(&mut self, stage: &Stage) {
        for server in stage.servers(&self.server) {
            stage.net().resume(server.host());
            stage.record(server, HostChange::Resumed);
        }
    }

    fn counts(&self, _: &Stage) -> Counts {
        self.counts
    }
}
