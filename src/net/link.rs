//! What lies between two hosts, in one direction.

use std::time::Duration;

use super::LossModel;
use crate::random::{Distribution, Probability};

/// How fast bytes leave, in bytes a second. Above zero and finite.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct ByteRate(f64);

/// The number is no rate: it is not above zero, or not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate must be above zero and finite")]
#[non_exhaustive]
pub struct InvalidByteRate;

impl ByteRate {
    /// So many bytes a second.
    ///
    /// # Errors
    ///
    /// When `bytes` is not above zero, or not finite.
    pub fn per_second(bytes: f64) -> Result<Self, InvalidByteRate> {
        if bytes > 0.0 && bytes.is_finite() { Ok(Self(bytes)) } else { Err(InvalidByteRate) }
    }

    /// Bytes a second.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }

    /// How long `bytes` take to leave.
    #[must_use]
    pub fn time_for(self, bytes: u64) -> Duration {
        Duration::from_nanos(libm::ceil(bytes as f64 * 1e9 / self.0) as u64)
    }
}

/// How much may wait to leave through a link of limited bandwidth; what finds the queue full is lost (tail drop).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueLimit {
    /// So many bytes, headers included.
    Bytes(u64),
    /// So many packets.
    Packets(u64),
}

/// 256 KiB: 21 ms at 100 Mbit/s.
impl Default for QueueLimit {
    fn default() -> Self {
        Self::Bytes(256 << 10)
    }
}

/// Packets that are overtaken by those behind them.
#[derive(Clone, Debug, PartialEq)]
pub struct Reorder {
    /// How many are held back.
    pub rate: Probability,
    /// For how long, beyond the latency of the link.
    pub hold: Distribution,
}

/// One direction between two hosts. The default: 250 us, no loss, no limit: a calm data centre.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkConfig {
    /// One-way delay of a packet, without queueing. Packets of one connection never overtake each other unless
    /// [`reorder`](Self::reorder) says so: jitter delays, as in a router's queue, and does not shuffle.
    pub latency: Distribution,
    /// How much a packet's delay resembles that of the one before it on its connection, in [0, 1). The distribution of
    /// delays stays what `latency` says (a Gaussian copula), unlike netem's, where correlation narrows it.
    pub jitter_correlation: f64,
    /// How packets are lost.
    pub loss: LossModel,
    /// How fast bytes leave. `None`: at once.
    pub bandwidth: Option<ByteRate>,
    /// How many may wait to leave. Without effect when `bandwidth` is `None`.
    pub queue: QueueLimit,
    /// How many packets arrive twice.
    pub duplicate: Probability,
    /// Which packets are overtaken.
    pub reorder: Option<Reorder>,
    /// A NAT or connection-tracking entry is forgotten after so long without a packet: silence from then on, both ways.
    pub nat_idle: Option<Duration>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            latency: Distribution::constant(Duration::from_micros(250)),
            jitter_correlation: 0.0,
            loss: LossModel::None,
            bandwidth: None,
            queue: QueueLimit::default(),
            duplicate: Probability::NEVER,
            reorder: None,
            nat_idle: None,
        }
    }
}

impl LinkConfig {
    /// A calm link with this one-way delay.
    ///
    /// ```
    /// use squall::net::LinkConfig;
    /// use std::time::Duration;
    /// let metro = LinkConfig::with_latency(Duration::from_millis(2));
    /// assert_eq!(metro.latency.as_constant(), Some(Duration::from_millis(2)));
    /// ```
    #[must_use]
    pub fn with_latency(one_way: Duration) -> Self {
        Self { latency: Distribution::constant(one_way), ..Self::default() }
    }

    /// Between two processes of one host: 20 us.
    pub(super) fn loopback() -> Self {
        Self::with_latency(Duration::from_micros(20))
    }
}
