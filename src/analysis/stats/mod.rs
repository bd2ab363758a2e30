//! Statistics over seeds: what a strategy does on average, how sure that is, and by how much one differs from another.
//!
//! Never a bare mean: every figure carries an interval of 95 % (the BCa bootstrap, widened where seeds are few). Two strategies are compared seed by
//! seed, since both met the same storm: their difference varies far less than either does.
//!
//! Rule: the same figures give the same interval on every machine. Resampling draws are keyed by their place, and the
//! functions of the normal distribution come from `libm`.

mod bca;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

pub use self::bca::Bootstrap;

/// A mean over seeds and the interval of 95 % that holds the true one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean of the seeds that had a figure; infinite if it was infinite for one.
    pub mean: f64,
    /// The lower end of the interval. With one seed, the mean.
    pub low: f64,
    /// The upper end of the interval. With one seed, the mean.
    pub high: f64,
}

impl Estimate {
    /// A figure that is known exactly.
    #[must_use]
    pub const fn point(value: f64) -> Self {
        Self { mean: value, low: value, high: value }
    }

    /// The same estimate of a figure that cannot lie outside `range`.
    #[must_use]
    pub fn within(self, range: RangeInclusive<f64>) -> Self {
        let end = |value: f64| value.clamp(*range.start(), *range.end());
        Self { mean: self.mean, low: end(self.low), high: end(self.high) }
    }

    /// The same estimate of the figure times -1.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { mean: -self.mean, low: -self.high, high: -self.low }
    }
}

impl Bootstrap {
    /// The mean of `values` with its interval; none without values.
    ///
    /// An infinite value (a trial that never recovered) makes the mean and both ends infinite: there is no telling how sure
    /// a mean would be that does not exist.
    pub fn estimate(&mut self, values: &[f64]) -> Option<Estimate> {
        let mean = mean(values)?;
        if !mean.is_finite() {
            return Some(Estimate::point(mean));
        }
        let (low, high) = self.interval(values, mean);
        Some(Estimate { mean, low, high })
    }

    /// The mean difference `a - b` of paired values with its interval, over the pairs that have both; none without such a
    /// pair, or if a mean is infinite.
    pub fn difference(&mut self, a: &[Option<f64>], b: &[Option<f64>]) -> Option<Estimate> {
        let differences: Vec<f64> = a.iter().zip(b).filter_map(|(a, b)| Some((*a)? - (*b)?)).collect();
        self.estimate(&differences).filter(|estimate| estimate.mean.is_finite())
    }
}

/// The mean; none without values.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / values.len() as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_and_no_spread_have_a_point_for_an_interval() {
        let mut bootstrap = Bootstrap::default();
        for values in [&[3.0][..], &[3.0; 20]] {
            assert_eq!(bootstrap.estimate(values), Some(Estimate::point(3.0)));
        }
        assert_eq!(bootstrap.estimate(&[]), None);
    }

    #[test]
    fn a_trial_that_never_recovered_has_no_finite_mean() {
        let mut bootstrap = Bootstrap::default();
        assert_eq!(bootstrap.estimate(&[1.0, f64::INFINITY]).unwrap().low, f64::INFINITY);
        assert_eq!(bootstrap.difference(&[Some(1.0)], &[Some(f64::INFINITY)]), None);
    }

    /// Seeds differ by hundreds, the strategies by one: pairing finds it.
    #[test]
    fn differences_are_taken_seed_by_seed() {
        let b: Vec<_> = (0..20).map(|seed| Some(f64::from(seed) * 100.0)).collect();
        let a: Vec<_> = (0..20).map(|seed| Some(f64::from(seed) * 100.0 + 1.0 + f64::from(seed % 3) * 0.1)).collect();
        let mut bootstrap = Bootstrap::default();
        let found = bootstrap.difference(&a, &b).unwrap();
        assert!(found.low > 1.0 && found.high < 1.2, "{found:?}");
        assert_eq!(bootstrap.difference(&[Some(1.0), None], &[None, Some(1.0)]), None);
    }
}
