//! Client groups.

use std::time::Duration;

use super::Checker;
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::plan::{Channels, ClientGroup, Load, Phase};
use crate::scenario::raw::{self, Field};
use crate::scenario::units::{CallRate, show_duration};

/// What an alert may carry: gRPC itself refuses messages above 4 MiB.
const MOST_PAYLOAD: u64 = 4 << 20;

impl Checker<'_> {
    pub(super) fn clients(&mut self, scenario: &raw::Scenario) -> Vec<ClientGroup> {
        let mut clients = Vec::new();
        let entries = scenario.clients.get().into_iter().flat_map(|all| &all.0);
        for (named, field) in entries {
            if let Some((client, span)) = field.with_span() {
                clients.push(self.client(&named.name, client, span));
            }
        }
        clients
    }

    fn client(&mut self, name: &str, client: &raw::Client, span: Span) -> ClientGroup {
        self.at_least_one(&client.count, "count");
        self.at_least_one(&client.max_calls, "max_calls");
        let calls = self.server_group(&client.calls, "calls", span).unwrap_or_default();
        let load = self.required(&client.load, "load", span).map(|_| self.load(&client.load));
        let payload = client.payload.get().map_or(0, |size| size.0);
        if let Some(at) = client.payload.span().filter(|_| payload > MOST_PAYLOAD) {
            self.push(Mistake::at(at, "an alert carries at most 4MiB").help("gRPC refuses larger messages"));
        }
        let start = Self::time(&client.start, Duration::ZERO);
        let stagger = Self::time(&client.stagger, Duration::ZERO);
        if start + stagger >= self.duration && !(start + stagger).is_zero() {
            let at = client.stagger.span().or(client.start.span()).unwrap_or(span);
            let ends = show_duration(self.duration);
            self.push(
                Mistake::at(at, "not every client begins before the end").label(format!("the run ends at {ends}")),
            );
        }
        ClientGroup {
            name: name.to_owned(),
            count: client.count.or(1),
            calls,
            load: load.unwrap_or(Load::Once),
            channels: self.channels(client),
            payload_bytes: payload as u32,
            start,
            stagger,
            max_calls: client.max_calls.or(u32::MAX),
            idempotent: client.idempotent.or(true),
            tcp: self.tcp(&client.tcp),
        }
    }

    fn channels(&mut self, client: &raw::Client) -> Channels {
        let Some((raw::Channels::Shared(channels), span)) = client.channels.with_span() else { return Channels::Own };
        let count = client.count.or(1);
        if *channels == 0 {
            self.wrong(span, "clients cannot share 0 channels: at least 1");
        } else if *channels > count {
            self.wrong(span, format!("{count} clients cannot share {channels} channels"));
        }
        Channels::Shared((*channels).max(1))
    }

    fn load(&mut self, field: &Field<raw::Load>) -> Load {
        let Some((load, span)) = field.with_span() else { return Load::Once };
        match load {
            raw::Load::Constant(rate) => Load::Constant(rate.0),
            raw::Load::Poisson(rate) => Load::Poisson(rate.0),
            raw::Load::Bursts(bursts) => self.bursts(bursts, span),
            raw::Load::Ramp(ramp) => {
                self.above_zero(&ramp.over, "over");
                let (from, to) = (self.rate(&ramp.from, "from", span), self.rate(&ramp.to, "to", span));
                Load::Ramp { from, to, over: Self::time(&ramp.over, self.duration) }
            }
            raw::Load::Phases(phases) => self.phases(phases, span),
            raw::Load::ClosedLoop(closed) => {
                self.at_least_one(&closed.concurrency, "concurrency");
                self.required(&closed.think, "think", span);
                let think = self.times(&closed.think, Duration::ZERO);
                Load::ClosedLoop { think, concurrency: closed.concurrency.or(1) }
            }
            raw::Load::Once => Load::Once,
        }
    }

    fn rate(&mut self, field: &Field<raw::Rate>, name: &str, span: Span) -> CallRate {
        self.required(field, name, span).map_or(CallRate::UNLIMITED, |rate| rate.0)
    }

    fn bursts(&mut self, bursts: &raw::Bursts, span: Span) -> Load {
        self.required(&bursts.size, "size", span);
        self.required(&bursts.every, "every", span);
        self.at_least_one(&bursts.size, "size");
        self.above_zero(&bursts.every, "every");
        let every = Self::time(&bursts.every, self.duration);
        let spread = Self::time(&bursts.spread, Duration::ZERO);
        if let Some(at) = bursts.spread.span().filter(|_| spread >= every) {
            let every = show_duration(every);
            self.push(
                Mistake::at(at, "one burst runs into the next").label(format!("must be less than `every`, {every}")),
            );
        }
        Load::Bursts { size: bursts.size.or(1), every, spread }
    }

    fn phases(&mut self, phases: &[Field<raw::Phase>], span: Span) -> Load {
        if phases.is_empty() {
            self.wrong(span, "`phases` is empty: a load needs at least one");
        }
        let mut checked = Vec::new();
        for (place, field) in phases.iter().enumerate() {
            let Some((phase, at)) = field.with_span() else { continue };
            self.above_zero(&phase.lasts, "for");
            let last = place + 1 == phases.len();
            if phase.lasts.is_absent() && !last {
                self.push(Mistake::at(at, "`for` is missing").label("only the last phase may last to the end"));
            }
            let rate = self.rate(&phase.rate, "rate", at);
            checked.push(Phase { lasts: Self::time(&phase.lasts, self.duration), rate });
        }
        let before_last: Duration = checked.iter().rev().skip(1).map(|phase| phase.lasts).sum();
        if before_last >= self.duration && checked.len() > 1 {
            let ends = show_duration(self.duration);
            self.push(Mistake::at(span, "the last phase never begins").label(format!("the run ends at {ends}")));
        }
        Load::Phases(checked)
    }
}
