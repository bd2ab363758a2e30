//! Where suites run: scenarios on the real stack, over all cores, and whatever else many seeds are needed for.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Bins;
use crate::analysis::{Scopes, TrialFold, TrialMetrics};
use crate::experiment::{self, ExperimentError, Fold, Job};
use crate::record::{Event, Sink};
use crate::scenario::{Alone, Diagnostics, Plan, parse};
use crate::trial::TrialSpec;

/// Threads to run on, and a way to stop.
#[derive(Clone, Copy, Debug)]
pub struct Lab<'l> {
    threads: usize,
    cancelled: &'l AtomicBool,
}

/// Why a suite could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The parameters make no scenario.
    #[error("these parameters make no scenario:\n{}", .0.render(false, 100))]
    Scenario(Diagnostics),
    /// A trial failed.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A program on the network failed.
    #[error("a program on the simulated network failed: {0}")]
    Program(String),
}

/// What one trial came to: figures, and success by the second.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) metrics: TrialMetrics,
    pub(super) bins: Bins,
}

impl<'l> Lab<'l> {
    /// A lab of so many threads, at least one, that begins nothing new once `cancelled` is set.
    #[must_use]
    pub const fn new(threads: usize, cancelled: &'l AtomicBool) -> Self {
        Self { threads, cancelled }
    }

    /// Runs every strategy of a scenario with seeds 1 to `seeds`: for each strategy, its trials.
    pub(super) fn scenario(&self, text: &str, seeds: u64) -> Result<Vec<Vec<Run>>, LabError> {
        self.plan(&plan(text)?, seeds)
    }

    /// The same for a plan.
    pub(super) fn plan(&self, plan: &Plan, seeds: u64) -> Result<Vec<Vec<Run>>, LabError> {
        let strategies = 0..plan.strategies.len();
        let jobs: Vec<Job<'_>> = strategies
            .flat_map(|strategy| (1..=seeds).map(move |seed| TrialSpec { strategy, seed, control: false }))
            .map(|spec| Job { plan, spec })
            .collect();
        let parts = Arc::new(Scopes::of(plan).parts().clone());
        let make = |header: &_| Both(TrialFold::new(header, Arc::clone(&parts)), Bins::default());
        let runs = experiment::run(&jobs, self.threads, make, |_, _| (), self.cancelled)?;
        let mut runs = runs.into_iter();
        Ok(plan.strategies.iter().map(|_| runs.by_ref().take(seeds as usize).collect()).collect())
    }

    /// Runs `one` for seeds 1 to `seeds`: the results, in order.
    pub(super) fn seeds<T: Send>(
        &self,
        seeds: u64,
        one: impl Fn(u64) -> Result<T, LabError> + Sync,
    ) -> Result<Vec<T>, LabError> {
        let next = AtomicUsize::new(1);
        let done = Mutex::new(Vec::new());
        let work = || {
            while !self.cancelled.load(Ordering::Relaxed) {
                let seed = next.fetch_add(1, Ordering::Relaxed) as u64;
                if seed > seeds {
                    break;
                }
                let result = one(seed);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((seed, result));
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads.max(1) {
                scope.spawn(work);
            }
            work();
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        if done.len() as u64 != seeds {
            return Err(ExperimentError::Interrupted.into());
        }
        done.sort_by_key(|(seed, _)| *seed);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

/// The plan of a scenario that stands alone.
pub(super) fn plan(text: &str) -> Result<Plan, LabError> {
    parse("validation.yaml", text, &Alone).map_err(LabError::Scenario)
}

/// A figure of each trial.
pub(super) fn each(runs: &[Run], figure: impl Fn(&Run) -> f64) -> Vec<f64> {
    runs.iter().map(figure).collect()
}

struct Both(TrialFold, Bins);

impl Sink for Both {
    fn event(&mut self, event: &Event) {
        self.0.event(event);
        self.1.event(event);
    }
}

impl Fold for Both {
    type Output = Run;

    fn finish(self) -> Run {
        Run { metrics: self.0.finish(), bins: self.1 }
    }
}
