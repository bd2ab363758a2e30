//! The outcome of a scenario: everything that a report may say, in the order in which it says it.
//!
//! Rule: an outcome depends on the trials' figures alone, and on the order of strategies and seeds in the plan; not on who ran
//! them, where, or when they finished.

use std::collections::BTreeMap;

use super::expectation::{self, Judgement};
use super::figures::Figures;
use super::latency::{CURVE, Latency};
use super::pareto::{Dominance, front};
use super::ranking::{Rank, ranking};
use super::scopes::Scopes;
use super::series::{Series, median};
use super::stats::{Bootstrap, Estimate};
use super::trial::{FaultWindow, TrialMetrics};
use super::verdict::{Policy, Verdict};
use crate::scenario::{Bound, Metric, Plan, Strategies};

/// One trial that was run, as it is judged.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'m> {
    /// Its strategy, by its place in the plan.
    pub strategy: usize,
    /// Its seed.
    pub seed: u64,
    /// Whether it is the control twin.
    pub control: bool,
    /// Its figures.
    pub metrics: &'m TrialMetrics,
}

/// What came of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioOutcome {
    /// The scenario's name.
    pub name: String,
    /// What it teaches.
    pub about: String,
    /// Its file, as the user named it.
    pub file: String,
    /// How long load was offered, in nanoseconds.
    pub duration_ns: u64,
    /// The seeds that were run.
    pub seeds: Vec<u64>,
    /// The declared faults, in the order of the file.
    pub faults: Vec<FaultOutcome>,
    /// When they held, in the first trial.
    pub fault_windows: Vec<FaultWindow>,
    /// The strategies that were run, in the order of the file.
    pub strategies: Vec<StrategyOutcome>,
    /// Every pair of strategies, compared seed by seed.
    pub comparisons: Vec<Comparison>,
    /// Who beats whom, the best first; empty with a single strategy.
    pub ranking: Vec<Rank>,
    /// Who is on the Pareto front of success, tail and price, and who is dominated by whom; in the order of the file.
    pub front: Vec<Dominance>,
}

/// What came of a declared fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultOutcome {
    /// What reports call it.
    pub id: String,
    /// What it does.
    pub kind: String,
    /// Its line in the file.
    pub line: u32,
    /// What it applied to, over all strategies and seeds.
    pub matched: u64,
    /// What it changed, over all strategies and seeds.
    pub fired: u64,
    /// Whether the run is good even if it never fires.
    pub may_not_fire: bool,
}

/// What came of a strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct StrategyOutcome {
    /// Its name.
    pub name: String,
    /// Its figures over the whole run; a metric that had nothing to measure in any seed is missing.
    pub metrics: BTreeMap<Metric, Figure>,
    /// Failed calls of all seeds, under names such as `UNAVAILABLE/network`.
    pub errors: BTreeMap<String, u64>,
    /// How it went over time, all seeds together.
    pub series: Series,
    /// The quantiles [`CURVE`](super::CURVE) of latency in nanoseconds, each that of the median seed.
    pub latency_ns: Vec<u64>,
    /// The expectations it was held to, in the order of the file.
    pub expectations: Vec<Judgement>,
    /// The name of each trial's log, seed by seed.
    pub fingerprints: Vec<(u64, u64)>,
}

/// A metric over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The mean over the seeds that had a figure.
    pub estimate: Estimate,
    /// How many seeds had an infinite figure: trials that never recovered.
    pub never: usize,
}

/// How much two strategies differ in a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// In what.
    pub metric: Metric,
    /// The strategy whose figure comes first.
    pub a: String,
    /// The one whose figure is taken from it.
    pub b: String,
    /// The mean of `a - b` over seeds.
    pub difference: Estimate,
}

/// The metrics in which strategies are compared.
const COMPARED: [Metric; 10] = [
    Metric::SuccessRate,
    Metric::Goodput,
    Metric::Amplification,
    Metric::WastedWork,
    Metric::P50,
    Metric::P99,
    Metric::P999,
    Metric::Recovery,
    Metric::LostAcknowledged,
    Metric::Duplicates,
];

/// Judges the trials of one scenario; control twins may be among them. Strategies without a trial are left out, and with
/// them every expectation that compares with them.
#[must_use]
pub fn judge(plan: &Plan, trials: &[Trial<'_>]) -> ScenarioOutcome {
    let scopes = Scopes::of(plan);
    let mut bootstrap = Bootstrap::default();
    let figures: Vec<Option<Figures>> =
        (0..plan.strategies.len()).map(|strategy| figures(&scopes, strategy, trials)).collect();
    let run = |strategy: &usize| figures[*strategy].is_some();
    let strategies: Vec<StrategyOutcome> = (0..plan.strategies.len())
        .filter(run)
        .map(|strategy| strategy_outcome(plan, strategy, &figures, trials, &mut bootstrap))
        .collect();
    let comparisons = comparisons(plan, &figures, &mut bootstrap);
    let names: Vec<&str> = strategies.iter().map(|strategy| strategy.name.as_str()).collect();
    let ranking = ranking(&names, &comparisons);
    let front = front(&strategies, &comparisons);
    let ran: Vec<&Trial<'_>> = trials.iter().filter(|trial| !trial.control).collect();
    let mut seeds: Vec<u64> = ran.iter().map(|trial| trial.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    ScenarioOutcome {
        name: plan.name.clone(),
        about: plan.about.clone(),
        file: plan.file.clone(),
        duration_ns: super::scopes::nanos(plan.duration),
        seeds,
        faults: fault_outcomes(plan, &ran),
        fault_windows: ran.first().map(|trial| trial.metrics.fault_windows.clone()).unwrap_or_default(),
        strategies,
        comparisons,
        ranking,
        front,
    }
}

fn figures(scopes: &Scopes, strategy: usize, trials: &[Trial<'_>]) -> Option<Figures> {
    let mut figures = Figures::new(scopes.clone());
    let mut own: Vec<&Trial<'_>> = trials.iter().filter(|trial| trial.strategy == strategy).collect();
    own.sort_by_key(|trial| (trial.seed, trial.control));
    for trial in own.iter().filter(|trial| !trial.control) {
        let twin = own.iter().find(|twin| twin.control && twin.seed == trial.seed);
        figures.push(trial.seed, trial.metrics, twin.map(|twin| twin.metrics));
    }
    if own.iter().all(|trial| trial.control) { None } else { Some(figures) }
}

fn strategy_outcome(
    plan: &Plan,
    strategy: usize,
    figures: &[Option<Figures>],
    trials: &[Trial<'_>],
    bootstrap: &mut Bootstrap,
) -> StrategyOutcome {
    let own_trials = || trials.iter().filter(|trial| trial.strategy == strategy && !trial.control);
    let mut outcome = StrategyOutcome {
        name: plan.strategies[strategy].name.clone(),
        metrics: BTreeMap::new(),
        errors: BTreeMap::new(),
        series: Series::pooled(&own_trials().map(|trial| &trial.metrics.series).collect::<Vec<_>>()),
        latency_ns: latency(&own_trials().map(|trial| &trial.metrics.whole().latency).collect::<Vec<_>>()),
        expectations: Vec::new(),
        fingerprints: Vec::new(),
    };
    for trial in own_trials() {
        for (name, count) in &trial.metrics.whole().errors {
            *outcome.errors.entry(name.clone()).or_default() += count;
        }
        outcome.fingerprints.push((trial.seed, trial.metrics.fingerprint));
    }
    outcome.fingerprints.sort_unstable();
    let Some(own) = &figures[strategy] else { return outcome };
    for metric in Metric::ALL {
        let values: Vec<f64> = own.values(metric).into_iter().flatten().collect();
        if let Some(estimate) = bootstrap.estimate(&values) {
            let never = values.iter().filter(|value| value.is_infinite()).count();
            outcome.metrics.insert(metric, Figure { estimate: estimate.within(metric.range()), never });
        }
    }
    for expectation in &plan.expectations {
        let concerned = match expectation.strategies {
            Strategies::All => true,
            Strategies::One(one) => one == strategy,
        };
        let other = match expectation.bound {
            Bound::Value(_) => Some(None),
            Bound::Strategy { strategy, .. } => figures[strategy].as_ref().map(Some),
        };
        if let (true, Some(other)) = (concerned, other) {
            outcome.expectations.push(expectation::judge(expectation, own, other, bootstrap));
        }
    }
    outcome
}

/// The median seed's curve, over the seeds that had calls.
fn latency(seeds: &[&Latency]) -> Vec<u64> {
    let seeds: Vec<&&Latency> = seeds.iter().filter(|latency| latency.count > 0).collect();
    let median = |place: usize| {
        median(seeds.iter().map(|latency| latency.curve_ns.get(place).copied().unwrap_or_default()).collect())
    };
    if seeds.is_empty() { Vec::new() } else { (0..CURVE.len()).map(median).collect() }
}

fn fault_outcomes(plan: &Plan, ran: &[&Trial<'_>]) -> Vec<FaultOutcome> {
    let counted = |fault: usize, pick: fn(&super::trial::FaultCount) -> u64| {
        ran.iter().filter_map(|trial| trial.metrics.faults.get(fault)).map(pick).sum()
    };
    plan.faults
        .iter()
        .enumerate()
        .map(|(place, fault)| FaultOutcome {
            id: fault.id.clone(),
            kind: fault.kind.name().to_owned(),
            line: u32::try_from(fault.line).unwrap_or(u32::MAX),
            matched: counted(place, |count| count.matched),
            fired: counted(place, |count| count.fired),
            may_not_fire: fault.may_not_fire,
        })
        .collect()
}

fn comparisons(plan: &Plan, figures: &[Option<Figures>], bootstrap: &mut Bootstrap) -> Vec<Comparison> {
    let run: Vec<(&str, &Figures)> = plan
        .strategies
        .iter()
        .zip(figures)
        .filter_map(|(strategy, figures)| Some((strategy.name.as_str(), figures.as_ref()?)))
        .collect();
    let mut comparisons = Vec::new();
    for metric in COMPARED {
        let values: Vec<_> = run.iter().map(|(_, figures)| figures.values(metric)).collect();
        for (first, (a, _)) in run.iter().enumerate() {
            for (second, (b, _)) in run.iter().enumerate().skip(first + 1) {
                if let Some(difference) = bootstrap.difference(&values[first], &values[second]) {
                    comparisons.push(Comparison { metric, a: (*a).to_owned(), b: (*b).to_owned(), difference });
                }
            }
        }
    }
    comparisons
}

impl FaultOutcome {
    /// Whether it was declared and never bit.
    #[must_use]
    pub const fn never_fired(&self) -> bool {
        self.fired == 0 && !self.may_not_fire
    }
}

impl ScenarioOutcome {
    /// What is to be said of the scenario as a whole.
    #[must_use]
    pub fn verdict(&self, policy: Policy) -> Verdict {
        let judgements = || self.strategies.iter().flat_map(|strategy| &strategy.expectations);
        let failed = self.faults.iter().any(FaultOutcome::never_fired) || judgements().any(|one| one.fails(policy));
        if failed {
            Verdict::Fail
        } else if judgements().any(|one| one.verdict == Verdict::Inconclusive) && policy != Policy::Pass {
            Verdict::Inconclusive
        } else {
            Verdict::Pass
        }
    }
}
