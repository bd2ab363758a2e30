//! What a channel can be told.

use std::time::Duration;

use super::outlier::OutlierConfig;
use crate::random::Draw;
use crate::resilience::InvalidConfig;
use crate::resilience::breaker::BreakerConfig;
use crate::resilience::invalid::{LONGEST, ensure, ensure_between, ensure_positive};

/// How a client reaches a service.
///
/// ```
/// use squall::resilience::{Ambient, Balance, Channel, ChannelConfig, Keepalive, OutlierConfig, Target, Tcp};
/// use std::time::Duration;
/// let seconds = Duration::from_secs;
/// let config = ChannelConfig {
///     balance: Balance::RoundRobin,
///     keepalive: Some(Keepalive { time: seconds(30), timeout: seconds(20), without_calls: false }),
///     outlier: Some(OutlierConfig::default()),
///     ..ChannelConfig::default()
/// };
/// let target = Target::fixed("telemetry", ["10.0.0.1:50051", "10.0.0.2:50051"]);
/// let channel = Channel::new(target, Tcp, config, &Ambient::default())?;
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChannelConfig {
    /// Whose channel.
    pub transport: Transport,
    /// Which endpoint a call goes to.
    pub balance: Balance,
    /// How long to wait between attempts to connect.
    pub connect_backoff: ConnectBackoff,
    /// Whether calls wait for a connection even after connecting has failed. Without it they fail at once.
    pub wait_for_ready: bool,
    /// Pings that find out whether a silent connection is dead.
    pub keepalive: Option<Keepalive>,
    /// After which age a connection is replaced, give or take a tenth.
    pub max_age: Option<Duration>,
    /// Taking endpoints out of rotation that fail more than others (gRFC A50).
    pub outlier: Option<OutlierConfig>,
    /// Watching the health service of every endpoint, for this service name (gRFC A17). Not with pick_first.
    pub health: Option<String>,
    /// A circuit breaker for each endpoint: an open one is passed over.
    pub endpoint_breaker: Option<BreakerConfig>,
}

/// Whose channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// This crate's: gRPC's connection states and backoff.
    #[default]
    Own,
    /// tonic's `Channel` as it is, to be compared with. It has no options but keepalive.
    Tonic,
}

/// Which endpoint a call goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Balance {
    /// The first that can be connected to, until its connection is lost.
    #[default]
    PickFirst,
    /// Each in turn.
    RoundRobin,
    /// Of two at random, the one with fewer calls under way.
    LeastOutstanding,
    /// Of two at random, the one with the lower product of calls under way and peak-sensitive average latency.
    PeakEwma {
        /// How fast a peak is forgotten.
        decay: Duration,
    },
}

impl Balance {
    /// Over which time latencies fade.
    pub(super) fn decay(self) -> Duration {
        if let Self::PeakEwma { decay } = self { decay } else { Duration::from_secs(10) }
    }
}

/// gRPC's connection backoff: the delay runs from the *start* of an attempt, and resets when SETTINGS arrive.
///
/// Source: grpc/grpc `doc/connection-backoff.md`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConnectBackoff {
    /// The first delay, without jitter.
    pub initial: Duration,
    /// The growth an attempt.
    pub multiplier: f64,
    /// The longest delay, before jitter.
    pub max: Duration,
    /// The share by which a delay varies to either side, after the cap.
    pub jitter: f64,
    /// How long an attempt may take at least, even if the delay is shorter.
    pub min_connect_timeout: Duration,
}

impl Default for ConnectBackoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            multiplier: 1.6,
            max: Duration::from_secs(120),
            jitter: 0.2,
            min_connect_timeout: Duration::from_secs(20),
        }
    }
}

impl ConnectBackoff {
    /// No delay at all: the herd that everybody warns of.
    pub const IMMEDIATE: Self = Self {
        initial: Duration::ZERO,
        multiplier: 1.0,
        max: Duration::ZERO,
        jitter: 0.0,
        min_connect_timeout: Duration::from_secs(20),
    };

    /// The delay from the start of attempt `failed` (from 0) to the start of the next.
    #[must_use]
    pub fn delay(&self, failed: u32, draw: Draw) -> Duration {
        if failed == 0 {
            return self.initial;
        }
        let grown = self.initial.as_nanos() as f64 * libm::pow(self.multiplier, f64::from(failed));
        let capped = grown.min(self.max.as_nanos() as f64);
        Duration::from_nanos((capped * draw.between(1.0 - self.jitter, 1.0 + self.jitter)) as u64)
    }

    fn check(&self) -> Result<(), InvalidConfig> {
        ensure(self.initial <= self.max, "connect_backoff.initial", "must be at most the maximum")?;
        ensure(self.max <= LONGEST, "connect_backoff.max", "must be at most a year")?;
        ensure_between(self.multiplier, 1.0, 1e6, "connect_backoff.multiplier")?;
        ensure_between(self.jitter, 0.0, 1.0, "connect_backoff.jitter")?;
        ensure_positive(self.min_connect_timeout, "connect_backoff.min_connect_timeout")
    }
}

/// Pings that find out whether a silent connection is dead (gRFC A8).
///
/// Servers of gRPC permit one ping in five minutes unless told otherwise, and say GOAWAY to whoever sends more; gRPC's own clients
/// therefore raise a `time` below 10 s to 10 s. This channel takes it as it is, for servers that are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// After how much silence to ping; doubled, for this endpoint, each time a server says `too_many_pings`.
    pub time: Duration,
    /// How long to wait for any answer; 20 s in gRPC.
    pub timeout: Duration,
    /// Whether to ping when no call is under way.
    pub without_calls: bool,
}

impl Keepalive {
    /// A server that says GOAWAY with `too_many_pings` has the time doubled, for all later connections to it (gRFC A8).
    pub(super) fn after_complaints(self, complaints: u32) -> Self {
        let time = self.time.saturating_mul(1_u32.checked_shl(complaints).unwrap_or(u32::MAX));
        Self { time: time.min(LONGEST), ..self }
    }
}

impl ChannelConfig {
    /// Makes sure that it makes sense.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        self.connect_backoff.check()?;
        if let Some(keepalive) = self.keepalive {
            ensure_positive(keepalive.time, "keepalive.time")?;
            ensure_positive(keepalive.timeout, "keepalive.timeout")?;
        }
        if let Some(age) = self.max_age {
            ensure_positive(age, "max_age")?;
        }
        if let Balance::PeakEwma { decay } = self.balance {
            ensure_positive(decay, "balance.decay")?;
        }
        if let Some(outlier) = &self.outlier {
            outlier.check()?;
        }
        if let Some(breaker) = &self.endpoint_breaker {
            breaker.check()?;
        }
        let extras = self.outlier.is_some() || self.health.is_some() || self.endpoint_breaker.is_some();
        ensure(
            !(extras && self.balance == Balance::PickFirst),
            "balance",
            "pick_first sticks to one endpoint: outlier detection, health and breakers an endpoint need another balance",
        )?;
        let plain = Self { transport: Transport::Tonic, keepalive: self.keepalive, ..Self::default() };
        ensure(
            self.transport == Transport::Own || *self == plain,
            "channel",
            "tonic's own channel takes only keepalive",
        )
    }
}
