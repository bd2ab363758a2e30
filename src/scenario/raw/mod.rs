//! A scenario file as it is written: every type mirrors one mapping of it, field by field.
//!
//! The documentation of these types is the reference of the file: the JSON Schema and the docs are made from it.
//!
//! Rule: nothing is decided here. A field is absent, wrong or given; what absence means, and whether what was given can be,
//! is for [`check`](super::check) to say. Enums are externally tagged and nothing is flattened: only so does every
//! mistake keep its place.

mod channel;
mod client;
mod de;
mod fault;
mod fault_grpc;
mod fault_kinds;
mod field;
mod limit;
mod link;
mod quantity;
mod retry;
mod server;
mod strategy;
mod tcp;

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use self::channel::*;
pub(crate) use self::client::{Bursts, Channels, Client, Load, Phase};
pub(crate) use self::de::read;
pub(crate) use self::fault::*;
pub(crate) use self::fault_grpc::{Answer, Grpc, Reset, When};
pub(crate) use self::fault_kinds::*;
use self::field::choice;
pub(crate) use self::field::{Entries, Field, ScalarOr};
pub(crate) use self::limit::*;
pub(crate) use self::link::{Distribution, Link, LossModel, LossOr, Part, Quantile, Times};
pub(crate) use self::quantity::{Rate, Share, Size, Speed, Swept, Time};
pub(crate) use self::retry::*;
pub(crate) use self::server::{
    Cold, Discipline, Downstream, DrawnBy, Durability, OnCancel, Pushback, Queue, Server, WhenFull,
};
pub(crate) use self::strategy::*;
pub(crate) use self::tcp::{CongestionControl, Tcp, TcpKeepalive};

/// A list whose elements are read each on its own.
pub(crate) type List<T> = Field<Vec<Field<T>>>;

/// A scenario: what the system looks like, what happens to it, who must weather it, and how well.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Scenario")]
pub(crate) struct Scenario {
    /// The name of the scenario: letters, digits and dashes. Unique among all scenarios of a run.
    #[schemars(extend("x-required" = true))]
    pub(crate) name: Field<String>,
    /// What the scenario teaches: what happens, where it was seen in the wild, what to look at, who should win and why.
    #[schemars(extend("x-required" = true))]
    pub(crate) about: Field<String>,
    /// How long load is offered.
    #[schemars(extend("x-required" = true))]
    pub(crate) duration: Field<Time>,
    /// How long after the end open calls may still finish. Default: 10s.
    pub(crate) drain: Field<Time>,
    /// Calls due before this moment are made but not judged. Default: 0s.
    pub(crate) warmup: Field<Time>,
    /// With how many seeds to run, counted from 1, or from which seed on. Default: 5.
    pub(crate) seeds: Field<ScalarOr<u32, Seeds>>,
    /// The servers, group by group.
    #[schemars(extend("x-required" = true))]
    pub(crate) servers: Field<Entries<Server>>,
    /// The clients, group by group.
    #[schemars(extend("x-required" = true))]
    pub(crate) clients: Field<Entries<Client>>,
    /// What is known about links. Hosts that no entry names are 250us apart, without loss or limit. A later entry wins.
    pub(crate) links: List<Link>,
    /// What goes wrong.
    pub(crate) faults: List<Fault>,
    /// The strategies to compare: defined here, or by name from `strategies.yaml` in this folder or one above it.
    #[schemars(extend("x-required" = true))]
    pub(crate) strategies: List<ScalarOr<String, Strategy>>,
    /// What must be achieved, as `strategy: metric op bound`: `full-jitter: success_rate >= 99.9%`, `all: duplicates == 0`.
    pub(crate) expect: List<Entries<String>>,
}

/// Which seeds a scenario runs with.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Seeds {
    /// The first seed. Default: 1.
    pub(crate) first: Field<u64>,
    /// How many seeds; with `until`, how many at first. Default: 5.
    pub(crate) count: Field<u32>,
    /// More seeds are run until the interval of each of these metrics reaches no further than this from its mean, for every
    /// strategy: `{ p99: 10%, success_rate: 0.5% }`. A share counts in points, other percentages are of the mean.
    pub(crate) until: Field<Entries<String>>,
    /// With `until`: at most so many seeds. Default: 100.
    pub(crate) most: Field<u32>,
}
