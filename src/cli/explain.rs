//! `squall explain`: the story of single calls. What each attempt met, why each pause was what it was, and what the weather
//! was like meanwhile.
//!
//! Nothing needs to have been kept for it: the trial is run again, and is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::exit::{Exit, Failure};
use super::streams::Streams;
use super::{args, one};
use crate::record::{CallId, Code, ConnectionChange, Event, HandlerOutcome, Header, HostChange, Kind, StopReason};
use crate::report::log::event_line;
use crate::trial::{self, TrialSpec};

/// How many calls are told of if none is named.
const WORST: usize = 3;

pub(super) fn explain(typed: &args::Explain, streams: &Streams) -> Result<Exit, Failure> {
    let (plan, spec) = one::trial(&typed.scenario, typed.strategy.as_deref(), typed.seed)?;
    let (plan, spec) = (&plan, TrialSpec { control: typed.control, ..spec });
    let header = trial::header(plan, spec);
    let events = trial::run(plan, spec, Vec::<Event>::new())
        .map_err(|error| Failure::Internal("the trial could not be run".to_owned(), error.into()))?;
    if typed.events {
        streams.data(|out| print(&header, &events, out))?;
        return Ok(Exit::Good);
    }
    let calls = calls(typed, &events)?;
    streams.data(|out| {
        writeln!(out, "{}, strategy {}, seed {}", header.scenario, header.strategy, header.seed)?;
        calls.iter().try_for_each(|call| story(&header, &events, *call, out))
    })?;
    Ok(Exit::Good)
}

fn print(header: &Header, events: &[Event], out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, header)?;
    writeln!(out)?;
    let mut lines = events.iter().map(event_line);
    lines.try_for_each(|line| out.write_all(&line).and_then(|()| out.write_all(b"\n")))
}

/// The calls to tell of: those that were named, the first that failed, or those that took longest.
fn calls(typed: &args::Explain, events: &[Event]) -> Result<Vec<CallId>, Failure> {
    let made: BTreeSet<CallId> = events.iter().filter_map(|event| begun(&event.kind)).collect();
    let Some(last) = made.last() else { return Err(Failure::Nothing("no call was made in this trial".to_owned())) };
    if let Some(unknown) = typed.calls.iter().find(|call| !made.contains(call)) {
        let client = unknown.client();
        let known = match made.range(CallId::new(client, 0)..=CallId::new(client, u32::MAX)).next_back() {
            Some(last) => format!("client {client} made {client}/0 to {last}"),
            None => format!("clients are numbered to {}", last.client()),
        };
        return Err(Failure::Nothing(format!("there is no call {unknown} in this trial; {known}")));
    }
    if !typed.calls.is_empty() {
        return Ok(typed.calls.clone());
    }
    let chosen = chosen(events, typed.first_failure);
    if chosen.is_empty() { Err(Failure::Nothing("no call failed in this trial".to_owned())) } else { Ok(chosen) }
}

/// The call that begins with an event.
const fn begun(kind: &Kind) -> Option<CallId> {
    match kind {
        Kind::CallStarted { call, .. } => Some(*call),
        _ => None,
    }
}

/// The calls that took longest, or the first that failed.
fn chosen(events: &[Event], first_failure: bool) -> Vec<CallId> {
    let failed = |event: &Event| match event.kind {
        Kind::CallEnded { call, code, .. } if code != Code::Ok => Some(call),
        Kind::CallAbandoned { call } => Some(call),
        _ => None,
    };
    if first_failure {
        return events.iter().find_map(failed).into_iter().collect();
    }
    let due = events.iter().filter_map(|event| match event.kind {
        Kind::CallStarted { call, scheduled_ns } => Some((call, scheduled_ns)),
        _ => None,
    });
    let due: BTreeMap<CallId, u64> = due.collect();
    let mut took: Vec<(u64, CallId)> = events
        .iter()
        .filter_map(|event| match event.kind {
            Kind::CallEnded { call, .. } | Kind::CallAbandoned { call } => {
                Some((event.at.as_nanos().saturating_sub(*due.get(&call)?), call))
            }
            _ => None,
        })
        .collect();
    took.sort_by(|(one, call), (other, another)| other.cmp(one).then(call.cmp(another)));
    took.into_iter().take(WORST).map(|(_, call)| call).collect()
}

fn story(header: &Header, events: &[Event], call: CallId, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "\ncall {call}")?;
    let mut open = false;
    for event in events {
        let begins = begun(&event.kind) == Some(call);
        open |= begins;
        let told = match (about(&event.kind), client(&event.kind)) {
            (Some(other), _) => other == call,
            // The weather is part of the story while the call is under way, and so are its client's own connections.
            (None, Some(client)) => open && client == call.client(),
            (None, None) => open,
        };
        if let Some(line) = line(header, &event.kind).filter(|_| told) {
            writeln!(out, "  {}  {line}", event.at)?;
        }
        open &= !matches!(event.kind, Kind::CallEnded { call: other, .. } | Kind::CallAbandoned { call: other } if other == call);
    }
    Ok(())
}

/// The call that an event is about, if it is about one.
const fn about(kind: &Kind) -> Option<CallId> {
    match kind {
        Kind::CallStarted { call, .. }
        | Kind::CallEnded { call, .. }
        | Kind::CallAbandoned { call }
        | Kind::AttemptStarted { call, .. }
        | Kind::AttemptEnded { call, .. }
        | Kind::TierAttemptStarted { call, .. }
        | Kind::TierAttemptEnded { call, .. }
        | Kind::RetryScheduled { call, .. }
        | Kind::RetryStopped { call, .. }
        | Kind::Hedged { call, .. }
        | Kind::Rejected { call, .. }
        | Kind::Queued { call, .. }
        | Kind::HandlerStarted { call, .. }
        | Kind::HandlerEnded { call, .. }
        | Kind::Shed { call, .. }
        | Kind::Recorded { call, .. }
        | Kind::RecordLost { call, .. } => Some(*call),
        _ => None,
    }
}

/// The client that an event is about, beyond any one call.
const fn client(kind: &Kind) -> Option<u32> {
    match kind {
        Kind::Breaker { client, .. } | Kind::Connection { client, .. } => Some(*client),
        _ => None,
    }
}

/// An event in words; none for what is no part of a call's story.
fn line(header: &Header, kind: &Kind) -> Option<String> {
    let fault = |place: u32| header.faults.get(place as usize).map_or("?", |fault| fault.id.as_str());
    let seconds = |ns: u64| format!("{:?}", std::time::Duration::from_nanos(ns));
    Some(match *kind {
        Kind::CallStarted { scheduled_ns, .. } => format!("the call begins, due at {}", seconds(scheduled_ns)),
        Kind::CallEnded { code, origin, .. } => format!("the call ends: {code}, says the {origin}"),
        Kind::CallAbandoned { .. } => "the run ends, and the call still waits".to_owned(),
        Kind::AttemptStarted { attempt, .. } => format!("attempt {attempt} leaves"),
        Kind::AttemptEnded { attempt, code, origin, .. } => {
            format!("attempt {attempt} ends: {code}, says the {origin}")
        }
        Kind::TierAttemptStarted { server, attempt, .. } => {
            format!("server {server} makes attempt {attempt} in the next tier")
        }
        Kind::TierAttemptEnded { server, attempt, code, origin, .. } => {
            format!("attempt {attempt} of server {server} in the next tier ends: {code}, says the {origin}")
        }
        Kind::RetryScheduled { attempt, after_ns, .. } => {
            format!("another attempt will follow attempt {attempt} after {}", seconds(after_ns))
        }
        Kind::RetryStopped { attempt, reason, .. } => {
            format!("no attempt will follow attempt {attempt}: {}", why(reason))
        }
        Kind::Hedged { attempt, .. } => format!("attempt {attempt} is a hedge"),
        Kind::Rejected { by, .. } => format!("the {by} does not let it out"),
        Kind::Queued { server, attempt, depth, .. } => {
            format!("attempt {attempt} waits at server {server}, {depth} in the queue")
        }
        Kind::HandlerStarted { server, attempt, depth, .. } => {
            format!("server {server} begins with attempt {attempt}, {depth} in the queue")
        }
        Kind::HandlerEnded { server, attempt, busy_ns, outcome, caller_gone, .. } => {
            let gone = if caller_gone { "; the caller is gone" } else { "" };
            format!(
                "server {server} is done with attempt {attempt} after {}: {}{gone}",
                seconds(busy_ns),
                came_of(outcome)
            )
        }
        Kind::Shed { server, attempt, code, .. } => format!("server {server} turns attempt {attempt} away: {code}"),
        Kind::Recorded { server, .. } => format!("server {server} writes the alert to its log"),
        Kind::RecordLost { server, .. } => format!("server {server} crashes and loses the alert from its log"),
        Kind::Host { server, change } => format!("[server {server} {}]", became(change)),
        Kind::FaultStarted { fault: place } => format!("[{} begins]", fault(place)),
        Kind::FaultEnded { fault: place } => format!("[{} ends]", fault(place)),
        Kind::Breaker { closed, .. } => match closed {
            Some(true) => "[the client's breaker closes]".to_owned(),
            Some(false) => "[the client's breaker opens]".to_owned(),
            None => "[the client's breaker lets a call through to see]".to_owned(),
        },
        Kind::Connection { server, change, .. } => match change {
            ConnectionChange::Connecting => format!("[the client connects to server {server}]"),
            ConnectionChange::Ready => format!("[the client is connected to server {server}]"),
            ConnectionChange::Failed => format!("[the client cannot connect to server {server}]"),
            ConnectionChange::Closed => format!("[the client's connection to server {server} is gone]"),
        },
        Kind::FaultCounted { .. } | Kind::Ended { .. } => return None,
    })
}

/// Why a call was given up.
const fn why(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Attempts => "as many as allowed were made",
        StopReason::Budget => "the retry budget is used up",
        StopReason::Deadline => "the deadline has passed, or would before it",
        StopReason::Pushback => "the server asked not to",
        StopReason::Committed => "the answer had begun, or the request was too large to keep",
        StopReason::NotRetryable => "the code is not one to retry on",
        StopReason::NotIdempotent => "it may have run, and is not marked as repeatable",
        StopReason::Rejected => "a layer of the client turned it away",
    }
}

/// What a handler did.
fn came_of(outcome: HandlerOutcome) -> String {
    match outcome {
        HandlerOutcome::Acknowledged => "it acknowledges the alert".to_owned(),
        HandlerOutcome::Failed(code) => format!("it answers with {}", code.name()),
        HandlerOutcome::Dropped => "it is dropped".to_owned(),
    }
}

/// What happened to a server.
const fn became(change: HostChange) -> &'static str {
    match change {
        HostChange::Up => "is up",
        HostChange::Down => "is down",
        HostChange::Paused => "stands still",
        HostChange::Resumed => "goes on",
        HostChange::Draining => "drains",
    }
}
