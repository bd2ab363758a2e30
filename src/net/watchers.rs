//! Those who are told what happens, shared by all connections.

use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::observer::{ConnectionEvent, Observer, Packet};
use super::{ConnectionId, Side};
use crate::clock::Instant;

#[derive(Default)]
pub(super) struct Watchers {
    want_packets: AtomicBool,
    bytes_written: AtomicU64,
    observers: Mutex<Vec<Arc<dyn Observer>>>,
}

impl Watchers {
    pub(super) fn add(&self, observer: Arc<dyn Observer>) {
        if observer.wants_packets() {
            self.want_packets.store(true, Ordering::Relaxed);
        }
        self.observers.lock().expect("never locked across a panic").push(observer);
    }

    pub(super) fn want_packets(&self) -> bool {
        self.want_packets.load(Ordering::Relaxed)
    }

    pub(super) fn wrote(&self, bytes: u64) {
        self.bytes_written.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    fn each(&self, tell: impl Fn(&dyn Observer)) {
        // Cloned, so that no lock is held while others are called.
        let observers = self.observers.lock().expect("never locked across a panic").clone();
        for observer in &observers {
            tell(observer.as_ref());
        }
    }

    pub(super) fn connection(&self, at: Instant, id: ConnectionId, event: &ConnectionEvent) {
        self.each(|observer| observer.connection(at, id, event));
    }

    /// The first `count` bytes of `bufs` were written.
    pub(super) fn payload(&self, id: ConnectionId, side: Side, bufs: &[IoSlice<'_>], count: usize) {
        let mut left = count;
        for buf in bufs {
            let part = &buf[..buf.len().min(left)];
            self.each(|observer| observer.payload(id, side, part));
            left -= part.len();
        }
    }

    pub(super) fn packet(&self, packet: &Packet) {
        self.each(|observer| {
            if observer.wants_packets() {
                observer.packet(packet);
            }
        });
    }
}
