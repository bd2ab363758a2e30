//! Where suites run: scenarios on the real stack, over all cores, and whatever else many seeds are needed for.
//!
//! Rule: results come in the order of what was asked for, so they are the same on any number of threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ScopedJoinHandle;

use super::Bins;
use super::gate::Gate;
use super::run::Run;
use super::{Finding, Params, Suite};
use crate::analysis::{Scopes, TrialFold};
use crate::experiment::{self, ExperimentError, Job};
use crate::scenario::{Alone, Diagnostics, Plan, parse};
use crate::trial::TrialSpec;

/// Threads to run on, and a way to stop.
#[derive(Clone, Debug)]
pub struct Lab<'l> {
    threads: usize,
    gate: Arc<Gate>,
    /// When the suite that is run here has its turn at the gate.
    turn: u32,
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

impl<'l> Lab<'l> {
    /// A lab of so many threads, at least one, that begins nothing new once `cancelled` is set.
    #[must_use]
    pub fn new(threads: usize, cancelled: &'l AtomicBool) -> Self {
        let threads = threads.max(1);
        Self { threads, gate: Arc::new(Gate::new(threads)), turn: 0, cancelled }
    }

    /// Runs suites side by side, those that cost most first, and hands over what each found, in the order they are given.
    ///
    /// # Errors
    ///
    /// The first, in that order, that could not be run, or whatever `done` returns; nothing new begins then.
    pub fn suites<E: From<LabError>>(
        &self,
        suites: &[(&'static Suite, Params)],
        mut done: impl FnMut(&'static Suite, Vec<Finding>) -> Result<(), E>,
    ) -> Result<(), E> {
        std::thread::scope(|scope| {
            let running: Vec<_> = suites
                .iter()
                .map(|(suite, params)| {
                    let lab = Self { turn: u32::MAX - suite.cost, ..self.clone() };
                    (*suite, scope.spawn(move || (suite.run)(&lab, params)))
                })
                .collect();
            let hand_over = || {
                for (suite, running) in running {
                    done(suite, joined(running)?)?;
                }
                Ok(())
            };
            let result = hand_over();
            self.gate.close();
            result
        })
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
        let make = |header: &_| (TrialFold::new(header, Arc::clone(&parts)), Bins::default());
        let runs = self.each(jobs.len(), |place| Ok(experiment::one(&jobs[place], make)?))?;
        let mut runs = runs.into_iter();
        Ok(plan.strategies.iter().map(|_| runs.by_ref().take(seeds as usize).collect()).collect())
    }

    /// Runs `one` for seeds 1 to `seeds`: the results, in order.
    pub(super) fn seeds<T: Send>(
        &self,
        seeds: u64,
        one: impl Fn(u64) -> Result<T, LabError> + Sync,
    ) -> Result<Vec<T>, LabError> {
        self.each(seeds as usize, |place| one(place as u64 + 1))
    }

    /// Works on all of `items` at the same time, each a chain of trials of its own: the results, in order.
    pub(super) fn chains<I: Sync, T: Send>(
        &self,
        items: &[I],
        one: impl Fn(&I) -> Result<T, LabError> + Sync,
    ) -> Result<Vec<T>, LabError> {
        std::thread::scope(|scope| {
            let running: Vec<_> = items.iter().map(|item| scope.spawn(|| one(item))).collect();
            running.into_iter().map(joined).collect()
        })
    }

    /// Runs `one` so many times, each with leave from the gate: the results, in order.
    fn each<T: Send>(
        &self,
        count: usize,
        one: impl Fn(usize) -> Result<T, LabError> + Sync,
    ) -> Result<Vec<T>, LabError> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        let work = || {
            loop {
                // Work is claimed before leave is asked for: who finds none left need not wait for it.
                let place = next.fetch_add(1, Ordering::Relaxed);
                if place >= count {
                    break;
                }
                let Some(_permit) = self.gate.enter(self.turn) else { break };
                if self.cancelled.load(Ordering::Relaxed) {
                    break;
                }
                let result = one(place);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((place, result));
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads.min(count) {
                scope.spawn(work);
            }
            work();
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        if done.len() != count {
            return Err(ExperimentError::Interrupted.into());
        }
        done.sort_by_key(|(place, _)| *place);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

/// What a thread came to; its panic goes on here.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The plan of a scenario that stands alone.
pub(super) fn plan(text: &str) -> Result<Plan, LabError> {
    parse("validation.yaml", text, &Alone).map_err(LabError::Scenario)
}
