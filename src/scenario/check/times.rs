//! Distributions and losses.

use std::time::Duration;

use super::Checker;
use crate::random::{Distribution, InvalidDistribution, Probability, QuantilePoint};
use crate::scenario::diagnostics::Span;
use crate::scenario::plan::Loss;
use crate::scenario::raw::{self, Field, LossModel, LossOr, ScalarOr, Share, Time, Times};

impl Checker<'_> {
    /// A distribution, or what stands for it when none is given.
    pub(super) fn times(&mut self, field: &Field<Times>, default: Duration) -> Distribution {
        let fallback = Distribution::constant(default);
        match field.with_span() {
            None => fallback,
            Some((ScalarOr::Scalar(time), _)) => Distribution::constant(time.0),
            Some((ScalarOr::Full(shape), span)) => self.distribution(shape, span).unwrap_or(fallback),
        }
    }

    fn distribution(&mut self, shape: &raw::Distribution, span: Span) -> Option<Distribution> {
        let built: Result<Distribution, InvalidDistribution> = match shape {
            raw::Distribution::Constant(time) => Ok(Distribution::constant(time.0)),
            raw::Distribution::Uniform(it) => {
                let (low, high) = self.pair((&it.low, "low"), (&it.high, "high"), span)?;
                Distribution::uniform(low, high)
            }
            raw::Distribution::Exponential(it) => {
                Ok(Distribution::exponential(self.required(&it.mean, "mean", span)?.0))
            }
            raw::Distribution::Normal(it) => {
                let (mean, sd) = self.pair((&it.mean, "mean"), (&it.sd, "sd"), span)?;
                Ok(Distribution::normal(mean, sd))
            }
            raw::Distribution::Lognormal(it) => {
                let (median, p99) = self.pair((&it.median, "median"), (&it.p99, "p99"), span)?;
                Distribution::lognormal(median, p99)
            }
            raw::Distribution::Pareto(it) => {
                let (min, shape) = (self.required(&it.min, "min", span), self.required(&it.shape, "shape", span));
                Distribution::pareto(min?.0, *shape?)
            }
            raw::Distribution::Quantiles(points) => {
                let points: Option<Vec<QuantilePoint>> = points.iter().map(|point| self.point(point)).collect();
                Distribution::quantiles(points?)
            }
            raw::Distribution::Mixture(parts) => {
                let parts: Option<Vec<_>> = parts.iter().map(|part| self.part(part)).collect();
                Distribution::mixture(parts?)
            }
        };
        built.map_err(|why| self.wrong(span, spoken(&why))).ok()
    }

    /// Two durations that must both be there; each is told when it is missing.
    fn pair(&mut self, a: (&Field<Time>, &str), b: (&Field<Time>, &str), span: Span) -> Option<(Duration, Duration)> {
        let (a, b) = (self.required(a.0, a.1, span).copied(), self.required(b.0, b.1, span).copied());
        Some((a?.0, b?.0))
    }

    fn point(&mut self, field: &Field<raw::Quantile>) -> Option<QuantilePoint> {
        let (point, span) = field.with_span()?;
        let (share, value) = (self.required(&point.share, "share", span), self.required(&point.value, "value", span));
        Some(QuantilePoint { quantile: share?.0.value(), value: value?.0 })
    }

    fn part(&mut self, field: &Field<raw::Part>) -> Option<(f64, Distribution)> {
        let (part, span) = field.with_span()?;
        let (share, of) = (self.required(&part.share, "share", span), self.required(&part.of, "of", span));
        let (share, of) = (share?.0.value(), of?);
        let of = match &**of {
            ScalarOr::Scalar(time) => Distribution::constant(time.0),
            ScalarOr::Full(shape) => self.distribution(shape, span)?,
        };
        Some((share, of))
    }

    /// How packets are lost; none when nothing is said.
    pub(super) fn loss(&mut self, field: &Field<LossOr>) -> Loss {
        let none = Loss::Independent(Probability::NEVER);
        match field.with_span() {
            None => none,
            Some((ScalarOr::Scalar(share), _)) => Loss::Independent(share.0),
            Some((ScalarOr::Full(LossModel::GilbertElliott(model)), span)) => {
                let share = |field: &Field<Share>, default| field.get().map_or(default, |share| share.0);
                let enter = self.required(&model.enter, "enter", span).copied();
                let leave = self.required(&model.leave, "leave", span).copied();
                let (Some(enter), Some(leave)) = (enter, leave) else { return none };
                Loss::GilbertElliott {
                    enter: enter.0,
                    leave: leave.0,
                    bad: share(&model.bad, Probability::ALWAYS),
                    good: share(&model.good, Probability::NEVER),
                }
            }
        }
    }
}

/// The reason in the units of the file.
fn spoken(why: &InvalidDistribution) -> String {
    use crate::scenario::units::show_duration as show;
    match why {
        InvalidDistribution::Bounds { low, high } => {
            format!("`low` ({}) lies above `high` ({})", show(*low), show(*high))
        }
        InvalidDistribution::Percentiles { median, p99 } => {
            format!("`median` ({}) must be above zero and at most `p99` ({})", show(*median), show(*p99))
        }
        other => other.to_string(),
    }
}
