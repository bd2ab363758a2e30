//! `strategies:` as it is written: layers, outermost first, and the channel below them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Budget, Channel, Entries, Field, FinagleBudget, Limit, List, Retry, ScalarOr, Scope, Share, Swept, Time};

/// How a client defends itself: layers around a channel.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Strategy {
    /// What reports and expectations call it: letters, digits and dashes. Default: the name of the preset or the service config.
    pub(crate) name: Field<String>,
    /// What it does, in a sentence.
    pub(crate) about: Field<String>,
    /// The layers, outermost first, as in tower's `ServiceBuilder`: their order is part of the strategy. Default: none.
    pub(crate) layers: List<Layer>,
    /// The channel below the layers. Default: gRPC's own defaults.
    pub(crate) channel: Field<Channel>,
    /// Options to try in every combination: `{ base: [10ms, 100ms], cap: [1s, 5s] }`. Each value takes the place of the one that
    /// stands in the layers or the channel, and makes a strategy of its own, `name[base=10ms,cap=1s]`. An option that stands in
    /// several places is named with what it stands in: `retry.attempts`. At most 64 strategies are made of one.
    pub(crate) sweep: Field<Entries<Vec<Field<Swept>>>>,
    /// Instead of layers and channel: what a library does unless told otherwise, by its name, as in `envoy-default`.
    pub(crate) preset: Field<String>,
    /// Instead of layers and channel: a gRPC service config, a JSON file beside the scenario.
    pub(crate) service_config: Field<String>,
    /// With `service_config`: the channel's own cap on the attempts of a call, as `WithMaxCallAttempts` in grpc-go; below 2 it is
    /// 5. Default: 5.
    pub(crate) max_call_attempts: Field<u32>,
}

/// A file of strategies that scenarios share: `strategies.yaml`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Strategies")]
pub(crate) struct Shared {
    /// The strategies.
    #[schemars(extend("x-required" = true))]
    pub(crate) strategies: List<Strategy>,
}

/// One layer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Layer {
    /// The whole call must end within this time; servers are told (`grpc-timeout`).
    Deadline(Time),
    /// Each attempt must end within this time.
    AttemptTimeout(Time),
    /// Failed attempts are repeated (gRFC A6).
    Retry(Box<Retry>),
    /// Calls are held back while too many fail.
    Breaker(Box<Breaker>),
    /// Another attempt starts while the first is slow; the first answer wins.
    Hedge(Box<Hedge>),
    /// Only so many calls are under way at once.
    Limit(Box<Limit>),
    /// Calls are turned away once the server rejects most of them.
    Throttle(Throttle),
    /// Only so many calls are made a second.
    RateLimit(RateLimit),
    /// Fewer calls are made a second once a server throttles, as the AWS SDKs do in their adaptive mode.
    AdaptiveRate(AdaptiveRate),
    /// A default answer in place of failures.
    Fallback(Fallback),
    /// One of tower's own layers, to be compared with.
    Tower(Tower),
}

/// Another attempt starts while the first is slow.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Hedge {
    /// The most attempts of one call, the first included; at least 2. Default: 2.
    pub(crate) attempts: Field<u32>,
    /// How long to wait between them: a time, or learned from the latencies seen lately. Default: 1s.
    pub(crate) delay: Field<ScalarOr<Time, HedgeDelay>>,
    /// Codes after which the next attempt starts at once, and the others go on. Default: UNAVAILABLE.
    pub(crate) non_fatal: List<String>,
    /// How many hedges all calls together may add. Default: no limit.
    pub(crate) budget: Field<Budget>,
    /// How many bytes of a request are kept, to be sent again. Default: 262144.
    pub(crate) buffer_bytes: Field<u32>,
}

/// How long to wait before a hedge, if not always the same.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HedgeDelay {
    /// A quantile of the latencies seen lately, so that only the slowest calls are hedged.
    Learned(Learned),
}

/// A quantile of the latencies seen lately.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Learned {
    /// The quantile. Default: 95%.
    pub(crate) quantile: Field<Share>,
    /// The delay before anything was learned. Default: 1s.
    pub(crate) initial: Field<Time>,
    /// The shortest delay. Default: 1ms.
    pub(crate) min: Field<Time>,
    /// The longest delay. Default: 10s.
    pub(crate) max: Field<Time>,
}

/// Calls are turned away once the server rejects most of them: the SRE book's rule, or Envoy's.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Throttle {
    /// By which rule. Default: sre.
    pub(crate) rule: Field<ThrottleRule>,
    /// The SRE book's factor: so many calls are sent for one that is accepted. Default: 2.
    pub(crate) k: Field<f64>,
    /// Envoy's success rate below which calls are turned away. Default: 95%.
    pub(crate) threshold: Field<Share>,
    /// How steeply Envoy turns calls away. Default: 1.
    pub(crate) aggression: Field<f64>,
    /// The highest share that Envoy turns away. Default: 80%.
    pub(crate) max: Field<Share>,
    /// Codes by which a server says that it did not take a call on. Default: UNAVAILABLE and RESOURCE_EXHAUSTED for sre, for
    /// envoy_admission Envoy's: these, ABORTED, DATA_LOSS, DEADLINE_EXCEEDED and INTERNAL.
    pub(crate) rejected: List<String>,
    /// How far back it looks. Default: 2m for sre, 30s for envoy_admission.
    pub(crate) window: Field<Time>,
    /// Who shares it. Default: client.
    pub(crate) scope: Field<Scope>,
}

/// By which rule calls are turned away.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ThrottleRule {
    /// Adaptive throttling, as in the SRE book.
    Sre,
    /// Envoy's admission control.
    EnvoyAdmission,
}

/// Only so many calls are made a second.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RateLimit {
    /// How often, over time.
    #[schemars(extend("x-required" = true))]
    pub(crate) rate: Field<super::Rate>,
    /// How many at once, after a pause. Default: 1.
    pub(crate) burst: Field<u32>,
    /// How long a call may wait for its turn. Default: 0s, it is turned away.
    pub(crate) max_wait: Field<Time>,
    /// Who shares it. Default: client.
    pub(crate) scope: Field<Scope>,
}

/// Fewer calls are made a second once a server throttles: the rate falls by 30% each time, and grows back along a cubic curve.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AdaptiveRate {
    /// Codes by which a server says that it throttles. Default: RESOURCE_EXHAUSTED.
    pub(crate) throttled: List<String>,
    /// How long a call may wait for its turn. Default: 1m.
    pub(crate) max_wait: Field<Time>,
    /// Who shares it. Default: client.
    pub(crate) scope: Field<Scope>,
}

/// A default answer in place of failures.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Fallback {
    /// In place of which codes. Default: UNAVAILABLE.
    pub(crate) on: List<String>,
    /// What is answered. Default: a message whose fields all have their defaults.
    pub(crate) message: Field<FallbackMessage>,
}

/// The default answer, field by field. The answer is OK, and so a promise, whatever it says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FallbackMessage {
    /// Whether it says that the alert is acknowledged. Default: false.
    pub(crate) acknowledged: Field<bool>,
    /// The tracking id that it gives. Default: empty.
    pub(crate) tracking_id: Field<String>,
}

/// One of tower's own layers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tower {
    /// `tower::timeout`.
    Timeout(Time),
    /// `tower::limit`: who finds it full waits for ever.
    ConcurrencyLimit(u32),
    /// `tower::retry` without backoff.
    Retry(TowerRetry),
    /// `tower::hedge`.
    Hedge(TowerHedge),
}

/// `tower::retry`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TowerRetry {
    /// The most attempts of one call, the first included.
    #[schemars(extend("x-required" = true))]
    pub(crate) attempts: Field<u32>,
    /// Which codes are retried. Default: UNAVAILABLE.
    pub(crate) on: List<String>,
    /// tower's `TpsBudget`. Default: none.
    pub(crate) budget: Field<FinagleBudget>,
}

/// `tower::hedge`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TowerHedge {
    /// No hedges before so many calls were measured. Default: 100.
    pub(crate) min_data_points: Field<u64>,
    /// The percentile. Default: 95%.
    pub(crate) percentile: Field<Share>,
    /// How often what was measured is forgotten. Default: 10s.
    pub(crate) period: Field<Time>,
}

/// Calls are held back while too many fail: by `consecutive` failures, or by `failure_rate`, or by `ewma`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Breaker {
    /// It opens after so many failures in a row.
    pub(crate) consecutive: Field<u32>,
    /// It opens when at least this share of the window failed. Default, if nothing else opens it: 50%.
    pub(crate) failure_rate: Field<Share>,
    /// It opens when an average that forgets reaches a share.
    pub(crate) ewma: Field<Ewma>,
    /// How far back `failure_rate` looks: a time, or so many calls. Default: 10s.
    pub(crate) window: Field<ScalarOr<Time, BreakerWindow>>,
    /// It never opens on fewer calls than this. Default: 20.
    pub(crate) min_calls: Field<u32>,
    /// Slow calls open it too.
    pub(crate) slow: Field<Slow>,
    /// How long it stays open. Default: 5s.
    pub(crate) open: Field<Time>,
    /// How many calls try whether it can close. Default: 3.
    pub(crate) probes: Field<u32>,
    /// Which codes are failures. Default: those that speak of a server's health.
    pub(crate) failures: List<String>,
    /// What events and rejections call it. Default: breaker.
    pub(crate) name: Field<String>,
    /// Who shares it. Default: client.
    pub(crate) scope: Field<Scope>,
}

/// An average that forgets.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Ewma {
    /// It opens when the average reaches this share.
    #[schemars(extend("x-required" = true))]
    pub(crate) rate: Field<Share>,
    /// The past weighs half after this time. Default: 5s.
    pub(crate) half_life: Field<Time>,
}

/// A window that is not a time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BreakerWindow {
    /// The last so many calls.
    Calls(u32),
}

/// Slow calls open a breaker.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Slow {
    /// A call that takes longer is slow.
    #[schemars(extend("x-required" = true))]
    pub(crate) threshold: Field<Time>,
    /// Which share of slow calls opens it. Default: 50%.
    pub(crate) rate: Field<Share>,
}
