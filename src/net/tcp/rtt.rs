//! The round-trip estimator and the retransmission timeout (RFC 6298 as Linux does it, `tcp_rtt_estimator`).
//!
//! Linux adds the minimum of 200 ms to the smoothed round trip, as a floor of the variance, instead of bounding the sum:
//! a path of 20 ms times out after 220 ms.

use std::time::Duration;

/// Smoothed round trip and variance, in microseconds, scaled as in the kernel (srtt by 8, mdev by 4).
#[derive(Clone, Copy, Debug)]
pub(super) struct RttEstimator {
    srtt_x8: i64,
    mdev_x4: i64,
    mdev_max: i64,
    rttvar: i64,
    /// The variance may shrink once everything before this position is acknowledged: once a round trip.
    rtt_seq: u64,
    min_us: u64,
    floor_us: i64,
}

impl RttEstimator {
    pub(super) fn new(rto_min: Duration) -> Self {
        let floor_us = rto_min.as_micros() as i64;
        Self { srtt_x8: 0, mdev_x4: 0, mdev_max: 0, rttvar: 0, rtt_seq: 0, min_us: u64::MAX, floor_us }
    }

    /// Takes a measurement; `una` and `nxt` say where the round trip it belongs to ends.
    pub(super) fn sample(&mut self, rtt: Duration, una: u64, nxt: u64) {
        let rtt_us = (rtt.as_micros() as i64).max(1);
        if self.srtt_x8 == 0 {
            self.srtt_x8 = rtt_us << 3;
            self.mdev_x4 = rtt_us << 1;
            self.rttvar = self.mdev_x4.max(self.floor_us);
            self.mdev_max = self.rttvar;
            self.rtt_seq = nxt;
            return;
        }
        let error = rtt_us - (self.srtt_x8 >> 3);
        self.srtt_x8 = (self.srtt_x8 + error).max(1);
        let mut deviation = error.abs() - (self.mdev_x4 >> 2);
        // A round trip that is shorter than expected is no sign of variance: it counts an eighth.
        if error < 0 && deviation > 0 {
            deviation >>= 3;
        }
        self.mdev_x4 += deviation;
        if self.mdev_x4 > self.mdev_max {
            self.mdev_max = self.mdev_x4;
            self.rttvar = self.rttvar.max(self.mdev_max);
        }
        if una > self.rtt_seq {
            if self.mdev_max < self.rttvar {
                self.rttvar -= (self.rttvar - self.mdev_max) >> 2;
            }
            self.rtt_seq = nxt;
            self.mdev_max = self.floor_us;
        }
    }

    /// Remembers the shortest round trip, which retransmissions cannot fake.
    pub(super) fn saw_min(&mut self, rtt: Duration) {
        self.min_us = self.min_us.min((rtt.as_micros() as u64).max(1));
    }

    pub(super) fn min(&self) -> Option<Duration> {
        (self.min_us != u64::MAX).then(|| Duration::from_micros(self.min_us))
    }

    /// The smoothed round trip, once there was a sample.
    pub(super) fn smoothed(&self) -> Option<Duration> {
        (self.srtt_x8 != 0).then(|| Duration::from_micros(self.srtt_x8 as u64 >> 3))
    }

    /// The retransmission timeout without backoff.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.smoothed().map(|srtt| srtt + Duration::from_micros(self.rttvar as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Instant;
    use crate::net::tcp::ticks::Ticks;

    /// Measured on Linux 6.18: 204 ms at 1.3 ms, 224 ms at 20.5 ms (HZ=250).
    #[test]
    fn timeouts_are_those_of_linux() {
        let ticks = Ticks::new(Duration::from_millis(4), Duration::ZERO);
        for (rtt_us, rto_ms) in [(1_300, 204), (20_500, 224)] {
            let mut estimator = RttEstimator::new(Duration::from_millis(200));
            for i in 0..100 {
                estimator.sample(Duration::from_micros(rtt_us), i + 1, i + 1);
            }
            let rto = ticks.duration(ticks.covering(estimator.timeout().unwrap()));
            assert_eq!(rto, Duration::from_millis(rto_ms), "round trip {rtt_us} us");
            assert!(ticks.expiry(Instant::ORIGIN, ticks.covering(rto)) > Instant::ORIGIN + rto);
        }
    }
}
