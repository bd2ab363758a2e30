//! Faults: what goes wrong, when, and for whom.

use std::num::NonZeroU64;
use std::time::Duration;

use tonic::Code;

use super::fault_grpc::{Grpc, StreamReset};
use super::{Bandwidth, Loss, Members};
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
    /// Which it touches of the packets, connections, frames or calls that it applies to.
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

/// Which a fault touches of what it applies to; the probability of the kind comes after.
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
        /// How many of them, drawn for each window. As many as there are: all.
        some: u32,
        /// In what manner.
        how: CrashHow,
        /// What its log loses.
        lose: Lose,
    },
    /// Processes crash again and again, and stay away longer each time.
    CrashLoop {
        /// Who.
        server: Members,
        /// How long a process lives, once it has started.
        up: Duration,
        /// The first pause before it is started again; it doubles.
        down: Duration,
        /// The longest pause.
        cap: Duration,
    },
    /// Replicas are replaced in batches by a version that is worse. At the end of the window all are the old one again.
    Deploy(Deploy),
    /// Only some replicas run during the window; the others are drained at its start and start cold at its end.
    Autoscale {
        /// Who.
        server: Members,
        /// How many run. At least one, fewer than there are.
        to: u32,
        /// How long those that go may finish what they have.
        grace: Duration,
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
    /// Each packet takes longer by another amount: anything up to `up_to`. Packets of one connection stay in order, so that
    /// one late packet holds up those behind it.
    Jitter {
        /// One side.
        a: Members,
        /// The other.
        b: Members,
        /// Which way.
        direction: Direction,
        /// The most.
        up_to: Duration,
    },
    /// Some packets are overtaken by those behind them.
    Reorder {
        /// One side.
        a: Members,
        /// The other.
        b: Members,
        /// Which way.
        direction: Direction,
        /// How many are held back.
        rate: Probability,
        /// For how long.
        hold: Distribution,
    },
    /// Some packets arrive twice.
    Duplicate {
        /// One side.
        a: Members,
        /// The other.
        b: Members,
        /// Which way.
        direction: Direction,
        /// How many.
        rate: Probability,
    },
    /// A link goes down and comes up, again and again.
    Flap {
        /// One side.
        a: Members,
        /// The other.
        b: Members,
        /// Which way.
        direction: Direction,
        /// How long it is down, first.
        down: Duration,
        /// How long it is up, then.
        up: Duration,
    },
    /// A middlebox forgets connections that were silent for too long: what is sent later vanishes.
    NatExpiry {
        /// One side.
        a: Members,
        /// The other.
        b: Members,
        /// How long it remembers.
        idle: Duration,
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
    /// The queue of connections that wait to be accepted is full: new ones are met by silence.
    BacklogFull {
        /// Of whom.
        server: Members,
    },
    /// The process takes its time before it accepts the next connection.
    SlowAccept {
        /// Who.
        server: Members,
        /// How long, for each.
        delay: Duration,
    },
    /// The process closes connections that were silent for too long, without a word in HTTP/2.
    IdleKill {
        /// Who.
        server: Members,
        /// How long is too long.
        idle: Duration,
    },
    /// Every connection is told to go away. A moment.
    Goaway {
        /// By whom.
        server: Members,
        /// With an error, and closed at once; `None`: what is open may finish.
        code: Option<StreamReset>,
    },
    /// Connections that are accepted meanwhile may have fewer streams open.
    MaxStreams {
        /// Where.
        server: Members,
        /// How many. At least one.
        streams: u32,
    },
    /// HTTP/2 frames of one kind are never sent.
    Withhold {
        /// By whom.
        server: Members,
        /// Which.
        frames: Withheld,
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
    /// The caches are empty: calls take longer in the handler, ever less until the end of the window.
    ColdCache {
        /// Where.
        server: Members,
        /// The service time is multiplied by it at first. At least 1.
        factor: f64,
    },
    /// Hosts are wrong about what time it is.
    ClockSkew {
        /// Which.
        hosts: Members,
        /// By how many nanoseconds they are ahead.
        ahead_ns: i64,
    },
    /// Writes to disk take longer.
    SlowDisk {
        /// Where.
        server: Members,
        /// By how much.
        slowdown: Slowdown,
    },
    /// Nothing more can be written: calls fail with this status.
    FullDisk {
        /// Where.
        server: Members,
        /// The status.
        status: Code,
    },
    /// The disk says that writes are safe while they are not.
    LyingDisk {
        /// Where.
        server: Members,
    },
    /// The health service says something else than what is so.
    HealthLie {
        /// Where.
        server: Members,
        /// What it says.
        serving: bool,
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

/// Which HTTP/2 frames a server withholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// WINDOW_UPDATE: once the window is used up, nobody may send it data.
    WindowUpdate,
    /// The acknowledgement of a PING: keepalive takes the connection for dead.
    PingAck,
    /// SETTINGS acknowledgements and SETTINGS themselves: the connection never becomes ready.
    Settings,
}

/// A version that is worse, and how it comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Deploy {
    /// Who gets it, in order.
    pub server: Members,
    /// How many at a time. At least one.
    pub batch: u32,
    /// How long each is down.
    pub down: Duration,
    /// In what manner the old one goes.
    pub how: CrashHow,
    /// How much slower the new one is. At least 1.
    pub factor: f64,
    /// The share of calls that the new one fails with `INTERNAL`.
    pub errors: Probability,
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
            Self::CrashLoop { .. } => "crash_loop",
            Self::Deploy(_) => "deploy",
            Self::Autoscale { .. } => "autoscale",
            Self::Jitter { .. } => "jitter",
            Self::Reorder { .. } => "reorder",
            Self::Duplicate { .. } => "duplicate",
            Self::Flap { .. } => "flap",
            Self::NatExpiry { .. } => "nat_expiry",
            Self::BacklogFull { .. } => "backlog_full",
            Self::SlowAccept { .. } => "slow_accept",
            Self::IdleKill { .. } => "idle_kill",
            Self::Goaway { .. } => "goaway",
            Self::MaxStreams { .. } => "max_streams",
            Self::Withhold { .. } => "withhold",
            Self::ColdCache { .. } => "cold_cache",
            Self::ClockSkew { .. } => "clock_skew",
            Self::SlowDisk { .. } => "slow_disk",
            Self::FullDisk { .. } => "full_disk",
            Self::LyingDisk { .. } => "lying_disk",
            Self::HealthLie { .. } => "health_lie",
            Self::Grpc(_) => "grpc",
        }
    }
}
