//! CUBIC (RFC 9438, `tcp_cubic.c`): the window follows a cubic curve in time around the size at which loss was last seen.

use std::time::Duration;

use crate::clock::Instant;

/// A loss leaves 717/1024 of the window.
const BETA: f64 = 717.0 / 1024.0;
/// Steepness of the curve, in segments a second cubed.
const C: f64 = 0.4;

#[derive(Debug, Default)]
pub(super) struct Cubic {
    last_max: f64,
    /// When the current curve began.
    epoch: Option<Instant>,
    origin: f64,
    /// Seconds from the epoch to the plateau.
    k: f64,
    /// The window that Reno would have, which CUBIC never falls below.
    reno: f64,
}

impl Cubic {
    pub(super) fn acks_per_increase(&mut self, now: Instant, cwnd: u64, acked: u64, srtt: Option<Duration>) -> u64 {
        let size = cwnd as f64;
        let epoch = *self.epoch.get_or_insert_with(|| {
            self.origin = size.max(self.last_max);
            self.k = libm::cbrt((self.origin - size) / C);
            self.reno = size;
            now
        });
        let t = (now - epoch).as_secs_f64() + srtt.unwrap_or_default().as_secs_f64();
        let target = self.origin + C * (t - self.k) * (t - self.k) * (t - self.k);
        let mut count = if target > size { size / (target - size) } else { 100.0 * size };
        if self.last_max == 0.0 {
            // Before the first loss the curve has no shape yet: at least 5 % a round trip.
            count = count.min(20.0);
        }
        self.reno += 3.0 * (1.0 - BETA) / (1.0 + BETA) * acked as f64 / size;
        if self.reno > size {
            count = count.min(size / (self.reno - size));
        }
        count.max(2.0) as u64
    }

    pub(super) fn threshold_after_loss(&mut self, cwnd: u64) -> u64 {
        self.epoch = None;
        let size = cwnd as f64;
        // Fast convergence: a flow that lost before it got back to its old size leaves room for others.
        self.last_max = if size < self.last_max { size * (1.0 + BETA) / 2.0 } else { size };
        ((size * BETA) as u64).max(2)
    }

    /// Time without data is no time on the curve.
    pub(super) fn shift(&mut self, now: Instant, idle: Duration) {
        if let Some(epoch) = &mut self.epoch {
            *epoch = (*epoch + idle).min(now);
        }
    }
}
