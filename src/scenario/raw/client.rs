//! `clients:` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::link::Times;
use super::{Field, Rate, Size, Tcp, Time};

/// Clients that behave alike.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Client {
    /// How many clients, each on its own host. Default: 1.
    pub(crate) count: Field<u32>,
    /// The servers they call.
    #[schemars(extend("x-required" = true))]
    pub(crate) calls: Field<String>,
    /// When each of them calls.
    #[schemars(extend("x-required" = true))]
    pub(crate) load: Field<Load>,
    /// Whether each client has a channel of its own, or how many the group shares. Default: own.
    pub(crate) channels: Field<Channels>,
    /// Each alert carries at least this many bytes. Default: as few as it needs.
    pub(crate) payload: Field<Size>,
    /// When the first client begins. Default: 0s.
    pub(crate) start: Field<Time>,
    /// Over how long the others begin after it, evenly spread. Default: 0s, all at once.
    pub(crate) stagger: Field<Time>,
    /// How many calls each client makes at most. Default: no limit.
    pub(crate) max_calls: Field<u32>,
    /// Whether an alert may be sent twice without harm; what is not marked is not retried once it may have run. Default: true.
    pub(crate) idempotent: Field<bool>,
    /// The kernel of each client. Default: Linux's.
    pub(crate) tcp: Field<Tcp>,
}

/// When one client calls. Rates are for each client.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Load {
    /// Evenly spaced calls; clients are out of step with each other.
    Constant(Rate),
    /// Calls at random, independent of each other.
    Poisson(Rate),
    /// Several calls at once, again and again.
    Bursts(Bursts),
    /// Calls at random, at a rate that moves evenly from one value to another.
    Ramp(Ramp),
    /// Calls at random, at one rate after another; the last one lasts to the end.
    Phases(Vec<Field<Phase>>),
    /// A call begins when the one before has ended and a pause is over.
    ClosedLoop(ClosedLoop),
    /// One call, when the client begins.
    Once,
}

/// Several calls at once, again and again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Bursts {
    /// How many calls a burst has.
    #[schemars(extend("x-required" = true))]
    pub(crate) size: Field<u32>,
    /// From one burst to the next.
    #[schemars(extend("x-required" = true))]
    pub(crate) every: Field<Time>,
    /// Over how long the calls of one burst are spread. Default: 0s.
    pub(crate) spread: Field<Time>,
}

/// A rate that moves.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Ramp {
    /// The rate at the start.
    #[schemars(extend("x-required" = true))]
    pub(crate) from: Field<Rate>,
    /// The rate at the end.
    #[schemars(extend("x-required" = true))]
    pub(crate) to: Field<Rate>,
    /// How long the way takes. Default: the scenario's duration.
    pub(crate) over: Field<Time>,
}

/// A part of a load's life.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Phase {
    /// How long it lasts. The last phase may leave it out.
    #[serde(rename = "for")]
    pub(crate) lasts: Field<Time>,
    /// How often each client calls meanwhile.
    #[schemars(extend("x-required" = true))]
    pub(crate) rate: Field<Rate>,
}

/// A call begins when the one before has ended.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClosedLoop {
    /// The pause after each call.
    #[schemars(extend("x-required" = true))]
    pub(crate) think: Field<Times>,
    /// How many such loops one client runs side by side. Default: 1.
    pub(crate) concurrency: Field<u32>,
}

/// Who has a channel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Channels {
    /// Every client has its own.
    Own,
    /// The group shares this many.
    Shared(u32),
}
