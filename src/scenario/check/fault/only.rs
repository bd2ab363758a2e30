//! `only`: which a fault touches of what it applies to. A kind that strikes something whole has nothing to choose among, and says
//! why; clients that the fault never meets are a mistake, not a fault that never fires.

use std::num::NonZeroU64;

use super::Around;
use crate::scenario::check::Checker;
use crate::scenario::check::names::Allowed;
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::plan::{FaultKind, FaultPlan, Group, Members, Selector};
use crate::scenario::raw::{self, Field, List};
use crate::scenario::vocabulary::{Applies, FaultInfo};

impl Checker<'_> {
    pub(super) fn selector(&mut self, fault: &raw::Fault, info: &FaultInfo) -> Selector {
        let only = fault.only.get();
        if let Some((only, place)) = fault.only.with_span() {
            self.can_choose(only, place, info);
        }
        // A gRPC fault may say it among its own options too.
        let grpc = fault.grpc.get();
        let first = self.said_once(only.map(|only| &only.first), grpc.map(|grpc| &grpc.first), "first");
        let every = self.said_once(only.map(|only| &only.every), grpc.map(|grpc| &grpc.every), "every");
        let clients = self.said_once(only.map(|only| &only.clients), grpc.map(|grpc| &grpc.clients), "clients");
        self.said_once(only.map(|only| &only.method), grpc.map(|grpc| &grpc.method), "method");
        for (field, name) in [(first, "first"), (every, "every")] {
            if let Some((_, place)) = field.and_then(Field::with_span).filter(|(count, _)| **count == 0) {
                self.wrong(place, format!("`{name}` must be at least 1"));
            }
        }
        let clients: Vec<(&String, Span)> = clients.into_iter().flat_map(List::items).collect();
        let members = |(name, place): (&String, Span)| self.members(name, place, Allowed::Clients);
        Selector {
            clients: clients.into_iter().filter_map(members).collect(),
            first: first.and_then(Field::get).copied().unwrap_or(u64::MAX),
            every: every.and_then(Field::get).and_then(|every| NonZeroU64::new(*every)).unwrap_or(NonZeroU64::MIN),
        }
    }

    /// What stands in `only`, or among the options of the kind, but not in both.
    fn said_once<'f, T>(
        &mut self,
        only: Option<&'f Field<T>>,
        own: Option<&'f Field<T>>,
        name: &str,
    ) -> Option<&'f Field<T>> {
        let (only, own) = (only.filter(|field| !field.is_absent()), own.filter(|field| !field.is_absent()));
        if let (Some(_), Some(place)) = (only, own.and_then(Field::span)) {
            self.wrong(place, format!("`{name}` stands here and in `only`"));
        }
        only.or(own)
    }

    /// Whether there is something to choose among, and a choice.
    fn can_choose(&mut self, only: &raw::Only, place: Span, info: &FaultInfo) {
        let kind = info.kind;
        if let Applies::Whole(why) = info.applies {
            self.push(Mistake::at(place, format!("`{kind}` has nothing that `only` could choose among")).help(why));
            return;
        }
        self.known_method(&only.method);
        if let Some(place) = only.method.span().filter(|_| info.applies != Applies::Calls) {
            let what = info.applies.plural();
            let mistake = Mistake::at(place, format!("`{kind}` applies to {what}, and {what} know no methods"));
            self.push(mistake.help("choose by `clients`, or use `grpc`, which applies to calls"));
        }
        if let Some(place) = only.clients.span().filter(|_| kind == "half_open") {
            self.push(Mistake::at(place, "`half_open` names its clients itself").help("choose them there"));
        }
        let said = [only.first.span(), only.every.span(), only.clients.span(), only.method.span()];
        if said.iter().all(Option::is_none) {
            let mistake = Mistake::at(place, "`only` does not say which");
            self.push(mistake.help("add `first: 3`, `every: 10` or `clients: [...]`, or drop it"));
        }
    }

    /// A choice among what clients do needs clients who do it there.
    pub(super) fn clients_are_met(&mut self, fault: &raw::Fault, plan: &FaultPlan, around: &Around<'_>) {
        let place = fault.only.get().and_then(|only| only.clients.span());
        let Some((place, stranger)) =
            place.zip(plan.selector.clients.iter().find(|clients| !meets(&plan.kind, clients, around)))
        else {
            return;
        };
        let Group::Clients(group) = stranger.group else { return };
        let name = around.scenario.clients.get().and_then(|all| all.0.get(group)).map_or("", |(named, _)| &named.name);
        let message = format!("`{}` never meets what `{name}` sends", plan.kind.name());
        self.push(Mistake::at(place, message).help("choose clients on one side of it, or connected to its server"));
    }
}

/// Whether a fault of packets or connections is where these clients are. Calls travel through all tiers.
fn meets(kind: &FaultKind, clients: &Members, around: &Around<'_>) -> bool {
    let is = |side: &Members| {
        side.group == clients.group && side.range.start < clients.range.end && clients.range.start < side.range.end
    };
    match kind {
        FaultKind::Partition { a, b, .. }
        | FaultKind::SlowLink { a, b, .. }
        | FaultKind::Jitter { a, b, .. }
        | FaultKind::Reorder { a, b, .. }
        | FaultKind::Duplicate { a, b, .. }
        | FaultKind::Flap { a, b, .. }
        | FaultKind::NatExpiry { a, b, .. }
        | FaultKind::Loss { a, b, .. }
        | FaultKind::Bandwidth { a, b, .. }
        | FaultKind::Reset { a, b } => is(a) || is(b),
        FaultKind::BlackHole { hosts: server }
        | FaultKind::Refuse { server }
        | FaultKind::BacklogFull { server }
        | FaultKind::SlowAccept { server, .. }
        | FaultKind::IdleKill { server, .. }
        | FaultKind::Goaway { server, .. }
        | FaultKind::MaxStreams { server, .. }
        | FaultKind::Withhold { server, .. } => is(server) || around.calls(clients) == around.name(server),
        _ => true,
    }
}
