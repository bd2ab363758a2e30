//! Judging one expectation of one strategy.
//!
//! An expectation on a mean passes if the whole interval of the mean satisfies it, fails if none of it does, and is
//! inconclusive if the bound lies inside. A comparison with another strategy is judged on the differences seed by seed. The
//! worst seed and shares of the seeds are taken as they are: they describe these seeds, they estimate nothing.

use serde::Serialize;

use super::figures::Figures;
use super::stats::{Bootstrap, Estimate, mean};
use super::verdict::{Policy, Verdict};
use super::witness::{Witness, witnesses};
use crate::scenario::metric::Better;
use crate::scenario::{Aggregate, Bound, Expectation, Metric, Op};

/// What came of an expectation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// As it was written.
    pub text: String,
    /// Its line in the scenario file.
    pub line: usize,
    /// What is measured, as it was written: `worst p99`.
    pub subject: String,
    /// The metric in it.
    #[serde(skip)]
    pub metric: Metric,
    /// How the figure is compared with the bound.
    #[serde(skip)]
    pub op: Op,
    /// What is to be said of it.
    pub verdict: Verdict,
    /// The figure, in the metric's unit; none if there was nothing to measure.
    pub observed: Option<Estimate>,
    /// What it had to be compared with; none if there was nothing to measure.
    pub bound: Option<f64>,
    /// Which share of the seeds must satisfy it, each on its own; none where a figure over all of them must.
    #[serde(skip)]
    pub share: Option<f64>,
    /// Whether the observed figure itself satisfies the bound, however unsure it is.
    pub holds: bool,
    /// The seeds whose own figure does not satisfy the bound, the worst first.
    pub failing_seeds: Vec<u64>,
    /// When calls are due that count, as `(from, to)` in nanoseconds, to `u64::MAX` for the end; none for the whole run.
    pub window_ns: Vec<(u64, u64)>,
    /// Calls of the first of the failing seeds that show why.
    pub witnesses: Vec<Witness>,
}

impl Judgement {
    /// Whether the run fails because of it.
    #[must_use]
    pub fn fails(&self, policy: Policy) -> bool {
        match (self.verdict, policy) {
            (Verdict::Pass, _) | (Verdict::Inconclusive, Policy::Pass) => false,
            (Verdict::Fail, _) | (Verdict::Inconclusive, Policy::Fail) => true,
            (Verdict::Inconclusive, Policy::ByFigure) => !self.holds,
        }
    }
}

/// Judges `expectation` of the strategy whose figures are `own`; `other` are those of the strategy it is compared with.
pub(super) fn judge(
    expectation: &Expectation,
    own: &Figures,
    other: Option<&Figures>,
    bootstrap: &mut Bootstrap,
) -> Judgement {
    let values = own.values_in(expectation.metric, expectation.errors, &expectation.scope);
    let bounds = bounds(expectation, other, values.len());
    let pairs: Vec<(u64, f64, f64)> = own
        .seeds()
        .zip(values.iter().zip(&bounds))
        .filter_map(|(seed, (value, bound))| Some((seed, (*value)?, (*bound)?)))
        .collect();
    let failing_seeds = failing_seeds(expectation.op, &pairs);
    let looked_at = failing_seeds.first().and_then(|seed| own.worst(*seed, &expectation.scope));
    let window = own.window(&expectation.scope).unwrap_or_default();
    let mut judgement = Judgement {
        text: expectation.text.clone(),
        line: expectation.line,
        subject: expectation.subject().to_owned(),
        metric: expectation.metric,
        op: expectation.op,
        verdict: Verdict::Inconclusive,
        observed: None,
        bound: None,
        share: match expectation.aggregate {
            Aggregate::Share(share) => Some(share),
            _ => None,
        },
        holds: false,
        failing_seeds,
        window_ns: window.iter().map(|range| (range.start, range.end)).collect(),
        witnesses: looked_at.map(|worst| witnesses(expectation, worst)).unwrap_or_default(),
    };
    if pairs.is_empty() {
        return judgement;
    }
    // Each seed is held against its own bound where seeds are counted, and the figure over all of them otherwise.
    let pairs = match judgement.share {
        Some(share) => vec![pairs[place_of_share(expectation.op, share, &pairs)]],
        None => pairs,
    };
    let observed: Vec<f64> = pairs.iter().map(|(_, value, _)| *value).collect();
    let expected: Vec<f64> = pairs.iter().map(|(_, _, bound)| *bound).collect();
    let own_figure = aggregate(expectation, &observed, bootstrap);
    let bound = aggregate(expectation, &expected, bootstrap);
    // The doubt that matters is that of the difference, not that of either figure.
    let margin = match (expectation.aggregate, &expectation.bound) {
        (Aggregate::Mean, Bound::Strategy { .. }) => {
            let differences: Vec<f64> = pairs.iter().map(|(_, value, bound)| value - bound).collect();
            bootstrap.estimate(&differences)
        }
        _ => None,
    };
    let (mean, low, high) = match (margin, own_figure, bound) {
        (Some(margin), Some(_), Some(_)) if margin.mean.is_finite() => (margin.mean, margin.low, margin.high),
        (_, Some(own), Some(bound)) => {
            // Infinite minus infinite is nothing; equal is equal.
            let minus = |end: f64| if end == bound.mean { 0.0 } else { end - bound.mean };
            (minus(own.mean), minus(own.low), minus(own.high))
        }
        _ => return judgement,
    };
    judgement.observed = own_figure;
    judgement.bound = bound.map(|bound| bound.mean);
    judgement.holds = expectation.op.holds(mean, 0.0);
    judgement.verdict = verdict(expectation.op, mean, low, high);
    judgement
}

/// `0 OP` is asked of a margin and of both ends of its interval.
fn verdict(op: Op, mean: f64, low: f64, high: f64) -> Verdict {
    let holds = op.holds(mean, 0.0);
    let agree = |end: f64| op.holds(end, 0.0) == holds;
    // A figure is never exactly its bound but by being constant: an interval has nothing to add.
    if matches!(op, Op::Equal | Op::NotEqual) || (agree(low) && agree(high)) {
        if holds { Verdict::Pass } else { Verdict::Fail }
    } else {
        Verdict::Inconclusive
    }
}

fn aggregate(expectation: &Expectation, values: &[f64], bootstrap: &mut Bootstrap) -> Option<Estimate> {
    let higher = expectation.metric.better() == Better::Higher;
    let point = match expectation.aggregate {
        Aggregate::Mean if !mean(values)?.is_finite() => mean(values),
        Aggregate::Mean => {
            return bootstrap.estimate(values).map(|estimate| estimate.within(expectation.metric.range()));
        }
        Aggregate::Worst => nth_best(values, higher, values.len()),
        Aggregate::Best => nth_best(values, higher, 1),
        // The seed that decides was chosen already.
        Aggregate::Share(_) => values.first().copied(),
    };
    point.map(Estimate::point)
}

/// The `n`-th best value, from 1.
fn nth_best(values: &[f64], higher: bool, n: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    if higher {
        sorted.reverse();
    }
    sorted.get(n.max(1) - 1).copied()
}

/// The place of the seed that decides whether a share of all seeds, in (0, 1], satisfies the bound: so many do as well as it
/// or better.
fn place_of_share(op: Op, share: f64, pairs: &[(u64, f64, f64)]) -> usize {
    let miss = |(_, value, bound): &(u64, f64, f64)| {
        // Infinite minus infinite is nothing; equal is equal.
        let above = if value == bound { 0.0 } else { value - bound };
        match op {
            Op::AtLeast | Op::Above => -above,
            Op::AtMost | Op::Below => above,
            Op::Equal => above.abs(),
            Op::NotEqual => -above.abs(),
        }
    };
    let mut places: Vec<usize> = (0..pairs.len()).collect();
    places.sort_by(|one, other| miss(&pairs[*one]).total_cmp(&miss(&pairs[*other])));
    // 0.9 of ten seeds are nine, whatever 0.9 is in binary.
    let count = libm::ceil(share * pairs.len() as f64 - 1e-9) as usize;
    places[count.clamp(1, pairs.len()) - 1]
}

/// What each seed's figure is compared with.
fn bounds(expectation: &Expectation, other: Option<&Figures>, count: usize) -> Vec<Option<f64>> {
    match expectation.bound {
        Bound::Value(value) => vec![Some(value); count],
        Bound::Strategy { times, .. } => other.map_or_else(
            || vec![None; count],
            |other| {
                let values = other.values_in(expectation.metric, expectation.errors, &expectation.scope);
                values.into_iter().map(|value| value.map(|value| value * times)).collect()
            },
        ),
    }
}

/// Seeds whose own figure does not satisfy the bound, by how far it is off.
fn failing_seeds(op: Op, pairs: &[(u64, f64, f64)]) -> Vec<u64> {
    let mut failing: Vec<(f64, u64)> = pairs
        .iter()
        .filter(|(_, value, bound)| !op.holds(*value, *bound))
        .map(|(seed, value, bound)| ((value - bound).abs(), *seed))
        .collect();
    failing.sort_by(|(far, seed), (other_far, other)| other_far.total_cmp(far).then(seed.cmp(other)));
    failing.into_iter().map(|(_, seed)| seed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::PartMetrics;
    use crate::scenario::{ErrorFilter, Scope, Strategies};

    /// Figures with so many OK calls out of a hundred, one entry a seed.
    fn figures(ok: &[u64]) -> Figures {
        let trial = |ok: &u64| PartMetrics { calls: 100, ok: *ok, span_ns: 1, ..PartMetrics::default() };
        Figures::by_hand(ok.iter().map(trial).collect())
    }

    fn expectation(aggregate: Aggregate, op: Op, bound: Bound) -> Expectation {
        Expectation {
            line: 1,
            text: String::new(),
            strategies: Strategies::All,
            metric: Metric::SuccessRate,
            errors: ErrorFilter::ANY,
            aggregate,
            scope: Scope::Whole,
            op,
            bound,
        }
    }

    fn check(ok: &[u64], aggregate: Aggregate, op: Op, bound: f64, verdict: Verdict, failing: &[u64]) {
        let expectation = expectation(aggregate, op, Bound::Value(bound));
        let judgement = judge(&expectation, &figures(ok), None, &mut Bootstrap::default());
        assert_eq!((judgement.verdict, &*judgement.failing_seeds), (verdict, failing), "{ok:?} {expectation:?}");
    }

    #[test]
    fn a_mean_is_judged_with_its_interval() {
        use Verdict::{Fail, Inconclusive, Pass};
        check(&[99, 99, 98, 99], Aggregate::Mean, Op::AtLeast, 0.95, Pass, &[]);
        check(&[97, 97, 96, 97], Aggregate::Mean, Op::AtLeast, 0.999, Fail, &[3, 1, 2, 4]);
        check(&[90, 99, 95, 97, 93], Aggregate::Mean, Op::AtLeast, 0.95, Inconclusive, &[1, 5]);
        check(&[100, 100], Aggregate::Mean, Op::Equal, 1.0, Pass, &[]);
        check(&[100, 99], Aggregate::Mean, Op::Equal, 1.0, Fail, &[2]);
        check(&[], Aggregate::Mean, Op::AtLeast, 0.5, Inconclusive, &[]);
    }

    #[test]
    fn other_aggregates_are_taken_as_they_are() {
        check(&[90, 100], Aggregate::Worst, Op::AtLeast, 0.95, Verdict::Fail, &[1]);
        check(&[90, 100], Aggregate::Best, Op::AtLeast, 0.95, Verdict::Pass, &[1]);
        // Two of three seeds hold: a share of 60 % is satisfied, one of 70 % is not.
        check(&[90, 96, 100], Aggregate::Share(0.6), Op::AtLeast, 0.95, Verdict::Pass, &[1]);
        check(&[90, 96, 100], Aggregate::Share(0.7), Op::AtLeast, 0.95, Verdict::Fail, &[1]);
        check(&[90, 96, 100], Aggregate::Share(0.3), Op::AtMost, 0.95, Verdict::Pass, &[3, 2]);
        check(&[90, 96, 100], Aggregate::Share(0.4), Op::AtMost, 0.95, Verdict::Fail, &[3, 2]);
        // One of four is equal; that one lies between the others is no merit of theirs.
        check(&[98, 98, 99, 100], Aggregate::Share(0.25), Op::Equal, 0.99, Verdict::Pass, &[1, 2, 4]);
        check(&[98, 98, 99, 100], Aggregate::Share(0.75), Op::Equal, 0.99, Verdict::Fail, &[1, 2, 4]);
        check(&[98, 98, 99, 100], Aggregate::Share(0.75), Op::NotEqual, 0.99, Verdict::Pass, &[3]);
    }

    /// One seed of two is better, and the worst of the one strategy is better than the worst of the other all the same.
    #[test]
    fn seeds_are_counted_each_against_its_own_bound() {
        let (own, other) = (figures(&[90, 99]), figures(&[95, 80]));
        for (share, verdict) in [(0.5, Verdict::Pass), (1.0, Verdict::Fail)] {
            let bound = Bound::Strategy { strategy: 1, times: 1.0 };
            let expectation = expectation(Aggregate::Share(share), Op::AtLeast, bound);
            let judgement = judge(&expectation, &own, Some(&other), &mut Bootstrap::default());
            assert_eq!((judgement.verdict, judgement.failing_seeds), (verdict, vec![1]), "{share}");
        }
    }

    /// Each seed is five points better, though the seeds differ by far more: pairing makes that certain.
    #[test]
    fn strategies_are_compared_seed_by_seed() {
        let (better, worse) = (figures(&[95, 55, 75, 35]), figures(&[90, 50, 70, 30]));
        let beats = |times| expectation(Aggregate::Mean, Op::Above, Bound::Strategy { strategy: 1, times });
        let verdict = |own: &Figures, other: &Figures, times| {
            judge(&beats(times), own, Some(other), &mut Bootstrap::default()).verdict
        };
        assert_eq!(verdict(&better, &worse, 1.0), Verdict::Pass);
        assert_eq!(verdict(&worse, &better, 1.0), Verdict::Fail);
        assert_eq!(verdict(&better, &worse, 2.0), Verdict::Fail);
        // A strategy does not beat itself.
        assert_eq!(verdict(&better, &better, 1.0), Verdict::Fail);
    }

    #[test]
    fn the_policy_decides_what_is_inconclusive() {
        let expectation = expectation(Aggregate::Mean, Op::AtLeast, Bound::Value(0.95));
        let judged = |ok: &[u64]| judge(&expectation, &figures(ok), None, &mut Bootstrap::default());
        let (below, above) = (judged(&[90, 99, 95, 97, 93]), judged(&[91, 99, 96, 97, 94]));
        for (policy, expected) in
            [(Policy::ByFigure, [true, false]), (Policy::Pass, [false; 2]), (Policy::Fail, [true; 2])]
        {
            assert_eq!([below.fails(policy), above.fails(policy)], expected, "{policy:?}");
        }
    }
}
