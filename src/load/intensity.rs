//! Poisson arrivals whose rate changes over time.
//!
//! A Poisson process of rate 1, looked at through the inverse of the cumulative rate, is a Poisson process of that rate
//! (Çinlar: "Introduction to Stochastic Processes", 1975). One exponential draw an arrival, whatever the rate does.

use crate::scenario::{Load, Phase};

/// A rate over time, in pieces on which it changes evenly; the last piece's final rate stays.
#[derive(Clone, Debug)]
pub(super) struct Intensity {
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    lasts_s: f64,
    from: f64,
    to: f64,
}

impl Intensity {
    /// The rate of a load that is a Poisson process, if it is one.
    pub(super) fn of(load: &Load) -> Option<Self> {
        let constant = |rate: f64, lasts_s: f64| Piece { lasts_s, from: rate, to: rate };
        let pieces = match load {
            Load::Poisson(rate) => vec![constant(rate.value(), 0.0)],
            Load::Ramp { from, to, over } => {
                vec![Piece { lasts_s: over.as_secs_f64(), from: from.value(), to: to.value() }]
            }
            Load::Phases(phases) => {
                phases.iter().map(|Phase { lasts, rate }| constant(rate.value(), lasts.as_secs_f64())).collect()
            }
            _ => return None,
        };
        Some(Self { pieces })
    }

    /// After how many seconds `expected` arrivals are to be expected.
    pub(super) fn invert(&self, expected: f64) -> f64 {
        let mut left = expected;
        let mut elapsed = 0.0;
        for piece in &self.pieces {
            let whole = piece.lasts_s * (piece.from + piece.to) / 2.0;
            if left < whole {
                return elapsed + piece.invert(left);
            }
            left -= whole;
            elapsed += piece.lasts_s;
        }
        let last_rate = self.pieces.last().map_or(f64::INFINITY, |piece| piece.to);
        elapsed + left / last_rate
    }
}

impl Piece {
    /// Solves `from·t + (to - from)·t²/(2·lasts) = expected` for t, in the form that also holds for an even rate.
    fn invert(&self, expected: f64) -> f64 {
        let slope = (self.to - self.from) / self.lasts_s;
        let root = libm::sqrt((self.from * self.from + 2.0 * slope * expected).max(0.0));
        2.0 * expected / (self.from + root)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::units::CallRate;

    fn rate(value: f64) -> CallRate {
        CallRate::per_second(value).unwrap()
    }

    #[test]
    fn the_expected_number_of_arrivals_comes_when_it_should() {
        let check = |load: Load, expected: f64, seconds: f64| {
            let found = Intensity::of(&load).unwrap().invert(expected);
            assert!((found - seconds).abs() < 1e-9, "{load:?}: {found}, not {seconds}");
        };
        let ramp = || Load::Ramp { from: rate(2.0), to: rate(4.0), over: Duration::from_secs(10) };
        check(Load::Poisson(rate(2.0)), 10.0, 5.0);
        check(ramp(), 30.0, 10.0);
        check(ramp(), 34.0, 11.0);
        // After t seconds the ramp has brought 2t + t²/10.
        check(ramp(), 2.0 * 5.0 + 2.5, 5.0);
        let phase = |seconds, per_second| Phase { lasts: Duration::from_secs(seconds), rate: rate(per_second) };
        check(Load::Phases(vec![phase(1, 10.0), phase(2, 1.0), phase(1, 100.0)]), 11.0, 2.0);
    }
}
