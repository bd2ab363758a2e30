//! Servers that are there, but not themselves: slow, or short of workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Fault, Stage, Window};
use crate::net::Counts;
use crate::scenario::{Capacity, Members, Slowdown};
use crate::telemetry::Knob;

/// Every call takes longer. It fires once for each call that did.
pub(super) struct SlowServer {
    server: Members,
    slowdown: Slowdown,
    knobs: Vec<Knob>,
    fired: Arc<AtomicU64>,
}

impl SlowServer {
    pub(super) fn new(server: Members, slowdown: Slowdown) -> Self {
        Self { server, slowdown, knobs: Vec::new(), fired: Arc::default() }
    }
}

impl Fault for SlowServer {
    fn start(&mut self, stage: &Stage, _: Window) {
        for server in stage.servers(&self.server) {
            let fired = Arc::clone(&self.fired);
            let count = Arc::new(move || {
                fired.fetch_add(1, Ordering::Relaxed);
            });
            self.knobs.push(server.replica().slow_down(self.slowdown.clone(), count));
        }
    }

    fn stop(&mut self, stage: &Stage) {
        undo(stage, &self.server, &mut self.knobs);
    }

    fn counts(&self, _: &Stage) -> Counts {
        let fired = self.fired.load(Ordering::Relaxed);
        Counts { matched: fired, fired }
    }
}

/// Fewer workers are left. It fires once for each replica that really lost some.
pub(super) struct CapacityDrop {
    server: Members,
    workers: u32,
    knobs: Vec<Knob>,
    counts: Counts,
}

impl CapacityDrop {
    pub(super) fn new(server: Members, workers: u32) -> Self {
        Self { server, workers, knobs: Vec::new(), counts: Counts::default() }
    }
}

impl Fault for CapacityDrop {
    fn start(&mut self, stage: &Stage, _: Window) {
        for server in stage.servers(&self.server) {
            self.counts.matched += 1;
            self.counts.fired += u64::from(match server.replica().group().capacity {
                Capacity::Unlimited => true,
                Capacity::Workers(workers) => self.workers < workers,
            });
            self.knobs.push(server.replica().limit_workers(self.workers));
        }
    }

    fn stop(&mut self, stage: &Stage) {
        undo(stage, &self.server, &mut self.knobs);
    }

    fn counts(&self, _: &Stage) -> Counts {
        self.counts
    }
}

fn undo(stage: &Stage, members: &Members, knobs: &mut Vec<Knob>) {
    for (server, knob) in stage.servers(members).iter().zip(knobs.drain(..)) {
        server.replica().undo(knob);
    }
}
