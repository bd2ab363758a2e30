//! A connection of a server process, as its replica and faults see it: it can be told to go away, thrown out with a reason, or
//! closed without a word.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use tokio::sync::Notify;

use crate::clock::Instant;
use crate::net::{Probe, SocketInfo, Stream};

/// An open connection.
#[derive(Debug)]
pub struct Link {
    /// The strongest [`Order`] so far.
    order: AtomicU8,
    told: Notify,
    /// With which code it is thrown out.
    reason: AtomicU32,
    probe: Probe,
    info: SocketInfo,
    /// Who waits for connections to be gone.
    left: Arc<Notify>,
}

/// What a connection was told. A stronger order is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Say GOAWAY, and finish what is open.
    Leave = 1,
    /// Say GOAWAY with an error, and close: what is open fails.
    Expel = 2,
    /// Close in the middle of whatever it does.
    Close = 3,
}

impl Link {
    pub(super) fn new(stream: &Stream, left: Arc<Notify>) -> Self {
        Self {
            order: AtomicU8::new(0),
            told: Notify::new(),
            reason: AtomicU32::new(0),
            probe: stream.probe(),
            info: stream.info(),
            left,
        }
    }

    /// Which connection it is, and between whom.
    #[must_use]
    pub fn info(&self) -> SocketInfo {
        self.info
    }

    /// Says GOAWAY; calls that are open may finish.
    pub fn send_away(&self) {
        self.give(Order::Leave);
    }

    /// Says GOAWAY with this code, and closes: calls that are open fail. Heard where frames are
    /// [watched](super::Replica::watch_frames).
    pub fn expel(&self, reason: h2::Reason) {
        self.reason.store(reason.into(), Ordering::Relaxed);
        self.give(Order::Expel);
    }

    /// With which code it is thrown out, if it is.
    pub(super) fn expelled(&self) -> Option<u32> {
        let expelled = self.order.load(Ordering::Relaxed) == Order::Expel as u8;
        expelled.then(|| self.reason.load(Ordering::Relaxed))
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

impl Drop for Link {
    fn drop(&mut self) {
        self.left.notify_waiters();
    }
}
