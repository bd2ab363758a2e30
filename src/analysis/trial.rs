//! From the events of one trial to its figures, in one pass and bounded memory.
//!
//! Rule: an event costs a few additions. Every call has one small entry, found by its number; nothing is looked up in a map
//! and nothing is allocated but room for new calls. What needs all calls (the reconciliation with the log) happens once, at
//! the end.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::calls::{Call, Calls, State};
use super::collateral::Collateral;
use super::course::Course;
use super::fairness::Fairness;
use super::latency::Latencies;
use super::parts::Parts;
use super::series::Series;
use super::tally::{PartMetrics, Tally};
use super::worst::WorstCall;
use crate::experiment::Fold;
use crate::record::{CallId, Code, Event, Fingerprint, HandlerOutcome, Header, Kind, Origin, Sink};

/// Folds the events of one trial.
#[derive(Debug)]
pub struct TrialFold {
    parts: Arc<Parts>,
    calls: Calls,
    tallies: Vec<Tally>,
    course: Course,
    collateral: Collateral,
    /// Which servers clients call.
    in_front: Vec<bool>,
    faults: Vec<FaultCount>,
    fault_windows: Vec<FaultWindow>,
    wire_bytes: u64,
    ended_ns: u64,
    fingerprint: Fingerprint,
}

/// The figures of one trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialMetrics {
    /// The figures of each part; the first is the whole run.
    pub parts: Vec<PartMetrics>,
    /// How it went over time.
    pub series: Series,
    /// What each declared fault did, in the order of the scenario.
    pub faults: Vec<FaultCount>,
    /// When faults held.
    pub fault_windows: Vec<FaultWindow>,
    /// Bytes on the wire, both ways.
    pub wire_bytes: u64,
    /// The name of its log: equal logs have equal fingerprints.
    pub fingerprint: u64,
}

/// How often a fault could have bitten, and how often it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCount {
    /// Packets, connections, calls or hosts that it applied to.
    pub matched: u64,
    /// Those that it changed.
    pub fired: u64,
}

/// When a fault held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FaultWindow {
    /// Its start, in nanoseconds.
    pub start_ns: u64,
    /// Its end, in nanoseconds; `u64::MAX` if it held to the end of the run.
    pub end_ns: u64,
    /// Which fault, by its place in the scenario.
    pub fault: u32,
}

impl TrialFold {
    /// A fold for the trial that `header` announces, with a figure for each of `parts`.
    #[must_use]
    pub fn new(header: &Header, parts: Arc<Parts>) -> Self {
        let clients = header.clients.iter().map(|group| group.count as usize).sum();
        let tallies = (0..parts.class_count()).map(|_| Tally::new()).collect();
        Self {
            parts,
            calls: Calls::with_clients(clients),
            tallies,
            course: Course::new(header),
            collateral: Collateral::default(),
            in_front: in_front(header),
            faults: vec![FaultCount::default(); header.faults.len()],
            fault_windows: Vec::new(),
            wire_bytes: 0,
            ended_ns: 0,
            fingerprint: Fingerprint::new(),
        }
    }

    /// The figures, when the last event has been taken.
    #[must_use]
    pub fn finish(self) -> TrialMetrics {
        self.finish_with_latencies().0
    }

    /// The same, and the latencies of the whole run after its warm-up, for whoever needs other quantiles than are kept.
    pub(crate) fn finish_with_latencies(mut self) -> (TrialMetrics, Latencies) {
        for (id, call) in self.calls.iter() {
            let tally = &mut self.tallies[usize::from(call.class)];
            tally.reconciliation.add(call);
            if call.is_lost() {
                tally.worst.lose(id);
            } else if call.logged > 1 {
                tally.worst.duplicate(id);
            }
            if call.state == State::Open {
                // A log that breaks off says nothing of these; they wait as long as it tells.
                abandon(tally, id, call, self.ended_ns);
                self.course.ended(call.due_ns, self.ended_ns.saturating_sub(call.due_ns), false);
            }
        }
        for class in self.collateral.damage() {
            self.tallies[usize::from(class)].collateral += 1;
        }
        let fairness = Fairness::of(&self.calls, self.parts.class_count());
        let parts = (0..self.parts.len()).map(|part| self.part(part, &fairness)).collect();
        let latencies = self.sum(0).latencies;
        self.fault_windows.sort_unstable();
        let metrics = TrialMetrics {
            parts,
            series: self.course.finish(),
            faults: self.faults,
            fault_windows: self.fault_windows,
            wire_bytes: self.wire_bytes,
            fingerprint: self.fingerprint.value(),
        };
        (metrics, latencies)
    }

    fn part(&self, part: usize, fairness: &Fairness) -> PartMetrics {
        let classes: Vec<usize> = self.parts.classes_of(part).collect();
        PartMetrics { fairness: fairness.index(&classes), ..self.sum(part).metrics(self.parts.span_ns(part)) }
    }

    fn sum(&self, part: usize) -> Tally {
        self.parts.classes_of(part).fold(Tally::new(), |mut sum, class| {
            sum.merge(&self.tallies[class]);
            sum
        })
    }

    fn is_in_front(&self, server: u32) -> bool {
        self.in_front.get(server as usize).copied().unwrap_or(true)
    }

    fn tally(&mut self, call: CallId) -> &mut Tally {
        let class = self.calls.entry(call).class;
        &mut self.tallies[usize::from(class)]
    }

    fn call_started(&mut self, call: CallId, due_ns: u64) {
        let class = self.parts.class_at(due_ns);
        let entry = self.calls.entry(call);
        entry.due_ns = due_ns;
        entry.class = class;
        entry.state = State::Open;
        self.tallies[usize::from(class)].calls += 1;
        self.course.offered(due_ns);
    }

    fn call_ended(&mut self, at_ns: u64, call: CallId, code: Code, origin: Origin) {
        let entry = self.calls.entry(call);
        entry.state = State::ended(code, origin);
        let (class, due_ns, attempts) = (entry.class, entry.due_ns, entry.attempts);
        let tally = &mut self.tallies[usize::from(class)];
        let latency_ns = at_ns.saturating_sub(due_ns);
        tally.latencies.add(latency_ns);
        tally.worst.end(WorstCall { call, due_ns, took_ns: latency_ns, code, origin, attempts });
        if code == Code::Ok {
            tally.ok += 1;
        } else {
            tally.errors.add(code, origin);
            if matches!(origin, Origin::Breaker | Origin::Shedder | Origin::Limiter | Origin::Throttle) {
                self.collateral.turned_away(class, at_ns);
            }
        }
        self.course.ended(due_ns, latency_ns, code == Code::Ok);
    }

    fn call_abandoned(&mut self, at_ns: u64, call: CallId) {
        let entry = self.calls.entry(call);
        entry.state = State::Failed;
        self.course.ended(entry.due_ns, at_ns.saturating_sub(entry.due_ns), false);
        abandon(&mut self.tallies[usize::from(entry.class)], call, entry, at_ns);
    }

    fn attempt_started(&mut self, at_ns: u64, call: CallId) {
        let entry = self.calls.entry(call);
        entry.attempts = entry.attempts.saturating_add(1);
        self.tallies[usize::from(entry.class)].attempts += 1;
        self.course.attempted(at_ns);
    }

    fn handler_ended(&mut self, call: CallId, busy_ns: u64, caller_gone: bool) {
        let tally = self.tally(call);
        tally.busy_ns += busy_ns;
        if caller_gone {
            tally.wasted_ns += busy_ns;
        }
    }

    fn fault_ended(&mut self, at_ns: u64, fault: u32) {
        let open = |window: &&mut FaultWindow| window.fault == fault && window.end_ns == u64::MAX;
        if let Some(window) = self.fault_windows.iter_mut().rev().find(open) {
            window.end_ns = at_ns;
        }
    }

    fn fault_counted(&mut self, fault: u32, matched: u64, fired: u64) {
        if let Some(count) = self.faults.get_mut(fault as usize) {
            *count = FaultCount { matched, fired };
        }
    }
}

impl Sink for TrialFold {
    fn event(&mut self, event: &Event) {
        self.fingerprint.event(event);
        let at_ns = event.at.as_nanos();
        self.ended_ns = at_ns;
        match event.kind {
            Kind::CallStarted { call, scheduled_ns } => self.call_started(call, scheduled_ns),
            Kind::CallEnded { call, code, origin } => self.call_ended(at_ns, call, code, origin),
            Kind::CallAbandoned { call } => self.call_abandoned(at_ns, call),
            Kind::AttemptStarted { call, .. } => self.attempt_started(at_ns, call),
            Kind::Queued { depth, .. } => self.course.queued(at_ns, depth),
            Kind::Breaker { client, closed } => self.course.breaker(at_ns, client, closed),
            Kind::Connection { client, server, change } => self.course.connection(at_ns, client, server, change),
            Kind::HandlerStarted { call, .. } => self.tally(call).executions += 1,
            Kind::HandlerEnded { server, call, busy_ns, outcome, caller_gone, .. } => {
                self.collateral.done(server, at_ns, outcome == HandlerOutcome::Acknowledged && !caller_gone);
                self.handler_ended(call, busy_ns, caller_gone);
            }
            Kind::Shed { server, .. } => self.collateral.done(server, at_ns, false),
            Kind::TierAttemptStarted { call, .. } => self.tally(call).tier_attempts += 1,
            Kind::Recorded { server, call } => {
                let in_front = self.is_in_front(server);
                self.calls.entry(call).record(in_front);
            }
            Kind::RecordLost { server, call } => {
                let in_front = self.is_in_front(server);
                self.calls.entry(call).lose(in_front);
            }
            Kind::FaultStarted { fault } => {
                self.fault_windows.push(FaultWindow { start_ns: at_ns, end_ns: u64::MAX, fault });
            }
            Kind::FaultEnded { fault } => self.fault_ended(at_ns, fault),
            Kind::FaultCounted { fault, matched, fired } => self.fault_counted(fault, matched, fired),
            Kind::Ended { wire_bytes } => self.wire_bytes = wire_bytes,
            // How a call came to its end: told by `explain` and drawn by traces, but no figure.
            Kind::AttemptEnded { .. }
            | Kind::TierAttemptEnded { .. }
            | Kind::RetryScheduled { .. }
            | Kind::RetryStopped { .. }
            | Kind::Hedged { .. }
            | Kind::Rejected { .. }
            | Kind::Host { .. } => {}
        }
    }
}

impl Fold for TrialFold {
    type Output = TrialMetrics;

    fn finish(self) -> TrialMetrics {
        Self::finish(self)
    }
}

impl TrialMetrics {
    /// The figures of the whole run after its warm-up.
    #[must_use]
    pub fn whole(&self) -> &PartMetrics {
        &self.parts[0]
    }
}

fn in_front(header: &Header) -> Vec<bool> {
    let groups = header.servers.iter();
    groups.flat_map(|group| std::iter::repeat_n(group.called_by_clients, group.replicas as usize)).collect()
}

/// Nobody will learn how a call ends: it failed, and has taken all the time until now.
fn abandon(tally: &mut Tally, id: CallId, call: &Call, at_ns: u64) {
    let (due_ns, attempts, took_ns) = (call.due_ns, call.attempts, at_ns.saturating_sub(call.due_ns));
    let (code, origin) = (Code::Cancelled, Origin::Cancelled);
    tally.latencies.add(took_ns);
    tally.errors.add(code, origin);
    tally.worst.end(WorstCall { call: id, due_ns, took_ns, code, origin, attempts });
}

#[cfg(test)]
mod tests;
