//! The BCa bootstrap interval of a mean (Efron: "Better bootstrap confidence intervals", 1987).
//!
//! Latencies and recovery times are skewed and seeds are few: an interval of "mean plus or minus two standard errors" would
//! lean the wrong way. The bootstrap asks the data instead: means of resampled seeds spread as the mean itself would.
//! BCa then corrects for bias (the resampled means' median is not the mean) and acceleration (the spread grows with the
//! value), the latter from a jackknife.
//!
//! With few seeds a bootstrap is too sure of itself: five values never resample beyond their own range, and an interval of
//! nominally 95 % holds the truth in 83 %. Percentiles are therefore expanded to those of Student's t (Hesterberg: "What
//! Teachers Should Know About the Bootstrap", 2015, section 4.3), and below [`FEW`] values the interval is at least Student's
//! own: two strategies that are the same look different in one comparison of twenty, not in one of six.

use std::collections::BTreeMap;

use crate::random::{Draw, Key};

/// How many resamples. Their 2.5 % quantile is known to a few percent of the interval's width; more would not show.
const RESAMPLES: usize = 2000;

/// Below so many values a bootstrap alone cannot reach as far as it must: `tests::intervals_hold_the_truth_as_often_as_they_say`.
const FEW: usize = 10;

/// Resampled means, with the picks of each number of values kept: a scenario asks for hundreds of intervals over the same
/// seeds. Sharing picks also means that two metrics of one comparison are shaken by the same hand.
#[derive(Debug, Default)]
pub struct Bootstrap {
    /// For each number of values seen so far: the places that each resample picks, one resample after another.
    picks: BTreeMap<usize, Vec<u32>>,
}

impl Bootstrap {
    /// The interval that holds the mean behind `values` in 95 of 100 cases. A point if they are all equal.
    pub(super) fn interval(&mut self, values: &[f64], mean: f64) -> (f64, f64) {
        if values.iter().all(|value| *value == values[0]) {
            return (values[0], values[0]);
        }
        let mut means = self.resampled_means(values);
        let bias = bias(&means, mean);
        let acceleration = acceleration(values, mean);
        let count = values.len();
        let t = student(count - 1);
        let reach = t * libm::sqrt(count as f64 / (count as f64 - 1.0));
        let mut end = |deviate: f64| {
            let z = bias + deviate;
            let shifted = normal_cdf(bias + z / (1.0 - acceleration * z));
            *means.select_nth_unstable_by(Draw::new(shifted).index(RESAMPLES), f64::total_cmp).1
        };
        let (low, high) = (end(-reach), end(reach));
        if count >= FEW {
            return (low, high);
        }
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let half = t * libm::sqrt(squares / (count as f64 - 1.0) / count as f64);
        (low.min(mean - half), high.max(mean + half))
    }

    fn resampled_means(&mut self, values: &[f64]) -> Vec<f64> {
        let count = values.len();
        let picks = self.picks.entry(count).or_insert_with(|| picks(count));
        let mean = |resample: &[u32]| resample.iter().map(|place| values[*place as usize]).sum::<f64>() / count as f64;
        picks.chunks_exact(count).map(mean).collect()
    }
}

fn picks(count: usize) -> Vec<u32> {
    let root = Key::from_seed(0).named("bootstrap").with(count as u64);
    (0..(RESAMPLES * count) as u64).map(|place| root.with(place).draw().index(count) as u32).collect()
}

/// How far the resampled means lie to one side of the mean, as a normal deviate. Ties count half to either side.
fn bias(means: &[f64], mean: f64) -> f64 {
    let below = means.iter().filter(|resampled| **resampled < mean).count();
    let ties = means.iter().filter(|resampled| **resampled == mean).count();
    let share = (below as f64 + ties as f64 / 2.0) / RESAMPLES as f64;
    // A share of 0 or 1 would be infinitely biased; it only means that there were too few resamples to tell.
    let least = 0.5 / RESAMPLES as f64;
    Draw::new(share.clamp(least, 1.0 - least)).normal()
}

/// The skewness of the jackknife, over six.
fn acceleration(values: &[f64], mean: f64) -> f64 {
    let count = values.len() as f64;
    // The mean without one value differs from the mean by (mean - value) / (n - 1); their own mean is the mean.
    let (squares, cubes) = values.iter().fold((0.0, 0.0), |(squares, cubes), value| {
        let shift = (value - mean) / (count - 1.0);
        (squares + shift * shift, cubes + shift * shift * shift)
    });
    cubes / (6.0 * squares * libm::sqrt(squares))
}

/// The 97.5 % quantile of Student's t distribution with `freedom` degrees of freedom, at least one: from a table, and by the
/// expansion of Cornish and Fisher where that is good to three decimals.
fn student(freedom: usize) -> f64 {
    const TABLE: [f64; 9] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];
    if let Some(known) = TABLE.get(freedom - 1) {
        return *known;
    }
    let (z, v) = (1.959_964_f64, freedom as f64);
    let (z3, z5, z7) = (z * z * z, z * z * z * z * z, z * z * z * z * z * z * z);
    z + (z3 + z) / (4.0 * v)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * v * v)
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * v * v * v)
}

/// The cumulative distribution function of the standard normal distribution.
fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often an interval of 95 % from `seeds` draws holds the true mean.
    fn coverage(seeds: usize, true_mean: f64, draw: impl Fn(Draw) -> f64) -> f64 {
        let runs = 400;
        let mut bootstrap = Bootstrap::default();
        let held = (0..runs).filter(|run| {
            let key = Key::from_seed(7).named("coverage").with(*run);
            let values: Vec<f64> = (0..seeds).map(|seed| draw(key.with(seed as u64).draw())).collect();
            let (low, high) = bootstrap.interval(&values, super::super::mean(&values).unwrap());
            (low..=high).contains(&true_mean)
        });
        held.count() as f64 / runs as f64
    }

    /// Nominally 95 %. The bootstrap is known to fall short with few, skewed values; the table says by how much at most.
    #[test]
    fn intervals_hold_the_truth_as_often_as_they_say() {
        let uniform = |draw: Draw| draw.value();
        let exponential = |draw: Draw| draw.exponential();
        let normal = |draw: Draw| draw.normal();
        let lognormal = |draw: Draw| libm::exp(0.5 * draw.normal());
        let lognormal_mean = libm::exp(0.125);
        let table = [
            ("normal", 3, coverage(3, 0.0, normal), 0.92),
            ("normal", 5, coverage(5, 0.0, normal), 0.92),
            ("normal", 20, coverage(20, 0.0, normal), 0.92),
            ("normal", 50, coverage(50, 0.0, normal), 0.92),
            ("uniform", 20, coverage(20, 0.5, uniform), 0.92),
            ("exponential", 5, coverage(5, 1.0, exponential), 0.84),
            ("exponential", 20, coverage(20, 1.0, exponential), 0.88),
            ("exponential", 50, coverage(50, 1.0, exponential), 0.90),
            ("lognormal", 20, coverage(20, lognormal_mean, lognormal), 0.90),
        ];
        for (name, seeds, observed, least) in table {
            assert!((least..=0.985).contains(&observed), "{name} with {seeds} seeds: {observed}");
        }
    }

    /// A right-skewed sample leaves more room above the mean than below it.
    #[test]
    fn the_interval_leans_with_the_data() {
        let values: Vec<f64> = (0..30).map(|n| Draw::new((f64::from(n) + 0.5) / 30.0).exponential()).collect();
        let mean = values.iter().sum::<f64>() / 30.0;
        let (low, high) = Bootstrap::default().interval(&values, mean);
        assert!(high - mean > 1.1 * (mean - low), "{low} {mean} {high}");
    }

    #[test]
    fn student_meets_its_table() {
        for (freedom, expected) in [(1, 12.706), (4, 2.776), (10, 2.228), (19, 2.093), (99, 1.984)] {
            assert!((student(freedom) - expected).abs() < 1e-3, "{freedom}: {}", student(freedom));
        }
    }

    #[test]
    fn the_normal_cdf_meets_its_table() {
        for (z, expected) in [(0.0, 0.5), (1.0, 0.841_344_746), (-1.959_963_985, 0.025), (3.0, 0.998_650_102)] {
            assert!((normal_cdf(z) - expected).abs() < 1e-9, "{z}");
        }
    }
}
