//! Faults laid over links: each is added and removed on its own, and counts what it met and what it changed.
//!
//! Rule: an overlay never edits the link below it, so that two faults on one link do not undo each other's work, and a
//! fault that never touched a packet can be told from one that did.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{ByteRate, HostId, LossModel, QueueLimit, Reorder, Selected};
use crate::clock::{Instant, Ramp};
use crate::random::{Distribution, Key, Probability};

/// What a fault does to the packets it meets. The default does nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Impairment {
    /// Every packet vanishes: a partition, a black hole.
    pub drop_all: bool,
    /// Added to the latency of the link.
    pub add_latency: Option<Distribution>,
    /// Packets lost beyond those the link loses.
    pub loss: LossModel,
    /// The bandwidth, if the link's own is not lower.
    pub bandwidth: Option<ByteRate>,
    /// The queue in front of `bandwidth`.
    pub queue: QueueLimit,
    /// Packets that arrive twice.
    pub duplicate: Probability,
    /// Packets that are overtaken.
    pub reorder: Option<Reorder>,
    /// A connection whose silence was longer than this is forgotten: nothing of it passes any more.
    pub nat_idle: Option<Duration>,
    /// Over how long all of this grows from nothing, except `drop_all` and `nat_idle`, which have no strength.
    pub ramp: Duration,
}

impl Impairment {
    /// Every packet vanishes.
    #[must_use]
    pub fn drop_all() -> Self {
        Self { drop_all: true, ..Self::default() }
    }

    /// Every packet takes longer.
    #[must_use]
    pub fn slow(add: Distribution) -> Self {
        Self { add_latency: Some(add), ..Self::default() }
    }

    /// Packets are lost.
    #[must_use]
    pub fn lossy(loss: LossModel) -> Self {
        Self { loss, ..Self::default() }
    }
}

/// Which ordered pairs of hosts (from, to) a fault touches.
#[derive(Clone)]
pub enum Pairs {
    /// All of them.
    All,
    /// Those listed.
    List(Vec<(HostId, HostId)>),
    /// Those for which the function says so.
    Matching(Arc<dyn Fn(HostId, HostId) -> bool + Send + Sync>),
}

impl Pairs {
    /// What is sent from one of `a` to one of `b`.
    #[must_use]
    pub fn from_to(a: &[HostId], b: &[HostId]) -> Self {
        let (a, b) = (sorted(a), sorted(b));
        Self::matching(move |from, to| a.binary_search(&from).is_ok() && b.binary_search(&to).is_ok())
    }

    /// What is sent between one of `a` and one of `b`, both ways.
    #[must_use]
    pub fn between(a: &[HostId], b: &[HostId]) -> Self {
        let (a, b) = (sorted(a), sorted(b));
        let has = |hosts: &[HostId], host: HostId| hosts.binary_search(&host).is_ok();
        Self::matching(move |from, to| (has(&a, from) && has(&b, to)) || (has(&b, from) && has(&a, to)))
    }

    /// Whatever is sent to or from one of `hosts`.
    #[must_use]
    pub fn touching(hosts: &[HostId]) -> Self {
        let hosts = sorted(hosts);
        Self::matching(move |from, to| hosts.binary_search(&from).is_ok() || hosts.binary_search(&to).is_ok())
    }

    /// Of these, those from or to one of `hosts`.
    #[must_use]
    pub fn and_touching(self, hosts: &[HostId]) -> Self {
        let also = Self::touching(hosts);
        Self::matching(move |from, to| self.contains(from, to) && also.contains(from, to))
    }

    /// Those for which `matches(from, to)` says so.
    pub fn matching(matches: impl Fn(HostId, HostId) -> bool + Send + Sync + 'static) -> Self {
        Self::Matching(Arc::new(matches))
    }

    pub(super) fn contains(&self, from: HostId, to: HostId) -> bool {
        match self {
            Self::All => true,
            Self::List(pairs) => pairs.contains(&(from, to)),
            Self::Matching(matches) => matches(from, to),
        }
    }
}

fn sorted(hosts: &[HostId]) -> Vec<HostId> {
    let mut hosts = hosts.to_vec();
    hosts.sort_unstable();
    hosts
}

impl From<Vec<(HostId, HostId)>> for Pairs {
    fn from(pairs: Vec<(HostId, HostId)>) -> Self {
        Self::List(pairs)
    }
}

impl fmt::Debug for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("All"),
            Self::List(pairs) => f.debug_tuple("List").field(pairs).finish(),
            Self::Matching(_) => f.write_str("Matching(..)"),
        }
    }
}

/// Names a fault that was added to a network, to repair it or to ask what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImpairmentId(pub(super) usize);

/// What a fault met, and what it changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets (or connects) it looked at.
    pub matched: u64,
    /// Those it lost, delayed, doubled, refused.
    pub fired: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counter {
    matched: AtomicU64,
    fired: AtomicU64,
}

impl Counter {
    pub(super) fn matched(&self) {
        self.matched.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fired(&self) {
        self.fired.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Counts {
        Counts { matched: self.matched.load(Ordering::Relaxed), fired: self.fired.load(Ordering::Relaxed) }
    }
}

/// An impairment as the paths that it touches see it.
#[derive(Debug)]
pub(super) struct Overlay {
    pub(super) id: ImpairmentId,
    pub(super) what: Impairment,
    pub(super) selected: Selected,
    pub(super) counter: Arc<Counter>,
    pub(super) ramp: Ramp,
}

impl Overlay {
    /// Whether it is the turn of the packet that is sent now. A middlebox that forgets connections has no turn for packets.
    pub(super) fn meets_packet(&self) -> bool {
        let meets = self.what.nat_idle.is_none() && self.selected.turnstile().passes();
        if meets {
            self.counter.matched();
        }
        meets
    }

    /// Whether it forgets a connection after this silence.
    pub(super) fn forgets_after(&self, silence: Duration) -> bool {
        let forgets = self.what.nat_idle.is_some_and(|idle| silence > idle) && self.selected.turnstile().passes();
        if forgets {
            self.counter.matched();
            self.counter.fired();
        }
        forgets
    }

    /// Whether what a model said of a packet holds at the strength that the fault has by now.
    pub(super) fn holds(&self, now: Instant, packet: Key) -> bool {
        self.ramp.is_flat() || packet.named("ramp").draw().value() < self.ramp.at(now)
    }

    /// The bandwidth at the strength that the fault has by now; none while it has none.
    pub(super) fn bandwidth(&self, now: Instant) -> Option<ByteRate> {
        ByteRate::per_second(self.what.bandwidth?.value() / self.ramp.at(now)).ok()
    }
}
