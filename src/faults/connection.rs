//! Faults of connections: how they come to be, and how they end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::network::{pairs, sum};
use super::{Fault, Stage, Window};
use crate::clock::{self, Instant};
use crate::net::{ConnectionId, Counts, HostId, ImpairmentId, Network, Pairs, Selected};
use crate::scenario::{Direction, Members, Selector};
use crate::telemetry::{Link, Tally};

/// Ports that meet new connections with a refusal, or with silence, for a window. It fires on attempts to connect.
pub(super) struct PortFault {
    server: Members,
    only: Selector,
    lay: fn(&Network, HostId, Option<u16>, Selected) -> ImpairmentId,
    laid: Vec<ImpairmentId>,
    active: Vec<ImpairmentId>,
}

impl PortFault {
    /// As if nobody listened.
    pub(super) fn refused(server: Members, only: Selector) -> Self {
        Self { server, only, lay: Network::refuse_some, laid: Vec::new(), active: Vec::new() }
    }

    /// As if too many waited to be accepted.
    pub(super) fn full(server: Members, only: Selector) -> Self {
        Self { server, only, lay: Network::fill_backlog_for, laid: Vec::new(), active: Vec::new() }
    }
}

impl Fault for PortFault {
    fn start(&mut self, stage: &Stage, _: Window) {
        let touched = stage.selected(Pairs::All, &self.only);
        let lay = |host| (self.lay)(stage.net(), host, None, touched.clone());
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
    only: Selector,
    /// Whether `a` forgets, and `b` does not learn of it.
    by_one_side: bool,
    tally: Tally,
}

impl Lost {
    pub(super) fn reset(a: Members, b: Members, only: Selector) -> Self {
        Self { a, b, only, by_one_side: false, tally: Tally::default() }
    }

    pub(super) fn forgotten(who: Members, peers: Members, only: Selector) -> Self {
        Self { a: who, b: peers, only, by_one_side: true, tally: Tally::default() }
    }
}

impl Fault for Lost {
    fn start(&mut self, stage: &Stage, _: Window) {
        let net = stage.net();
        let direction = if self.by_one_side { Direction::Forward } else { Direction::Both };
        let touched = stage.selected(pairs(stage, &self.a, &self.b, direction), &self.only);
        self.tally.hit(if self.by_one_side {
            stage.hosts(&self.a).into_iter().map(|host| net.forget(host, touched.clone())).sum()
        } else {
            net.reset_connections(touched)
        });
    }

    fn stop(&mut self, _: &Stage) {}

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}

/// Connections are told to go away, at one moment: in peace, or with an error. It fires on each.
pub(super) struct Goaway {
    server: Members,
    code: Option<h2::Reason>,
    only: Selector,
    tally: Tally,
}

impl Goaway {
    pub(super) fn new(server: Members, code: Option<h2::Reason>, only: Selector) -> Self {
        Self { server, code, only, tally: Tally::default() }
    }
}

impl Fault for Goaway {
    fn prepare(&mut self, stage: &Stage) {
        // The server below has no word for it: it is put between two of its frames.
        for replica in stage.replicas(&self.server).filter(|_| self.code.is_some()) {
            replica.watch_frames();
        }
    }

    fn start(&mut self, stage: &Stage, _: Window) {
        let whom = stage.whom(&self.only);
        for link in links(stage, &self.server).filter(|link| whom.takes_connection(link.info().peer.host)) {
            match self.code {
                Some(code) => link.expel(code),
                None => link.send_away(),
            }
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
    only: Selector,
    /// Raised while the window that is watched lasts.
    on: Arc<AtomicBool>,
    tally: Tally,
}

/// How exactly silence is measured: a sweep looks again after this share of `idle` at the earliest, as middleboxes do.
const SWEEPS: u32 = 20;

impl IdleKill {
    pub(super) fn new(server: Members, idle: Duration, only: Selector) -> Self {
        Self { server, idle, only, on: Arc::default(), tally: Tally::default() }
    }
}

impl Fault for IdleKill {
    fn start(&mut self, stage: &Stage, _: Window) {
        self.on = Arc::new(AtomicBool::new(true));
        let tally = self.tally.of(stage.whom(&self.only));
        tokio::spawn(sweep(stage.clone(), self.server.clone(), self.idle, Arc::clone(&self.on), tally));
    }

    fn stop(&mut self, _: &Stage) {
        self.on.store(false, Ordering::Relaxed);
    }

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}

async fn sweep(stage: Stage, server: Members, idle: Duration, on: Arc<AtomicBool>, tally: Tally) {
    // Silences that are none of ours: each is asked about once, however long it goes on.
    let mut passed: BTreeMap<ConnectionId, Instant> = BTreeMap::new();
    while on.load(Ordering::Relaxed) {
        let now = clock::now();
        let mut next = now + idle;
        for link in links(&stage, &server) {
            let (info, silent_since) = (link.info(), link.silent_since());
            if now.saturating_since(silent_since) < idle {
                next = next.min(silent_since + idle);
                continue;
            }
            let asked = passed.insert(info.connection, silent_since) == Some(silent_since);
            if !asked && tally.whom().takes_connection(info.peer.host) {
                link.close();
                tally.hit(1);
            }
        }
        clock::sleep_until(next.max(now + idle / SWEEPS)).await;
    }
}

/// The open connections of some servers, in the order in which each accepted them.
fn links(stage: &Stage, server: &Members) -> impl Iterator<Item = Arc<Link>> {
    stage.replicas(server).flat_map(|replica| replica.links())
}
