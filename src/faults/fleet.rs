//! Replicas that go and come by plan: restarted one after another, or scaled away and back.

use std::time::Duration;

use super::crash::one;
use super::{Fault, Stage, Window};
use crate::clock;
use crate::net::Counts;
use crate::scenario::{CrashHow, Lose, Members};
use crate::telemetry::Tally;

/// Replicas restart one after another, evenly spread over a window. It fires for each process that ran and went.
pub(super) struct RollingRestart {
    server: Members,
    down: Duration,
    how: CrashHow,
    tally: Tally,
}

impl RollingRestart {
    pub(super) fn new(server: Members, down: Duration, how: CrashHow) -> Self {
        Self { server, down, how, tally: Tally::default() }
    }
}

impl Fault for RollingRestart {
    fn start(&mut self, stage: &Stage, window: Window) {
        let count = self.server.range.len();
        let apart = window.lasts / u32::try_from(count).unwrap_or(1).max(1);
        for index in 0..count {
            let (stage, member, tally) = (stage.clone(), one(&self.server, index), self.tally.clone());
            let (down, how) = (self.down, self.how);
            tokio::spawn(async move {
                clock::sleep(apart * index as u32).await;
                replace(&stage, &member, down, how, &tally).await;
            });
        }
    }

    fn stop(&mut self, _: &Stage) {}

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}

/// The old processes go, and new ones come after `down`.
pub(super) async fn replace(stage: &Stage, members: &Members, down: Duration, how: CrashHow, tally: &Tally) {
    if let CrashHow::Graceful(grace) = how {
        for server in stage.servers(members) {
            stage.drain(server);
        }
        clock::sleep(grace).await;
    }
    for server in stage.servers(members) {
        tally.matched();
        if stage.crash(server, how, Lose::Unsynced) {
            tally.fired();
        }
    }
    clock::sleep(down).await;
    for server in stage.servers(members) {
        stage.restart(server);
    }
}

/// Only the first few replicas run during a window. It fires for each that went away.
pub(super) struct Autoscale {
    gone: Members,
    grace: Duration,
    tally: Tally,
}

impl Autoscale {
    pub(super) fn new(server: Members, to: u32, grace: Duration) -> Self {
        let gone = Members { group: server.group, range: server.range.start + to..server.range.end };
        Self { gone, grace, tally: Tally::default() }
    }
}

impl Fault for Autoscale {
    fn start(&mut self, stage: &Stage, window: Window) {
        for server in stage.servers(&self.gone) {
            self.tally.matched();
            if stage.drain(server) {
                self.tally.fired();
            }
        }
        let (stage, gone, grace) = (stage.clone(), self.gone.clone(), self.grace.min(window.lasts));
        tokio::spawn(async move {
            clock::sleep(grace).await;
            leave(&stage, &gone);
        });
    }

    fn stop(&mut self, stage: &Stage) {
        leave(stage, &self.gone);
        for server in stage.servers(&self.gone) {
            stage.restart(server);
        }
    }

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}

/// What still runs is stopped; a machine that is taken away in order has written everything to disk.
fn leave(stage: &Stage, gone: &Members) {
    for server in stage.servers(gone) {
        stage.crash(server, CrashHow::Kill, Lose::Nothing);
    }
}
