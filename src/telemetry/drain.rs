//! The word that a process is to finish what it has.
//!
//! Not `tokio::sync::watch`: that wakes its receivers in an order drawn from the operating system's randomness.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// A flag that is raised once and heard by all clones, in the order in which they began to listen.
#[derive(Clone, Debug, Default)]
pub(super) struct Drain {
    shared: Arc<(AtomicBool, Notify)>,
}

impl Drain {
    pub(super) fn begin(&self) {
        let (begun, waiting) = &*self.shared;
        begun.store(true, Ordering::Relaxed);
        waiting.notify_waiters();
    }

    /// Completes once draining has begun; never, if it never does.
    pub(super) async fn begun(&self) {
        let (begun, waiting) = &*self.shared;
        let notified = waiting.notified();
        if !begun.load(Ordering::Relaxed) {
            notified.await;
        }
    }
}
