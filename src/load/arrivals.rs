//! The moments at which one client calls.

use std::time::Duration;

use super::intensity::Intensity;
use crate::clock::Instant;
use crate::random::{Distribution, Key};
use crate::scenario::Load;

/// How one client calls.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// At moments known beforehand.
    Open(OpenLoop),
    /// Again and again, each call after the end of the one before and a pause.
    Closed {
        /// The pause.
        think: Distribution,
        /// How many such loops run side by side.
        concurrency: u32,
    },
}

/// The arrivals of the client named by `key`, which begins at `start`.
///
/// ```
/// use squall::load::{Arrivals, arrivals};
/// use squall::{clock::Instant, random::Key, scenario::{Load, units::CallRate}};
///
/// let load = Load::Constant(CallRate::per_second(10.0).unwrap());
/// let Arrivals::Open(mut calls) = arrivals(&load, Key::from_seed(1), Instant::ORIGIN) else { unreachable!() };
/// let (first, second) = (calls.next().unwrap(), calls.next().unwrap());
/// assert_eq!((second - first).as_millis(), 100);
/// ```
#[must_use]
pub fn arrivals(load: &Load, key: Key, start: Instant) -> Arrivals {
    let schedule = match load {
        Load::ClosedLoop { think, concurrency } => {
            return Arrivals::Closed { think: think.clone(), concurrency: *concurrency };
        }
        Load::Constant(rate) => {
            Schedule::Even { every_s: 1.0 / rate.value(), phase: key.named("phase").draw().value() }
        }
        Load::Bursts { size, every, spread } => Schedule::Bursts { size: *size, every: *every, spread: *spread },
        Load::Once => Schedule::Once,
        Load::Poisson(_) | Load::Ramp { .. } | Load::Phases(_) => match Intensity::of(load) {
            Some(intensity) => Schedule::Random { intensity, expected: 0.0 },
            None => Schedule::Once,
        },
    };
    Arrivals::Open(OpenLoop { schedule, key: key.named("arrival"), start, number: 0 })
}

/// An iterator over moments that never go back.
#[derive(Clone, Debug)]
pub struct OpenLoop {
    schedule: Schedule,
    key: Key,
    start: Instant,
    number: u32,
}

#[derive(Clone, Debug)]
enum Schedule {
    Even { every_s: f64, phase: f64 },
    Bursts { size: u32, every: Duration, spread: Duration },
    Random { intensity: Intensity, expected: f64 },
    Once,
}

impl Iterator for OpenLoop {
    type Item = Instant;

    fn next(&mut self) -> Option<Instant> {
        let number = self.number;
        self.number = number.checked_add(1)?;
        let after = match &mut self.schedule {
            Schedule::Even { every_s, phase } => seconds((f64::from(number) + *phase) * *every_s),
            Schedule::Bursts { size, every, spread } => {
                let (burst, place) = (number / *size, number % *size);
                *every * burst + *spread * place / *size
            }
            Schedule::Random { intensity, expected } => {
                *expected += self.key.with(u64::from(number)).draw().exponential();
                seconds(intensity.invert(*expected))
            }
            Schedule::Once if number == 0 => Duration::ZERO,
            Schedule::Once => return None,
        };
        Some(self.start + after)
    }
}

fn seconds(value: f64) -> Duration {
    Duration::from_nanos(libm::rint(value * 1e9) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::units::CallRate;

    fn times(load: &Load, count: usize) -> Vec<f64> {
        match arrivals(load, Key::from_seed(5).with(1), Instant::ORIGIN) {
            Arrivals::Open(open) => open.take(count).map(Instant::as_secs_f64).collect(),
            Arrivals::Closed { .. } => panic!("an open loop was expected"),
        }
    }

    #[test]
    fn bursts_come_together() {
        let load = Load::Bursts { size: 2, every: Duration::from_secs(10), spread: Duration::from_secs(1) };
        assert_eq!(times(&load, 5), [0.0, 0.5, 10.0, 10.5, 20.0]);
    }

    #[test]
    fn once_is_once() {
        assert_eq!(times(&Load::Once, 3), [0.0]);
    }

    /// A Poisson process: gaps have the mean 1/rate and a coefficient of variation of 1.
    #[test]
    fn poisson_gaps_are_exponential() {
        let load = Load::Poisson(CallRate::per_second(4.0).unwrap());
        let times = times(&load, 100_000);
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 0.25).abs() < 0.003, "mean {mean}");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "variation {}", variance.sqrt() / mean);
    }

    #[test]
    fn clients_are_out_of_step() {
        let load = Load::Constant(CallRate::per_second(1.0).unwrap());
        let first = |client| match arrivals(&load, Key::from_seed(5).with(client), Instant::ORIGIN) {
            Arrivals::Open(mut open) => open.next(),
            Arrivals::Closed { .. } => None,
        };
        assert_ne!(first(1), first(2));
    }
}
