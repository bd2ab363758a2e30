//! Chrome's trace event format, which Perfetto reads: hosts as processes, calls and attempts as slices, faults as a track of
//! their own, arrows from an attempt to the handler that served it, queues as counters.
//!
//! Slices of one track must nest. A call takes the first free lane of its client, and its attempts lie inside it; an attempt
//! beside another one (a hedge) takes a lane of its own.
//!
//! Source: "Trace Event Format", Google, sections "Complete Events", "Flow Events", "Counter Events", "Instant Events".

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde_json::{Value, json};

use super::{Names, Place, Span, SpanKind, Story};
use crate::record::{CallId, ConnectionChange, Event, Header, Kind};

/// The process of the faults; those of hosts follow.
const WEATHER: u64 = 1;
const SERVERS: u64 = 10;
const CLIENTS: u64 = 100_000;
/// Lanes of a server's queue come after those of its workers.
const QUEUE: u64 = 10_000;

/// Writes the trace of a trial, one event a line.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(header: &Header, events: &[Event], out: &mut dyn io::Write) -> io::Result<()> {
    let story = Story::of(events);
    let names = Names(header);
    let mut drawing = Drawing { names, out, lines: 0, lanes: BTreeMap::new() };
    let title = json!({
        "scenario": header.scenario, "strategy": header.strategy, "seed": header.seed, "squall": header.squall_version,
    });
    writeln!(drawing.out, "{{\"displayTimeUnit\":\"ms\",\"otherData\":{title},\"traceEvents\":[")?;
    drawing.name_processes(&story)?;
    drawing.faults(&story)?;
    drawing.clients(&story)?;
    drawing.servers(&story)?;
    drawing.moments(events)?;
    writeln!(drawing.out, "\n]}}")
}

struct Drawing<'a> {
    names: Names<'a>,
    out: &'a mut dyn io::Write,
    lines: usize,
    /// For each kind of lane of a process, when each of them is free again.
    lanes: BTreeMap<(u64, u64), Vec<u64>>,
}

impl Drawing<'_> {
    fn line(&mut self, event: &Value) -> io::Result<()> {
        let comma = if self.lines == 0 { "" } else { ",\n" };
        self.lines += 1;
        write!(self.out, "{comma}{event}")
    }

    fn name_processes(&mut self, story: &Story) -> io::Result<()> {
        self.name(WEATHER, "faults")?;
        for (fault, name) in self.names.0.faults.clone().iter().enumerate() {
            let args = json!({ "name": name.id });
            self.line(&json!({"ph": "M", "name": "thread_name", "pid": WEATHER, "tid": fault + 1, "args": args}))?;
        }
        let servers: u32 = self.names.0.servers.iter().map(|group| group.replicas).sum();
        let places = story.spans.iter().map(Span::place);
        let places: BTreeSet<Place> = places.chain((0..servers).map(Place::Server)).collect();
        places.into_iter().try_for_each(|place| self.name(process(place), &self.names.host(place)))
    }

    fn name(&mut self, pid: u64, name: &str) -> io::Result<()> {
        self.line(&json!({"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}}))?;
        self.line(&json!({"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": pid}}))
    }

    fn faults(&mut self, story: &Story) -> io::Result<()> {
        story.faults.iter().try_for_each(|(fault, start, end)| {
            let name = self.names.fault(*fault).to_owned();
            self.slice((WEATHER, u64::from(*fault) + 1), (*start, *end), &name, "fault", json!({}))
        })
    }

    fn clients(&mut self, story: &Story) -> io::Result<()> {
        let mut attempts: BTreeMap<CallId, Vec<&Span>> = BTreeMap::new();
        for span in story.spans.iter().filter(|span| span.kind == SpanKind::Attempt) {
            attempts.entry(span.call).or_default().push(span);
        }
        for call in story.spans.iter().filter(|span| span.kind == SpanKind::Call) {
            let pid = process(call.place());
            let lane = self.lane(pid, 0, call.start_ns, call.end_ns);
            let name = format!("call {}", call.call);
            self.slice((pid, lane), (call.start_ns, call.end_ns), &name, "call", args(call))?;
            let mut free = call.start_ns;
            for attempt in attempts.get(&call.call).into_iter().flatten() {
                let inside = attempt.start_ns >= free && attempt.start_ns <= call.end_ns;
                let (lane, end) = if inside {
                    (lane, attempt.end_ns.min(call.end_ns))
                } else {
                    (self.lane(pid, 0, attempt.start_ns, attempt.end_ns), attempt.end_ns)
                };
                free = if inside { end } else { free };
                let name = format!("attempt {}", attempt.attempt);
                self.slice((pid, lane), (attempt.start_ns, end), &name, "attempt", args(attempt))?;
                self.flow("s", (pid, lane), attempt.start_ns, attempt)?;
            }
        }
        Ok(())
    }

    fn servers(&mut self, story: &Story) -> io::Result<()> {
        for span in &story.spans {
            let pid = process(span.place());
            let name = format!("{} #{}", span.call, span.attempt);
            match span.kind {
                SpanKind::Queue(_) => {
                    let lane = QUEUE + self.lane(pid, QUEUE, span.start_ns, span.end_ns);
                    self.slice(
                        (pid, lane),
                        (span.start_ns, span.end_ns),
                        &format!("wait {name}"),
                        "queue",
                        args(span),
                    )?;
                }
                SpanKind::Handler(server) => {
                    let lane = self.lane(pid, 0, span.start_ns, span.end_ns);
                    self.slice((pid, lane), (span.start_ns, span.end_ns), &name, "handler", args(span))?;
                    if self.names.is_called_by_clients(server) {
                        self.flow("f", (pid, lane), span.start_ns, span)?;
                    }
                }
                SpanKind::Call | SpanKind::Attempt => {}
            }
        }
        Ok(())
    }

    /// What takes no time: breakers, connections, hosts, and how deep queues are.
    fn moments(&mut self, events: &[Event]) -> io::Result<()> {
        for event in events {
            let at = micros(event.at.as_nanos());
            let (place, what) = match event.kind {
                Kind::Breaker { client, closed } => (
                    Place::Client(client),
                    match closed {
                        Some(true) => "breaker closed".to_owned(),
                        Some(false) => "breaker open".to_owned(),
                        None => "breaker half-open".to_owned(),
                    },
                ),
                Kind::Connection { client, server, change } if change != ConnectionChange::Connecting => {
                    let host = self.names.host(Place::Server(server));
                    (Place::Client(client), format!("connection to {host}: {change:?}").to_lowercase())
                }
                Kind::Host { server, change } => (Place::Server(server), format!("{change:?}").to_lowercase()),
                Kind::Queued { server, depth, .. } | Kind::HandlerStarted { server, depth, .. } => {
                    let pid = process(Place::Server(server));
                    let args = json!({"waiting": depth});
                    self.line(&json!({"ph": "C", "name": "queue", "pid": pid, "tid": 0, "ts": at, "args": args}))?;
                    continue;
                }
                _ => continue,
            };
            let pid = process(place);
            self.line(&json!({"ph": "i", "s": "p", "name": what, "cat": "state", "pid": pid, "tid": 1, "ts": at}))?;
        }
        Ok(())
    }

    /// The first lane of a process that is free at `start`, from 1.
    fn lane(&mut self, pid: u64, kind: u64, start: u64, end: u64) -> u64 {
        let lanes = self.lanes.entry((pid, kind)).or_default();
        let place = lanes.iter().position(|free| *free <= start).unwrap_or_else(|| {
            lanes.push(0);
            lanes.len() - 1
        });
        // Two slices without length must not lie upon each other.
        lanes[place] = end.max(start + 1);
        place as u64 + 1
    }

    fn slice(
        &mut self,
        (pid, tid): (u64, u64),
        (start, end): (u64, u64),
        name: &str,
        category: &str,
        args: Value,
    ) -> io::Result<()> {
        let (ts, dur) = (micros(start), micros(end - start));
        self.line(&json!({
            "ph": "X", "name": name, "cat": category, "pid": pid, "tid": tid, "ts": ts, "dur": dur, "args": args,
        }))
    }

    /// One end of an arrow from an attempt to its handler.
    fn flow(&mut self, phase: &str, (pid, tid): (u64, u64), at: u64, span: &Span) -> io::Result<()> {
        let id = format!("{}#{}", span.call, span.attempt);
        let mut event =
            json!({"ph": phase, "name": "rpc", "cat": "rpc", "id": id, "pid": pid, "tid": tid, "ts": micros(at)});
        if phase == "f" {
            // It ends at the slice that encloses it, not at the next one.
            event["bp"] = "e".into();
        }
        self.line(&event)
    }
}

fn process(place: Place) -> u64 {
    match place {
        Place::Server(number) => SERVERS + u64::from(number),
        Place::Client(number) => CLIENTS + u64::from(number),
    }
}

/// The format counts microseconds; nanoseconds are its decimals.
fn micros(ns: u64) -> f64 {
    ns as f64 / 1e3
}

fn args(span: &Span) -> Value {
    let mut args = json!({"call": span.call.to_string()});
    if span.attempt > 0 {
        args["attempt"] = span.attempt.into();
    }
    match span.end {
        Some((code, origin)) => {
            args["code"] = code.name().into();
            args["origin"] = origin.name().into();
        }
        // A wait that ends well has no code of its own.
        None if matches!(span.kind, SpanKind::Queue(_)) => {}
        None => args["code"] = "(the run ended)".into(),
    }
    if span.wasted {
        args["wasted"] = true.into();
    }
    args
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::record::ServerNames;

    fn trace(events: &[Event]) -> Vec<Value> {
        let mut out = Vec::new();
        write(&samples::header(), events, &mut out).unwrap();
        let document: Value = serde_json::from_slice(&out).unwrap();
        document["traceEvents"].as_array().unwrap().clone()
    }

    fn number(event: &Value, field: &str) -> f64 {
        event[field].as_f64().unwrap_or_else(|| panic!("{field} of {event}"))
    }

    /// What the format asks of every event, by its phase.
    #[test]
    fn every_event_has_what_its_phase_needs() {
        for event in trace(&samples::retried()) {
            let needs: &[&str] = match event["ph"].as_str().unwrap() {
                "X" => &["name", "cat", "pid", "tid", "ts", "dur"],
                "M" => &["name", "pid", "args"],
                "C" => &["name", "pid", "ts", "args"],
                "i" => &["name", "pid", "tid", "ts", "s"],
                "s" => &["name", "cat", "id", "pid", "tid", "ts"],
                "f" => &["name", "cat", "id", "pid", "tid", "ts", "bp"],
                phase => panic!("{phase} is no phase that is written"),
            };
            for field in needs {
                assert!(!event[field].is_null(), "{field} of {event}");
            }
        }
    }

    /// Slices of a track that overlap without nesting are what importers reject; an arrow needs a slice at both ends.
    #[test]
    fn slices_nest_and_arrows_have_ends() {
        let events = trace(&samples::retried());
        let slices: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X").collect();
        let ends = |event: &Value| (number(event, "ts"), number(event, "ts") + number(event, "dur"));
        let same_track = |one: &Value, other: &Value| one["pid"] == other["pid"] && one["tid"] == other["tid"];
        for (place, one) in slices.iter().enumerate() {
            for other in slices[place + 1..].iter().filter(|other| same_track(one, other)) {
                let ((start, end), (from, to)) = (ends(one), ends(other));
                let apart = end <= from || to <= start;
                let nested = (start <= from && to <= end) || (from <= start && end <= to);
                assert!(apart || nested, "{one} {other}");
            }
        }
        let arrows: Vec<&Value> = events.iter().filter(|event| event["ph"] == "s" || event["ph"] == "f").collect();
        assert_eq!(arrows.len(), 3, "two attempts leave, one arrives");
        for arrow in arrows {
            let at = number(arrow, "ts");
            let inside = |slice: &&&Value| same_track(slice, arrow) && ends(slice).0 <= at && at <= ends(slice).1;
            assert!(slices.iter().any(|slice| inside(&slice)), "{arrow}");
        }
    }

    /// A tier behind the one that clients call numbers its attempts for itself: an arrow to it would begin nowhere, or at another
    /// attempt.
    #[test]
    fn arrows_lead_to_whom_clients_call() {
        let mut header = samples::header();
        let storage = ServerNames { name: "storage".to_owned(), replicas: 1, workers: 1, called_by_clients: false };
        header.servers.push(storage);
        let mut events = samples::retried();
        let (server, call) = (2, CallId::new(1, 4));
        let handler = Kind::HandlerStarted { server, call, attempt: 2, depth: 0 };
        events.insert(events.len() - 1, Event { at: crate::clock::Instant::from_nanos(950), kind: handler });
        let mut out = Vec::new();
        write(&header, &events, &mut out).unwrap();
        let document: Value = serde_json::from_slice(&out).unwrap();
        let of = |field: &str, value: &str| {
            document["traceEvents"].as_array().unwrap().iter().filter(|event| event[field] == value).count()
        };
        assert_eq!((of("cat", "handler"), of("ph", "f")), (2, 1));
    }

    /// Attempts beside each other cannot share the call's lane.
    #[test]
    fn a_hedge_has_a_lane_of_its_own() {
        let call = CallId::new(0, 0);
        let at = |at, kind| Event { at: crate::clock::Instant::from_nanos(at), kind };
        let events = [
            at(0, Kind::CallStarted { call, scheduled_ns: 0 }),
            at(0, Kind::AttemptStarted { call, attempt: 1 }),
            at(10, Kind::AttemptStarted { call, attempt: 2 }),
            at(90, Kind::Ended { wire_bytes: 0 }),
        ];
        let lanes: Vec<Value> =
            trace(&events).iter().filter(|event| event["cat"] == "attempt").map(|event| event["tid"].clone()).collect();
        assert_eq!(lanes, [json!(1), json!(2)]);
    }
}
