//! Faults of the network: on links, on everything that passes them.
//!
//! A fault on links is an impairment laid over them and taken off again; overlapping ones add up. What it fired on are the
//! packets that it really lost, delayed, doubled or held back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Fault, Stage, Window, lock};
use crate::clock;
use crate::net::{ByteRate, Counts, Impairment, ImpairmentId, LossModel, Network, Pairs, Reorder, Selected};
use crate::random::Distribution;
use crate::scenario::{Bandwidth, Direction, FaultKind, Loss, Members, Selector, units};

/// Packets between two sides are dropped, delayed, lost or throttled for a window.
pub(super) struct LinkFault {
    kind: FaultKind,
    only: Selector,
    ramp: Duration,
    laid: Arc<Mutex<Laid>>,
}

/// The impairments laid so far.
#[derive(Default)]
struct Laid {
    all: Vec<ImpairmentId>,
    active: Option<ImpairmentId>,
    /// Whether a window is open.
    open: bool,
}

impl LinkFault {
    pub(super) fn new(kind: FaultKind, only: Selector, ramp: Duration) -> Self {
        Self { kind, only, ramp, laid: Arc::default() }
    }

    fn impairment(&self) -> Impairment {
        let mut what = match &self.kind {
            FaultKind::SlowLink { add, .. } => Impairment::slow(add.clone()),
            // A range that begins at nothing is always one.
            FaultKind::Jitter { up_to, .. } => {
                Impairment::slow(Distribution::uniform(Duration::ZERO, *up_to).unwrap_or_default())
            }
            FaultKind::Loss { loss, .. } => Impairment::lossy(loss_model(*loss)),
            FaultKind::Reorder { rate, hold, .. } => {
                Impairment { reorder: Some(Reorder { rate: *rate, hold: hold.clone() }), ..Impairment::default() }
            }
            FaultKind::Duplicate { rate, .. } => Impairment { duplicate: *rate, ..Impairment::default() },
            FaultKind::NatExpiry { idle, .. } => Impairment { nat_idle: Some(*idle), ..Impairment::default() },
            FaultKind::Bandwidth { limit: Bandwidth::Limited(rate), .. } => {
                Impairment { bandwidth: Some(byte_rate(*rate)), ..Impairment::default() }
            }
            _ => Impairment::drop_all(),
        };
        what.ramp = self.ramp;
        what
    }

    fn pairs(&self, stage: &Stage) -> Pairs {
        match &self.kind {
            FaultKind::Partition { a, b, direction }
            | FaultKind::SlowLink { a, b, direction, .. }
            | FaultKind::Jitter { a, b, direction, .. }
            | FaultKind::Reorder { a, b, direction, .. }
            | FaultKind::Duplicate { a, b, direction, .. }
            | FaultKind::Flap { a, b, direction, .. }
            | FaultKind::Loss { a, b, direction, .. }
            | FaultKind::Bandwidth { a, b, direction, .. } => pairs(stage, a, b, *direction),
            FaultKind::NatExpiry { a, b, .. } => pairs(stage, a, b, Direction::Both),
            FaultKind::BlackHole { hosts } => Pairs::touching(&stage.hosts(hosts)),
            _ => Pairs::from_to(&[], &[]),
        }
    }
}

impl Fault for LinkFault {
    fn start(&mut self, stage: &Stage, _: Window) {
        let (touched, what) = (stage.selected(self.pairs(stage), &self.only), self.impairment());
        lock(&self.laid).lay(stage.net(), touched.clone(), what.clone());
        lock(&self.laid).open = true;
        if let FaultKind::Flap { down, up, .. } = self.kind {
            let (net, laid) = (stage.net().clone(), Arc::clone(&self.laid));
            tokio::spawn(flap(net, laid, (touched, what), down, up));
        }
    }

    fn stop(&mut self, stage: &Stage) {
        let mut laid = lock(&self.laid);
        laid.open = false;
        laid.lift(stage.net());
    }

    fn counts(&self, stage: &Stage) -> Counts {
        sum(lock(&self.laid).all.iter().map(|id| stage.net().counts(*id)))
    }
}

impl Laid {
    fn lay(&mut self, net: &Network, touched: Selected, what: Impairment) {
        let id = net.impair(touched, what);
        self.all.push(id);
        self.active = Some(id);
    }

    fn lift(&mut self, net: &Network) {
        if let Some(id) = self.active.take() {
            net.repair(id);
        }
    }
}

/// Up for a while, down for a while, as long as the window is open. It is down when this begins.
async fn flap(net: Network, laid: Arc<Mutex<Laid>>, link: (Selected, Impairment), down: Duration, up: Duration) {
    // A window that follows has a task of its own; this one's is known by what it laid first.
    let mut mine = lock(&laid).active;
    loop {
        clock::sleep(down).await;
        {
            let mut laid = lock(&laid);
            if laid.active != mine || !laid.open {
                return;
            }
            laid.lift(&net);
        }
        clock::sleep(up).await;
        let mut laid = lock(&laid);
        if laid.active.is_some() || !laid.open {
            return;
        }
        laid.lay(&net, link.0.clone(), link.1.clone());
        mine = laid.active;
    }
}

pub(super) fn pairs(stage: &Stage, a: &Members, b: &Members, direction: Direction) -> Pairs {
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

pub(super) fn sum(counts: impl Iterator<Item = Counts>) -> Counts {
    counts.fold(Counts::default(), |sum, counts| Counts {
        matched: sum.matched + counts.matched,
        fired: sum.fired + counts.fired,
    })
}
