//! Scales: from figures to places on a drawing, and the ticks that are worth a label.

/// How far apart ticks on a linear scale are, as multiples of a power of ten.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

/// From figures to places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    /// `low` stands at `from`, `high` at `to`.
    pub(super) fn linear((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, from, to, logarithmic: false }
    }

    /// The same, with equal ratios equally far apart. Both ends must be above zero.
    pub(super) fn logarithmic((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let high = if high > low * 1.0001 { high } else { low * 10.0 };
        Self { low, high, from, to, logarithmic: true }
    }

    /// Where a figure stands; at an end if it lies beyond.
    pub(super) fn at(&self, value: f64) -> f64 {
        let (low, high, value) = if self.logarithmic {
            (log10(self.low), log10(self.high), log10(value.max(self.low)))
        } else {
            (self.low, self.high, value)
        };
        let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
        self.from + share * (self.to - self.from)
    }

    /// Round figures within the scale, about `count` of them.
    pub(super) fn ticks(&self, count: usize) -> Vec<f64> {
        if self.logarithmic { self.decades(count) } else { self.steps(count) }
    }

    fn steps(&self, count: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / count.max(1) as f64;
        let power = libm::floor(log10(rough));
        let candidates = [power, power + 1.0].into_iter().flat_map(|power| STEPS.map(|step| step * ten_to(power)));
        let candidates: Vec<f64> = candidates.collect();
        let place = candidates.iter().position(|step| *step >= rough * 0.999).unwrap_or_default();
        let ticks = self.every(candidates[place]);
        // A single tick says nothing of the scale.
        if ticks.len() > 1 { ticks } else { self.every(candidates[place.saturating_sub(1)]) }
    }

    fn every(&self, step: f64) -> Vec<f64> {
        let first = libm::ceil(self.low / step - 1e-9) as i64;
        let last = libm::floor(self.high / step + 1e-9) as i64;
        (first..=last).map(|tick| tick as f64 * step).collect()
    }

    fn decades(&self, count: usize) -> Vec<f64> {
        let first = libm::ceil(log10(self.low) - 1e-9) as i64;
        let last = libm::floor(log10(self.high) + 1e-9) as i64;
        let every = ((last - first).max(0) as usize / count.max(1) + 1).max(1);
        let ticks: Vec<f64> = (first..=last).step_by(every).map(|power| ten_to(power as f64)).collect();
        if ticks.len() > 1 { ticks } else { self.within_decades(count) }
    }

    /// Round figures of a scale that holds no two powers of ten.
    fn within_decades(&self, count: usize) -> Vec<f64> {
        let first = libm::floor(log10(self.low)) as i64;
        let figures = (first..).flat_map(|power| STEPS.map(|step| step * ten_to(power as f64)));
        let ticks: Vec<f64> =
            figures.skip_while(|tick| *tick < self.low).take_while(|tick| *tick <= self.high).collect();
        if ticks.len() > 1 { ticks } else { self.steps(count) }
    }
}

fn log10(value: f64) -> f64 {
    libm::log10(value)
}

fn ten_to(power: f64) -> f64 {
    libm::pow(10.0, power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_figures() {
        let linear = |high: f64| Scale::linear((0.0, high), (0.0, 100.0)).ticks(4);
        assert_eq!(linear(1.0), [0.0, 0.5, 1.0]);
        assert_eq!(linear(37.0), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!(linear(60.0), [0.0, 20.0, 40.0, 60.0]);
        assert_eq!(Scale::linear((0.0, 473.0), (0.0, 100.0)).ticks(2), [0.0, 200.0, 400.0]);
        let logarithmic = |low, high| Scale::logarithmic((low, high), (0.0, 100.0)).ticks(4);
        assert_eq!(logarithmic(3.0, 2_000.0), [10.0, 100.0, 1000.0]);
        // One label would say nothing of the distance between two points.
        assert_eq!(logarithmic(700.0, 9_000.0), [1000.0, 2000.0, 5000.0]);
        assert_eq!(logarithmic(810.0, 1_210.0), [900.0, 1000.0, 1100.0, 1200.0]);
    }

    #[test]
    fn places_are_in_proportion_and_never_outside() {
        let scale = Scale::linear((0.0, 10.0), (100.0, 0.0));
        assert_eq!([0.0, 2.5, 10.0, 20.0].map(|value| scale.at(value)), [100.0, 75.0, 0.0, 0.0]);
        let scale = Scale::logarithmic((1.0, 100.0), (0.0, 100.0));
        assert_eq!([0.0, 1.0, 10.0, 100.0].map(|value| scale.at(value).round()), [0.0, 0.0, 50.0, 100.0]);
        // A scale without extent is still one.
        assert_eq!(Scale::linear((5.0, 5.0), (0.0, 10.0)).at(5.0), 0.0);
    }
}
