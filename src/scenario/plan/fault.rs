//! Faults: what goes wrong, when, and for whom.

use std::num::NonZeroU64;
use std::time::Duration;

use tonic::Code;

use super::{Bandwidth, Loss, Members, Pushback};
use crate::random::{Distribution, Probability};

/// One declared fault.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// What reports and expectations call it: its `name`, or its kind and a number, as in `crash-1`. Unique.
    pub id: String,
    /// Its line in the file, for messages.
    pub line: usize,
    /// When it holds, in order, apart from each other. At least one; more with `every`.
    pub windows: Vec<TimeWindow>,
    /// Over how long its strength grows from nothing at the start of a window. 0: at once.
    pub ramp: Duration,
    /// How likely a window happens at all, drawn once a window.
    pub probability: Probability,
    /// Which of the matching calls it touches. Of no effect on faults that are not about calls.
    pub selector: Selector,
    /// Whether the run is good even if it never fires.
    pub may_not_fire: bool,
    /// What goes wrong.
    pub kind: FaultKind,
}

/// From when to when; `start < end`, except for faults that are a moment, where they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    /// The first moment.
    pub start: Duration,
    /// The first moment after it. [`Plan::end`](super::Plan::end) for a fault that stays.
    pub end: Duration,
}

/// Which of the matching calls a fault touches: the probability of the kind comes after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Only the first so many in each window. `u64::MAX`: no limit.
    pub first: u64,
    /// Only every so-manieth. 1: each.
    pub every: NonZeroU64,
    /// Only those of these clients. Empty: everyone's.
    pub clients: Vec<Members>,
}

impl Default for Selector {
    fn default() -> Self {
        Self { first: u64::MAX, every: NonZeroU64::MIN, clients: Vec::new() }
    }
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    Both,
    /// From the first to the second only.
    Forward,
}

/// What goes wrong. Members called `server` belong to server groups.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FaultKind {
    /// The process or its machine goes down at the start of a window and comes back at its end.
    Crash {
        /// Who.
        server: Members,
        /// In what manner.
        how: CrashHow,
        /// What its log loses.
        lose: Lose,
    },
    /// Replicas restart one after another within the window, each down for `down`.
    RollingRestart {
        /// Who, in order.
        server: Members,
        /// How long each is down.
        down: Duration,
        /// In what manner.
        how: CrashHow,
    },
    /// The process stands still and goes on afterwards, as in a stop-the-world collection.
    Pause {
        /// Who.
        server: Members,
    },
    /// Packets between two sides vanish.
    Partition {
        /// One side.
        a: Members,
        /// The other.
        b: Members,
        /// Which way.
        direction: Direction,
    },
    /// Whatever is sent to or from these hosts vanishes.
    BlackHole {
        /// Who.
        hosts: Members,
    },
    /// Packets between two sides take longer.
    SlowLink {
        /// One side.
        a: Members,
        /// The other.
        b: Members,
        /// Which way.
        direction: Direction,
        /// By how much, one way.
        add: Distribution,
    },
    /// Packets between two sides are lost, instead of how the link loses them.
    Loss {
        /// One side.
        a: Members,
        /// The other.
        b: Members,
        /// Which way.
        direction: Direction,
        /// How many.
        loss: Loss,
    },
    /// The link between two sides is slower, instead of as fast as it is.
    Bandwidth {
        /// One side.
        a: Members,
        /// The other.
        b: Members,
        /// Which way.
        direction: Direction,
        /// How fast.
        limit: Bandwidth,
    },
    /// New connections are refused; those that stand are not touched.
    Refuse {
        /// By whom.
        server: Members,
    },
    /// A middlebox resets every connection between two sides, both ways. A moment.
    Reset {
        /// One side.
        a: Members,
        /// The other.
        b: Members,
    },
    /// The server forgets every connection from these clients; they do not learn of it. A moment.
    HalfOpen {
        /// Who keeps what is dead.
        clients: Members,
        /// Who forgets.
        server: Members,
    },
    /// Calls take longer in the handler.
    SlowServer {
        /// Where.
        server: Members,
        /// By how much.
        slowdown: Slowdown,
    },
    /// A replica has fewer workers.
    CapacityDrop {
        /// Where.
        server: Members,
        /// How many are left. At least one.
        workers: u32,
    },
    /// Calls fail inside gRPC.
    Grpc(Grpc),
}

/// In what manner a server goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashHow {
    /// The process is killed: its kernel closes the connections (FIN) and refuses new ones (RST).
    Kill,
    /// The machine loses power: silence, then RST from the next incarnation.
    PowerLoss,
    /// It says GOAWAY, takes nothing new, and is killed when the time is over or the last call done.
    Graceful(Duration),
}

/// What a durable log loses in a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lose {
    /// Nothing: the disk was told of everything.
    Nothing,
    /// What was not yet safe, by the server's durability.
    Unsynced,
    /// Everything: the disk is gone.
    All,
}

/// By how much calls take longer: `time * factor + add`.
#[derive(Clone, Debug, PartialEq)]
pub struct Slowdown {
    /// The service time is multiplied by it. At least 1.
    pub factor: f64,
    /// And this is added, drawn a call.
    pub add: Distribution,
}

/// A call that fails inside gRPC.
#[derive(Clone, Debug, PartialEq)]
pub struct Grpc {
    /// Where.
    pub server: Members,
    /// Only this method. Empty: every method.
    pub method: String,
    /// The status it ends with. `Ok` is possible with `ResponseLost` alone, where the client sees none.
    pub status: Code,
    /// Its message.
    pub message: String,
    /// The share of calls, each drawn on its own.
    pub rate: Probability,
    /// At which point.
    pub when: GrpcWhen,
    /// What the trailers say about retrying; `None` says nothing.
    pub pushback: Option<Pushback>,
    /// How long the answer is held back.
    pub delay: Distribution,
}

/// At which point a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcWhen {
    /// Before the handler ran: nothing was recorded.
    BeforeHandler,
    /// After the handler committed: the alert is recorded, the client told it failed.
    AfterHandler,
    /// After the handler committed, and the response never comes: the stream is reset.
    ResponseLost,
}

impl FaultKind {
    /// What the file calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Crash { .. } => "crash",
            Self::RollingRestart { .. } => "rolling_restart",
            Self::Pause { .. } => "pause",
            Self::Partition { .. } => "partition",
            Self::BlackHole { .. } => "black_hole",
            Self::SlowLink { .. } => "slow_link",
            Self::Loss { .. } => "loss",
            Self::Bandwidth { .. } => "bandwidth",
            Self::Refuse { .. } => "refuse",
            Self::Reset { .. } => "reset",
            Self::HalfOpen { .. } => "half_open",
            Self::SlowServer { .. } => "slow_server",
            Self::CapacityDrop { .. } => "capacity_drop",
            Self::Grpc(_) => "grpc",
        }
    }
}
