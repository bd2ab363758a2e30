//! Faults of the network: two sides, a way, and what happens to packets in between.

use std::time::Duration;

use crate::random::{Distribution, Probability};
use crate::scenario::check::Checker;
use crate::scenario::check::link::{SideFields, Way};
use crate::scenario::check::names::Allowed;
use crate::scenario::diagnostics::Span;
use crate::scenario::plan::{Bandwidth, FaultKind};
use crate::scenario::raw::{self, Field};

const HOLD: Duration = Duration::from_millis(20);

impl Checker<'_> {
    fn sides(
        &mut self,
        between: &raw::List<String>,
        from: &Field<String>,
        to: &Field<String>,
        span: Span,
    ) -> Option<Way> {
        self.way(&SideFields { between, from, to }, span)
    }

    /// A share that must be given, and of which something is left.
    pub(super) fn some_share(&mut self, field: &Field<raw::Share>, name: &str, parent: Span) -> Probability {
        self.required(field, name, parent);
        if let Some((rate, place)) = field.with_span().filter(|(rate, _)| rate.0 == Probability::NEVER) {
            self.wrong(place, format!("a `{name}` of {}% never happens", rate.0.value()));
        }
        field.get().map_or(Probability::ALWAYS, |rate| rate.0)
    }

    pub(super) fn partition(&mut self, field: &Field<raw::Sides>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let Way { a, b, direction } = self.sides(&it.between, &it.from, &it.to, at)?;
        Some(FaultKind::Partition { a, b, direction })
    }

    pub(super) fn flap(&mut self, field: &Field<raw::Flap>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let way = self.sides(&it.between, &it.from, &it.to, at);
        for (time, name) in [(&it.down, "down"), (&it.up, "up")] {
            self.required(time, name, at);
            self.above_zero(time, name);
        }
        let (down, up) = (it.down.get()?.0, it.up.get()?.0);
        let Way { a, b, direction } = way?;
        Some(FaultKind::Flap { a, b, direction, down, up })
    }

    pub(super) fn black_hole(&mut self, field: &Field<raw::OnHosts>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.required(&it.hosts, "hosts", at)?;
        let (written, place) = it.hosts.with_span()?;
        Some(FaultKind::BlackHole { hosts: self.members(written, place, Allowed::Both)? })
    }

    pub(super) fn slow_link(&mut self, field: &Field<raw::SlowLink>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let way = self.sides(&it.between, &it.from, &it.to, at);
        self.required(&it.add, "add", at);
        let add = self.times(&it.add, Duration::ZERO);
        let Way { a, b, direction } = way?;
        Some(FaultKind::SlowLink { a, b, direction, add })
    }

    pub(super) fn jitter(&mut self, field: &Field<raw::Jitter>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let way = self.sides(&it.between, &it.from, &it.to, at);
        self.required(&it.up_to, "up_to", at);
        self.above_zero(&it.up_to, "up_to");
        let Way { a, b, direction } = way?;
        Some(FaultKind::Jitter { a, b, direction, up_to: it.up_to.get()?.0 })
    }

    pub(super) fn reorder(&mut self, field: &Field<raw::Reorder>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let way = self.sides(&it.between, &it.from, &it.to, at);
        let rate = self.some_share(&it.rate, "rate", at);
        let hold = self.times(&it.hold, HOLD);
        if let Some(place) = it.hold.span().filter(|_| hold == Distribution::constant(Duration::ZERO)) {
            self.wrong(place, "`hold` must be above zero: a packet that is not held back is not overtaken");
        }
        let Way { a, b, direction } = way?;
        Some(FaultKind::Reorder { a, b, direction, rate, hold })
    }

    pub(super) fn duplicate(&mut self, field: &Field<raw::Duplicate>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let way = self.sides(&it.between, &it.from, &it.to, at);
        let rate = self.some_share(&it.rate, "rate", at);
        let Way { a, b, direction } = way?;
        Some(FaultKind::Duplicate { a, b, direction, rate })
    }

    pub(super) fn nat_expiry(&mut self, field: &Field<raw::NatExpiry>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let way = self.both(&it.between, at);
        self.required(&it.idle, "idle", at);
        self.above_zero(&it.idle, "idle");
        let Way { a, b, .. } = way?;
        Some(FaultKind::NatExpiry { a, b, idle: it.idle.get()?.0 })
    }

    pub(super) fn lossy(&mut self, field: &Field<raw::Loss>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let way = self.sides(&it.between, &it.from, &it.to, at);
        self.required(&it.rate, "rate", at);
        let loss = self.loss(&it.rate);
        let Way { a, b, direction } = way?;
        Some(FaultKind::Loss { a, b, direction, loss })
    }

    pub(super) fn bandwidth(&mut self, field: &Field<raw::Bandwidth>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let way = self.sides(&it.between, &it.from, &it.to, at);
        let limit = self.required(&it.limit, "limit", at).map(|speed| Bandwidth::Limited(speed.0));
        let Way { a, b, direction } = way?;
        Some(FaultKind::Bandwidth { a, b, direction, limit: limit? })
    }
}
