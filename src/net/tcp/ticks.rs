//! When a kernel timer really fires.
//!
//! Linux keeps timers in a wheel of levels (`kernel/time/timer.c`): a timer never fires early, fires on a tick, and the
//! farther away it is, the coarser its slot: up to an eighth late. That is why a SYN is repeated after 1.02 s, not 1 s,
//! and why the fourth doubling comes 4.17 s after the third.

use std::time::Duration;

use crate::clock::Instant;

/// Slots of one level, less the one that is being emptied.
const LEVEL_START: u64 = 63;
/// Each level is eight times as coarse as the one below.
const LEVEL_SHIFT: u32 = 3;
const LEVELS: u32 = 9;

/// The tick of one host's kernel: its length, and where in it virtual time began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticks {
    tick_ns: u64,
    phase_ns: u64,
}

impl Ticks {
    /// A tick of this length that began counting `phase` before the simulation did.
    pub(crate) fn new(tick: Duration, phase: Duration) -> Self {
        Self { tick_ns: (tick.as_nanos() as u64).max(1), phase_ns: phase.as_nanos() as u64 }
    }

    /// The tick that `at` lies in (`jiffies`).
    pub(super) fn at(self, at: Instant) -> u64 {
        (at.as_nanos() + self.phase_ns) / self.tick_ns
    }

    /// How many ticks cover `duration` (`usecs_to_jiffies`).
    pub(super) fn covering(self, duration: Duration) -> u64 {
        (duration.as_nanos() as u64).div_ceil(self.tick_ns)
    }

    /// The length of so many ticks.
    pub(super) fn duration(self, ticks: u64) -> Duration {
        Duration::from_nanos(self.tick_ns.saturating_mul(ticks))
    }

    /// When a timer fires that is set at `now` to expire after `ticks`.
    pub(super) fn expiry(self, now: Instant, ticks: u64) -> Instant {
        let expires = self.at(now) + ticks;
        let level = (1..LEVELS).take_while(|level| ticks >= LEVEL_START << (LEVEL_SHIFT * (level - 1))).count() as u32;
        let shift = LEVEL_SHIFT * level;
        let slot = ((expires >> shift) + 1) << shift;
        Instant::from_nanos(slot.saturating_mul(self.tick_ns).saturating_sub(self.phase_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SYN ladders measured on Linux 6.18 with HZ=250: sent at 0 and then, in seconds, as far as they were written
    /// down. How late each timer is depends on the tick at which the first was set, which nobody knows.
    #[test]
    fn the_wheel_gives_the_measured_syn_ladders() {
        let ladder = |timeouts_s: &[u64], first_tick: u64| -> Vec<f64> {
            let tick = Duration::from_millis(4);
            let ticks = Ticks::new(tick, tick * u32::try_from(first_tick).unwrap());
            let next = |at: &mut Instant, timeout: &u64| {
                *at = ticks.expiry(*at, ticks.covering(Duration::from_secs(*timeout)));
                Some(at.as_secs_f64())
            };
            timeouts_s.iter().scan(Instant::from_nanos(1), next).collect()
        };
        let check = |timeouts_s: &[u64], measured: &[f64]| {
            let agrees = |first_tick| {
                ladder(timeouts_s, first_tick).iter().zip(measured).all(|(at, m)| (at - m).abs() <= 0.006 * m + 0.006)
            };
            assert!((0..4096).any(agrees), "{measured:?}");
        };
        check(
            &[1, 1, 1, 1, 1, 2, 4, 8, 16, 32, 64],
            &[1.02, 2.05, 3.07, 4.09, 5.12, 7.13, 11.3, 19.5, 35.6, 69.4, 134.9],
        );
        check(&[1, 2, 4, 8, 16, 32, 64], &[1.0, 3.02, 7.18, 15.4, 31.5, 65.3, 130.8]);
    }

    #[test]
    fn a_timer_is_never_early_and_at_most_an_eighth_and_two_ticks_late() {
        for phase in [0, 1, 7_777] {
            let ticks = Ticks::new(Duration::from_millis(4), Duration::from_micros(phase));
            for count in (1..40_000).step_by(7) {
                let now = Instant::from_nanos(count * 1_234_567);
                let late = ticks.expiry(now, count).saturating_since(now + ticks.duration(count - 1));
                assert!(ticks.expiry(now, count) > now + ticks.duration(count - 1));
                assert!(late <= ticks.duration(count / 7 + 2), "{count}: {late:?}");
            }
        }
    }
}
