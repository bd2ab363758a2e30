//! `channel:` as it is written: how connections are made, chosen, watched and given up.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Breaker, Field, GrpcBackoff, ScalarOr, Share, Time, choice};

/// The channel below the layers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Channel {
    /// How long to wait before connecting again: `grpc`, or one of its own. Default: grpc.
    pub(crate) connect_backoff: Field<ConnectBackoff>,
    /// How long one connection attempt may take. Default: 20s.
    pub(crate) connect_timeout: Field<Time>,
    /// Which replica a call goes to. Default: pick_first.
    pub(crate) balance: Field<ScalarOr<Balance, BalanceWith>>,
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
    /// How likely an outlier is left out. Default: 100%.
    pub(crate) enforcement: Field<Share>,
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
    /// How likely an outlier is left out. Default: 100%.
    pub(crate) enforcement: Field<Share>,
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

impl FromStr for Balance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [
            ("pick_first", Self::PickFirst),
            ("round_robin", Self::RoundRobin),
            ("least_outstanding", Self::LeastOutstanding),
            ("peak_ewma", Self::PeakEwma),
        ];
        choice(text, &known)
    }
}

/// Which replica a call goes to, with options.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BalanceWith {
    /// Of two at random, the one with less latency times calls under way.
    PeakEwma(PeakEwma),
}

/// Of two at random, the one with less latency times calls under way.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PeakEwma {
    /// How fast a peak of latency is forgotten. Default: 10s.
    pub(crate) decay: Field<Time>,
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
