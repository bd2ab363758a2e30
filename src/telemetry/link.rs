//! A connection of a server process, as its replica and faults see it: it can be told to go away, or closed without a word.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

use crate::clock::Instant;
use crate::net::Probe;

/// An open connection.
#[derive(Debug)]
pub struct Link {
    /// The strongest [`Order`] so far.
    order: AtomicU8,
    told: Notify,
    probe: Probe,
}

/// What a connection was told. A stronger order is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Say GOAWAY, and finish what is open.
    Leave = 1,
    /// Close in the middle of whatever it does.
    Close = 2,
}

impl Link {
    pub(super) fn new(probe: Probe) -> Self {
        Self { order: AtomicU8::new(0), told: Notify::new(), probe }
    }

    /// Says GOAWAY; calls that are open may finish.
    pub fn send_away(&self) {
        self.give(Order::Leave);
    }

    /// Closes it in the middle of whatever it does.
    pub fn close(&self) {
        self.give(Order::Close);
    }

    /// When the last packet was sent on it, either way.
    #[must_use]
    pub fn silent_since(&self) -> Instant {
        self.probe.silent_since()
    }

    fn give(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::Relaxed);
        self.told.notify_waiters();
    }

    /// Completes once it was told this or more.
    pub(super) async fn told(&self, order: Order) {
        loop {
            let told = self.told.notified();
            if self.order.load(Ordering::Relaxed) >= order as u8 {
                return;
            }
            told.await;
        }
    }
}
