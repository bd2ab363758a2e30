//! A delay that learns a quantile of the latencies.
//!
//! The obvious way, a histogram of the calls that succeeded, is biased: the slow attempt that lost to its hedge never shows
//! up, so the delay shrinks, so more calls are hedged, and so on. This estimator needs only to know whether an attempt
//! took longer than the present delay, and that is known of a loser, too: it was still running when the hedge started.
//!
//! Source: Robbins and Monro, "A Stochastic Approximation Method", 1951, on a logarithmic scale.

use std::sync::Mutex;
use std::time::Duration;

use super::HedgeDelay;

/// How far one sample moves the estimate, in natural logarithms: 5 %.
const STEP: f64 = 0.05;

/// The present delay.
#[derive(Debug)]
pub(super) struct Delay {
    config: HedgeDelay,
    estimate_ns: Mutex<f64>,
}

impl Delay {
    pub(super) fn new(config: HedgeDelay) -> Self {
        let initial = match config {
            HedgeDelay::Fixed(delay) => delay,
            HedgeDelay::Learned { initial, .. } => initial,
        };
        Self { config, estimate_ns: Mutex::new(initial.as_nanos() as f64) }
    }

    pub(super) fn get(&self) -> Duration {
        match self.config {
            HedgeDelay::Fixed(delay) => delay,
            HedgeDelay::Learned { .. } => Duration::from_nanos(*self.lock() as u64),
        }
    }

    /// A first attempt took this long, or at least this long.
    pub(super) fn learn(&self, latency: Duration) {
        let HedgeDelay::Learned { quantile, min, max, .. } = self.config else { return };
        let mut estimate = self.lock();
        let slower = latency.as_nanos() as f64 >= *estimate;
        let step = if slower { STEP * quantile } else { -STEP * (1.0 - quantile) };
        let bounds = (min.as_nanos() as f64, max.as_nanos() as f64);
        *estimate = (*estimate * libm::exp(step)).clamp(bounds.0, bounds.1);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, f64> {
        self.estimate_ns.lock().expect("nothing panics while holding it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    /// Every attempt is cut off at 1.2 times the delay, as if its hedge had won: the estimate still finds the true quantile.
    #[test]
    fn a_censored_delay_finds_the_quantile() {
        let ms = Duration::from_millis;
        let delay = Delay::new(HedgeDelay::Learned { quantile: 0.9, initial: ms(500), min: ms(1), max: ms(1000) });
        let mut late = 0.0;
        for call in 0..20_000 {
            let now = delay.get();
            let latency = ms(10).mul_f64(Key::from_seed(1).with(call).draw().exponential());
            delay.learn(latency.min(now.mul_f64(1.2)));
            late += if call >= 10_000 { delay.get().as_secs_f64() * 1e3 / 10_000.0 } else { 0.0 };
        }
        // The 90th percentile of an exponential distribution with mean 10 ms is 23.03 ms.
        assert!((late - 23.03).abs() < 1.0, "{late}");
    }
}
