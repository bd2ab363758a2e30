//! Faults: the timeline that turns what a scenario declares into changes of network, servers and gRPC, and counts what
//! really happened.
//!
//! Rule: a fault proves that it bit. Each counts what it applied to and what it changed; one that never fired makes the
//! run invalid, because a storm that did not blow tests nothing.
//!
//! One file a fault. The only place that knows them all is [`build`].

mod build;
mod clock;
mod connection;
mod crash;
mod crash_loop;
mod deploy;
mod fleet;
mod grpc;
mod network;
mod pause;
mod stage;
mod timeline;
mod trouble;

pub(crate) use self::network::{byte_rate, loss_model};
pub use self::stage::{ServerHost, Stage};
pub use self::timeline::Timeline;

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::net::Counts;

/// A fault, ready to happen: perhaps several times, one window after another.
trait Fault: Send {
    /// The run begins: whatever must be known before the first connection is made.
    fn prepare(&mut self, _: &Stage) {}

    /// A window begins.
    fn start(&mut self, stage: &Stage, window: Window);

    /// The window ends: what was changed is as before.
    fn stop(&mut self, stage: &Stage);

    /// What it applied to and what it changed, so far.
    fn counts(&self, stage: &Stage) -> Counts;
}

/// One time at which a fault happens.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Its number among the fault's windows, from 0: part of the key of whatever is drawn in it.
    number: u64,
    /// How long it lasts.
    lasts: std::time::Duration,
}

/// A lock that a panic elsewhere does not take away: what it guards is whole between any two statements.
fn lock<T: ?Sized>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
