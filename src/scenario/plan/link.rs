//! Links: what lies between two hosts.

use std::time::Duration;

use super::super::units::ByteRate;
use super::{Direction, Members};
use crate::random::{Distribution, Probability};

/// What lies between two sets of hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPlan {
    /// One side.
    pub a: Members,
    /// The other side.
    pub b: Members,
    /// Which way it describes: both, or only from `a` to `b`.
    pub direction: Direction,
    /// One-way delay of a packet, without queueing and transmission.
    pub latency: Distribution,
    /// How much a packet's delay resembles the delay of the packet before, in [0, 1).
    pub correlation: f64,
    /// How packets are lost.
    pub loss: Loss,
    /// How fast bytes leave.
    pub bandwidth: Bandwidth,
    /// How many bytes may wait to leave; what finds the queue full is lost. Without effect on an unlimited link.
    pub queue_bytes: u64,
}

impl LinkPlan {
    /// What connects hosts that no entry names: 250 us one way, no loss, no limit; a calm data centre.
    #[must_use]
    pub fn default_between(a: Members, b: Members) -> Self {
        Self {
            a,
            b,
            direction: Direction::Both,
            latency: Distribution::constant(Duration::from_micros(250)),
            correlation: 0.0,
            loss: Loss::Independent(Probability::NEVER),
            bandwidth: Bandwidth::Unlimited,
            queue_bytes: Self::QUEUE_BYTES,
        }
    }

    /// The queue of a link whose entry says nothing about it: 256 KiB.
    pub const QUEUE_BYTES: u64 = 256 << 10;
}

/// How packets are lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// Each on its own.
    Independent(Probability),
    /// In bursts, by the model of Gilbert and Elliott: a hidden state, good or bad, that may change before each packet.
    GilbertElliott {
        /// From good to bad.
        enter: Probability,
        /// From bad to good.
        leave: Probability,
        /// The loss while bad.
        bad: Probability,
        /// The loss while good.
        good: Probability,
    },
}

/// How fast bytes leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bandwidth {
    /// At once.
    Unlimited,
    /// At this rate.
    Limited(ByteRate),
}
