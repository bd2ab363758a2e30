//! Server groups.

use std::time::Duration;

use tonic::Code;

use super::{Checker, Shelf};
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::plan::{
    Capacity, Concurrency, Discipline, Downstream, DownstreamStrategy, DrawnBy, Durability, OnCancel, Pushback,
    QueuePlan, ServerGroup, WhenFull,
};
use crate::scenario::raw::{self, Field};
use crate::scenario::units::CallRate;

const SERVICE_TIME: Duration = Duration::from_millis(1);
const STARTUP: Duration = Duration::from_millis(500);
const QUEUE_LIMIT: u32 = 1024;
const BACKLOG: u32 = 4096;
const MAX_STREAMS: u32 = 1_000_000;
const MOST_FAN_OUT: u32 = 1000;

impl Checker<'_> {
    pub(super) fn servers(&mut self, scenario: &raw::Scenario, shelf: &Shelf<'_>) -> Vec<ServerGroup> {
        let mut servers = Vec::new();
        let absent = raw::Server::default();
        for (named, field) in scenario.servers.get().into_iter().flat_map(|all| &all.0) {
            let (server, span) = field.with_span().unwrap_or((&absent, named.span));
            servers.push(self.server(&named.name, server, span, shelf));
        }
        self.circles(scenario, &servers);
        servers
    }

    fn server(&mut self, name: &str, server: &raw::Server, span: Span, shelf: &Shelf<'_>) -> ServerGroup {
        self.at_least_one(&server.replicas, "replicas");
        self.at_least_one(&server.workers, "workers");
        self.at_least_one(&server.max_streams, "max_streams");
        self.at_least_one(&server.backlog, "backlog");
        self.above_zero(&server.max_skew, "max_skew");
        let capacity = server.workers.get().map_or(Capacity::Unlimited, |workers| Capacity::Workers(*workers));
        if let Some(queue) =
            server.queue.span().filter(|_| server.workers.is_absent() && !self.misspelt("workers", span))
        {
            let mistake = Mistake::at(queue, "a queue without `workers` never holds anything");
            self.push(
                mistake.help("without `workers` every call starts at once; add `workers: 16`, or drop the queue"),
            );
        }
        let durability = self.durability(&server.durability);
        let (cold_factor, cold_for) = self.cold(&server.cold);
        let calls = server.calls.items();
        ServerGroup {
            name: name.to_owned(),
            replicas: server.replicas.or(1),
            capacity,
            service_time: self.times(&server.service_time, SERVICE_TIME),
            concurrency: Concurrency { per_call: Self::time(&server.per_call, Duration::ZERO) },
            queue: self.queue(&server.queue),
            when_full: self.when_full(&server.when_full),
            deadline_aware: server.deadline_aware.or(false),
            on_cancel: match server.on_cancel.get() {
                None | Some(raw::OnCancel::Stop) => OnCancel::Stop,
                Some(raw::OnCancel::Finish) => OnCancel::Finish,
            },
            drawn_by: match server.drawn_by.get() {
                None | Some(raw::DrawnBy::Call) => DrawnBy::Call,
                Some(raw::DrawnBy::Attempt) => DrawnBy::Attempt,
            },
            durability,
            dedup: server.dedup.or(false),
            startup: Self::time(&server.startup, STARTUP),
            cold_for,
            cold_factor,
            disk: self.times(&server.disk, Duration::ZERO),
            backlog: server.backlog.or(BACKLOG),
            max_streams: server.max_streams.or(MAX_STREAMS),
            fairness: server.per_client.get().map_or(CallRate::UNLIMITED, |rate| rate.0),
            max_skew: Self::time(&server.max_skew, Duration::MAX),
            tcp: self.tcp(&server.tcp),
            downstream: calls.filter_map(|(call, at)| self.downstream(name, call, at, shelf)).collect(),
        }
    }

    fn queue(&mut self, field: &Field<raw::Queue>) -> QueuePlan {
        let fallback = QueuePlan { limit: QUEUE_LIMIT, discipline: Discipline::Fifo };
        let Some(queue) = field.get() else { return fallback };
        let discipline = match queue.discipline.get() {
            None | Some(raw::Discipline::Fifo) => Discipline::Fifo,
            Some(raw::Discipline::Lifo) => Discipline::Lifo,
            Some(raw::Discipline::Codel(codel)) => {
                self.above_zero(&codel.target, "target");
                self.above_zero(&codel.interval, "interval");
                let target = Self::time(&codel.target, Duration::from_millis(5));
                Discipline::CoDel { target, interval: Self::time(&codel.interval, Duration::from_millis(100)) }
            }
        };
        QueuePlan { limit: queue.limit.or(QUEUE_LIMIT), discipline }
    }

    fn when_full(&mut self, field: &Field<raw::WhenFull>) -> WhenFull {
        let fallback = WhenFull { code: Code::ResourceExhausted, pushback: None };
        let Some(full) = field.get() else { return fallback };
        let code = full.status.with_span().and_then(|(text, span)| self.code(text, span));
        let code = code.unwrap_or(Code::ResourceExhausted);
        if let Some(span) = full.status.span().filter(|_| code == Code::Ok) {
            self.push(
                Mistake::at(span, "a call that was shed cannot be `OK`").help("RESOURCE_EXHAUSTED or UNAVAILABLE"),
            );
        }
        WhenFull { code, pushback: pushback(&full.pushback) }
    }

    fn durability(&mut self, field: &Field<raw::Durability>) -> Durability {
        match field.with_span() {
            None | Some((raw::Durability::Sync, _)) => Durability::Sync,
            Some((raw::Durability::Memory, _)) => Durability::Memory,
            Some((raw::Durability::WriteBehind(delay), span)) => {
                if delay.0.is_zero() {
                    let mistake = Mistake::at(span, "`write_behind` must be above zero");
                    self.push(mistake.help("what is safe before it is acknowledged is `durability: sync`"));
                }
                Durability::WriteBehind(delay.0)
            }
        }
    }

    fn cold(&mut self, field: &Field<raw::Cold>) -> (f64, Duration) {
        let Some((cold, span)) = field.with_span() else { return (1.0, Duration::ZERO) };
        let factor = self.required(&cold.factor, "factor", span).copied().unwrap_or(1.0);
        self.slowdown_factor(&cold.factor);
        let lasts = self.required(&cold.lasts, "for", span).map_or(Duration::ZERO, |time| time.0);
        (factor.max(1.0), lasts)
    }

    /// A factor by which something becomes slower: at least 1, and not absurd.
    pub(super) fn slowdown_factor(&mut self, field: &Field<f64>) {
        if let Some((factor, span)) = field.with_span()
            && !(1.0..=1e6).contains(factor)
        {
            self.wrong(span, format!("`factor` is between 1 and 1000000, not {factor}"));
        }
    }

    fn downstream(
        &mut self,
        caller: &str,
        call: &raw::Downstream,
        span: Span,
        shelf: &Shelf<'_>,
    ) -> Option<Downstream> {
        self.at_least_one(&call.fan_out, "fan_out");
        if let Some((fan_out, at)) = call.fan_out.with_span().filter(|(fan_out, _)| **fan_out > MOST_FAN_OUT) {
            self.wrong(at, format!("a fan-out of {fan_out} is more than {MOST_FAN_OUT}"));
        }
        let strategy = match call.strategy.with_span() {
            None => Some(DownstreamStrategy::Same),
            Some((entry, at)) => self.strategy(entry, at, shelf).map(|plan| DownstreamStrategy::Fixed(Box::new(plan))),
        };
        let server = self.server_group(&call.server, "server", span)?;
        if call.server.get().is_some_and(|callee| callee == caller) {
            self.wrong(call.server.span().unwrap_or(span), format!("`{caller}` calls itself"));
            return None;
        }
        Some(Downstream { server, fan_out: call.fan_out.or(1), strategy: strategy? })
    }

    /// Tiers that call each other in a circle would call for ever.
    fn circles(&mut self, scenario: &raw::Scenario, servers: &[ServerGroup]) {
        let reaches = |from: usize, to: usize| {
            let (mut seen, mut open) = (vec![false; servers.len()], vec![from]);
            while let Some(at) = open.pop() {
                for call in servers.get(at).into_iter().flat_map(|server| &server.downstream) {
                    if call.server == to {
                        return true;
                    }
                    if !std::mem::replace(&mut seen[call.server], true) {
                        open.push(call.server);
                    }
                }
            }
            false
        };
        let groups = scenario.servers.get().into_iter().flat_map(|all| &all.0);
        for (place, (named, _)) in groups.enumerate().filter(|(place, _)| reaches(*place, *place)).take(1) {
            let name = &servers[place].name;
            self.push(Mistake::at(named.span, format!("`{name}` calls itself, by way of the servers it calls")));
        }
    }

    /// A gRPC status code by its name.
    pub(super) fn code(&mut self, text: &str, span: Span) -> Option<Code> {
        let found = CODES.iter().find(|(name, _)| *name == text).map(|(_, code)| *code);
        if found.is_none() {
            let mistake =
                Mistake::at(span, format!("no gRPC status is named `{}`", crate::scenario::yaml::shorten(text)));
            self.push(mistake.suggest(text, "statuses", CODES.iter().map(|(name, _)| *name)));
        }
        found
    }
}

/// What is said about retrying.
pub(super) fn pushback(field: &Field<raw::Pushback>) -> Option<Pushback> {
    field.get().map(|said| match said {
        raw::Pushback::Never => Pushback::Never,
        raw::Pushback::After(pause) => Pushback::After(pause.0),
    })
}

/// The codes by their names.
pub(super) const CODES: [(&str, Code); 17] = [
    ("OK", Code::Ok),
    ("CANCELLED", Code::Cancelled),
    ("UNKNOWN", Code::Unknown),
    ("INVALID_ARGUMENT", Code::InvalidArgument),
    ("DEADLINE_EXCEEDED", Code::DeadlineExceeded),
    ("NOT_FOUND", Code::NotFound),
    ("ALREADY_EXISTS", Code::AlreadyExists),
    ("PERMISSION_DENIED", Code::PermissionDenied),
    ("RESOURCE_EXHAUSTED", Code::ResourceExhausted),
    ("FAILED_PRECONDITION", Code::FailedPrecondition),
    ("ABORTED", Code::Aborted),
    ("OUT_OF_RANGE", Code::OutOfRange),
    ("UNIMPLEMENTED", Code::Unimplemented),
    ("INTERNAL", Code::Internal),
    ("UNAVAILABLE", Code::Unavailable),
    ("DATA_LOSS", Code::DataLoss),
    ("UNAUTHENTICATED", Code::Unauthenticated),
];
