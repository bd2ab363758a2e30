//! Faults of the network: on links, on connections, on listening ports.
//!
//! A fault on links is an impairment laid over them and taken off again; overlapping ones add up. What it fired on are the
//! packets (or connection attempts) that it really lost, delayed or refused.

use super::{Fault, Stage, Window};
use crate::net::{ByteRate, Counts, Impairment, ImpairmentId, LossModel, Pairs};
use crate::scenario::{Bandwidth, Direction, FaultKind, Loss, Members, units};
use crate::telemetry::PORT;

/// Packets between two sides are dropped, delayed, lost or throttled for a window.
pub(super) struct LinkFault {
    kind: FaultKind,
    laid: Vec<ImpairmentId>,
    active: Option<ImpairmentId>,
}

impl LinkFault {
    pub(super) fn new(kind: FaultKind) -> Self {
        Self { kind, laid: Vec::new(), active: None }
    }

    fn impairment(&self) -> Impairment {
        match &self.kind {
            FaultKind::SlowLink { add, .. } => Impairment::slow(add.clone()),
            FaultKind::Loss { loss, .. } => Impairment::lossy(loss_model(*loss)),
            FaultKind::Bandwidth { limit: Bandwidth::Limited(rate), .. } => {
                Impairment { bandwidth: Some(byte_rate(*rate)), ..Impairment::default() }
            }
            _ => Impairment::drop_all(),
        }
    }

    fn pairs(&self, stage: &Stage) -> Pairs {
        match &self.kind {
            FaultKind::Partition { a, b, direction }
            | FaultKind::SlowLink { a, b, direction, .. }
            | FaultKind::Loss { a, b, direction, .. }
            | FaultKind::Bandwidth { a, b, direction, .. } => pairs(stage, a, b, *direction),
            FaultKind::BlackHole { hosts } => Pairs::touching(&stage.hosts(hosts)),
            _ => Pairs::from_to(&[], &[]),
        }
    }
}

impl Fault for LinkFault {
    fn start(&mut self, stage: &Stage, _: Window) {
        let id = stage.net().impair(self.pairs(stage), self.impairment());
        self.laid.push(id);
        self.active = Some(id);
    }

    fn stop(&mut self, stage: &Stage) {
        if let Some(id) = self.active.take() {
            stage.net().repair(id);
        }
    }

    fn counts(&self, stage: &Stage) -> Counts {
        sum(self.laid.iter().map(|id| stage.net().counts(*id)))
    }
}

/// Ports refuse new connections for a window, as if nobody listened.
pub(super) struct RefuseFault {
    server: Members,
    laid: Vec<ImpairmentId>,
    active: Vec<ImpairmentId>,
}

impl RefuseFault {
    pub(super) fn new(server: Members) -> Self {
        Self { server, laid: Vec::new(), active: Vec::new() }
    }
}

impl Fault for RefuseFault {
    fn start(&mut self, stage: &Stage, _: Window) {
        self.active = stage.hosts(&self.server).into_iter().map(|host| stage.net().refuse(host, Some(PORT))).collect();
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

/// Connections that are cut at one moment: by a middlebox on both sides, or forgotten by one of them.
pub(super) struct ConnectionFault {
    kind: FaultKind,
    counts: Counts,
}

impl ConnectionFault {
    pub(super) fn new(kind: FaultKind) -> Self {
        Self { kind, counts: Counts::default() }
    }
}

impl Fault for ConnectionFault {
    fn start(&mut self, stage: &Stage, _: Window) {
        let net = stage.net();
        let hit = match &self.kind {
            FaultKind::Reset { a, b } => net.reset_connections(pairs(stage, a, b, Direction::Both)),
            FaultKind::HalfOpen { clients, server } => {
                let forgets = |host| net.forget(host, pairs(stage, server, clients, Direction::Forward));
                stage.hosts(server).into_iter().map(forgets).sum()
            }
            _ => 0,
        };
        self.counts.matched += hit;
        self.counts.fired += hit;
    }

    fn stop(&mut self, _: &Stage) {}

    fn counts(&self, _: &Stage) -> Counts {
        self.counts
    }
}

fn pairs(stage: &Stage, a: &Members, b: &Members, direction: Direction) -> Pairs {
    let (a, b) = (stage.hosts(a), stage.hosts(b));
    match direction {
        Direction::Both => Pairs::between(&a, &b),
        Direction::Forward => Pairs::from_to(&a, &b),
    }
}

/// The network's word for how a scenario loses packets.
pub(crate) fn loss_model(loss: Loss) -> LossModel {
    match loss {
        Loss::Independent(rate) => LossModel::Independent(rate),
        Loss::GilbertElliott { enter, leave, bad, good } => LossModel::GilbertElliott { enter, leave, bad, good },
    }
}

/// The network's word for how fast bytes leave.
pub(crate) fn byte_rate(rate: units::ByteRate) -> ByteRate {
    // A scenario's rate has passed the same check.
    ByteRate::per_second(rate.value()).expect("a rate is above zero and finite")
}

fn sum(counts: impl Iterator<Item = Counts>) -> Counts {
    counts.fold(Counts::default(), |sum, counts| Counts {
        matched: sum.matched + counts.matched,
        fired: sum.fired + counts.fired,
    })
}
