//! `faults:` as it is written: when, for whom, and exactly one of the kinds.

use schemars::JsonSchema;
use serde::Deserialize;

use super::fault_kinds::*;
use super::link::{LossOr, Times};
use super::{Field, Grpc, List, Share, Speed, Time};

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
    /// Only some of what it applies to, by turn, client or method. Default: all of it.
    pub(crate) only: Field<Only>,
    /// Whether the run is good even if it never fires. Default: false.
    pub(crate) may_not_fire: Field<bool>,
    /// The process or its machine goes down at `at` and comes back after `for`.
    pub(crate) crash: Field<Crash>,
    /// Processes crash again and again, and stay away longer each time.
    pub(crate) crash_loop: Field<CrashLoop>,
    /// Replicas restart one after another.
    pub(crate) rolling_restart: Field<RollingRestart>,
    /// A worse version is rolled out in batches, and taken back when the fault ends.
    pub(crate) deploy: Field<Deploy>,
    /// Only some replicas run: the others are drained at `at` and start cold after `for`.
    pub(crate) autoscale: Field<Autoscale>,
    /// A process stands still, as in a stop-the-world collection, and then goes on.
    pub(crate) pause: Field<OnServer>,
    /// Packets between two sides vanish.
    pub(crate) partition: Field<Sides>,
    /// Whatever is sent to or from these hosts vanishes.
    pub(crate) black_hole: Field<OnHosts>,
    /// Packets between two sides take longer.
    pub(crate) slow_link: Field<SlowLink>,
    /// Each packet takes longer by another amount; those of one connection stay in order, so that late ones hold up the rest.
    pub(crate) jitter: Field<Jitter>,
    /// Some packets are overtaken by those behind them.
    pub(crate) reorder: Field<Reorder>,
    /// Some packets arrive twice.
    pub(crate) duplicate: Field<Duplicate>,
    /// A link goes down and comes up, again and again.
    pub(crate) flap: Field<Flap>,
    /// A middlebox forgets connections that were silent for too long: what is sent on them later vanishes.
    pub(crate) nat_expiry: Field<NatExpiry>,
    /// Packets between two sides are lost.
    pub(crate) loss: Field<Loss>,
    /// The link between two sides is slower.
    pub(crate) bandwidth: Field<Bandwidth>,
    /// New connections are refused; those that stand are not touched.
    pub(crate) refuse: Field<OnServer>,
    /// The queue of connections that wait to be accepted is full: new ones are met by silence.
    pub(crate) backlog_full: Field<OnServer>,
    /// The process takes its time before it accepts the next connection.
    pub(crate) slow_accept: Field<SlowAccept>,
    /// The process closes connections that were silent for too long, without GOAWAY.
    pub(crate) idle_kill: Field<IdleKill>,
    /// Every connection is told to go away (GOAWAY): in peace, or with an error, on the spot. A moment: without `for`.
    pub(crate) goaway: Field<Goaway>,
    /// Connections that are accepted meanwhile may have fewer streams open (SETTINGS_MAX_CONCURRENT_STREAMS).
    pub(crate) max_streams: Field<MaxStreams>,
    /// HTTP/2 frames of one kind are never sent.
    pub(crate) withhold: Field<Withhold>,
    /// A middlebox resets every connection between two sides. A moment: without `for`.
    pub(crate) reset: Field<Both>,
    /// The server forgets every connection from these clients, and they do not learn of it. A moment: without `for`.
    pub(crate) half_open: Field<HalfOpen>,
    /// Calls take longer in the handler.
    pub(crate) slow_server: Field<SlowServer>,
    /// Caches are empty: calls take longer in the handler, ever less until the fault ends.
    pub(crate) cold_cache: Field<ColdCache>,
    /// Hosts are wrong about what time it is. Servers with `max_skew` notice.
    pub(crate) clock_skew: Field<ClockSkew>,
    /// Writes to disk take longer; felt by servers with `durability: sync`.
    pub(crate) slow_disk: Field<SlowDisk>,
    /// Nothing more can be written to disk: calls fail.
    pub(crate) full_disk: Field<FullDisk>,
    /// The disk says that writes are safe while they are not: the next crash takes them.
    pub(crate) lying_disk: Field<OnServer>,
    /// The health service says something else than what is so.
    pub(crate) health_lie: Field<HealthLie>,
    /// Replicas have fewer workers.
    pub(crate) capacity: Field<CapacityDrop>,
    /// Calls fare badly inside gRPC: delayed, failed, reset, or answered wrongly.
    pub(crate) grpc: Field<Grpc>,
}

/// Only some of what a fault applies to; what that is, its kind says: packets, connections, frames or calls.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Only {
    /// The first so many of each occurrence. Default: all.
    pub(crate) first: Field<u64>,
    /// Every so-manieth, beginning with the first. Default: each.
    pub(crate) every: Field<u64>,
    /// Those of these clients. Default: everyone's.
    pub(crate) clients: List<String>,
    /// Those of this method. Default: every method's.
    pub(crate) method: Field<String>,
}

/// A crash.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Crash {
    /// Who: `telemetry` (all replicas), `telemetry/0`, `telemetry/0-2`.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// Only so many of them, drawn anew for each occurrence: they share a rack, or a bug. Default: all.
    pub(crate) some: Field<u32>,
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
