//! The kinds of `faults:` that are more than a place: what each may say beyond where.

use schemars::JsonSchema;
use serde::Deserialize;

use super::fault::How;
use super::link::Times;
use super::{Field, List, Reset, Share, Time};

/// Processes crash again and again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CrashLoop {
    /// Who: `telemetry` (all replicas), `telemetry/0`, `telemetry/0-2`.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// How long a process lives once it has started. Default: 1s.
    pub(crate) up: Field<Time>,
    /// The first pause before it is started again; it doubles. Default: 1s.
    pub(crate) down: Field<Time>,
    /// The longest pause. Default: 5m, as in Kubernetes.
    pub(crate) cap: Field<Time>,
}

/// A worse version is rolled out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Deploy {
    /// Who: `telemetry` (all replicas), `telemetry/0`, `telemetry/0-2`.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// How many replicas are replaced at a time. Default: 1.
    pub(crate) batch: Field<u32>,
    /// How long each is down. Default: 1s.
    pub(crate) down: Field<Time>,
    /// In what manner the old version goes. Default: graceful, with 5s.
    pub(crate) how: Field<How>,
    /// The new version's service time is multiplied by this, at least 1. Default: 1.
    pub(crate) factor: Field<f64>,
    /// The share of calls that the new version fails with INTERNAL. Default: 0%.
    pub(crate) errors: Field<Share>,
}

/// Only some replicas run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Autoscale {
    /// Which group: all its replicas.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// How many run.
    #[schemars(extend("x-required" = true))]
    pub(crate) to: Field<u32>,
    /// How long those that go may finish what they have. Default: 5s.
    pub(crate) grace: Field<Time>,
}

/// Packets take longer, each by another amount.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Jitter {
    /// The two sides, for both ways.
    pub(crate) between: List<String>,
    /// Only the way from this side: instead of `between`.
    pub(crate) from: Field<String>,
    /// Only the way to this side: instead of `between`.
    pub(crate) to: Field<String>,
    /// The most, one way; anything up to it is equally likely.
    #[schemars(extend("x-required" = true))]
    pub(crate) up_to: Field<Time>,
}

/// Packets are overtaken.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Reorder {
    /// The two sides, for both ways.
    pub(crate) between: List<String>,
    /// Only the way from this side: instead of `between`.
    pub(crate) from: Field<String>,
    /// Only the way to this side: instead of `between`.
    pub(crate) to: Field<String>,
    /// How many are held back.
    #[schemars(extend("x-required" = true))]
    pub(crate) rate: Field<Share>,
    /// For how long. Default: 20ms.
    pub(crate) hold: Field<Times>,
}

/// Packets arrive twice.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Duplicate {
    /// The two sides, for both ways.
    pub(crate) between: List<String>,
    /// Only the way from this side: instead of `between`.
    pub(crate) from: Field<String>,
    /// Only the way to this side: instead of `between`.
    pub(crate) to: Field<String>,
    /// How many.
    #[schemars(extend("x-required" = true))]
    pub(crate) rate: Field<Share>,
}

/// A link goes down and comes up.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Flap {
    /// The two sides, for both ways.
    pub(crate) between: List<String>,
    /// Only the way from this side: instead of `between`.
    pub(crate) from: Field<String>,
    /// Only the way to this side: instead of `between`.
    pub(crate) to: Field<String>,
    /// How long it is down, first.
    #[schemars(extend("x-required" = true))]
    pub(crate) down: Field<Time>,
    /// How long it is up, then.
    #[schemars(extend("x-required" = true))]
    pub(crate) up: Field<Time>,
}

/// A middlebox forgets silent connections.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NatExpiry {
    /// The two sides.
    #[schemars(extend("x-required" = true))]
    pub(crate) between: List<String>,
    /// After how long a silence.
    #[schemars(extend("x-required" = true))]
    pub(crate) idle: Field<Time>,
}

/// Connections are accepted slowly.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SlowAccept {
    /// Where.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// How long each waits before it is accepted, one after the other.
    #[schemars(extend("x-required" = true))]
    pub(crate) delay: Field<Time>,
}

/// Silent connections are closed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct IdleKill {
    /// Where.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// After how long a silence.
    #[schemars(extend("x-required" = true))]
    pub(crate) idle: Field<Time>,
}

/// Connections are told to go away.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Goaway {
    /// Who: `telemetry` (all replicas), `telemetry/0`, `telemetry/0-2`.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// With an error: the connection is closed at once, and what is open fails. Default: NO_ERROR, and what is open may finish.
    pub(crate) code: Field<Reset>,
}

/// Fewer streams a connection.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MaxStreams {
    /// Where.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// How many streams a connection may have open.
    #[schemars(extend("x-required" = true))]
    pub(crate) streams: Field<u32>,
}

/// Frames are never sent.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Withhold {
    /// Where.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// Which.
    #[schemars(extend("x-required" = true))]
    pub(crate) frames: Field<Frames>,
}

/// Which HTTP/2 frames a server withholds.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Frames {
    /// WINDOW_UPDATE: once the window is used up, nobody may send it data.
    WindowUpdate,
    /// The acknowledgement of a PING: keepalive takes the connection for dead.
    PingAck,
    /// SETTINGS and their acknowledgement: a new connection never becomes ready.
    Settings,
}

/// Caches are empty.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ColdCache {
    /// Where.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// The service time is multiplied by this at first, at least 1; it falls evenly to 1.
    #[schemars(extend("x-required" = true))]
    pub(crate) factor: Field<f64>,
}

/// Clocks are wrong: exactly one of `ahead` and `behind`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClockSkew {
    /// Whose: a group of servers or clients, or members of it.
    #[schemars(extend("x-required" = true))]
    pub(crate) hosts: Field<String>,
    /// By how much they are ahead.
    pub(crate) ahead: Field<Time>,
    /// By how much they are behind.
    pub(crate) behind: Field<Time>,
}

/// Writes take longer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SlowDisk {
    /// Where.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// The time of a write is multiplied by this, at least 1. Default: 1.
    pub(crate) factor: Field<f64>,
    /// And this is added. Default: 0s.
    pub(crate) add: Field<Times>,
}

/// Nothing can be written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FullDisk {
    /// Where.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// The status calls end with. Default: RESOURCE_EXHAUSTED.
    pub(crate) status: Field<String>,
}

/// The health service lies.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HealthLie {
    /// Where.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// What it says.
    #[schemars(extend("x-required" = true))]
    pub(crate) says: Field<Says>,
}

/// What a health service says.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Says {
    /// SERVING, also while it drains.
    Serving,
    /// NOT_SERVING, though it serves.
    NotServing,
}
