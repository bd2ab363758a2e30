//! Faults: exactly one kind each, about hosts that exist, at a time when there is something to hit.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use tonic::Code;

use super::Checker;
use super::link::{SideFields, Way};
use super::names::Allowed;
use super::server::pushback;
use super::windows::Shape;
use crate::random::Probability;
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::plan::{
    Bandwidth, Capacity, CrashHow, FaultKind, FaultPlan, Group, Grpc, GrpcWhen, Lose, Members, Selector, ServerGroup,
    Slowdown, TimeWindow,
};
use crate::scenario::raw::{self, Field};
use crate::scenario::units::show_duration;

/// The methods of the telemetry service.
const METHODS: [&str; 1] = ["ReportAlert"];
const GRACE: Duration = Duration::from_secs(5);
const DOWN: Duration = Duration::from_secs(1);

/// A kind as it was written: its key, its place, how it relates to time.
type Written = (&'static str, Option<Span>, Shape);

/// The one list of all kinds.
fn kinds(fault: &raw::Fault) -> [Written; 14] {
    [
        ("crash", fault.crash.span(), Shape::While),
        ("rolling_restart", fault.rolling_restart.span(), Shape::Bounded),
        ("pause", fault.pause.span(), Shape::Bounded),
        ("partition", fault.partition.span(), Shape::While),
        ("black_hole", fault.black_hole.span(), Shape::While),
        ("slow_link", fault.slow_link.span(), Shape::While),
        ("loss", fault.loss.span(), Shape::While),
        ("bandwidth", fault.bandwidth.span(), Shape::While),
        ("refuse", fault.refuse.span(), Shape::While),
        ("reset", fault.reset.span(), Shape::Moment),
        ("half_open", fault.half_open.span(), Shape::Moment),
        ("slow_server", fault.slow_server.span(), Shape::While),
        ("capacity", fault.capacity.span(), Shape::While),
        ("grpc", fault.grpc.span(), Shape::While),
    ]
}

impl Checker<'_> {
    pub(super) fn faults(&mut self, scenario: &raw::Scenario, servers: &[ServerGroup]) -> Vec<FaultPlan> {
        let mut numbers = BTreeMap::new();
        let mut names: Vec<(String, Span)> = Vec::new();
        let mut faults = Vec::new();
        for (fault, span) in scenario.faults.items() {
            let Some((kind, shape)) = self.kind(fault, span) else { continue };
            let number = numbers.entry(kind).and_modify(|n: &mut u32| *n += 1).or_insert(1);
            let id = fault.name.get().cloned().unwrap_or_else(|| format!("{}-{number}", kind.replace('_', "-")));
            self.fault_name(&id, fault, span, &mut names);
            let windows = self.windows(fault, kind, shape, span);
            let plan = FaultPlan {
                id,
                line: self.line(span),
                ramp: self.ramp(fault, kind),
                probability: fault.probability.get().map_or(Probability::ALWAYS, |share| share.0),
                selector: self.selector(fault),
                may_not_fire: fault.may_not_fire.or(false),
                kind: match self.fault(fault, kind, &windows, servers) {
                    Some(kind) => kind,
                    None => continue,
                },
                windows,
            };
            self.no_overlap(&plan, &faults, span);
            faults.push(plan);
        }
        faults
    }

    /// The kind of a fault: exactly one must be given.
    fn kind(&mut self, fault: &raw::Fault, span: Span) -> Option<(&'static str, Shape)> {
        let all = kinds(fault);
        let given: Vec<&Written> = all.iter().filter(|(_, place, _)| place.is_some()).collect();
        match given[..] {
            [(kind, _, shape)] => Some((kind, *shape)),
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
    fn ramp(&mut self, fault: &raw::Fault, kind: &str) -> Duration {
        const GROWING: [&str; 5] = ["slow_link", "loss", "slow_server", "grpc", "bandwidth"];
        if let Some(place) = fault.ramp.span().filter(|_| !GROWING.contains(&kind)) {
            let mistake = Mistake::at(place, format!("`{kind}` has no strength that could grow"));
            self.push(mistake.help(format!("`ramp` goes with {}", GROWING.join(", "))));
        }
        Self::time(&fault.ramp, Duration::ZERO)
    }

    fn selector(&mut self, fault: &raw::Fault) -> Selector {
        let Some(grpc) = fault.grpc.get() else { return Selector::default() };
        for (field, name) in [(&grpc.first, "first"), (&grpc.every, "every")] {
            if let Some((_, place)) = field.with_span().filter(|(count, _)| **count == 0) {
                self.wrong(place, format!("`{name}` must be at least 1"));
            }
        }
        let clients: Vec<Members> = grpc
            .clients
            .items()
            .collect::<Vec<_>>()
            .into_iter()
            .filter_map(|(written, place)| self.members(written, place, Allowed::Clients))
            .collect();
        Selector {
            first: grpc.first.or(u64::MAX),
            every: NonZeroU64::new(grpc.every.or(1)).unwrap_or(NonZeroU64::MIN),
            clients,
        }
    }

    fn fault(
        &mut self,
        fault: &raw::Fault,
        kind: &str,
        windows: &[TimeWindow],
        servers: &[ServerGroup],
    ) -> Option<FaultKind> {
        match kind {
            "crash" => self.crash(&fault.crash),
            "rolling_restart" => self.rolling_restart(&fault.rolling_restart, windows),
            "pause" => Some(FaultKind::Pause { server: self.on_server(&fault.pause)? }),
            "refuse" => Some(FaultKind::Refuse { server: self.on_server(&fault.refuse)? }),
            "partition" => {
                let (it, at) = fault.partition.with_span()?;
                let Way { a, b, direction } = self.sides(&it.between, &it.from, &it.to, at)?;
                Some(FaultKind::Partition { a, b, direction })
            }
            "black_hole" => {
                let (it, at) = fault.black_hole.with_span()?;
                self.required(&it.hosts, "hosts", at)?;
                let (written, place) = it.hosts.with_span()?;
                Some(FaultKind::BlackHole { hosts: self.members(written, place, Allowed::Both)? })
            }
            "slow_link" => {
                let (it, at) = fault.slow_link.with_span()?;
                let way = self.sides(&it.between, &it.from, &it.to, at);
                self.required(&it.add, "add", at);
                let add = self.times(&it.add, Duration::ZERO);
                let Way { a, b, direction } = way?;
                Some(FaultKind::SlowLink { a, b, direction, add })
            }
            "loss" => {
                let (it, at) = fault.loss.with_span()?;
                let way = self.sides(&it.between, &it.from, &it.to, at);
                self.required(&it.rate, "rate", at);
                let loss = self.loss(&it.rate);
                let Way { a, b, direction } = way?;
                Some(FaultKind::Loss { a, b, direction, loss })
            }
            "bandwidth" => {
                let (it, at) = fault.bandwidth.with_span()?;
                let way = self.sides(&it.between, &it.from, &it.to, at);
                let limit = self.required(&it.limit, "limit", at).map(|speed| Bandwidth::Limited(speed.0));
                let Way { a, b, direction } = way?;
                Some(FaultKind::Bandwidth { a, b, direction, limit: limit? })
            }
            "reset" => {
                let (it, at) = fault.reset.with_span()?;
                let Way { a, b, .. } = self.both(&it.between, at)?;
                Some(FaultKind::Reset { a, b })
            }
            "half_open" => self.half_open(&fault.half_open),
            "slow_server" => self.slow_server(&fault.slow_server),
            "capacity" => self.capacity(&fault.capacity, servers),
            _ => self.grpc(&fault.grpc),
        }
    }

    fn sides(
        &mut self,
        between: &raw::List<String>,
        from: &Field<String>,
        to: &Field<String>,
        span: Span,
    ) -> Option<Way> {
        self.way(&SideFields { between, from, to }, span)
    }

    fn on_server(&mut self, field: &Field<raw::OnServer>) -> Option<Members> {
        let (it, at) = field.with_span()?;
        self.servers_of(&it.server, "server", at)
    }

    fn how(field: &Field<raw::How>, default: CrashHow) -> CrashHow {
        field.get().map_or(default, |how| match how {
            raw::How::Kill => CrashHow::Kill,
            raw::How::PowerLoss => CrashHow::PowerLoss,
            raw::How::Graceful(grace) => CrashHow::Graceful(grace.0),
        })
    }

    fn crash(&mut self, field: &Field<raw::Crash>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let lose = it.lose.get().map_or(Lose::Unsynced, |lose| match lose {
            raw::Lose::Nothing => Lose::Nothing,
            raw::Lose::Unsynced => Lose::Unsynced,
            raw::Lose::All => Lose::All,
        });
        let server = self.servers_of(&it.server, "server", at)?;
        Some(FaultKind::Crash { server, how: Self::how(&it.how, CrashHow::Kill), lose })
    }

    fn rolling_restart(&mut self, field: &Field<raw::RollingRestart>, windows: &[TimeWindow]) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.above_zero(&it.down, "down");
        let server = self.servers_of(&it.server, "server", at)?;
        let down = Self::time(&it.down, DOWN);
        let replicas = server.range.len() as u32;
        if windows.iter().any(|window| window.end - window.start < down * replicas) {
            let need = show_duration(down * replicas);
            let message = format!("{replicas} replicas, each down for {}, do not fit", show_duration(down));
            self.push(
                Mistake::at(at, message).help(format!("make `for` at least {need}: one restarts after the other")),
            );
        }
        Some(FaultKind::RollingRestart { server, down, how: Self::how(&it.how, CrashHow::Graceful(GRACE)) })
    }

    fn half_open(&mut self, field: &Field<raw::HalfOpen>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let server = self.servers_of(&it.server, "server", at);
        self.required(&it.clients, "clients", at);
        let clients =
            it.clients.with_span().and_then(|(written, place)| self.members(written, place, Allowed::Clients));
        Some(FaultKind::HalfOpen { clients: clients?, server: server? })
    }

    fn slow_server(&mut self, field: &Field<raw::SlowServer>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.slowdown_factor(&it.factor);
        if it.factor.is_absent() && it.add.is_absent() {
            let mistake = Mistake::at(at, "`slow_server` does not say how slow");
            self.push(mistake.help("add `factor: 10` or `add: 200ms`"));
        }
        let add = self.times(&it.add, Duration::ZERO);
        let server = self.servers_of(&it.server, "server", at)?;
        Some(FaultKind::SlowServer { server, slowdown: Slowdown { factor: it.factor.or(1.0), add } })
    }

    fn capacity(&mut self, field: &Field<raw::CapacityDrop>, servers: &[ServerGroup]) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.required(&it.workers, "workers", at);
        self.at_least_one(&it.workers, "workers");
        let server = self.servers_of(&it.server, "server", at)?;
        let workers = it.workers.get().copied()?;
        let place = it.workers.span().unwrap_or(at);
        if let Group::Servers(group) = server.group
            && let Some(group) = servers.get(group)
        {
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

    fn grpc(&mut self, field: &Field<raw::Grpc>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let when = match it.when.get() {
            None | Some(raw::When::BeforeHandler) => GrpcWhen::BeforeHandler,
            Some(raw::When::AfterHandler) => GrpcWhen::AfterHandler,
            Some(raw::When::ResponseLost) => GrpcWhen::ResponseLost,
        };
        let status = it.status.with_span().and_then(|(text, place)| self.code(text, place));
        if it.status.is_absent() && it.delay.is_absent() && when != GrpcWhen::ResponseLost {
            self.push(Mistake::at(at, "`status` is missing").label("which status do calls end with?"));
        }
        if let Some(place) = it.status.span().filter(|_| status == Some(Code::Ok) && it.delay.is_absent()) {
            self.push(
                Mistake::at(place, "calls that end with `OK` do not fail")
                    .help("choose another status, or add `delay`"),
            );
        }
        if let Some(place) = it.status.span().filter(|_| when == GrpcWhen::ResponseLost) {
            let mistake = Mistake::at(place, "a response that is lost has no status");
            self.push(mistake.help("drop `status`, or use `when: after_handler`, where the client is told"));
        }
        if let Some((rate, place)) = it.rate.with_span().filter(|(rate, _)| rate.0 == Probability::NEVER) {
            self.wrong(place, format!("a rate of {}% never happens", rate.0.value()));
        }
        if let Some((method, place)) = it.method.with_span()
            && !METHODS.contains(&method.as_str())
        {
            let mistake =
                Mistake::at(place, format!("no method is named `{}`", crate::scenario::yaml::shorten(method)));
            self.push(mistake.suggest(method, "methods of the telemetry service", METHODS));
        }
        let delay = self.times(&it.delay, Duration::ZERO);
        let server = self.servers_of(&it.server, "server", at)?;
        Some(FaultKind::Grpc(Grpc {
            server,
            method: it.method.get().cloned().unwrap_or_default(),
            status: status.unwrap_or(Code::Ok),
            message: it.message.get().cloned().unwrap_or_else(|| "injected by fault".to_owned()),
            rate: it.rate.get().map_or(Probability::ALWAYS, |rate| rate.0),
            when,
            pushback: pushback(&it.pushback),
            delay,
        }))
    }

    /// A replica that is down cannot go down.
    fn no_overlap(&mut self, fault: &FaultPlan, before: &[FaultPlan], span: Span) {
        let down = |kind: &FaultKind| match kind {
            FaultKind::Crash { server, .. } | FaultKind::RollingRestart { server, .. } => Some(server.clone()),
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
