//! A strategy as data: which layers in which order, over which channel.
//!
//! Order is part of a strategy: a timeout inside a retry bounds attempts, outside it bounds the call; a breaker inside sees
//! attempts, outside it sees calls.

use std::time::Duration;

use super::InvalidConfig;
use super::adaptive_rate::AdaptiveRateConfig;
use super::breaker::BreakerConfig;
use super::channel::ChannelConfig;
use super::fallback::FallbackConfig;
use super::hedge::HedgeConfig;
use super::invalid::ensure_positive;
use super::limit::LimitConfig;
use super::rate_limit::RateLimitConfig;
use super::retry::RetryConfig;
use super::service_config::ServiceConfig;
use super::throttle::ThrottleConfig;
use super::tower_layers::TowerConfig;

/// How a client deals with failure.
///
/// ```
/// use squall::resilience::{BreakerConfig, LayerConfig, RetryConfig, Strategy};
/// use std::time::Duration;
/// // The breaker sees attempts; outside of the retry it would see calls.
/// let strategy = Strategy {
///     name: "careful".to_owned(),
///     layers: vec![
///         LayerConfig::Deadline(Duration::from_secs(2)),
///         LayerConfig::Retry(RetryConfig::default()),
///         LayerConfig::Breaker(BreakerConfig::default()),
///         LayerConfig::AttemptTimeout(Duration::from_millis(500)),
///     ],
///     ..Strategy::default()
/// };
/// strategy.check()?;
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strategy {
    /// The name in reports.
    pub name: String,
    /// The layers, outermost first, as in tower's `ServiceBuilder`.
    pub layers: Vec<LayerConfig>,
    /// The channel below them.
    pub channel: ChannelConfig,
}

/// One layer of a strategy.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LayerConfig {
    /// Bounds everything inside it.
    Deadline(Duration),
    /// Bounds one attempt; belongs inside a retry.
    AttemptTimeout(Duration),
    /// Retries.
    Retry(RetryConfig),
    /// Stops asking a server that cannot answer.
    Breaker(BreakerConfig),
    /// Starts a second attempt while the first is slow.
    Hedge(HedgeConfig),
    /// Bounds how many calls are under way at once.
    Limit(LimitConfig),
    /// Turns calls away once the server rejects most of them.
    Throttle(ThrottleConfig),
    /// Bounds how many calls are made a second.
    RateLimit(RateLimitConfig),
    /// Bounds how many calls are made a second, as the AWS SDKs do once a server throttles.
    AdaptiveRate(AdaptiveRateConfig),
    /// Answers in place of failures.
    Fallback(FallbackConfig),
    /// A gRPC service config: timeout and retry or hedging by method.
    ServiceConfig(ServiceConfig),
    /// One of tower's own layers, to be compared with.
    Tower(TowerConfig),
}

impl Strategy {
    /// Makes sure that everything in it makes sense.
    ///
    /// # Errors
    ///
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        for layer in &self.layers {
            layer.check()?;
        }
        self.channel.check()
    }

    /// Whether parts of it that are not ours, tonic's channel or one of tower's layers, may arm timers of tokio's own.
    #[cfg(feature = "sim")]
    pub(crate) fn arms_tokio_timers(&self) -> bool {
        let towers = self.layers.iter().any(|layer| matches!(layer, LayerConfig::Tower(_)));
        towers || self.channel.transport == super::Transport::Tonic
    }
}

impl LayerConfig {
    /// Makes sure that it makes sense.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        match self {
            Self::Deadline(timeout) => ensure_positive(*timeout, "deadline"),
            Self::AttemptTimeout(timeout) => ensure_positive(*timeout, "attempt_timeout"),
            Self::Retry(config) => config.check(),
            Self::Breaker(config) => config.check(),
            Self::Hedge(config) => config.check(),
            Self::Limit(config) => config.check(),
            Self::Throttle(config) => config.check(),
            Self::RateLimit(config) => config.check(),
            Self::AdaptiveRate(config) => config.check(),
            Self::Fallback(config) => config.check(),
            Self::ServiceConfig(config) => config.check(),
            Self::Tower(config) => config.check(),
        }
    }
}
