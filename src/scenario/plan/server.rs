//! Servers: how much they can do, what they do when it is too much, what survives a crash.

use std::time::Duration;

use tonic::Code;

use super::super::units::CallRate;
use crate::net::TcpSettings;
use crate::random::Distribution;
use crate::resilience::Strategy;

/// Replicas of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerGroup {
    /// What clients and faults call it.
    pub name: String,
    /// How many replicas, each on its own host. At least one.
    pub replicas: u32,
    /// How many calls a replica works on at once.
    pub capacity: Capacity,
    /// How long one call keeps a worker busy; drawn by the identity of the call and the replica's group.
    pub service_time: Distribution,
    /// How service time grows with the number of calls in the house.
    pub concurrency: Concurrency,
    /// Where calls wait for a worker.
    pub queue: QueuePlan,
    /// What happens to a call that finds no room.
    pub when_full: WhenFull,
    /// Whether work is dropped, when its turn comes, if its caller's deadline has passed.
    pub deadline_aware: bool,
    /// What becomes of work whose caller has gone.
    pub on_cancel: OnCancel,
    /// By what a service time is drawn.
    pub drawn_by: DrawnBy,
    /// When an alert is safe.
    pub durability: Durability,
    /// Whether a repeated alert gets the same tracking id and is recorded once.
    pub dedup: bool,
    /// From the start of the process to the first accepted connection. Applies to restarts, not to the start of the run.
    pub startup: Duration,
    /// For how long after a (re)start the service time is stretched by `cold_factor`, falling linearly to 1.
    pub cold_for: Duration,
    /// How much slower a cold server is. At least 1.
    pub cold_factor: f64,
    /// How long one write to the durable log takes, for `sync` durability within the call.
    pub disk: Distribution,
    /// How many connections may wait to be accepted.
    pub backlog: u32,
    /// How many streams one connection may have open (SETTINGS_MAX_CONCURRENT_STREAMS).
    pub max_streams: u32,
    /// The most calls a second a replica accepts from one client; beyond it they are shed.
    pub fairness: CallRate,
    /// Alerts whose timestamp is further than this from the server's own clock are refused. `Duration::MAX`: none is.
    pub max_skew: Duration,
    /// The kernel of each replica.
    pub tcp: TcpSettings,
    /// Services this one calls before it answers, in order.
    pub downstream: Vec<Downstream>,
}

/// What becomes of work whose caller has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    /// It is dropped, in the queue or in the middle, as an async handler is.
    Stop,
    /// It waits and is done all the same, as in a server that looks at nothing but its queue.
    Finish,
}

/// By what a service time is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawnBy {
    /// By the call: every attempt takes as long, wherever it lands. Slow calls stay slow.
    Call,
    /// By the attempt and the replica: slowness is a moment's, which a hedge or a retry can escape.
    Attempt,
}

/// How many calls a replica works on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// Every call starts at once: the server never queues.
    Unlimited,
    /// This many workers, at least one.
    Workers(u32),
}

/// How service time grows with the number of calls inside a replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Concurrency {
    /// Added for every call in service, this one not counted.
    pub per_call: Duration,
}

/// Where calls wait for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePlan {
    /// How many may wait. 0: none, the server is full when its workers are.
    pub limit: u32,
    /// Who is next.
    pub discipline: Discipline,
}

/// Who is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// The one that waited longest.
    Fifo,
    /// The newest.
    Lifo,
    /// First in, first out; sheds when even the shortest wait of an `interval` was longer than `target`.
    CoDel {
        /// The wait that is acceptable.
        target: Duration,
        /// Over how long the shortest wait is taken.
        interval: Duration,
    },
}

/// What happens to a call that finds the queue full, or that is shed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WhenFull {
    /// The status it gets.
    pub code: Code,
    /// The `grpc-retry-pushback-ms` it gets: `None` sends none.
    pub pushback: Option<Pushback>,
}

/// What a server says about retrying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushback {
    /// Do not retry at all.
    Never,
    /// Retry after this long.
    After(Duration),
}

impl Pushback {
    /// The value of `grpc-retry-pushback-ms` (gRFC A6): a negative one forbids retries.
    #[must_use]
    pub fn millis(self) -> i32 {
        match self {
            Self::Never => -1,
            Self::After(pause) => i32::try_from(pause.as_millis()).unwrap_or(i32::MAX),
        }
    }
}

/// When an alert is safe, that is, survives a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Never: a crash loses everything.
    Memory,
    /// This long after it was acknowledged.
    WriteBehind(Duration),
    /// Before it is acknowledged.
    Sync,
}

/// A call that a server makes to another tier before it answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Downstream {
    /// The group it calls: `plan.servers[_]`, never the caller itself, never in a circle.
    pub server: usize,
    /// How many calls it makes there, all at once. At least one.
    pub fan_out: u32,
    /// Which strategy it calls with.
    pub strategy: DownstreamStrategy,
}

/// With which strategy a tier calls the next one.
#[derive(Clone, Debug, PartialEq)]
pub enum DownstreamStrategy {
    /// The one under test, as its own callers do.
    Same,
    /// Always this one.
    Fixed(Box<super::StrategyPlan>),
}

impl DownstreamStrategy {
    /// The strategy itself, while `tested` is the one under test.
    pub(crate) fn resolve<'s>(&'s self, tested: &'s Strategy) -> &'s Strategy {
        match self {
            Self::Same => tested,
            Self::Fixed(fixed) => &fixed.strategy,
        }
    }
}
