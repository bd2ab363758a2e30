//! What a scenario means: checked, resolved, complete.
//!
//! A plan repeats nothing of how its file was written. Names are indices, percentages are probabilities, `every: 5s` is a
//! list of windows, and what the file left out has its default: there is no `Option` that means "as usual". Whoever holds
//! a plan need not check anything again.
//!
//! Rule: numbers in a plan are in range, indices point at something, windows lie inside the run.

mod client;
mod expectation;
mod fault;
mod fault_grpc;
mod link;
mod server;
mod strategy;

use std::ops::Range;
use std::time::Duration;

pub use self::client::{Channels, ClientGroup, Load, Phase};
pub use self::expectation::{Aggregate, Bound, ErrorFilter, Expectation, Op, Scope, Strategies};
pub use self::fault::{
    CrashHow, Deploy, Direction, FaultKind, FaultPlan, Lose, Selector, Slowdown, TimeWindow, Withheld,
};
pub use self::fault_grpc::{Grpc, GrpcHarm, GrpcWhen, SpoiltAnswer, StreamReset};
pub use self::link::{Bandwidth, LinkPlan, Loss};
pub use self::server::{
    Capacity, Concurrency, Discipline, Downstream, DownstreamStrategy, DrawnBy, Durability, OnCancel, Pushback,
    QueuePlan, ServerGroup, WhenFull,
};
pub use self::strategy::StrategyPlan;
use super::amount::Margin;
use super::metric::Metric;

/// A scenario, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the scenario is called.
    pub name: String,
    /// What it teaches, in prose.
    pub about: String,
    /// The file it came from, as people should see it.
    pub file: String,
    /// How long load is offered.
    pub duration: Duration,
    /// How long after the end open calls may still finish.
    pub drain: Duration,
    /// Calls that are due before this moment are made but not judged.
    pub warmup: Duration,
    /// With which seeds it runs, at first.
    pub seeds: Seeds,
    /// When there are enough of them.
    pub enough: Enough,
    /// The server groups, in the order of the file. At least one.
    pub servers: Vec<ServerGroup>,
    /// The client groups, in the order of the file. At least one.
    pub clients: Vec<ClientGroup>,
    /// What is known about links; a later entry wins over an earlier one for the hosts both name. Hosts that no entry
    /// names are connected by [`LinkPlan::default_between`].
    pub links: Vec<LinkPlan>,
    /// The declared faults, in the order of the file.
    pub faults: Vec<FaultPlan>,
    /// The strategies to compare, in the order of the file. At least one.
    pub strategies: Vec<StrategyPlan>,
    /// What they must achieve.
    pub expectations: Vec<Expectation>,
}

impl Plan {
    /// When everything ends: the duration and the time in which open calls may finish.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.duration + self.drain
    }

    /// How many hosts run servers, over all groups.
    #[must_use]
    pub fn server_count(&self) -> u32 {
        self.servers.iter().map(|group| group.replicas).sum()
    }

    /// How many clients there are, over all groups.
    #[must_use]
    pub fn client_count(&self) -> u32 {
        self.clients.iter().map(|group| group.count).sum()
    }
}

/// The seeds a scenario runs with: a range, so that `--seeds` can widen it and `--seed` narrow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    /// The first one.
    pub first: u64,
    /// How many. At least one.
    pub count: u32,
}

/// When a scenario has run with enough seeds.
///
/// Width decides, never the verdict: whoever runs on until a bound lies outside the interval will find one that does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Enough {
    /// How far the intervals of these metrics may reach from their means; none: the first seeds are enough.
    pub until: Vec<(Metric, Margin)>,
    /// At most so many seeds.
    pub most: u32,
}

impl Seeds {
    /// The seeds, in order.
    pub fn iter(self) -> impl Iterator<Item = u64> {
        (0..u64::from(self.count)).map(move |n| self.first.wrapping_add(n))
    }
}

/// A group of servers or of clients, by its place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// `plan.servers[_]`.
    Servers(usize),
    /// `plan.clients[_]`.
    Clients(usize),
}

/// Some members of a group: all of them (`telemetry`), one (`telemetry/1`) or a few (`telemetry/0-2`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    /// Of which group.
    pub group: Group,
    /// Which of its members, counted from 0 inside the group. Never empty, never beyond the group.
    pub range: Range<u32>,
}
