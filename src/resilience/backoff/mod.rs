//! Backoff: how long to wait before the next attempt.
//!
//! A pause that is the same for everybody only moves the herd: a thousand clients that failed together come back together.
//! Jitter spreads them. How much, and around what, is what these schedules differ in.
//!
//! Rule: a schedule is asked once a retry, with a draw keyed by call and attempt, so two callers made from one configuration
//! never draw the same delays, and no other draw moves.

mod config;
mod schedule;

pub use self::config::BackoffConfig;
pub use self::schedule::Schedule;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::random::Draw;

/// A backoff schedule: how long to wait before attempt `n + 1`.
pub trait Backoff {
    /// The pause after the `failed`-th attempt (1-based) of a call. `draw` is uniform in [0, 1) and keyed by (call, attempt).
    fn pause(&mut self, failed: NonZeroU32, draw: Draw) -> Duration;

    /// Starts over, as a server that asked for a certain pause demands.
    fn restart(&mut self);
}
