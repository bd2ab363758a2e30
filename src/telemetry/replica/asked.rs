//! What the parts of a server process ask of their replica: about its connections, its disk, its clock and its health.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tonic::{Code, Status};

use super::Replica;
use crate::clock;
use crate::net::{HostId, Stream};
use crate::scenario::Withheld;
use crate::telemetry::{Caller, Link, Trouble, Whom};

impl Replica {
    /// Has connections looked at frame by frame from now on: some fault of this run withholds frames, or puts one in.
    pub fn watch_frames(&self) {
        self.watches_frames.store(true, Ordering::Relaxed);
    }

    pub(in crate::telemetry) fn watches_frames(&self) -> bool {
        self.watches_frames.load(Ordering::Relaxed)
    }

    /// Whether a frame that it would send to `peer` now is withheld.
    pub(in crate::telemetry) fn withholds(&self, frames: Withheld, peer: HostId) -> bool {
        let withheld =
            |trouble: &Trouble| matches!(trouble, Trouble::Withhold(which) if *which == frames).then_some(());
        self.ask(|whom| whom.takes_connection(peer), withheld).is_some()
    }

    /// How long the next connection, from `peer`, waits before it is accepted.
    pub(in crate::telemetry) fn accept_delay(&self, peer: HostId) -> Duration {
        let delay = |trouble: &Trouble| match trouble {
            Trouble::AcceptDelay(delay) => Some(*delay),
            _ => None,
        };
        self.ask(|whom| whom.takes_connection(peer), delay).unwrap_or_default()
    }

    /// How many streams a connection that is accepted from `peer` now may have open.
    pub(in crate::telemetry) fn max_streams(&self, peer: HostId) -> u32 {
        let streams = |trouble: &Trouble| match trouble {
            Trouble::Streams(streams) => Some(*streams),
            _ => None,
        };
        let fewer = self.ask(|whom| whom.takes_connection(peer), streams);
        fewer.map_or(self.group.max_streams, |fewer| fewer.min(self.group.max_streams))
    }

    /// A connection was accepted; it is known to faults as long as the link is kept.
    pub(in crate::telemetry) fn accepted(&self, stream: &Stream) -> Arc<Link> {
        let link = Arc::new(Link::new(stream, Arc::clone(&self.left)));
        let mut state = self.lock();
        if state.draining {
            link.send_away();
        }
        // Dead links are dropped when room is needed, so that accepting stays cheap however many clients there are.
        if state.links.len() == state.links.capacity() {
            state.links.retain(|link| link.strong_count() > 0);
        }
        state.links.push(Arc::downgrade(&link));
        link
    }

    /// The open connections of its process, in the order in which they were accepted.
    #[must_use]
    pub fn links(&self) -> Vec<Arc<Link>> {
        self.lock().links.iter().filter_map(Weak::upgrade).collect()
    }

    /// Completes once its process has no connection, and with them no work, left.
    pub async fn emptied(&self) {
        loop {
            let left = self.left.notified();
            if self.links().is_empty() {
                return;
            }
            left.await;
        }
    }

    /// Why the alert of a call cannot be written, if it cannot.
    pub(in crate::telemetry) fn disk_error(&self, caller: &Caller) -> Option<Status> {
        let full = |trouble: &Trouble| match trouble {
            Trouble::FullDisk(code) => Some(*code),
            _ => None,
        };
        let code: Option<Code> = self.ask(|whom| whom.takes_call(caller), full);
        code.map(|code| Status::new(code, "no space left on device"))
    }

    /// Why an alert of this timestamp is refused, if it is: by the server's own clock.
    pub(in crate::telemetry) fn clock_error(&self, timestamp: i64) -> Option<Status> {
        let allowed = self.group.max_skew;
        if allowed == Duration::MAX {
            return None;
        }
        let apart = self.wall.read(clock::now()).abs_diff(timestamp);
        let off = Duration::from_nanos(apart) > allowed;
        off.then(|| Status::failed_precondition("the alert's timestamp is too far from the server's clock"))
    }

    /// Its process finishes what it has and takes nothing new.
    pub(in crate::telemetry) fn begin_draining(&self) {
        self.lock().draining = true;
        self.health_changed.notify_waiters();
        for link in self.links() {
            link.send_away();
        }
    }

    /// What its health service says.
    pub(in crate::telemetry) fn says_serving(&self) -> bool {
        let state = self.lock();
        let lie = state.troubles.pick(lie).next().map(|(says, _)| says);
        lie.unwrap_or(!state.draining)
    }

    /// The health service has answered: a lie fires if it was one.
    pub(in crate::telemetry) fn count_health_answer(&self) {
        let state = self.lock();
        let truth = !state.draining;
        for (says, tally) in state.troubles.pick(lie) {
            tally.matched();
            if says != truth {
                tally.fired();
            }
        }
    }

    /// Completes when what the health service says may have changed.
    pub(in crate::telemetry) async fn health_changed(&self) {
        self.health_changed.notified().await;
    }

    /// What the first trouble says that has an answer and is for the one who asks; it fires.
    fn ask<T>(&self, takes: impl Fn(&Whom) -> bool, pick: impl Fn(&Trouble) -> Option<T>) -> Option<T> {
        let state = self.lock();
        let (answer, tally) = state.troubles.pick(pick).find(|(_, tally)| takes(tally.whom()))?;
        tally.hit(1);
        Some(answer)
    }
}

fn lie(trouble: &Trouble) -> Option<bool> {
    match trouble {
        Trouble::Health(says) => Some(*says),
        _ => None,
    }
}
