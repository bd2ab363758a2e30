//! Processes and machines that go down and come back.
//!
//! It fires once for each process that was running and then was not.

use std::time::Duration;

use super::{Fault, Stage, Window};
use crate::net::Counts;
use crate::random::Key;
use crate::scenario::{CrashHow, Lose, Members};
use crate::telemetry::Tally;

/// Servers go down together at the start of a window and come back at its end.
pub(super) struct Crash {
    server: Members,
    some: usize,
    how: CrashHow,
    lose: Lose,
    key: Key,
    /// Who is down.
    struck: Vec<Members>,
    tally: Tally,
}

impl Crash {
    pub(super) fn new(server: Members, some: u32, how: CrashHow, lose: Lose, key: Key) -> Self {
        Self { server, some: some as usize, how, lose, key, struck: Vec::new(), tally: Tally::default() }
    }

    /// Who is struck in a window: drawn a member, so that the same ones are whatever else happens.
    fn choose(&self, window: Window) -> Vec<Members> {
        let key = self.key.named("some").with(window.number);
        let mut all: Vec<usize> = (0..self.server.range.len()).collect();
        all.sort_by(|a, b| {
            let draw = |index: usize| key.with(index as u64).draw().value();
            draw(*a).total_cmp(&draw(*b))
        });
        all.truncate(self.some);
        all.sort_unstable();
        all.into_iter().map(|index| one(&self.server, index)).collect()
    }
}

impl Fault for Crash {
    fn start(&mut self, stage: &Stage, window: Window) {
        self.struck = self.choose(window);
        for member in &self.struck {
            for server in stage.servers(member) {
                self.tally.matched();
                let was_running = match self.how {
                    CrashHow::Graceful(grace) => {
                        let was_running = stage.drain(server);
                        tokio::spawn(drained(stage.clone(), member.clone(), grace, self.lose));
                        was_running
                    }
                    CrashHow::Kill | CrashHow::PowerLoss => stage.crash(server, self.how, self.lose),
                };
                if was_running {
                    self.tally.fired();
                }
            }
        }
    }

    fn stop(&mut self, stage: &Stage) {
        for member in self.struck.drain(..) {
            for server in stage.servers(&member) {
                // A grace longer than the window ends with it.
                stage.crash(server, self.how, self.lose);
                stage.restart(server);
            }
        }
    }

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}

async fn drained(stage: Stage, member: Members, grace: Duration, lose: Lose) {
    for server in stage.servers(&member) {
        stage.crash_drained(server, grace, lose).await;
    }
}

/// The member at `index` alone.
pub(super) fn one(members: &Members, index: usize) -> Members {
    let number = members.range.start + index as u32;
    Members { group: members.group, range: number..number + 1 }
}
