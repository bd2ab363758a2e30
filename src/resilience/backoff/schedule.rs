//! The arithmetic of every schedule, in nanoseconds as floating-point numbers: nothing can overflow.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Backoff, BackoffConfig};
use crate::random::Draw;

/// The pauses of one call: 40 bytes, no allocation.
///
/// ```
/// use squall::random::Key;
/// use squall::resilience::BackoffConfig;
/// use std::time::Duration;
/// let ms = Duration::from_millis;
/// let mut schedule = BackoffConfig::Exponential { base: ms(100), cap: ms(300), multiplier: 2.0 }.schedule();
/// let draw = Key::from_seed(1).draw();
/// assert_eq!([schedule.next(draw), schedule.next(draw), schedule.next(draw)], [ms(100), ms(200), ms(300)]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    config: BackoffConfig,
    /// How many failures count: all since the beginning, or since the last restart.
    failed: u32,
    /// The pause before this one; only decorrelated jitter looks back.
    previous_ns: f64,
}

impl Schedule {
    pub(super) const fn new(config: BackoffConfig) -> Self {
        Self { config, failed: 0, previous_ns: 0.0 }
    }

    /// The pause after the next failure.
    pub fn next(&mut self, draw: Draw) -> Duration {
        let failed = NonZeroU32::MIN.saturating_add(self.failed);
        self.pause(failed, draw)
    }
}

impl Backoff for Schedule {
    fn pause(&mut self, failed: NonZeroU32, draw: Draw) -> Duration {
        self.failed = failed.get();
        let n = f64::from(failed.get());
        let pause = match self.config {
            BackoffConfig::None => 0.0,
            BackoffConfig::Constant { pause } => nanos(pause),
            BackoffConfig::Linear { base, cap } => nanos(cap).min(nanos(base) * n),
            BackoffConfig::Fibonacci { base, cap } => nanos(cap).min(nanos(base) * fibonacci(failed.get())),
            BackoffConfig::Exponential { base, cap, multiplier } => grown(base, cap, multiplier, n),
            BackoffConfig::FullJitter { base, cap } | BackoffConfig::AwsSdk { base, cap } => {
                draw.between(0.0, grown(base, cap, 2.0, n))
            }
            BackoffConfig::EqualJitter { base, cap } => {
                let ceiling = grown(base, cap, 2.0, n);
                draw.between(ceiling / 2.0, ceiling)
            }
            BackoffConfig::Decorrelated { base, cap } => {
                let base = nanos(base);
                let previous = if failed.get() == 1 { base } else { self.previous_ns.max(base) };
                nanos(cap).min(draw.between(base, 3.0 * previous))
            }
            BackoffConfig::Grpc { initial, max, multiplier, jitter } => {
                grown(initial, max, multiplier, n) * draw.between(1.0 - jitter, 1.0 + jitter)
            }
            BackoffConfig::Envoy { base, cap } => {
                let ceiling = nanos(base) * (libm::pow(2.0, n) - 1.0);
                draw.between(0.0, ceiling.min(nanos(cap)))
            }
        };
        self.previous_ns = pause;
        // The conversion saturates, and configurations are at most a year.
        Duration::from_nanos(pause as u64)
    }

    fn restart(&mut self) {
        self.failed = 0;
        self.previous_ns = 0.0;
    }
}

fn nanos(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}

fn grown(base: Duration, cap: Duration, multiplier: f64, n: f64) -> f64 {
    nanos(cap).min(nanos(base) * libm::pow(multiplier, n - 1.0))
}

fn fibonacci(n: u32) -> f64 {
    let (mut current, mut next) = (1.0, 1.0);
    // Beyond a hundred terms every cap has been reached.
    for _ in 1..n.min(100) {
        (current, next) = (next, current + next);
    }
    current
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    const MS: Duration = Duration::from_millis(1);

    /// The pauses in milliseconds, all with the same draw.
    fn pauses(config: BackoffConfig, draw: f64) -> Vec<f64> {
        let mut schedule = config.schedule();
        (0..6).map(|_| schedule.next(Draw::new(draw)).as_secs_f64() * 1e3).map(|ms| (ms * 1e3).round() / 1e3).collect()
    }

    #[test]
    fn schedules_are_those_of_their_sources() {
        use BackoffConfig as B;
        let (base, cap) = (100 * MS, 1000 * MS);
        let check = |config: BackoffConfig, draw: f64, expected: [f64; 6]| {
            assert_eq!(pauses(config, draw), expected, "{config:?} at {draw}");
        };
        check(B::None, 0.5, [0.0; 6]);
        check(B::Constant { pause: base }, 0.5, [100.0; 6]);
        check(B::Linear { base, cap: 450 * MS }, 0.5, [100.0, 200.0, 300.0, 400.0, 450.0, 450.0]);
        check(B::Fibonacci { base, cap: 700 * MS }, 0.5, [100.0, 100.0, 200.0, 300.0, 500.0, 700.0]);
        check(B::Exponential { base, cap, multiplier: 2.0 }, 0.5, [100.0, 200.0, 400.0, 800.0, 1000.0, 1000.0]);
        check(B::FullJitter { base, cap }, 0.5, [50.0, 100.0, 200.0, 400.0, 500.0, 500.0]);
        check(B::FullJitter { base, cap }, 0.0, [0.0; 6]);
        check(B::EqualJitter { base, cap }, 0.5, [75.0, 150.0, 300.0, 600.0, 750.0, 750.0]);
        // U(100, 300) at one half is 200; U(100, 600) is 350; U(100, 1050) is 575; then 912.5, then the cap.
        check(B::Decorrelated { base, cap }, 0.5, [200.0, 350.0, 575.0, 912.5, 1000.0, 1000.0]);
        check(B::grpc(base, cap, 1.6), 0.5, [100.0, 160.0, 256.0, 409.6, 655.36, 1000.0]);
        check(B::grpc(base, cap, 1.6), 0.0, [80.0, 128.0, 204.8, 327.68, 524.288, 800.0]);
        check(B::Envoy { base: 25 * MS, cap: 250 * MS }, 0.5, [12.5, 37.5, 87.5, 125.0, 125.0, 125.0]);
    }

    /// Pushback restarts the schedule at its first pause (gRFC A6).
    #[test]
    fn a_restarted_schedule_begins_at_the_first_pause() {
        let mut schedule = BackoffConfig::Exponential { base: MS, cap: 100 * MS, multiplier: 2.0 }.schedule();
        let draw = Draw::new(0.5);
        assert_eq!([schedule.next(draw), schedule.next(draw)], [MS, 2 * MS]);
        schedule.restart();
        assert_eq!(schedule.next(draw), MS);
    }

    #[test]
    fn impossible_schedules_are_errors() {
        use BackoffConfig as B;
        for config in [
            B::FullJitter { base: 2 * MS, cap: MS },
            B::Constant { pause: Duration::MAX },
            B::Exponential { base: MS, cap: MS, multiplier: f64::NAN },
            B::Exponential { base: MS, cap: MS, multiplier: 0.5 },
            B::Grpc { initial: MS, max: MS, multiplier: 2.0, jitter: 1.5 },
            B::Grpc { initial: MS, max: Duration::MAX, multiplier: 2.0, jitter: 0.2 },
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }

    proptest::proptest! {
        /// Whatever the parameters and the draws: no pause exceeds the cap by more than the jitter, and nothing panics.
        #[test]
        fn no_pause_exceeds_its_cap(base in 0_u64..1 << 40, extra in 0_u64..1 << 40, seed: u64, kind in 0..7) {
            let (base, cap) = (Duration::from_nanos(base), Duration::from_nanos(base + extra));
            let config = match kind {
                0 => BackoffConfig::Linear { base, cap },
                1 => BackoffConfig::Fibonacci { base, cap },
                2 => BackoffConfig::Exponential { base, cap, multiplier: 3.0 },
                3 => BackoffConfig::FullJitter { base, cap },
                4 => BackoffConfig::EqualJitter { base, cap },
                5 => BackoffConfig::Decorrelated { base, cap },
                _ => BackoffConfig::grpc(base, cap, 1.6),
            };
            config.check().unwrap();
            let mut schedule = config.schedule();
            for n in 0..100 {
                let pause = schedule.next(Key::from_seed(seed).with(n).draw());
                proptest::prop_assert!(pause <= cap.mul_f64(1.2) + Duration::from_nanos(1), "{config:?}: {pause:?}");
            }
        }
    }
}
