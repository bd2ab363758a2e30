//! `links:` as it is written, and distributions and losses wherever they stand.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Field, List, ScalarOr, Share, Size, Speed, Time};

/// A duration, always the same or drawn.
pub(crate) type Times = ScalarOr<Time, Distribution>;
/// A share of packets, each lost on its own, or a model of bursts.
pub(crate) type LossOr = ScalarOr<Share, LossModel>;

/// What lies between two sets of hosts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Link {
    /// The two sides, each a group (`telemetry`), a member (`telemetry/1`) or a few (`telemetry/0-2`).
    pub(crate) between: List<String>,
    /// Only the way from this side: instead of `between`.
    pub(crate) from: Field<String>,
    /// Only the way to this side: instead of `between`.
    pub(crate) to: Field<String>,
    /// One-way delay of a packet. Default: 250us.
    pub(crate) latency: Field<Times>,
    /// How much a packet's delay resembles that of the packet before: 0 (not at all) to below 1. Default: 0.
    pub(crate) correlation: Field<f64>,
    /// How packets are lost: a share, or a model. Default: none is.
    pub(crate) loss: Field<LossOr>,
    /// How fast bytes leave. Default: at once.
    pub(crate) bandwidth: Field<Speed>,
    /// How many bytes may wait to leave; what is beyond is lost. Default: 256KiB.
    pub(crate) queue: Field<Size>,
}

/// Durations that are drawn.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Distribution {
    /// Always the same.
    Constant(Time),
    /// Anything between two bounds, equally likely.
    Uniform(Uniform),
    /// Memoryless, with this mean.
    Exponential(Exponential),
    /// Normal; what would be negative is zero.
    Normal(Normal),
    /// Lognormal, by its median and 99th percentile: how service times usually look.
    Lognormal(Lognormal),
    /// Heavy-tailed.
    Pareto(Pareto),
    /// Measured: shares and durations.
    Quantiles(Vec<Field<Quantile>>),
    /// One of several, each so often: fast for most, slow for a few.
    Mixture(Vec<Field<Part>>),
}

/// Anything between two bounds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Uniform {
    /// The lower bound.
    #[schemars(extend("x-required" = true))]
    pub(crate) low: Field<Time>,
    /// The upper bound.
    #[schemars(extend("x-required" = true))]
    pub(crate) high: Field<Time>,
}

/// Memoryless.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Exponential {
    /// The mean.
    #[schemars(extend("x-required" = true))]
    pub(crate) mean: Field<Time>,
}

/// Normal.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Normal {
    /// The mean.
    #[schemars(extend("x-required" = true))]
    pub(crate) mean: Field<Time>,
    /// The standard deviation.
    #[schemars(extend("x-required" = true))]
    pub(crate) sd: Field<Time>,
}

/// Lognormal.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Lognormal {
    /// The median.
    #[schemars(extend("x-required" = true))]
    pub(crate) median: Field<Time>,
    /// The 99th percentile.
    #[schemars(extend("x-required" = true))]
    pub(crate) p99: Field<Time>,
}

/// Heavy-tailed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Pareto {
    /// The smallest value.
    #[schemars(extend("x-required" = true))]
    pub(crate) min: Field<Time>,
    /// How fast the tail falls, above 0; at 1 and below there is no mean.
    #[schemars(extend("x-required" = true))]
    pub(crate) shape: Field<f64>,
}

/// A measured point.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Quantile {
    /// The share of samples at or below the value.
    #[schemars(extend("x-required" = true))]
    pub(crate) share: Field<Share>,
    /// The value.
    #[schemars(extend("x-required" = true))]
    pub(crate) value: Field<Time>,
}

/// A part of a mixture.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Part {
    /// The share of samples that it is; those of all parts add up to 100%.
    #[schemars(extend("x-required" = true))]
    pub(crate) share: Field<Share>,
    /// What they are: a duration, always the same or drawn.
    #[schemars(extend("x-required" = true))]
    pub(crate) of: Field<Box<Times>>,
}

/// How packets are lost, if not each on its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LossModel {
    /// In bursts: a hidden state, good or bad, that may change before each packet.
    GilbertElliott(GilbertElliott),
}

/// The model of Gilbert and Elliott.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GilbertElliott {
    /// From good to bad, before each packet.
    #[schemars(extend("x-required" = true))]
    pub(crate) enter: Field<Share>,
    /// From bad to good, before each packet.
    #[schemars(extend("x-required" = true))]
    pub(crate) leave: Field<Share>,
    /// The loss while bad. Default: 100%.
    pub(crate) bad: Field<Share>,
    /// The loss while good. Default: 0%.
    pub(crate) good: Field<Share>,
}
