//! From the events of a trial to what took time: calls, their attempts, waits in queues, handlers, faults.

use std::collections::BTreeMap;

use crate::record::{CallId, Code, Event, HandlerOutcome, Header, Kind, Origin};

/// What took time, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it was.
    pub kind: SpanKind,
    /// Of which call.
    pub call: CallId,
    /// Of which attempt, from 1; 0 for the call itself.
    pub attempt: u32,
    /// When it began, in nanoseconds.
    pub start_ns: u64,
    /// When it ended, in nanoseconds.
    pub end_ns: u64,
    /// How it ended, and who said so; none if nobody did before the run was over.
    pub end: Option<(Code, Origin)>,
    /// Whether nobody waited for its end any more.
    pub wasted: bool,
}

/// What a span was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpanKind {
    /// What the application asked for.
    Call,
    /// One RPC.
    Attempt,
    /// A wait for a worker, at the server of this number.
    Queue(u32),
    /// A worker's time, at the server of this number.
    Handler(u32),
}

/// Where something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// At a client, by its number over all groups.
    Client(u32),
    /// At a server, by its number over all groups.
    Server(u32),
}

/// A trial as spans. What took no time is in its events.
#[derive(Clone, Debug)]
pub struct Story {
    /// Spans in the order of their beginnings; of those that begin together, the outermost first.
    pub spans: Vec<Span>,
    /// When faults held, in nanoseconds: `(fault, start, end)`.
    pub faults: Vec<(u32, u64, u64)>,
    /// When the last event was.
    pub ended_ns: u64,
}

/// The names behind the numbers.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a>(pub &'a Header);

/// Spans that have begun and not ended: by what, call and attempt. Attempts of several tiers may share a name, hence the list.
type Open = BTreeMap<(SpanKind, CallId, u32), Vec<u64>>;

impl Span {
    /// Where it was.
    #[must_use]
    pub const fn place(&self) -> Place {
        match self.kind {
            SpanKind::Call | SpanKind::Attempt => Place::Client(self.call.client()),
            SpanKind::Queue(server) | SpanKind::Handler(server) => Place::Server(server),
        }
    }
}

impl Story {
    /// The story that `events` tell.
    #[must_use]
    pub fn of(events: &[Event]) -> Self {
        let mut open = Open::new();
        let mut story = Self { spans: Vec::new(), faults: Vec::new(), ended_ns: 0 };
        for event in events {
            let at = event.at.as_nanos();
            story.ended_ns = at;
            story.take(&mut open, at, &event.kind);
        }
        for ((kind, call, attempt), starts) in open {
            for start_ns in starts {
                let end_ns = story.ended_ns;
                story.spans.push(Span { kind, call, attempt, start_ns, end_ns, end: None, wasted: false });
            }
        }
        for (.., end) in &mut story.faults {
            *end = (*end).min(story.ended_ns);
        }
        story.spans.sort_by_key(|span| (span.start_ns, span.kind, span.call, span.attempt, span.end_ns));
        story
    }

    fn take(&mut self, open: &mut Open, at: u64, kind: &Kind) {
        let mut begin = |kind, call, attempt| open.entry((kind, call, attempt)).or_default().push(at);
        match *kind {
            Kind::CallStarted { call, .. } => begin(SpanKind::Call, call, 0),
            Kind::AttemptStarted { call, attempt } => begin(SpanKind::Attempt, call, attempt),
            Kind::Queued { server, call, attempt, .. } => begin(SpanKind::Queue(server), call, attempt),
            Kind::HandlerStarted { server, call, attempt, .. } => {
                self.end(open, at, (SpanKind::Queue(server), call, attempt), None, false);
                open.entry((SpanKind::Handler(server), call, attempt)).or_default().push(at);
            }
            Kind::Shed { server, call, attempt, code } => {
                self.end(open, at, (SpanKind::Queue(server), call, attempt), Some((code, Origin::Server)), false);
            }
            Kind::HandlerEnded { server, call, attempt, outcome, caller_gone, .. } => {
                let code = match outcome {
                    HandlerOutcome::Acknowledged => Code::Ok,
                    HandlerOutcome::Failed(code) => code,
                    HandlerOutcome::Dropped => Code::Cancelled,
                };
                let end = Some((code, Origin::Server));
                self.end(open, at, (SpanKind::Handler(server), call, attempt), end, caller_gone);
            }
            Kind::AttemptEnded { call, attempt, code, origin } => {
                self.end(open, at, (SpanKind::Attempt, call, attempt), Some((code, origin)), false);
            }
            Kind::CallEnded { call, code, origin } => {
                self.end(open, at, (SpanKind::Call, call, 0), Some((code, origin)), false);
            }
            Kind::CallAbandoned { call } => self.end(open, at, (SpanKind::Call, call, 0), None, false),
            Kind::FaultStarted { fault } => self.faults.push((fault, at, u64::MAX)),
            Kind::FaultEnded { fault } => {
                let begun = |one: &&mut (u32, u64, u64)| one.0 == fault && one.2 == u64::MAX;
                if let Some(window) = self.faults.iter_mut().rev().find(begun) {
                    window.2 = at;
                }
            }
            _ => {}
        }
    }

    fn end(
        &mut self,
        open: &mut Open,
        end_ns: u64,
        key: (SpanKind, CallId, u32),
        end: Option<(Code, Origin)>,
        wasted: bool,
    ) {
        let Some(start_ns) = open.get_mut(&key).and_then(Vec::pop) else { return };
        let (kind, call, attempt) = key;
        self.spans.push(Span { kind, call, attempt, start_ns, end_ns, end, wasted });
    }
}

impl Names<'_> {
    /// A host's group, and its number within it.
    #[must_use]
    pub fn of(&self, place: Place) -> (&str, u32) {
        match place {
            Place::Client(number) => member(self.0.clients.iter().map(|group| (&*group.name, group.count)), number),
            Place::Server(number) => member(self.0.servers.iter().map(|group| (&*group.name, group.replicas)), number),
        }
    }

    /// What faults call a host, such as `telemetry/0`.
    #[must_use]
    pub fn host(&self, place: Place) -> String {
        let (group, number) = self.of(place);
        format!("{group}/{number}")
    }

    /// Whether clients call a server. Its handlers answer their attempts; those of a tier behind it answer a server's, which count
    /// for themselves.
    #[must_use]
    pub fn is_called_by_clients(&self, server: u32) -> bool {
        let mut left = server;
        let group = self.0.servers.iter().find(|group| {
            let here = left < group.replicas;
            left = left.saturating_sub(group.replicas);
            here
        });
        group.is_some_and(|group| group.called_by_clients)
    }

    /// What reports call a fault.
    #[must_use]
    pub fn fault(&self, fault: u32) -> &str {
        self.0.faults.get(fault as usize).map_or("?", |fault| &fault.id)
    }
}

fn member<'a>(groups: impl Iterator<Item = (&'a str, u32)>, number: u32) -> (&'a str, u32) {
    let mut left = number;
    for (name, count) in groups {
        if left < count {
            return (name, left);
        }
        left -= count;
    }
    ("?", number)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_retried_call_is_a_call_with_two_attempts_and_a_handler() {
        let story = Story::of(&samples::retried());
        let told: Vec<(SpanKind, u32, u64, u64)> =
            story.spans.iter().map(|span| (span.kind, span.attempt, span.start_ns, span.end_ns)).collect();
        let expected = [
            (SpanKind::Call, 0, 0, 900),
            (SpanKind::Attempt, 1, 0, 300),
            (SpanKind::Attempt, 2, 500, 900),
            (SpanKind::Queue(0), 2, 600, 650),
            (SpanKind::Handler(0), 2, 650, 800),
        ];
        assert_eq!(told, expected);
        assert_eq!((story.faults, story.ended_ns), (vec![(0, 100, 400)], 1000));
    }

    /// A log that breaks off leaves nothing out.
    #[test]
    fn what_never_ended_ends_with_the_log() {
        let story = Story::of(&samples::retried()[..4]);
        assert!(story.spans.iter().all(|span| span.end_ns == story.ended_ns || span.end.is_some()));
        assert_eq!(story.spans.len(), 2);
    }

    #[test]
    fn hosts_have_the_names_that_faults_call_them_by() {
        let header = samples::header();
        let names = Names(&header);
        let hosts = [Place::Client(0), Place::Client(2), Place::Server(1), Place::Server(9)];
        assert_eq!(hosts.map(|place| names.host(place)), ["devices/0", "robots/0", "telemetry/1", "?/9"]);
    }
}
