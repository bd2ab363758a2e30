//! The small world in which every fault is tried: three replicas, six clients, links of two milliseconds. The fault under test is the
//! first one, from 5 s to 10 s unless it is a moment.

use std::time::Duration;

use squall::record::{Code, ConnectionChange, Event, HandlerOutcome, HostChange, Kind};
use squall::scenario::{self, Alone, FAULTS, FaultInfo, Plan, Shape};

use crate::capture::{Seen, watch};

/// One way of the links between clients and servers.
pub(crate) const LINK: Duration = Duration::from_millis(2);

/// A fault, what shows that it bites, and how often it must have fired.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) kind: &'static str,
    /// What it says beside its time: `crash: { server: telemetry/0 }`.
    pub(crate) fault: &'static str,
    /// What the scenario needs for it beyond the usual.
    pub(crate) with: With,
    /// Must be false of the twin, so that no row can pass by chance.
    pub(crate) bites: fn(&Seen) -> bool,
    pub(crate) fired: Fired,
}

/// How often it must have fired.
#[derive(Clone, Copy)]
pub(crate) enum Fired {
    /// As the trial showed, by other books than the fault's own.
    As(fn(&Seen) -> usize),
    /// Nobody but the fault can see it, for this reason: at least once, and never more than it matched.
    Unseen(&'static str),
}

#[derive(Clone, Copy)]
pub(crate) struct With {
    pub(crate) server: &'static str,
    pub(crate) service: &'static str,
    pub(crate) client: &'static str,
    pub(crate) channel: &'static str,
    pub(crate) faults: &'static str,
}

pub(crate) const USUAL: With = With {
    server: "",
    service: "10ms",
    client: "load: { constant: 5/s }",
    channel: "balance: round_robin",
    faults: "",
};

/// Connections are cut when the fault begins, so that new ones are made.
pub(crate) const CUT: With = With {
    faults: "  - { at: 5s, reset: { between: [devices, telemetry] } }\n",
    channel: "balance: round_robin, connect_backoff: { constant: 200ms }",
    ..USUAL
};

pub(crate) const fn row(kind: &'static str, fault: &'static str, bites: fn(&Seen) -> bool, fired: Fired) -> Row {
    Row { kind, fault, with: USUAL, bites, fired }
}

pub(crate) fn with(with: With, row: Row) -> Row {
    Row { with, ..row }
}

impl Row {
    pub(crate) fn info(&self) -> &'static FaultInfo {
        FAULTS.iter().find(|info| info.kind == self.kind).expect("a kind of this name")
    }

    /// When it holds, as rows have it.
    pub(crate) fn time(&self) -> &'static str {
        if self.info().shape == Shape::Moment { "at: 5s" } else { "at: 5s, for: 5s" }
    }

    /// The scenario, with the fault at this time: what the user would write.
    pub(crate) fn text(&self, time: &str) -> String {
        let With { server, service, client, channel, faults } = self.with;
        format!(
            "name: row
about: One fault.
duration: 15s
drain: 5s
servers:
  telemetry: {{ replicas: 3, service_time: {service}, startup: 100ms, {server} }}
clients:
  devices: {{ count: 6, calls: telemetry, {client} }}
links:
  - {{ between: [devices, telemetry], latency: 2ms }}
faults:
  - {{ {time}, {} }}
{faults}
strategies:
  - {{ name: plain, layers: [{{ deadline: 1s }}], channel: {{ {channel} }} }}
",
            self.fault
        )
    }

    pub(crate) fn plan(&self) -> Plan {
        let text = self.text(self.time());
        scenario::parse("row.yaml", &text, &Alone).unwrap_or_else(|mistakes| panic!("{}: {mistakes}", self.fault))
    }

    /// Runs the trial and its twin: what is wrong, if anything is.
    pub(crate) fn check(&self) -> Result<(), String> {
        let plan = self.plan();
        let (storm, calm) = (watch(&plan, 1, false), watch(&plan, 1, true));
        let (matched, fired) = counts(&storm.events, 0);
        if (self.bites)(&calm) {
            return Err("the twin without the fault shows it too".into());
        }
        if !(self.bites)(&storm) {
            let failed = failed(&storm);
            return Err(format!("does not bite (matched {matched}, fired {fired}, {failed} calls failed)"));
        }
        if fired == 0 || fired > matched {
            return Err(format!("matched {matched}, fired {fired}"));
        }
        match self.fired {
            Fired::As(seen) if seen(&storm) as u64 != fired => {
                Err(format!("says that it fired {fired} times of {matched}; the trial saw {}", seen(&storm)))
            }
            _ => Ok(()),
        }
    }
}

/// What a fault matched and fired.
pub(crate) fn counts(events: &[Event], fault: u32) -> (u64, u64) {
    let of = |event: &Event| match event.kind {
        Kind::FaultCounted { fault: number, matched, fired } if number == fault => Some((matched, fired)),
        _ => None,
    };
    events.iter().find_map(of).expect("every fault is counted")
}

pub(crate) fn count(seen: &Seen, which: impl Fn(&Kind) -> bool) -> usize {
    seen.events.iter().filter(|event| which(&event.kind)).count()
}

/// How often something happened while the fault held.
pub(crate) fn meanwhile(seen: &Seen, which: impl Fn(&Kind) -> bool) -> usize {
    seen.events.iter().filter(|event| crate::capture::held(event.at) && which(&event.kind)).count()
}

pub(crate) fn ended(seen: &Seen, with: Code) -> usize {
    count(seen, |kind| matches!(kind, Kind::CallEnded { code, .. } if *code == with))
}

pub(crate) fn failed(seen: &Seen) -> usize {
    count(seen, |kind| matches!(kind, Kind::CallEnded { code, .. } if *code != Code::Ok))
}

/// Calls of others than this client that failed.
pub(crate) fn others_failed(seen: &Seen, client: u32) -> usize {
    let failed = |kind: &Kind| matches!(kind, Kind::CallEnded { call, code, .. } if *code != Code::Ok && call.client() != client);
    count(seen, failed)
}

pub(crate) fn hosts(seen: &Seen, what: HostChange) -> usize {
    count(seen, |kind| matches!(kind, Kind::Host { change, .. } if *change == what))
}

pub(crate) fn connections(seen: &Seen, what: ConnectionChange) -> usize {
    count(seen, |kind| matches!(kind, Kind::Connection { change, .. } if *change == what))
}

/// The same of one client.
pub(crate) fn connections_of(seen: &Seen, which: u32, what: ConnectionChange) -> usize {
    let of =
        |kind: &Kind| matches!(kind, Kind::Connection { client, change, .. } if *client == which && *change == what);
    count(seen, of)
}

/// Connections that became ready after the first ones.
pub(crate) fn again(seen: &Seen) -> usize {
    meanwhile(seen, |kind| matches!(kind, Kind::Connection { change: ConnectionChange::Ready, .. }))
}

/// The same, to one server.
pub(crate) fn again_at(seen: &Seen, which: u32) -> usize {
    let ready = |kind: &Kind| matches!(kind, Kind::Connection { server, change: ConnectionChange::Ready, .. } if *server == which);
    meanwhile(seen, ready)
}

/// Calls that took longer than this, each by its client.
fn slow_calls(seen: &Seen, than: Duration) -> Vec<u32> {
    let mut begun = std::collections::BTreeMap::new();
    let mut slow = Vec::new();
    for event in &seen.events {
        match event.kind {
            Kind::CallStarted { call, .. } => drop(begun.insert(call, event.at)),
            Kind::CallEnded { call, .. } if event.at - begun[&call] > than => slow.push(call.client()),
            _ => {}
        }
    }
    slow
}

/// Calls that took longer than this.
pub(crate) fn slower(seen: &Seen, than: Duration) -> usize {
    slow_calls(seen, than).len()
}

/// Those of this client, and of all others.
pub(crate) fn slower_by(seen: &Seen, client: u32, than: Duration) -> (usize, usize) {
    let slow = slow_calls(seen, than);
    let own = slow.iter().filter(|of| **of == client).count();
    (own, slow.len() - own)
}

/// Handlers that were busy for longer than this.
pub(crate) fn busier(seen: &Seen, than: Duration) -> usize {
    count(seen, |kind| matches!(kind, Kind::HandlerEnded { busy_ns, .. } if u128::from(*busy_ns) > than.as_nanos()))
}

pub(crate) fn started(seen: &Seen, on: u32) -> usize {
    meanwhile(seen, |kind| matches!(kind, Kind::HandlerStarted { server, .. } if *server == on))
}

/// Calls whose handler committed and whose client was told that they failed.
pub(crate) fn recorded_and_failed(seen: &Seen) -> usize {
    let mut done = std::collections::BTreeSet::new();
    for event in &seen.events {
        if let Kind::HandlerEnded { call, outcome: HandlerOutcome::Acknowledged, .. } = event.kind {
            done.insert(call);
        }
    }
    count(seen, |kind| matches!(kind, Kind::CallEnded { call, code, .. } if *code != Code::Ok && done.contains(call)))
}

pub(crate) fn lost(seen: &Seen) -> usize {
    count(seen, |kind| matches!(kind, Kind::RecordLost { .. }))
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
