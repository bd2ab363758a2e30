//! The events of a trial.
//!
//! Names are those of the definitions: a *call* is one logical operation of the application, an *attempt* one RPC handed
//! to a connection. Numbers: clients and servers (replicas) are counted over all groups, in the order of the scenario;
//! attempts from 1; durations in nanoseconds.

use serde::{Deserialize, Serialize};

use super::{CallId, Code, Origin};
use crate::clock::Instant;
pub use crate::resilience::StopReason;

/// Something that happened, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// When, in virtual time.
    pub at: Instant,
    /// What.
    pub kind: Kind,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// The application began a call. Its latency counts from `scheduled_ns`, when the load said it should begin.
    CallStarted {
        /// Which call.
        call: CallId,
        /// When it was due, in nanoseconds.
        scheduled_ns: u64,
    },
    /// The application learned how its call ended.
    CallEnded {
        /// Which call.
        call: CallId,
        /// With what.
        code: Code,
        /// Who said so; the server for `OK`.
        origin: Origin,
    },
    /// The client still waited for a call when the run ended.
    CallAbandoned {
        /// Which call.
        call: CallId,
    },
    /// An attempt was handed to a connection.
    AttemptStarted {
        /// Of which call.
        call: CallId,
        /// Its number, from 1.
        attempt: u32,
    },
    /// An attempt ended, or was given up.
    AttemptEnded {
        /// Of which call.
        call: CallId,
        /// Its number, from 1.
        attempt: u32,
        /// With what.
        code: Code,
        /// Who said so.
        origin: Origin,
    },
    /// A server handed an attempt to a connection to the next tier, on behalf of a call.
    TierAttemptStarted {
        /// Which server calls.
        server: u32,
        /// Of which call.
        call: CallId,
        /// Its number among the attempts of this server's client, from 1.
        attempt: u32,
    },
    /// An attempt of a server in the next tier ended, or was given up.
    TierAttemptEnded {
        /// Which server calls.
        server: u32,
        /// Of which call.
        call: CallId,
        /// Its number among the attempts of this server's client, from 1.
        attempt: u32,
        /// With what.
        code: Code,
        /// Who said so.
        origin: Origin,
    },
    /// Another attempt will follow after a pause.
    RetryScheduled {
        /// Of which call.
        call: CallId,
        /// The attempt that failed.
        attempt: u32,
        /// The pause.
        after_ns: u64,
    },
    /// No further attempt will follow, though the last one failed.
    RetryStopped {
        /// Of which call.
        call: CallId,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        reason: StopReason,
    },
    /// A second attempt was sent beside one that is still open.
    Hedged {
        /// Of which call.
        call: CallId,
        /// The new attempt.
        attempt: u32,
    },
    /// A layer of the client refused to let the call out.
    Rejected {
        /// Which call.
        call: CallId,
        /// Which kind of layer.
        by: Origin,
    },
    /// A circuit breaker changed its state.
    Breaker {
        /// Whose.
        client: u32,
        /// Whether calls pass now: `Some(true)` closed, `Some(false)` open, `None` half-open.
        closed: Option<bool>,
    },
    /// A client's connection to a server changed.
    Connection {
        /// Whose.
        client: u32,
        /// To which server.
        server: u32,
        /// How.
        change: ConnectionChange,
    },
    /// A request reached a server and waits for a worker.
    Queued {
        /// Where.
        server: u32,
        /// Of which call.
        call: CallId,
        /// Which attempt.
        attempt: u32,
        /// How many wait now, this one included.
        depth: u32,
    },
    /// A worker began to handle a request.
    HandlerStarted {
        /// Where.
        server: u32,
        /// Of which call.
        call: CallId,
        /// Which attempt.
        attempt: u32,
        /// How many waited in the queue then.
        depth: u32,
    },
    /// A worker is free again.
    HandlerEnded {
        /// Where.
        server: u32,
        /// Of which call.
        call: CallId,
        /// Which attempt.
        attempt: u32,
        /// How long the worker was busy.
        busy_ns: u64,
        /// What came of it.
        outcome: HandlerOutcome,
        /// Whether the caller had gone by the end, so that the work was wasted.
        caller_gone: bool,
    },
    /// A server turned a request away without handling it.
    Shed {
        /// Where.
        server: u32,
        /// Of which call.
        call: CallId,
        /// Which attempt.
        attempt: u32,
        /// With which code.
        code: Code,
    },
    /// An alert entered a server's log; with deduplication, only the first time.
    Recorded {
        /// Where.
        server: u32,
        /// Of which call.
        call: CallId,
    },
    /// A crash took an alert out of a server's log that was not yet durable.
    RecordLost {
        /// Where.
        server: u32,
        /// Of which call.
        call: CallId,
    },
    /// A server's host changed.
    Host {
        /// Which.
        server: u32,
        /// How.
        change: HostChange,
    },
    /// A fault began.
    FaultStarted {
        /// Its place in the scenario, from 0.
        fault: u32,
    },
    /// A fault ended: the network or server is itself again.
    FaultEnded {
        /// Its place in the scenario, from 0.
        fault: u32,
    },
    /// How often a fault could have bitten and how often it did, at the end of the run.
    FaultCounted {
        /// Its place in the scenario, from 0.
        fault: u32,
        /// Packets, connections, calls or hosts that it applied to.
        matched: u64,
        /// Those that it changed.
        fired: u64,
    },
    /// The run is over; nothing follows.
    Ended {
        /// Wire bytes from clients to servers and back.
        wire_bytes: u64,
    },
}

/// What a handler did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HandlerOutcome {
    /// It acknowledged the alert.
    Acknowledged,
    /// It answered with this error.
    Failed(Code),
    /// It was dropped: the caller reset the stream, or the server crashed.
    Dropped,
}

/// How a client's connection changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConnectionChange {
    /// An attempt to connect began.
    Connecting,
    /// It is ready for calls.
    Ready,
    /// It could not be made.
    Failed,
    /// It is gone.
    Closed,
}

/// How a server's host changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HostChange {
    /// It accepts requests.
    Up,
    /// It is gone: killed, or without power.
    Down,
    /// Its process stands still.
    Paused,
    /// Its process goes on.
    Resumed,
    /// It finishes what it has and takes nothing new.
    Draining,
}
