//! From a declared fault to one that can happen: the only place that knows them all.

use super::Fault;
use super::crash::{Crash, RollingRestart};
use super::grpc::GrpcFault;
use super::network::{ConnectionFault, LinkFault, RefuseFault};
use super::pause::Pause;
use super::server::{CapacityDrop, SlowServer};
use crate::random::Key;
use crate::scenario::{FaultKind, FaultPlan};

/// The fault that `plan` declares; `key` names its draws.
pub(super) fn build(plan: &FaultPlan, key: Key) -> Box<dyn Fault> {
    match &plan.kind {
        FaultKind::Crash { server, how, lose } => Box::new(Crash::new(server.clone(), *how, *lose)),
        FaultKind::RollingRestart { server, down, how } => Box::new(RollingRestart::new(server.clone(), *down, *how)),
        FaultKind::Pause { server } => Box::new(Pause::new(server.clone())),
        FaultKind::Partition { .. }
        | FaultKind::BlackHole { .. }
        | FaultKind::SlowLink { .. }
        | FaultKind::Loss { .. }
        | FaultKind::Bandwidth { .. } => Box::new(LinkFault::new(plan.kind.clone())),
        FaultKind::Refuse { server } => Box::new(RefuseFault::new(server.clone())),
        FaultKind::Reset { .. } | FaultKind::HalfOpen { .. } => Box::new(ConnectionFault::new(plan.kind.clone())),
        FaultKind::SlowServer { server, slowdown } => Box::new(SlowServer::new(server.clone(), slowdown.clone())),
        FaultKind::CapacityDrop { server, workers } => Box::new(CapacityDrop::new(server.clone(), *workers)),
        FaultKind::Grpc(grpc) => Box::new(GrpcFault::new(grpc.clone(), plan.selector.clone(), key)),
    }
}
