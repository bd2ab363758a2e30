//! The calls that are open, so that a trial knows when all have ended, and which never did.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::clock::{self, Instant};
use crate::record::CallId;

/// The open calls of a trial. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    open: Mutex<BTreeSet<CallId>>,
    emptied: Notify,
}

impl InFlight {
    pub(super) fn begin(&self, call: CallId) {
        self.open().insert(call);
    }

    pub(super) fn end(&self, call: CallId) {
        let mut open = self.open();
        open.remove(&call);
        if open.is_empty() {
            drop(open);
            self.shared.emptied.notify_waiters();
        }
    }

    /// Waits until no call is open, at most until `end`; gives back those that still are, in order.
    pub(super) async fn drained(&self, end: Instant) -> Vec<CallId> {
        let emptied = async {
            loop {
                let notified = self.shared.emptied.notified();
                if self.open().is_empty() {
                    return;
                }
                notified.await;
            }
        };
        // Whoever is left is told below; the time limit itself is no error.
        let _ = clock::timeout_at(end, emptied).await;
        self.open().iter().copied().collect()
    }

    fn open(&self) -> MutexGuard<'_, BTreeSet<CallId>> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
