//! What is known of an endpoint's load: calls under way, and how long they took lately.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::clock::Instant;

/// The load of one endpoint as its clients see it.
#[derive(Debug)]
pub(super) struct Load {
    decay: Duration,
    outstanding: AtomicU32,
    latency: Mutex<PeakEwma>,
    /// Successes and failures since the last sweep of outlier detection.
    tally: Mutex<(u32, u32)>,
}

/// An average that jumps to every peak and decays from there.
#[derive(Clone, Copy, Debug, Default)]
struct PeakEwma {
    at: Instant,
    cost_ns: f64,
}

/// What an endpoint costs that nobody has called yet: enough that all are not tried at once, as in tower.
const UNKNOWN_COST_NS: f64 = 1e6;

impl Load {
    pub(super) fn new(decay: Duration) -> Self {
        Self { decay, outstanding: AtomicU32::new(0), latency: Mutex::default(), tally: Mutex::default() }
    }

    pub(super) fn outstanding(&self) -> u32 {
        self.outstanding.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self) {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts how a call ended; cancelled ones say nothing.
    pub(super) fn count(&self, ok: bool) {
        let mut tally = self.tally.lock().expect("nothing panics while holding it");
        if ok { tally.0 += 1 } else { tally.1 += 1 }
    }

    /// What was counted since this was last asked.
    pub(super) fn take_tally(&self) -> (u32, u32) {
        std::mem::take(&mut *self.tally.lock().expect("nothing panics while holding it"))
    }

    pub(super) fn took(&self, now: Instant, latency: Duration) {
        let mut average = self.latency.lock().expect("nothing panics while holding it");
        let latency = latency.as_nanos() as f64;
        // A peak counts at once and in full; it fades only as time passes.
        let faded = average.share(now, self.decay);
        average.cost_ns =
            if latency > average.cost_ns { latency } else { average.cost_ns + (latency - average.cost_ns) * faded };
        average.at = now;
    }

    /// Expected cost of one more call: average latency times calls under way with it.
    pub(super) fn peak_cost(&self, now: Instant) -> f64 {
        let average = self.latency.lock().expect("nothing panics while holding it");
        let cost = if average.cost_ns == 0.0 {
            UNKNOWN_COST_NS
        } else {
            average.cost_ns * (1.0 - average.share(now, self.decay))
        };
        cost * f64::from(self.outstanding() + 1)
    }
}

impl PeakEwma {
    /// How much weight the time since the last call has.
    fn share(&self, now: Instant, decay: Duration) -> f64 {
        1.0 - libm::exp(-(now - self.at).as_secs_f64() / decay.as_secs_f64())
    }
}
