//! Faults of connections: how they come to be, and how they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::network::{pairs, sum};
use super::{Fault, Stage, Window};
use crate::clock;
use crate::net::{Counts, HostId, ImpairmentId, Network};
use crate::scenario::{Direction, Members};
use crate::telemetry::{PORT, Tally};

/// Ports that meet new connections with a refusal, or with silence, for a window. It fires on attempts to connect.
pub(super) struct PortFault {
    server: Members,
    lay: fn(&Network, HostId, Option<u16>) -> ImpairmentId,
    laid: Vec<ImpairmentId>,
    active: Vec<ImpairmentId>,
}

impl PortFault {
    /// As if nobody listened.
    pub(super) fn refused(server: Members) -> Self {
        Self { server, lay: Network::refuse, laid: Vec::new(), active: Vec::new() }
    }

    /// As if too many waited to be accepted.
    pub(super) fn full(server: Members) -> Self {
        Self { server, lay: Network::fill_backlog, laid: Vec::new(), active: Vec::new() }
    }
}

impl Fault for PortFault {
    fn start(&mut self, stage: &Stage, _: Window) {
        let lay = |host| (self.lay)(stage.net(), host, Some(PORT));
        self.active = stage.hosts(&self.server).into_iter().map(lay).collect();
        self.laid.extend(&self.active);
    }

    fn stop(&mut self, stage: &Stage) {
        for id in self.active.drain(..) {
            stage.net().repair(id);
        }
    }

    fn counts(&self, stage: &Stage) -> Counts {
        sum(self.laid.iter().map(|id| stage.net().counts(*id)))
    }
}

/// Connections that are lost at one moment: reset by a middlebox on both sides, or forgotten by one of them. It fires on
/// each connection.
pub(super) struct Lost {
    a: Members,
    b: Members,
    /// Whether `a` forgets, and `b` does not learn of it.
    by_one_side: bool,
    tally: Tally,
}

impl Lost {
    pub(super) fn reset(a: Members, b: Members) -> Self {
        Self { a, b, by_one_side: false, tally: Tally::default() }
    }

    pub(super) fn forgotten(who: Members, peers: Members) -> Self {
        Self { a: who, b: peers, by_one_side: true, tally: Tally::default() }
    }
}

impl Fault for Lost {
    fn start(&mut self, stage: &Stage, _: Window) {
        let net = stage.net();
        self.tally.hit(if self.by_one_side {
            let forgets = |host| net.forget(host, pairs(stage, &self.a, &self.b, Direction::Forward));
            stage.hosts(&self.a).into_iter().map(forgets).sum()
        } else {
            net.reset_connections(pairs(stage, &self.a, &self.b, Direction::Both))
        });
    }

    fn stop(&mut self, _: &Stage) {}

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}

/// Every connection is told to go away, at one moment. It fires on each.
pub(super) struct Goaway {
    server: Members,
    tally: Tally,
}

impl Goaway {
    pub(super) fn new(server: Members) -> Self {
        Self { server, tally: Tally::default() }
    }
}

impl Fault for Goaway {
    fn start(&mut self, stage: &Stage, _: Window) {
        for link in stage.servers(&self.server).iter().flat_map(|server| server.replica().links()) {
            link.send_away();
            self.tally.hit(1);
        }
    }

    fn stop(&mut self, _: &Stage) {}

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}

/// Connections that were silent for too long are closed, for a window. It fires on each.
pub(super) struct IdleKill {
    server: Members,
    idle: Duration,
    /// Raised while the window that is watched lasts.
    on: Arc<AtomicBool>,
    tally: Tally,
}

/// How exactly silence is measured: a sweep looks again after this share of `idle` at the earliest, as middleboxes do.
const SWEEPS: u32 = 20;

impl IdleKill {
    pub(super) fn new(server: Members, idle: Duration) -> Self {
        Self { server, idle, on: Arc::default(), tally: Tally::default() }
    }
}

impl Fault for IdleKill {
    fn start(&mut self, stage: &Stage, _: Window) {
        self.on = Arc::new(AtomicBool::new(true));
        let (stage, server, on, tally) = (stage.clone(), self.server.clone(), Arc::clone(&self.on), self.tally.clone());
        tokio::spawn(sweep(stage, server, self.idle, on, tally));
    }

    fn stop(&mut self, _: &Stage) {
        self.on.store(false, Ordering::Relaxed);
    }

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}

async fn sweep(stage: Stage, server: Members, idle: Duration, on: Arc<AtomicBool>, tally: Tally) {
    while on.load(Ordering::Relaxed) {
        let now = clock::now();
        let mut next = now + idle;
        for link in stage.servers(&server).iter().flat_map(|server| server.replica().links()) {
            let silent_since = link.silent_since();
            if now.saturating_since(silent_since) >= idle {
                link.close();
                tally.hit(1);
            } else {
                next = next.min(silent_since + idle);
            }
        }
        clock::sleep_until(next.max(now + idle / SWEEPS)).await;
    }
}
