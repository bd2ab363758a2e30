//! Faults of servers that run, but not as they should: slow, short of workers, wrong about the time, with a bad disk.

use std::time::Duration;

use tonic::Code;

use super::Around;
use crate::scenario::check::Checker;
use crate::scenario::check::names::Allowed;
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::plan::{Capacity, Durability, FaultKind, Group, Members, Slowdown};
use crate::scenario::raw::{self, Field};

impl Checker<'_> {
    pub(super) fn slow_server(&mut self, field: &Field<raw::SlowServer>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let slowdown = self.slowdown(&it.factor, &it.add, "slow_server", at);
        let server = self.servers_of(&it.server, "server", at)?;
        Some(FaultKind::SlowServer { server, slowdown })
    }

    fn slowdown(&mut self, factor: &Field<f64>, add: &Field<raw::Times>, kind: &str, at: Span) -> Slowdown {
        self.slowdown_factor(factor);
        if factor.is_absent() && add.is_absent() {
            let mistake = Mistake::at(at, format!("`{kind}` does not say how slow"));
            self.push(mistake.help("add `factor: 10` or `add: 200ms`"));
        }
        Slowdown { factor: factor.or(1.0), add: self.times(add, Duration::ZERO) }
    }

    pub(super) fn cold_cache(&mut self, field: &Field<raw::ColdCache>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.required(&it.factor, "factor", at);
        self.slowdown_factor(&it.factor);
        let server = self.servers_of(&it.server, "server", at)?;
        Some(FaultKind::ColdCache { server, factor: *it.factor.get()? })
    }

    pub(super) fn clock_skew(&mut self, field: &Field<raw::ClockSkew>, around: &Around<'_>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.above_zero(&it.ahead, "ahead");
        self.above_zero(&it.behind, "behind");
        let nanos = |time: &raw::Time| i64::try_from(time.0.as_nanos()).unwrap_or(i64::MAX);
        let ahead_ns = match (it.ahead.get(), it.behind.get()) {
            (Some(ahead), None) => Some(nanos(ahead)),
            (None, Some(behind)) => Some(-nanos(behind)),
            (Some(_), Some(_)) => {
                self.wrong(at, "a clock is not both ahead and behind");
                None
            }
            (None, None) => {
                self.push(
                    Mistake::at(at, "`clock_skew` does not say by how much").help("add `ahead: 5s` or `behind: 5s`"),
                );
                None
            }
        };
        self.required(&it.hosts, "hosts", at);
        let (written, place) = it.hosts.with_span()?;
        let hosts = self.members(written, place, Allowed::Both)?;
        self.somebody_reads_the_clock(&hosts, place, around);
        Some(FaultKind::ClockSkew { hosts, ahead_ns: ahead_ns? })
    }

    /// gRPC's deadlines travel as what is left of them, so that only timestamps can show a wrong clock.
    fn somebody_reads_the_clock(&mut self, hosts: &Members, place: Span, around: &Around<'_>) {
        let server = match hosts.group {
            Group::Servers(group) => around.servers.get(group),
            Group::Clients(_) => {
                let calls = around.calls(hosts);
                around.servers.iter().find(|server| Some(server.name.as_str()) == calls)
            }
        };
        if let Some(server) = server.filter(|server| server.max_skew == Duration::MAX) {
            let mistake = Mistake::at(place, format!("`{}` does not look at timestamps", server.name));
            self.push(
                mistake.help(format!("give `{}` a `max_skew: 5s`: deadlines do not depend on clocks", server.name)),
            );
        }
    }

    pub(super) fn slow_disk(&mut self, field: &Field<raw::SlowDisk>, around: &Around<'_>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let slowdown = self.slowdown(&it.factor, &it.add, "slow_disk", at);
        let server = self.servers_of(&it.server, "server", at)?;
        let wait = |durability: Durability| durability == Durability::Sync;
        self.disk(&server, around, at, wait, ("never waits for its disk", "give it `durability: sync`"));
        Some(FaultKind::SlowDisk { server, slowdown })
    }

    pub(super) fn full_disk(&mut self, field: &Field<raw::FullDisk>, around: &Around<'_>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let code = it.status.with_span().and_then(|(text, place)| self.code(text, place));
        if let Some(place) = it.status.span().filter(|_| code == Some(Code::Ok)) {
            self.wrong(place, "a write that failed is not `OK`");
        }
        let server = self.servers_of(&it.server, "server", at)?;
        self.has_disk(&server, around, at);
        Some(FaultKind::FullDisk { server, status: code.unwrap_or(Code::ResourceExhausted) })
    }

    pub(super) fn lying_disk(&mut self, field: &Field<raw::OnServer>, around: &Around<'_>) -> Option<FaultKind> {
        let at = field.span()?;
        let server = self.on_server(field)?;
        self.has_disk(&server, around, at);
        Some(FaultKind::LyingDisk { server })
    }

    fn has_disk(&mut self, server: &Members, around: &Around<'_>, at: Span) {
        let has = |durability: Durability| durability != Durability::Memory;
        self.disk(server, around, at, has, ("has no disk", "give it `durability: sync` or `write_behind`"));
    }

    fn disk(
        &mut self,
        server: &Members,
        around: &Around<'_>,
        at: Span,
        good: fn(Durability) -> bool,
        (lack, help): (&str, &str),
    ) {
        if let Some(group) = around.group(server).filter(|group| !good(group.durability)) {
            self.push(Mistake::at(at, format!("`{}` {lack}", group.name)).help(help));
        }
    }

    pub(super) fn health_lie(&mut self, field: &Field<raw::HealthLie>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.required(&it.says, "says", at);
        let server = self.servers_of(&it.server, "server", at)?;
        Some(FaultKind::HealthLie { server, serving: matches!(it.says.get()?, raw::Says::Serving) })
    }

    pub(super) fn capacity(&mut self, field: &Field<raw::CapacityDrop>, around: &Around<'_>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.required(&it.workers, "workers", at);
        self.at_least_one(&it.workers, "workers");
        let server = self.servers_of(&it.server, "server", at)?;
        let workers = it.workers.get().copied()?;
        let place = it.workers.span().unwrap_or(at);
        if let Some(group) = around.group(&server) {
            let name = &group.name;
            match group.capacity {
                Capacity::Unlimited => {
                    let mistake = Mistake::at(place, format!("`{name}` has no limit that could drop"));
                    self.push(mistake.help(format!("give `{name}` a number of `workers`")));
                }
                Capacity::Workers(usual) if workers >= usual => {
                    self.push(Mistake::at(place, format!("`{name}` has {usual} workers: this is no drop")));
                }
                Capacity::Workers(_) => {}
            }
        }
        Some(FaultKind::CapacityDrop { server, workers })
    }
}
