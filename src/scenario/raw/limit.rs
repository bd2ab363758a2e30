//! `limit:` as it is written: how many calls at once, who finds that out and how, and who waits for a place.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Discipline, Field, ScalarOr, Scope, Share, Time, choice};

/// Only so many calls are under way at once: a `fixed` number, or one of the ways to find it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limit {
    /// How the limit is found: `{ fixed: 20 }`, or a way to find it by its name, or with options: `{ aimd: { initial: 50 } }`.
    #[schemars(extend("x-required" = true))]
    pub(crate) algorithm: Field<ScalarOr<AlgorithmName, Algorithm>>,
    /// How many calls may wait for a place. Default: 0.
    pub(crate) queue: Field<u32>,
    /// Who of those waiting is next. Default: fifo.
    pub(crate) discipline: Field<Discipline>,
    /// How long a call may wait for a place, with `fifo` and `lifo`. Default: as long as its deadline allows.
    pub(crate) max_wait: Field<Time>,
    /// Whether less critical calls may use only a part of the limit. Default: false.
    pub(crate) by_criticality: Field<bool>,
    /// Who shares it. Default: client.
    pub(crate) scope: Field<Scope>,
}

/// A way to find a limit, with the figures of those who invented it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AlgorithmName {
    /// One more after a success, a tenth less after a drop.
    Aimd,
    /// It estimates the queue from the latency above the unloaded one.
    Vegas,
    /// It follows the ratio of long-term to present latency.
    Gradient2,
    /// Envoy's: it measures the unloaded latency now and then with few calls.
    EnvoyAdaptive,
}

impl FromStr for AlgorithmName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [
            ("aimd", Self::Aimd),
            ("vegas", Self::Vegas),
            ("gradient2", Self::Gradient2),
            ("envoy_adaptive", Self::EnvoyAdaptive),
        ];
        choice(text, &known).map_err(|why| format!("{why}\na limit that is given is written `{{ fixed: 20 }}`"))
    }
}

/// How a limit is found.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Algorithm {
    /// It is given: a bulkhead.
    Fixed(u32),
    /// One more after a success, a share less after a drop.
    Aimd(Aimd),
    /// It estimates the queue from the latency above the unloaded one.
    Vegas(Vegas),
    /// It follows the ratio of long-term to present latency.
    Gradient2(Gradient2),
    /// Envoy's: it measures the unloaded latency now and then with few calls.
    EnvoyAdaptive(EnvoyAdaptive),
}

/// One more after a success at half use or more, a share less after a drop.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Aimd {
    /// The first limit. Default: 20.
    pub(crate) initial: Field<u32>,
    /// The lowest limit. Default: 20.
    pub(crate) min: Field<u32>,
    /// The highest limit. Default: 200.
    pub(crate) max: Field<u32>,
    /// What is left of it after a drop. Default: 90%.
    pub(crate) backoff: Field<Share>,
    /// A call that takes longer counts as dropped. Default: 5s.
    pub(crate) timeout: Field<Time>,
}

/// After TCP Vegas.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Vegas {
    /// The first limit. Default: 20.
    pub(crate) initial: Field<u32>,
    /// The highest limit. Default: 1000.
    pub(crate) max: Field<u32>,
}

/// The ratio of long-term to present latency.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Gradient2 {
    /// The first limit. Default: 20.
    pub(crate) initial: Field<u32>,
    /// The lowest limit. Default: 20.
    pub(crate) min: Field<u32>,
    /// The highest limit. Default: 200.
    pub(crate) max: Field<u32>,
    /// How many calls may queue at the server. Default: 4.
    pub(crate) queue: Field<u32>,
    /// Up to how many times the usual latency is not slow yet. Default: 1.5.
    pub(crate) tolerance: Field<f64>,
    /// The weight of a new estimate. Default: 20%.
    pub(crate) smoothing: Field<Share>,
    /// Over how many calls the long-term latency is averaged. Default: 600.
    pub(crate) long_window: Field<u32>,
}

/// Envoy's adaptive concurrency.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EnvoyAdaptive {
    /// How many calls at once while the unloaded latency is measured; the limit falls no lower. Default: 3.
    pub(crate) min_concurrency: Field<u32>,
    /// The highest limit. Default: 1000.
    pub(crate) max: Field<u32>,
    /// How many calls measure the unloaded latency. Default: 50.
    pub(crate) requests: Field<u32>,
    /// How often it is measured. Default: 60s.
    pub(crate) interval: Field<Time>,
    /// How often the limit is updated in between. Default: 100ms.
    pub(crate) window: Field<Time>,
    /// How much slower than unloaded is not slow yet. Default: 25%.
    pub(crate) buffer: Field<Share>,
}
