//! Faults: exactly one kind each, about hosts that exist, at a time when there is something to hit.

mod connection;
mod fleet;
mod foreign;
mod grpc;
mod network;
mod only;
mod server;

use std::collections::BTreeMap;
use std::time::Duration;

use super::Checker;
use crate::random::Probability;
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::plan::{Deploy, FaultKind, FaultPlan, Group, Members, ServerGroup, TimeWindow};
use crate::scenario::raw::{self, Field};
use crate::scenario::vocabulary::{FAULTS, FaultInfo};

/// What a fault may need to know of the rest of the scenario.
struct Around<'a> {
    scenario: &'a raw::Scenario,
    servers: &'a [ServerGroup],
}

impl Around<'_> {
    /// The server group that some members belong to.
    fn group(&self, members: &Members) -> Option<&ServerGroup> {
        match members.group {
            Group::Servers(group) => self.servers.get(group),
            Group::Clients(_) => None,
        }
    }

    /// The name of the server group that some members belong to.
    fn name(&self, members: &Members) -> Option<&str> {
        self.group(members).map(|group| group.name.as_str())
    }

    /// The name of the servers that some clients call.
    fn calls(&self, clients: &Members) -> Option<&str> {
        let Group::Clients(group) = clients.group else { return None };
        let (_, client) = self.scenario.clients.get()?.0.get(group)?;
        client.get()?.calls.get().map(String::as_str)
    }
}

/// Where a fault says a kind, for every kind there is.
macro_rules! written {
    ($fault:expr; $($kind:ident)*) => { [$((stringify!($kind), $fault.$kind.span())),*] };
}

fn written(fault: &raw::Fault) -> [(&'static str, Option<Span>); FAULTS.len()] {
    written!(fault;
        crash crash_loop rolling_restart deploy autoscale pause partition flap black_hole slow_link jitter reorder duplicate
        nat_expiry loss bandwidth refuse backlog_full slow_accept idle_kill goaway max_streams withhold reset half_open
        slow_server cold_cache clock_skew slow_disk full_disk lying_disk health_lie capacity grpc)
}

impl Checker<'_> {
    pub(super) fn faults(&mut self, scenario: &raw::Scenario, servers: &[ServerGroup]) -> Vec<FaultPlan> {
        let mut numbers = BTreeMap::new();
        let mut names: Vec<(String, Span)> = Vec::new();
        let mut faults = Vec::new();
        for (fault, span) in scenario.faults.items() {
            let Some(info) = self.kind(fault, span) else { continue };
            let kind = info.kind;
            let number = numbers.entry(kind).and_modify(|n: &mut u32| *n += 1).or_insert(1);
            let id = fault.name.get().cloned().unwrap_or_else(|| format!("{}-{number}", kind.replace('_', "-")));
            self.fault_name(&id, fault, span, &mut names);
            let windows = self.windows(fault, kind, info.shape, span);
            let around = Around { scenario, servers };
            let selector = self.selector(fault, info);
            let plan = FaultPlan {
                id,
                line: self.line(span),
                ramp: self.ramp(fault, info),
                probability: fault.probability.get().map_or(Probability::ALWAYS, |share| share.0),
                selector,
                may_not_fire: fault.may_not_fire.or(false),
                kind: match self.fault(fault, kind, &windows, &around) {
                    Some(kind) => kind,
                    None => continue,
                },
                windows,
            };
            self.no_overlap(&plan, &faults, span);
            self.clients_are_met(fault, &plan, &around);
            faults.push(plan);
        }
        faults
    }

    /// The kind of a fault: exactly one must be given.
    fn kind(&mut self, fault: &raw::Fault, span: Span) -> Option<&'static FaultInfo> {
        let all = written(fault);
        let given: Vec<_> = all.iter().filter(|(_, place)| place.is_some()).collect();
        match given[..] {
            [(kind, _)] => FAULTS.iter().find(|known| known.kind == *kind),
            [] => {
                let known: Vec<&str> = all.iter().map(|(kind, ..)| *kind).collect();
                let mistake = Mistake::at(span, "the fault does not say what goes wrong");
                self.push(mistake.help(format!("add one of: {}", known.join(", "))));
                None
            }
            [first, second, ..] => {
                let place = second.1.unwrap_or(span);
                let message = format!("`{}` and `{}` in one fault", first.0, second.0);
                self.push(Mistake::at(place, message).help("write two faults: each is counted on its own"));
                None
            }
        }
    }

    fn fault_name(&mut self, id: &str, fault: &raw::Fault, span: Span, names: &mut Vec<(String, Span)>) {
        let place = fault.name.span().unwrap_or(span);
        if fault.name.get().is_some() {
            self.valid_name(id, place, "a fault");
        }
        if let Some((_, first)) = names.iter().find(|(name, _)| name == id) {
            let line = self.line(*first);
            self.push(
                Mistake::at(place, format!("two faults are named `{id}`"))
                    .label(format!("the first is on line {line}")),
            );
        }
        names.push((id.to_owned(), place));
    }

    /// Only what has a strength can grow.
    fn ramp(&mut self, fault: &raw::Fault, info: &FaultInfo) -> Duration {
        if let Some(place) = fault.ramp.span().filter(|_| !info.grows) {
            let growing: Vec<&str> = FAULTS.iter().filter(|known| known.grows).map(|known| known.kind).collect();
            let mistake = Mistake::at(place, format!("`{}` has no strength that could grow", info.kind));
            self.push(mistake.help(format!("`ramp` goes with {}", growing.join(", "))));
        }
        Self::time(&fault.ramp, Duration::ZERO)
    }

    fn fault(
        &mut self,
        fault: &raw::Fault,
        kind: &str,
        windows: &[TimeWindow],
        around: &Around<'_>,
    ) -> Option<FaultKind> {
        match kind {
            "crash" => self.crash(&fault.crash),
            "crash_loop" => self.crash_loop(&fault.crash_loop),
            "rolling_restart" => self.rolling_restart(&fault.rolling_restart, windows),
            "deploy" => self.deploy(&fault.deploy, windows),
            "autoscale" => self.autoscale(&fault.autoscale),
            "pause" => Some(FaultKind::Pause { server: self.on_server(&fault.pause)? }),
            "partition" => self.partition(&fault.partition),
            "flap" => self.flap(&fault.flap),
            "black_hole" => self.black_hole(&fault.black_hole),
            "slow_link" => self.slow_link(&fault.slow_link),
            "jitter" => self.jitter(&fault.jitter),
            "reorder" => self.reorder(&fault.reorder),
            "duplicate" => self.duplicate(&fault.duplicate),
            "nat_expiry" => self.nat_expiry(&fault.nat_expiry),
            "loss" => self.lossy(&fault.loss),
            "bandwidth" => self.bandwidth(&fault.bandwidth),
            "refuse" => Some(FaultKind::Refuse { server: self.on_server(&fault.refuse)? }),
            "backlog_full" => Some(FaultKind::BacklogFull { server: self.on_server(&fault.backlog_full)? }),
            "slow_accept" => self.slow_accept(&fault.slow_accept),
            "idle_kill" => self.idle_kill(&fault.idle_kill),
            "goaway" => self.goaway(&fault.goaway),
            "max_streams" => self.max_streams(&fault.max_streams, around),
            "withhold" => self.withhold(&fault.withhold),
            "reset" => self.reset(&fault.reset),
            "half_open" => self.half_open(&fault.half_open),
            "slow_server" => self.slow_server(&fault.slow_server),
            "cold_cache" => self.cold_cache(&fault.cold_cache),
            "clock_skew" => self.clock_skew(&fault.clock_skew, around),
            "slow_disk" => self.slow_disk(&fault.slow_disk, around),
            "full_disk" => self.full_disk(&fault.full_disk, around),
            "lying_disk" => self.lying_disk(&fault.lying_disk, around),
            "health_lie" => self.health_lie(&fault.health_lie),
            "capacity" => self.capacity(&fault.capacity, around),
            _ => self.grpc(&fault.grpc, fault.only.get().map_or(&Field::Absent, |only| &only.method)),
        }
    }

    fn on_server(&mut self, field: &Field<raw::OnServer>) -> Option<Members> {
        let (it, at) = field.with_span()?;
        self.servers_of(&it.server, "server", at)
    }

    /// A replica that is down cannot go down.
    fn no_overlap(&mut self, fault: &FaultPlan, before: &[FaultPlan], span: Span) {
        let down = |kind: &FaultKind| match kind {
            FaultKind::Crash { server, .. }
            | FaultKind::CrashLoop { server, .. }
            | FaultKind::RollingRestart { server, .. }
            | FaultKind::Deploy(Deploy { server, .. }) => Some(server.clone()),
            FaultKind::Autoscale { server, to, .. } => {
                Some(Members { group: server.group, range: server.range.start + to..server.range.end })
            }
            _ => None,
        };
        let Some(mine) = down(&fault.kind) else { return };
        let clash = before.iter().find(|other| {
            down(&other.kind).is_some_and(|theirs| {
                theirs.group == mine.group && theirs.range.start < mine.range.end && mine.range.start < theirs.range.end
            }) && other.windows.iter().any(|a| fault.windows.iter().any(|b| a.start < b.end && b.start < a.end))
        });
        if let Some(other) = clash {
            let message = format!("the same replica goes down while `{}` holds it down", other.id);
            self.push(Mistake::at(span, message).label(format!("`{}` is on line {}", other.id, other.line)));
        }
    }
}
