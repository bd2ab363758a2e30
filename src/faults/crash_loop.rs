//! Processes that crash whenever they have run for a while, and are started again after pauses that double: a bug that
//! restarting does not cure. It fires for each crash of a process that ran.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::crash::one;
use super::{Fault, Stage, Window};
use crate::clock;
use crate::net::Counts;
use crate::scenario::{CrashHow, Lose, Members};
use crate::telemetry::Tally;

/// Processes that crash in a loop.
pub(super) struct CrashLoop {
    server: Members,
    up: Duration,
    down: Duration,
    cap: Duration,
    /// Raised while the window lasts.
    on: Arc<AtomicBool>,
    tally: Tally,
}

impl CrashLoop {
    pub(super) fn new(server: Members, up: Duration, down: Duration, cap: Duration) -> Self {
        Self { server, up, down, cap, on: Arc::default(), tally: Tally::default() }
    }
}

impl Fault for CrashLoop {
    fn start(&mut self, stage: &Stage, _: Window) {
        self.on = Arc::new(AtomicBool::new(true));
        for index in 0..self.server.range.len() {
            let (stage, member, on) = (stage.clone(), one(&self.server, index), Arc::clone(&self.on));
            let (up, mut pause, cap, tally) = (self.up, self.down, self.cap, self.tally.clone());
            tokio::spawn(async move {
                while on.load(Ordering::Relaxed) {
                    for server in stage.servers(&member) {
                        tally.matched();
                        if stage.crash(server, CrashHow::Kill, Lose::Unsynced) {
                            tally.fired();
                        }
                    }
                    clock::sleep(pause).await;
                    pause = (pause * 2).min(cap);
                    if !on.load(Ordering::Relaxed) {
                        return;
                    }
                    let mut startup = Duration::ZERO;
                    for server in stage.servers(&member) {
                        stage.restart(server);
                        startup = server.replica().map_or(Duration::ZERO, |replica| replica.group().startup);
                    }
                    clock::sleep(startup + up).await;
                }
            });
        }
    }

    fn stop(&mut self, stage: &Stage) {
        self.on.store(false, Ordering::Relaxed);
        for server in stage.servers(&self.server) {
            stage.restart(server);
        }
    }

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}
