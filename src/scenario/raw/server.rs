//! `servers:` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::link::Times;
use super::{Field, List, Rate, ScalarOr, Strategy, Tcp, Time};

/// Replicas of one service.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Server {
    /// How many replicas, each on its own host. Default: 1.
    pub(crate) replicas: Field<u32>,
    /// How many calls a replica works on at once. Default: no limit.
    pub(crate) workers: Field<u32>,
    /// How long one call keeps a worker busy. Default: 1ms.
    pub(crate) service_time: Field<Times>,
    /// Added to the service time for every other call inside the replica. Default: 0s.
    pub(crate) per_call: Field<Time>,
    /// Where calls wait for a worker. Default: 1024 places, first in first out.
    pub(crate) queue: Field<Queue>,
    /// What happens to a call that finds the queue full. Default: RESOURCE_EXHAUSTED.
    pub(crate) when_full: Field<WhenFull>,
    /// Whether work whose caller's deadline has passed is dropped when its turn comes. Default: false.
    pub(crate) deadline_aware: Field<bool>,
    /// What becomes of work whose caller has gone: `stop`, as a handler does that is dropped, or `finish`. Default: stop.
    pub(crate) on_cancel: Field<OnCancel>,
    /// Whether a call takes as long on every attempt (`call`), or each attempt draws anew (`attempt`). Default: call.
    pub(crate) drawn_by: Field<DrawnBy>,
    /// When an alert is safe: `memory` (never), `{ write_behind: 200ms }` after it was acknowledged, or `sync`, before. Default: sync.
    pub(crate) durability: Field<Durability>,
    /// How long a write to the disk takes, for `sync` inside the call. Default: 0s.
    pub(crate) disk: Field<Times>,
    /// Whether a repeated alert gets the same tracking id and is recorded once. Default: false.
    pub(crate) dedup: Field<bool>,
    /// From the start of the process to the first accepted connection, after a restart. Default: 500ms.
    pub(crate) startup: Field<Time>,
    /// How much slower the server is when it has just restarted. Default: not at all.
    pub(crate) cold: Field<Cold>,
    /// How many connections may wait to be accepted. Default: 4096.
    pub(crate) backlog: Field<u32>,
    /// How many streams one connection may have open. Default: 1000000.
    pub(crate) max_streams: Field<u32>,
    /// The most calls a replica accepts from one client; what is beyond is shed. Default: no limit.
    pub(crate) per_client: Field<Rate>,
    /// Alerts whose timestamp is further than this from the server's own clock are refused (FAILED_PRECONDITION). Default: none is.
    pub(crate) max_skew: Field<Time>,
    /// The kernel of each replica. Default: Linux's.
    pub(crate) tcp: Field<Tcp>,
    /// Services this one calls before it answers. Default: none.
    pub(crate) calls: List<Downstream>,
}

/// What becomes of work whose caller has gone.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnCancel {
    /// It is dropped, in the queue or in the middle.
    Stop,
    /// It waits and is done all the same.
    Finish,
}

/// By what a service time is drawn.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DrawnBy {
    /// By the call: each of its attempts takes as long, wherever it lands.
    Call,
    /// By the attempt and the replica: what was slow once may be fast the next time.
    Attempt,
}

/// Where calls wait for a worker.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Queue {
    /// How many may wait; 0: none. Default: 1024.
    pub(crate) limit: Field<u32>,
    /// Who is next. Default: fifo.
    pub(crate) discipline: Field<Discipline>,
}

/// Who is next.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Discipline {
    /// The one that waited longest.
    Fifo,
    /// The newest.
    Lifo,
    /// First in, first out; sheds when even the shortest wait of an interval was longer than the target.
    Codel(CoDel),
}

/// The options of CoDel.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CoDel {
    /// The wait that is acceptable. Default: 5ms.
    pub(crate) target: Field<Time>,
    /// Over how long the shortest wait is taken. Default: 100ms.
    pub(crate) interval: Field<Time>,
}

/// What happens to a call that finds the queue full.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WhenFull {
    /// The status it gets: RESOURCE_EXHAUSTED or UNAVAILABLE. Default: RESOURCE_EXHAUSTED.
    pub(crate) status: Field<String>,
    /// What it is told about retrying. Default: nothing.
    pub(crate) pushback: Field<Pushback>,
}

/// What a server says about retrying (`grpc-retry-pushback-ms`).
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pushback {
    /// Do not retry.
    Never,
    /// Retry after this long.
    After(Time),
}

/// When an alert is safe, that is, survives a crash.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Durability {
    /// Never: a crash loses everything.
    Memory,
    /// This long after it was acknowledged.
    WriteBehind(Time),
    /// Before it is acknowledged.
    Sync,
}

/// How much slower a server is when it has just restarted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Cold {
    /// How much slower at first, at least 1; it falls evenly to 1.
    #[schemars(extend("x-required" = true))]
    pub(crate) factor: Field<f64>,
    /// For how long.
    #[schemars(extend("x-required" = true))]
    #[serde(rename = "for")]
    pub(crate) lasts: Field<Time>,
}

/// A service that is called before the answer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Downstream {
    /// Which servers are called.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// How many calls are made there, all at once. Default: 1.
    pub(crate) fan_out: Field<u32>,
    /// With which strategy. Default: the one under test.
    pub(crate) strategy: Field<ScalarOr<String, Strategy>>,
}
