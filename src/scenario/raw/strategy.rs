//! `strategies:` as it is written: layers, outermost first, and the channel below them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Field, List, ScalarOr, Share, Time};

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
    /// Instead of layers and channel: what a library does unless told otherwise, by its name, as in `envoy-default`.
    pub(crate) preset: Field<String>,
    /// Instead of layers and channel: a gRPC service config, a JSON file beside the scenario.
    pub(crate) service_config: Field<String>,
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

/// Only so many calls are under way at once: a `fixed` number, or one of the ways to find it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limit {
    /// How the limit is found.
    #[schemars(extend("x-required" = true))]
    pub(crate) algorithm: Field<Algorithm>,
    /// How many calls may wait for a place. Default: 0.
    pub(crate) queue: Field<u32>,
    /// Who of those waiting is next. Default: fifo.
    pub(crate) discipline: Field<super::Discipline>,
    /// Whether less critical calls may use only a part of the limit. Default: false.
    pub(crate) by_criticality: Field<bool>,
    /// Who shares it. Default: client.
    pub(crate) scope: Field<Scope>,
}

/// How a limit is found; all but `fixed` with the figures of those who invented them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Algorithm {
    /// It is given: a bulkhead.
    Fixed(u32),
    /// One more after a success, a tenth less after a drop.
    Aimd,
    /// It estimates the queue from the latency above the unloaded one.
    Vegas,
    /// It follows the ratio of long-term to present latency.
    Gradient2,
    /// Envoy's: it measures the unloaded latency now and then with few calls.
    EnvoyAdaptive,
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
    /// Codes by which a server says that it did not take a call on. Default: UNAVAILABLE and RESOURCE_EXHAUSTED for sre, all
    /// codes of an unhealthy server for envoy_admission.
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

/// Failed attempts are repeated.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Retry {
    /// The most attempts of one call, the first included; at least 2.
    #[schemars(extend("x-required" = true))]
    pub(crate) attempts: Field<u32>,
    /// Which codes are retried. Default: UNAVAILABLE.
    pub(crate) on: List<String>,
    /// How long to wait in between. Default: no pause.
    pub(crate) backoff: Field<Backoff>,
    /// How many retries all calls together may add. Default: no limit.
    pub(crate) budget: Field<Budget>,
    /// Whether attempts that an attempt timeout inside cut off are repeated. Default: true.
    pub(crate) on_attempt_timeout: Field<bool>,
    /// Whether what a layer inside turned away, such as a breaker, is repeated. Default: false.
    pub(crate) on_rejection: Field<bool>,
    /// Whether calls that do not say so may run twice; without it they are repeated only after failures that prove that nothing
    /// ran. Default: true.
    pub(crate) unmarked_is_idempotent: Field<bool>,
    /// How many bytes of a request are kept, to be sent again. Default: 262144.
    pub(crate) buffer_bytes: Field<u32>,
}

/// How long to wait before the next attempt; `n` counts failed attempts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Backoff {
    /// No pause.
    None,
    /// Always the same pause.
    Constant(Time),
    /// `base * n`, at most `cap`.
    Linear(Growing),
    /// `base` times 1, 1, 2, 3, 5, 8 ..., at most `cap`.
    Fibonacci(Growing),
    /// `base * multiplier^(n-1)`, at most `cap`, without jitter.
    Exponential(Exponent),
    /// Anything up to `min(cap, base * 2^(n-1))`.
    FullJitter(Growing),
    /// Between half of `min(cap, base * 2^(n-1))` and all of it.
    EqualJitter(Growing),
    /// Anything between `base` and three times the pause before, at most `cap`.
    Decorrelated(Growing),
    /// As gRPC: `min(max, initial * multiplier^(n-1))`, 20% more or less.
    Grpc(GrpcBackoff),
    /// As the AWS SDKs: anything up to `min(cap, base * 2^(n-1))`.
    AwsSdk(Growing),
    /// As Envoy: anything up to `(2^n - 1) * base`, at most `cap`.
    Envoy(Growing),
}

/// Where pauses begin and end.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Growing {
    /// The first pause, or its ceiling.
    #[schemars(extend("x-required" = true))]
    pub(crate) base: Field<Time>,
    /// The longest pause.
    #[schemars(extend("x-required" = true))]
    pub(crate) cap: Field<Time>,
}

/// Exponential growth without jitter.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Exponent {
    /// The first pause.
    #[schemars(extend("x-required" = true))]
    pub(crate) base: Field<Time>,
    /// The longest pause.
    #[schemars(extend("x-required" = true))]
    pub(crate) cap: Field<Time>,
    /// The growth a failure. Default: 2.
    pub(crate) multiplier: Field<f64>,
}

/// gRPC's schedule.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GrpcBackoff {
    /// The first pause, before jitter.
    #[schemars(extend("x-required" = true))]
    pub(crate) initial: Field<Time>,
    /// The longest pause, before jitter.
    #[schemars(extend("x-required" = true))]
    pub(crate) max: Field<Time>,
    /// The growth a failure. Default: 2.
    pub(crate) multiplier: Field<f64>,
    /// How much more or less. Default: 20%.
    pub(crate) jitter: Field<Share>,
}

/// How many retries all calls together may add. Exactly one kind: `tokens` and `ratio`, or one of the others.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Budget {
    /// gRPC (gRFC A6): so many tokens at first; a failure takes one; retries while more than half is left.
    pub(crate) tokens: Field<u32>,
    /// What a success gives, with `tokens`. Default: 0.1.
    pub(crate) ratio: Field<f64>,
    /// Finagle: retries are a share of the calls of the last seconds, and some more.
    pub(crate) finagle: Field<FinagleBudget>,
    /// AWS SDKs: a bucket that retries take from and give back to when they succeed.
    pub(crate) aws_sdk: Field<AwsBudget>,
    /// Envoy: retries under way are a share of the calls under way.
    pub(crate) envoy: Field<EnvoyBudget>,
    /// SRE book: retries are a share of the calls in a window.
    pub(crate) sre: Field<SreBudget>,
    /// A bucket that calls fill.
    pub(crate) token_bucket: Field<BucketBudget>,
    /// No retry while more than this share of all attempts so far has failed.
    pub(crate) cumulative_breaker: Field<Share>,
    /// Who shares it. Default: client.
    pub(crate) scope: Field<Scope>,
}

/// Who shares a piece of state.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// Every client has its own.
    Client,
    /// All clients of a group share it.
    Shared,
}

/// Finagle's budget.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FinagleBudget {
    /// How long a deposit lasts. Default: 10s.
    pub(crate) ttl: Field<Time>,
    /// Retries a second that are always allowed. Default: 10.
    pub(crate) min_per_s: Field<f64>,
    /// Retries a call. Default: 20%.
    pub(crate) percent: Field<Share>,
}

/// The AWS SDKs' budget.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AwsBudget {
    /// The size of the bucket. Default: 500.
    pub(crate) capacity: Field<u32>,
    /// What a retry costs. Default: 5.
    pub(crate) cost: Field<u32>,
    /// What a retry costs after a timeout. Default: 10.
    pub(crate) timeout_cost: Field<u32>,
}

/// Envoy's budget.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EnvoyBudget {
    /// The share. Default: 20%.
    pub(crate) percent: Field<Share>,
    /// Retries that are always allowed at once. Default: 3.
    pub(crate) min: Field<u32>,
}

/// The SRE book's budget.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SreBudget {
    /// The share. Default: 10%.
    pub(crate) percent: Field<Share>,
    /// How far back it looks. Default: 10s.
    pub(crate) window: Field<Time>,
}

/// A bucket that calls fill.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BucketBudget {
    /// What a call gives. Default: 0.1.
    pub(crate) per_call: Field<f64>,
    /// The size of the bucket. Default: 5.
    pub(crate) size: Field<f64>,
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
    /// From which latency on a call is slow.
    #[schemars(extend("x-required" = true))]
    pub(crate) threshold: Field<Time>,
    /// Which share of slow calls opens it. Default: 50%.
    pub(crate) rate: Field<Share>,
}

/// The channel below the layers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Channel {
    /// How long to wait before connecting again: `grpc`, or one of its own. Default: grpc.
    pub(crate) connect_backoff: Field<ConnectBackoff>,
    /// How long one connection attempt may take. Default: 20s.
    pub(crate) connect_timeout: Field<Time>,
    /// Which replica a call goes to. Default: pick_first.
    pub(crate) balance: Field<Balance>,
    /// Whether calls wait for a connection rather than fail with UNAVAILABLE. Default: false.
    pub(crate) wait_for_ready: Field<bool>,
    /// Whether silence is answered with pings. Default: no.
    pub(crate) keepalive: Field<Keepalive>,
    /// Whose channel: `squall`, or `tonic`'s own as it is, which takes no option but keepalive. Default: squall.
    pub(crate) transport: Field<Transport>,
    /// After which age a connection is replaced. Default: never.
    pub(crate) max_age: Field<Time>,
    /// Endpoints that fail more than others are left out for a while (gRFC A50). Default: no.
    pub(crate) outlier: Field<Outlier>,
    /// The health of endpoints is watched (gRFC A17), for the service of this name. Default: no.
    pub(crate) health: Field<String>,
    /// A breaker for each endpoint: one that is open is passed over. Default: none.
    pub(crate) endpoint_breaker: Field<Breaker>,
}

/// Whose channel.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    /// Squall's: gRPC's connection states and backoff.
    Squall,
    /// tonic's, to be compared with.
    Tonic,
}

/// Endpoints that fail more than others are left out for a while.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Outlier {
    /// How often to look. Default: 10s.
    pub(crate) interval: Field<Time>,
    /// How long an endpoint is left out, times how often it was. Default: 30s.
    pub(crate) base_ejection: Field<Time>,
    /// The longest time. Default: 300s.
    pub(crate) max_ejection: Field<Time>,
    /// No further endpoint is left out once this share of all is. Default: 10%.
    pub(crate) max_ejection_percent: Field<Share>,
    /// By how far the success rate lies below the mean. Default, if no `failure_percentage` is given: gRPC's.
    pub(crate) success_rate: Field<OutlierSuccess>,
    /// By a fixed share of failures.
    pub(crate) failure_percentage: Field<OutlierFailures>,
}

/// Left out because the success rate lies far below the mean.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OutlierSuccess {
    /// By how many standard deviations. Default: 1.9.
    pub(crate) stdev_factor: Field<f64>,
    /// How many endpoints must have enough calls. Default: 5.
    pub(crate) minimum_hosts: Field<u32>,
    /// How many calls an interval are enough. Default: 100.
    pub(crate) request_volume: Field<u32>,
}

/// Left out because more than a fixed share fails.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OutlierFailures {
    /// The share. Default: 85%.
    pub(crate) threshold: Field<Share>,
    /// How many endpoints must have enough calls. Default: 5.
    pub(crate) minimum_hosts: Field<u32>,
    /// How many calls an interval are enough. Default: 50.
    pub(crate) request_volume: Field<u32>,
}

/// How long to wait before connecting again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConnectBackoff {
    /// gRPC's: 1s, growing by 1.6 to 120s, 20% more or less.
    Grpc,
    /// No pause: a herd in the making.
    None,
    /// Always the same pause.
    Constant(Time),
    /// gRPC's, with other figures.
    Custom(GrpcBackoff),
}

/// Which replica a call goes to.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Balance {
    /// The first that can be reached, as long as it can.
    PickFirst,
    /// One after the other.
    RoundRobin,
    /// Of two at random, the one with fewer calls under way.
    LeastOutstanding,
    /// Of two at random, the one with less latency times calls under way.
    PeakEwma,
}

/// Silence is answered with pings.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Keepalive {
    /// A ping after so much silence.
    #[schemars(extend("x-required" = true))]
    pub(crate) time: Field<Time>,
    /// The connection is dead if no answer comes within this. Default: 20s.
    pub(crate) timeout: Field<Time>,
    /// Also while no call is open. Default: false.
    pub(crate) without_calls: Field<bool>,
}
