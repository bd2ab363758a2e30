//! From a declared fault to one that can happen: the only place that knows them all.

use super::Fault;
use super::clock::ClockSkew;
use super::connection::{Goaway, IdleKill, Lost, PortFault};
use super::crash::Crash;
use super::crash_loop::CrashLoop;
use super::deploy::Rollout;
use super::fleet::{Autoscale, RollingRestart};
use super::grpc::{GrpcFault, reason};
use super::network::LinkFault;
use super::pause::Pause;
use super::trouble::TroubleFault;
use crate::clock::{Ramp, now};
use crate::random::Key;
use crate::scenario::{FaultKind, FaultPlan};
use crate::telemetry::Trouble;

/// The fault that `plan` declares; `key` names its draws.
pub(super) fn build(plan: &FaultPlan, key: Key) -> Box<dyn Fault> {
    let (ramp, only) = (plan.ramp, plan.selector.clone());
    match plan.kind.clone() {
        FaultKind::Crash { server, some, how, lose } => Box::new(Crash::new(server, some, how, lose, key)),
        FaultKind::CrashLoop { server, up, down, cap } => Box::new(CrashLoop::new(server, up, down, cap)),
        FaultKind::RollingRestart { server, down, how } => Box::new(RollingRestart::new(server, down, how)),
        FaultKind::Deploy(plan) => Box::new(Rollout::new(plan, key)),
        FaultKind::Autoscale { server, to, grace } => Box::new(Autoscale::new(server, to, grace)),
        FaultKind::Pause { server } => Box::new(Pause::new(server)),
        kind @ (FaultKind::Partition { .. }
        | FaultKind::BlackHole { .. }
        | FaultKind::SlowLink { .. }
        | FaultKind::Jitter { .. }
        | FaultKind::Reorder { .. }
        | FaultKind::Duplicate { .. }
        | FaultKind::Flap { .. }
        | FaultKind::NatExpiry { .. }
        | FaultKind::Loss { .. }
        | FaultKind::Bandwidth { .. }) => Box::new(LinkFault::new(kind, only, ramp)),
        FaultKind::Refuse { server } => Box::new(PortFault::refused(server, only)),
        FaultKind::BacklogFull { server } => Box::new(PortFault::full(server, only)),
        FaultKind::Reset { a, b } => Box::new(Lost::reset(a, b, only)),
        FaultKind::HalfOpen { clients, server } => Box::new(Lost::forgotten(server, clients, only)),
        FaultKind::IdleKill { server, idle } => Box::new(IdleKill::new(server, idle, only)),
        FaultKind::Goaway { server, code } => Box::new(Goaway::new(server, code.map(reason), only)),
        FaultKind::SlowServer { server, slowdown } => Box::new(TroubleFault::new(server, only, move |_| {
            Trouble::Slow(slowdown.clone(), Ramp::rising(now(), ramp))
        })),
        FaultKind::ColdCache { server, factor } => Box::new(TroubleFault::new(server, only, move |window| {
            let slowdown = crate::scenario::Slowdown { factor, add: crate::random::Distribution::default() };
            Trouble::Slow(slowdown, Ramp::falling(now(), window.lasts))
        })),
        FaultKind::CapacityDrop { server, workers } => {
            Box::new(TroubleFault::new(server, only, move |_| Trouble::Workers(workers)).by_replica())
        }
        FaultKind::SlowAccept { server, delay } => {
            Box::new(TroubleFault::new(server, only, move |_| Trouble::AcceptDelay(delay)))
        }
        FaultKind::MaxStreams { server, streams } => {
            Box::new(TroubleFault::new(server, only, move |_| Trouble::Streams(streams)))
        }
        FaultKind::Withhold { server, frames } => {
            Box::new(TroubleFault::new(server, only, move |_| Trouble::Withhold(frames)).on_frames())
        }
        FaultKind::SlowDisk { server, slowdown } => Box::new(TroubleFault::new(server, only, move |_| {
            Trouble::SlowDisk(slowdown.clone(), Ramp::rising(now(), ramp))
        })),
        FaultKind::FullDisk { server, status } => {
            Box::new(TroubleFault::new(server, only, move |_| Trouble::FullDisk(status)))
        }
        FaultKind::LyingDisk { server } => Box::new(TroubleFault::new(server, only, |_| Trouble::LyingDisk)),
        FaultKind::HealthLie { server, serving } => {
            Box::new(TroubleFault::new(server, only, move |_| Trouble::Health(serving)))
        }
        FaultKind::ClockSkew { hosts, ahead_ns } => Box::new(ClockSkew::new(hosts, ahead_ns)),
        FaultKind::Grpc(grpc) => Box::new(GrpcFault::new(grpc, only, ramp, key)),
    }
}
