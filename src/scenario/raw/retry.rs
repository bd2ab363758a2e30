//! `retry:` as it is written: what is repeated, after which pause, and how much of it all calls together may add.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Field, List, Share, Time};

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
    /// No retry while more attempts have failed so far than this share of all calls.
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
    /// What a retry costs after a transient failure. Default: 10.
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
