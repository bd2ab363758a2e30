//! Processes and machines that go down and come back.
//!
//! It fires once for each process that was running and then was not.

use std::time::Duration;

use super::{Fault, Stage, Window};
use crate::clock;
use crate::net::Counts;
use crate::scenario::{CrashHow, Lose, Members};

/// Servers go down together at the start of a window and come back at its end.
pub(super) struct Crash {
    server: Members,
    how: CrashHow,
    lose: Lose,
    counts: Counts,
}

impl Crash {
    pub(super) fn new(server: Members, how: CrashHow, lose: Lose) -> Self {
        Self { server, how, lose, counts: Counts::default() }
    }
}

impl Fault for Crash {
    fn start(&mut self, stage: &Stage, _: Window) {
        for (index, server) in stage.servers(&self.server).iter().enumerate() {
            self.counts.matched += 1;
            let was_running = match self.how {
                CrashHow::Graceful(grace) => {
                    let member = one(&self.server, index);
                    tokio::spawn(drain_then_kill(stage.clone(), member, grace, self.lose));
                    stage.drain(server)
                }
                CrashHow::Kill | CrashHow::PowerLoss => stage.crash(server, self.how, self.lose),
            };
            self.counts.fired += u64::from(was_running);
        }
    }

    fn stop(&mut self, stage: &Stage) {
        for server in stage.servers(&self.server) {
            // A grace longer than the window ends with it.
            stage.crash(server, self.how, self.lose);
            stage.restart(server);
        }
    }

    fn counts(&self, _: &Stage) -> Counts {
        self.counts
    }
}

async fn drain_then_kill(stage: Stage, member: Members, grace: Duration, lose: Lose) {
    clock::sleep(grace).await;
    for server in stage.servers(&member) {
        stage.crash(server, CrashHow::Graceful(grace), lose);
    }
}

/// Replicas restart one after another, evenly spread over a window.
pub(super) struct RollingRestart {
    server: Members,
    down: Duration,
    how: CrashHow,
    counts: Counts,
}

impl RollingRestart {
    pub(super) fn new(server: Members, down: Duration, how: CrashHow) -> Self {
        Self { server, down, how, counts: Counts::default() }
    }
}

impl Fault for RollingRestart {
    fn start(&mut self, stage: &Stage, window: Window) {
        let count = self.server.range.len();
        let apart = window.lasts / u32::try_from(count).unwrap_or(1).max(1);
        for index in 0..count {
            self.counts.matched += 1;
            self.counts.fired += 1;
            let turn = apart * index as u32;
            tokio::spawn(restart_one(stage.clone(), one(&self.server, index), turn, self.down, self.how));
        }
    }

    fn stop(&mut self, _: &Stage) {}

    fn counts(&self, _: &Stage) -> Counts {
        self.counts
    }
}

async fn restart_one(stage: Stage, member: Members, turn: Duration, down: Duration, how: CrashHow) {
    clock::sleep(turn).await;
    if let CrashHow::Graceful(grace) = how {
        for server in stage.servers(&member) {
            stage.drain(server);
        }
        clock::sleep(grace).await;
    }
    for server in stage.servers(&member) {
        stage.crash(server, how, Lose::Unsynced);
    }
    clock::sleep(down).await;
    for server in stage.servers(&member) {
        stage.restart(server);
    }
}

/// The member at `index` alone.
fn one(members: &Members, index: usize) -> Members {
    let number = members.range.start + index as u32;
    Members { group: members.group, range: number..number + 1 }
}
