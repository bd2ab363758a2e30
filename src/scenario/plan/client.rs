//! Clients: how many, whom they call, and when.

use std::time::Duration;

use super::super::units::CallRate;
use crate::net::TcpSettings;
use crate::random::Distribution;

/// Clients that behave alike.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientGroup {
    /// What links and faults call it.
    pub name: String,
    /// How many clients, each on its own host. At least one.
    pub count: u32,
    /// The group they call: `plan.servers[_]`.
    pub calls: usize,
    /// When each of them calls.
    pub load: Load,
    /// Who has a channel of its own.
    pub channels: Channels,
    /// The length of an alert's `device_id` is padded to this many bytes. 0: as it is.
    pub payload_bytes: u32,
    /// When the first client begins.
    pub start: Duration,
    /// Over how long the others begin after it, evenly spread. 0: all at once.
    pub stagger: Duration,
    /// How many calls each client makes at most. `u32::MAX`: as many as its load says.
    pub max_calls: u32,
    /// Whether its alerts may be sent twice without harm, as the client declares it to its layers.
    pub idempotent: bool,
    /// The kernel of each client.
    pub tcp: TcpSettings,
}

/// When one client calls. Rates are for each client.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// Evenly spaced calls; clients are out of step with each other by a keyed phase.
    Constant(CallRate),
    /// Calls at random, independent of each other.
    Poisson(CallRate),
    /// `size` calls at once, again after `every`.
    Bursts {
        /// How many calls a burst has. At least one.
        size: u32,
        /// From one burst to the next. Above zero.
        every: Duration,
        /// Over how long the calls of one burst are spread, evenly. Less than `every`.
        spread: Duration,
    },
    /// A Poisson process whose rate moves evenly from one value to another and stays there.
    Ramp {
        /// The rate at the start.
        from: CallRate,
        /// The rate at the end.
        to: CallRate,
        /// How long the way takes. Above zero.
        over: Duration,
    },
    /// Poisson processes one after another; the last one lasts to the end.
    Phases(Vec<Phase>),
    /// A call begins when the one before has ended and a pause is over.
    ClosedLoop {
        /// The pause, drawn a call.
        think: Distribution,
        /// How many such loops one client runs side by side. At least one.
        concurrency: u32,
    },
    /// One call, at the client's start.
    Once,
}

/// A part of a load's life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// How long it lasts. Above zero.
    pub lasts: Duration,
    /// How much is called meanwhile.
    pub rate: CallRate,
}

/// Who has a channel of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// Every client.
    Own,
    /// The whole group shares this many, at least one: client `i` uses channel `i % n`.
    Shared(u32),
}
