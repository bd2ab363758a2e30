//! Distributions of durations: of a link's latency, of a server's work.

use std::time::Duration;

use super::Draw;

/// z of the 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

/// How long something takes. Built by the checking constructors; sampled by one draw, by inverse transform.
///
/// ```
/// use squall::random::{Distribution, Draw};
/// use std::time::Duration;
/// let work = Distribution::lognormal(Duration::from_millis(4), Duration::from_millis(30))?;
/// assert_eq!(work.sample(Draw::new(0.5)).as_micros(), 4_000);
/// assert_eq!(work.sample(Draw::new(0.99)).as_micros(), 30_000);
/// # Ok::<(), squall::random::InvalidDistribution>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution(Shape);

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Constant(Duration),
    Uniform {
        low_ns: f64,
        high_ns: f64,
    },
    Exponential {
        mean_ns: f64,
    },
    Normal {
        mean_ns: f64,
        sd_ns: f64,
    },
    LogNormal {
        mu: f64,
        sigma: f64,
    },
    Pareto {
        min_ns: f64,
        shape: f64,
    },
    Quantiles(Vec<QuantilePoint>),
    /// Each with the share of samples that come from it or from those before.
    Mixture(Vec<(f64, Distribution)>),
}

/// One point of an empirical distribution: this share of all samples takes at most this long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantilePoint {
    /// The share of samples at or below `value`, in [0, 1].
    pub quantile: f64,
    /// The duration at this quantile.
    pub value: Duration,
}

/// Why parameters make no distribution.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDistribution {
    /// The bounds are the wrong way round.
    #[error("the lower bound {low:?} lies above the upper bound {high:?}")]
    Bounds {
        /// The bound given as the lower one.
        low: Duration,
        /// The bound given as the upper one.
        high: Duration,
    },
    /// The 99th percentile is not above the median.
    #[error("the median {median:?} must be above zero and at most the 99th percentile {p99:?}")]
    Percentiles {
        /// The median given.
        median: Duration,
        /// The 99th percentile given.
        p99: Duration,
    },
    /// A Pareto shape that is not positive, or a minimum of zero.
    #[error("a Pareto distribution needs a minimum above zero and a shape above zero")]
    Pareto,
    /// Quantiles that are empty or do not increase.
    #[error("quantiles need at least two points, with shares in [0, 1] and both shares and durations increasing")]
    Quantiles,
    /// Shares of a mixture that are no shares of one whole.
    #[error("the shares of a mixture must add up to 100%, not to {:.6}%", .sum * 100.0)]
    Mixture {
        /// What they add up to.
        sum: f64,
    },
}

impl Distribution {
    /// Always the same.
    #[must_use]
    pub const fn constant(value: Duration) -> Self {
        Self(Shape::Constant(value))
    }

    /// Anything between two bounds, equally likely.
    ///
    /// # Errors
    ///
    /// When `low` is above `high`.
    pub fn uniform(low: Duration, high: Duration) -> Result<Self, InvalidDistribution> {
        if low > high {
            return Err(InvalidDistribution::Bounds { low, high });
        }
        Ok(Self(Shape::Uniform { low_ns: nanos(low), high_ns: nanos(high) }))
    }

    /// Exponential with this mean: the memoryless distribution of queueing theory.
    #[must_use]
    pub fn exponential(mean: Duration) -> Self {
        Self(Shape::Exponential { mean_ns: nanos(mean) })
    }

    /// Normal; what would be negative is zero.
    #[must_use]
    pub fn normal(mean: Duration, sd: Duration) -> Self {
        Self(Shape::Normal { mean_ns: nanos(mean), sd_ns: nanos(sd) })
    }

    /// Lognormal, given by its median and 99th percentile.
    ///
    /// # Errors
    ///
    /// When the median is zero or above the 99th percentile.
    pub fn lognormal(median: Duration, p99: Duration) -> Result<Self, InvalidDistribution> {
        if median.is_zero() || p99 < median {
            return Err(InvalidDistribution::Percentiles { median, p99 });
        }
        let mu = libm::log(nanos(median));
        Ok(Self(Shape::LogNormal { mu, sigma: (libm::log(nanos(p99)) - mu) / Z99 }))
    }

    /// Pareto: at least `min`, with a tail that falls as `t^-shape`. A shape at or below 1 has no mean.
    ///
    /// # Errors
    ///
    /// When `min` or `shape` is not above zero.
    pub fn pareto(min: Duration, shape: f64) -> Result<Self, InvalidDistribution> {
        if min.is_zero() || !(shape > 0.0 && shape.is_finite()) {
            return Err(InvalidDistribution::Pareto);
        }
        Ok(Self(Shape::Pareto { min_ns: nanos(min), shape }))
    }

    /// Empirical: straight lines between the points in a plot of log(share above) against log(duration), as tails are
    /// usually drawn. Below the first point and above the last one it is constant.
    ///
    /// # Errors
    ///
    /// When there are fewer than two points, or shares or durations do not increase.
    pub fn quantiles(points: Vec<QuantilePoint>) -> Result<Self, InvalidDistribution> {
        let increasing = points.windows(2).all(|w| w[0].quantile < w[1].quantile && w[0].value <= w[1].value);
        let inside = points.iter().all(|p| (0.0..=1.0).contains(&p.quantile));
        if points.len() < 2 || !increasing || !inside {
            return Err(InvalidDistribution::Quantiles);
        }
        Ok(Self(Shape::Quantiles(points)))
    }

    /// One of several, each with its share: fast for most, slow for a few.
    ///
    /// # Errors
    ///
    /// When the shares do not add up to 1.
    pub fn mixture(parts: Vec<(f64, Self)>) -> Result<Self, InvalidDistribution> {
        let mut sum = 0.0;
        let mut cumulative = |(share, part)| {
            sum += share;
            (sum, part)
        };
        let parts: Vec<(f64, Self)> = parts.into_iter().map(&mut cumulative).collect();
        if (sum - 1.0).abs() > 1e-9 {
            return Err(InvalidDistribution::Mixture { sum });
        }
        Ok(Self(Shape::Mixture(parts)))
    }

    /// The value that `draw` stands for.
    #[must_use]
    pub fn sample(&self, draw: Draw) -> Duration {
        match &self.0 {
            Shape::Constant(value) => *value,
            Shape::Uniform { low_ns, high_ns } => duration(draw.between(*low_ns, *high_ns)),
            Shape::Exponential { mean_ns } => duration(mean_ns * draw.exponential()),
            Shape::Normal { mean_ns, sd_ns } => duration(mean_ns + sd_ns * draw.normal()),
            Shape::LogNormal { mu, sigma } => duration(libm::exp(mu + sigma * draw.normal())),
            Shape::Pareto { min_ns, shape } => duration(min_ns * libm::pow(1.0 - draw.value(), -1.0 / shape)),
            Shape::Quantiles(points) => interpolate(points, draw.value()),
            Shape::Mixture(parts) => mixed(parts, draw.value()),
        }
    }

    /// The value itself, if it is always the same: such a link needs no draw a packet.
    #[must_use]
    pub fn as_constant(&self) -> Option<Duration> {
        match self.0 {
            Shape::Constant(value) => Some(value),
            _ => None,
        }
    }
}

/// Zero, always.
impl Default for Distribution {
    fn default() -> Self {
        Self::constant(Duration::ZERO)
    }
}

/// One draw chooses the part, and what it leaves, stretched, is the draw of that part.
fn mixed(parts: &[(f64, Distribution)], share: f64) -> Duration {
    let place = parts.partition_point(|(below, _)| *below <= share).min(parts.len() - 1);
    let low = place.checked_sub(1).map_or(0.0, |before| parts[before].0);
    let (high, part) = &parts[place];
    part.sample(Draw::new(((share - low) / (high - low)).clamp(0.0, 1.0 - f64::EPSILON)))
}

fn interpolate(points: &[QuantilePoint], share: f64) -> Duration {
    let above = points.partition_point(|point| point.quantile <= share);
    let (Some(low), Some(high)) = (above.checked_sub(1).map(|i| points[i]), points.get(above)) else {
        return points[above.min(points.len() - 1)].value;
    };
    // A point at share 1 has no logarithm; the smallest tail a draw can reach stands for it.
    let tail = |quantile: f64| libm::log((1.0 - quantile).max(f64::EPSILON));
    let along = (tail(low.quantile) - tail(share)) / (tail(low.quantile) - tail(high.quantile));
    let (from, to) = (nanos(low.value).max(1.0), nanos(high.value).max(1.0));
    duration(libm::exp(libm::log(from) + (libm::log(to) - libm::log(from)) * along))
}

fn nanos(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}

/// Rounded to the nanosecond; what is negative becomes zero, what overflows the longest duration.
fn duration(nanos: f64) -> Duration {
    Duration::from_nanos(libm::rint(nanos.max(0.0)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    const MS: Duration = Duration::from_millis(1);

    fn mean_ms(distribution: &Distribution) -> f64 {
        let n = 200_000_u64;
        let total: f64 =
            (0..n).map(|i| distribution.sample(Key::from_seed(3).with(i).draw()).as_secs_f64() * 1e3).sum();
        total / n as f64
    }

    #[test]
    fn means_are_those_of_the_textbook() {
        let check = |distribution: Distribution, expected: f64| {
            let found = mean_ms(&distribution);
            assert!((found - expected).abs() < 0.01 * expected, "{distribution:?}: {found}, not {expected}");
        };
        check(Distribution::constant(5 * MS), 5.0);
        check(Distribution::uniform(MS, 3 * MS).unwrap(), 2.0);
        check(Distribution::exponential(5 * MS), 5.0);
        check(Distribution::normal(10 * MS, MS), 10.0);
        check(Distribution::pareto(MS, 3.0).unwrap(), 1.5);
        let sigma = libm::log(7.5) / Z99;
        check(Distribution::lognormal(4 * MS, 30 * MS).unwrap(), 4.0 * libm::exp(sigma * sigma / 2.0));
    }

    /// The mean of a mixture is that of its parts, weighed; each part keeps its own shape.
    #[test]
    fn a_mixture_is_each_of_its_parts_so_often() {
        let parts = vec![(0.9, Distribution::exponential(MS)), (0.1, Distribution::exponential(100 * MS))];
        let mixed = Distribution::mixture(parts).unwrap();
        let n = 200_000_u32;
        let draws = |i: u32| mixed.sample(Draw::new((f64::from(i) + 0.5) / f64::from(n))).as_secs_f64() * 1e3;
        let mean = (0..n).map(draws).sum::<f64>() / f64::from(n);
        assert!((mean - 10.9).abs() < 0.02, "{mean}");
        let slow = (0..n).filter(|i| draws(*i) > 20.0).count() as f64 / f64::from(n);
        assert!((slow - 0.1 * libm::exp(-0.2)).abs() < 1e-4, "{slow}");
        let short = Distribution::mixture(vec![(0.5, Distribution::constant(MS))]);
        assert_eq!(short, Err(InvalidDistribution::Mixture { sum: 0.5 }));
    }

    #[test]
    fn empirical_quantiles_pass_through_their_points() {
        let point = |quantile, ms: u32| QuantilePoint { quantile, value: ms * MS };
        let tail = Distribution::quantiles(vec![point(0.5, 2), point(0.98, 10), point(0.999, 100)]).unwrap();
        let at = |share| tail.sample(Draw::new(share)).as_secs_f64() * 1e3;
        for (share, ms) in [(0.1, 2.0), (0.5, 2.0), (0.98, 10.0), (0.9999, 100.0)] {
            assert!((at(share) - ms).abs() < 1e-3, "{share}: {}", at(share));
        }
        assert!(at(0.7) > 2.0 && at(0.7) < 10.0);
    }

    #[test]
    fn impossible_parameters_are_errors() {
        assert!(Distribution::uniform(2 * MS, MS).is_err());
        assert!(Distribution::lognormal(2 * MS, MS).is_err());
        assert!(Distribution::lognormal(Duration::ZERO, MS).is_err());
        assert!(Distribution::pareto(MS, 0.0).is_err());
        assert!(Distribution::pareto(MS, f64::NAN).is_err());
        assert!(Distribution::quantiles(vec![QuantilePoint { quantile: 0.5, value: MS }]).is_err());
    }

    proptest::proptest! {
        /// Inverse transform: a larger draw never gives a smaller value.
        #[test]
        fn samples_rise_with_the_draw(a in 0.0..1.0_f64, b in 0.0..1.0_f64) {
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            for distribution in [
                Distribution::exponential(MS),
                Distribution::normal(5 * MS, MS),
                Distribution::lognormal(MS, 9 * MS).unwrap(),
                Distribution::pareto(MS, 1.5).unwrap(),
            ] {
                proptest::prop_assert!(distribution.sample(Draw::new(low)) <= distribution.sample(Draw::new(high)));
            }
        }
    }
}
