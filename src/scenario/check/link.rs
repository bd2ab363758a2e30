//! Links, and the two sides of whatever happens between hosts.

use std::time::Duration;

use super::Checker;
use super::names::Allowed;
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::plan::{Bandwidth, Direction, LinkPlan, Members};
use crate::scenario::raw::{self, Field, List};

/// The three fields that name two sides: `between`, or `from` and `to`.
pub(super) struct SideFields<'a> {
    pub(super) between: &'a List<String>,
    pub(super) from: &'a Field<String>,
    pub(super) to: &'a Field<String>,
}

/// Two sides and a way.
pub(super) struct Way {
    pub(super) a: Members,
    pub(super) b: Members,
    pub(super) direction: Direction,
}

const LATENCY: Duration = Duration::from_micros(250);

impl Checker<'_> {
    pub(super) fn link(&mut self, link: &raw::Link, span: Span) -> Option<LinkPlan> {
        let way = self.way(&SideFields { between: &link.between, from: &link.from, to: &link.to }, span);
        let correlation = link.correlation.or(0.0);
        if let Some(at) = link.correlation.span().filter(|_| !(0.0..1.0).contains(&correlation)) {
            self.wrong(at, format!("`correlation` lies between 0 and 1, below 1; not {correlation}"));
        }
        let bandwidth = link.bandwidth.get().map_or(Bandwidth::Unlimited, |speed| Bandwidth::Limited(speed.0));
        if let Some(at) = link.queue.span().filter(|_| link.bandwidth.is_absent()) {
            let mistake = Mistake::at(at, "a queue without `bandwidth` never holds anything");
            self.push(mistake.help("add `bandwidth: 10Mbit/s`, or drop the queue"));
        }
        let (latency, loss) = (self.times(&link.latency, LATENCY), self.loss(&link.loss));
        let queue_bytes = link.queue.get().map_or(LinkPlan::QUEUE_BYTES, |size| size.0);
        let Way { a, b, direction } = way?;
        Some(LinkPlan { a, b, direction, latency, correlation, loss, bandwidth, queue_bytes })
    }

    /// Two sides: `between: [a, b]` for both ways, `from: a, to: b` for one.
    pub(super) fn way(&mut self, fields: &SideFields<'_>, span: Span) -> Option<Way> {
        let one_way = fields.from.span().or(fields.to.span());
        if let (Some(at), false) = (one_way, fields.between.is_absent()) {
            let mistake = Mistake::at(at, "`between` and one way at once");
            self.push(mistake.help("`between: [a, b]` means both ways; `from: a, to: b` means one"));
            return None;
        }
        if one_way.is_some() {
            let a = self.side(fields.from, "from", span);
            let b = self.side(fields.to, "to", span);
            return self.apart(Way { a: a?, b: b?, direction: Direction::Forward }, span);
        }
        self.required(fields.between, "between", span)?;
        let (sides, at) = fields.between.with_span()?;
        let [a, b] = &sides[..] else {
            let count = sides.len();
            self.push(
                Mistake::at(at, format!("`between` names two sides, not {count}")).help("as in `between: [a, b]`"),
            );
            return None;
        };
        let (a, b) = (self.side(a, "between", span), self.side(b, "between", span));
        self.apart(Way { a: a?, b: b?, direction: Direction::Both }, at)
    }

    /// Two sides, both ways, without the choice of one.
    pub(super) fn both(&mut self, between: &List<String>, span: Span) -> Option<Way> {
        self.way(&SideFields { between, from: &Field::Absent, to: &Field::Absent }, span)
    }

    fn side(&mut self, field: &Field<String>, name: &str, span: Span) -> Option<Members> {
        self.required(field, name, span)?;
        let (written, at) = field.with_span()?;
        self.members(written, at, Allowed::Both)
    }

    /// A host has no link to itself.
    fn apart(&mut self, way: Way, span: Span) -> Option<Way> {
        if way.a.group == way.b.group && way.a.range.start < way.b.range.end && way.b.range.start < way.a.range.end {
            self.wrong(span, "the two sides share a host, and a host has no link to itself");
            return None;
        }
        Some(way)
    }
}
