//! Replicas that go and come by plan: restarted one after another, or scaled away and back.

use std::time::Duration;

use futures_util::future::join_all;

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
    let went = stage.servers(members).iter().map(|server| async move {
        match how {
            CrashHow::Graceful(grace) => {
                stage.drain(server);
                stage.crash_drained(server, grace, Lose::Unsynced).await
            }
            CrashHow::Kill | CrashHow::PowerLoss => stage.crash(server, how, Lose::Unsynced),
        }
    });
    for went in join_all(went).await {
        tally.matched();
        if went {
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
    fn start(&mut self, stage: &Stage, _: Window) {
        for server in stage.servers(&self.gone) {
            self.tally.matched();
            if stage.drain(server) {
                self.tally.fired();
            }
        }
        let (stage, gone, grace) = (stage.clone(), self.gone.clone(), self.grace);
        tokio::spawn(async move {
            // A machine that is taken away in order has written everything to disk.
            join_all(stage.servers(&gone).iter().map(|server| stage.crash_drained(server, grace, Lose::Nothing))).await;
        });
    }

    fn stop(&mut self, stage: &Stage) {
        for server in stage.servers(&self.gone) {
            // A grace longer than the window ends with it.
            stage.crash(server, CrashHow::Kill, Lose::Nothing);
            stage.restart(server);
        }
    }

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}
