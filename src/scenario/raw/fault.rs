//! `faults:` as it is written: when, for whom, and exactly one of the kinds.

use schemars::JsonSchema;
use serde::Deserialize;

use super::link::{LossOr, Times};
use super::server::Pushback;
use super::{Field, List, Share, Speed, Time};

/// Something that goes wrong: when, for how long, and what. Exactly one kind is given.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Fault {
    /// What reports and expectations call it. Default: its kind and a number, as in `crash-1`.
    pub(crate) name: Field<String>,
    /// When it begins.
    #[schemars(extend("x-required" = true))]
    pub(crate) at: Field<Time>,
    /// How long it lasts. Default: to the end; some kinds are a moment and have no duration.
    #[serde(rename = "for")]
    pub(crate) lasts: Field<Time>,
    /// It begins again after this long. Default: it happens once.
    pub(crate) every: Field<Time>,
    /// How many times it happens, with `every`. Default: until the end.
    pub(crate) repeat: Field<u32>,
    /// Over how long its strength grows from nothing. Default: 0s.
    pub(crate) ramp: Field<Time>,
    /// How likely each occurrence is to happen at all, drawn a seed. Default: 100%.
    pub(crate) probability: Field<Share>,
    /// Whether the run is good even if it never fires. Default: false.
    pub(crate) may_not_fire: Field<bool>,
    /// The process or its machine goes down at `at` and comes back after `for`.
    pub(crate) crash: Field<Crash>,
    /// Replicas restart one after another.
    pub(crate) rolling_restart: Field<RollingRestart>,
    /// A process stands still, as in a stop-the-world collection, and then goes on.
    pub(crate) pause: Field<OnServer>,
    /// Packets between two sides vanish.
    pub(crate) partition: Field<Sides>,
    /// Whatever is sent to or from these hosts vanishes.
    pub(crate) black_hole: Field<OnHosts>,
    /// Packets between two sides take longer.
    pub(crate) slow_link: Field<SlowLink>,
    /// Packets between two sides are lost.
    pub(crate) loss: Field<Loss>,
    /// The link between two sides is slower.
    pub(crate) bandwidth: Field<Bandwidth>,
    /// New connections are refused; those that stand are not touched.
    pub(crate) refuse: Field<OnServer>,
    /// A middlebox resets every connection between two sides. A moment: without `for`.
    pub(crate) reset: Field<Both>,
    /// The server forgets every connection from these clients, and they do not learn of it. A moment: without `for`.
    pub(crate) half_open: Field<HalfOpen>,
    /// Calls take longer in the handler.
    pub(crate) slow_server: Field<SlowServer>,
    /// Replicas have fewer workers.
    pub(crate) capacity: Field<CapacityDrop>,
    /// Calls fail inside gRPC.
    pub(crate) grpc: Field<Grpc>,
}

/// A crash.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Crash {
    /// Who: `telemetry` (all replicas), `telemetry/0`, `telemetry/0-2`.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// In what manner. Default: kill.
    pub(crate) how: Field<How>,
    /// What its log loses. Default: unsynced.
    pub(crate) lose: Field<Lose>,
}

/// In what manner a server goes down.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// The process is killed: connections are closed, new ones refused.
    Kill,
    /// The machine loses power: silence.
    PowerLoss,
    /// It says GOAWAY, takes nothing new, and goes when it is idle or this time is over.
    Graceful(Time),
}

/// What a durable log loses in a crash.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lose {
    /// Nothing.
    Nothing,
    /// What was not yet safe.
    Unsynced,
    /// Everything.
    All,
}

/// Replicas restart one after another.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RollingRestart {
    /// Who, in order.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// How long each is down. Default: 1s.
    pub(crate) down: Field<Time>,
    /// In what manner. Default: graceful, with 5s.
    pub(crate) how: Field<How>,
}

/// Some servers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OnServer {
    /// Who: `telemetry` (all replicas), `telemetry/0`, `telemetry/0-2`.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
}

/// Some hosts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OnHosts {
    /// Who: a group of servers or clients, or members of it.
    #[schemars(extend("x-required" = true))]
    pub(crate) hosts: Field<String>,
}

/// Two sides, both ways or one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sides {
    /// The two sides, for both ways.
    pub(crate) between: List<String>,
    /// Only the way from this side: instead of `between`.
    pub(crate) from: Field<String>,
    /// Only the way to this side: instead of `between`.
    pub(crate) to: Field<String>,
}

/// Two sides.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Both {
    /// The two sides.
    #[schemars(extend("x-required" = true))]
    pub(crate) between: List<String>,
}

/// Packets take longer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SlowLink {
    /// The two sides, for both ways.
    pub(crate) between: List<String>,
    /// Only the way from this side: instead of `between`.
    pub(crate) from: Field<String>,
    /// Only the way to this side: instead of `between`.
    pub(crate) to: Field<String>,
    /// By how much, one way.
    #[schemars(extend("x-required" = true))]
    pub(crate) add: Field<Times>,
}

/// Packets are lost.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Loss {
    /// The two sides, for both ways.
    pub(crate) between: List<String>,
    /// Only the way from this side: instead of `between`.
    pub(crate) from: Field<String>,
    /// Only the way to this side: instead of `between`.
    pub(crate) to: Field<String>,
    /// How many: a share, or a model.
    #[schemars(extend("x-required" = true))]
    pub(crate) rate: Field<LossOr>,
}

/// A slower link.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Bandwidth {
    /// The two sides, for both ways.
    pub(crate) between: List<String>,
    /// Only the way from this side: instead of `between`.
    pub(crate) from: Field<String>,
    /// Only the way to this side: instead of `between`.
    pub(crate) to: Field<String>,
    /// How fast.
    #[schemars(extend("x-required" = true))]
    pub(crate) limit: Field<Speed>,
}

/// Connections that one side has forgotten.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HalfOpen {
    /// Who keeps what is dead.
    #[schemars(extend("x-required" = true))]
    pub(crate) clients: Field<String>,
    /// Who forgets.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
}

/// Calls take longer in the handler.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SlowServer {
    /// Where.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// The service time is multiplied by this, at least 1. Default: 1.
    pub(crate) factor: Field<f64>,
    /// And this is added. Default: 0s.
    pub(crate) add: Field<Times>,
}

/// Fewer workers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CapacityDrop {
    /// Where.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// How many are left.
    #[schemars(extend("x-required" = true))]
    pub(crate) workers: Field<u32>,
}

/// Calls fail inside gRPC.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Grpc {
    /// Where.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// Only this method. Default: every method.
    pub(crate) method: Field<String>,
    /// The status calls end with: `UNAVAILABLE`, `INTERNAL` and so on. Not needed with `response_lost`, or to delay only.
    pub(crate) status: Field<String>,
    /// The message of the status. Default: `injected by fault`.
    pub(crate) message: Field<String>,
    /// The share of calls, each drawn on its own. Default: 100%.
    pub(crate) rate: Field<Share>,
    /// At which point. Default: before_handler.
    pub(crate) when: Field<When>,
    /// What the trailers say about retrying. Default: nothing.
    pub(crate) pushback: Field<Pushback>,
    /// How long the answer is held back. Default: 0s.
    pub(crate) delay: Field<Times>,
    /// Only the first so many matching calls of each occurrence. Default: all.
    pub(crate) first: Field<u64>,
    /// Only every so-manieth matching call. Default: each.
    pub(crate) every: Field<u64>,
    /// Only calls of these clients. Default: everyone's.
    pub(crate) clients: List<String>,
}

/// At which point a call fails.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    /// Before the handler ran: nothing was recorded.
    BeforeHandler,
    /// After the handler committed: recorded, but the client is told it failed.
    AfterHandler,
    /// After the handler committed, and the response never comes.
    ResponseLost,
}
