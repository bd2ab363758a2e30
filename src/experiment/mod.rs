//! Many trials: fanned out over cores, folded as they run, put in order at the end.
//!
//! Rule: the result depends on the list of trials alone, never on how many threads ran them or which finished first. A
//! trial is folded while it runs, so memory does not grow with what it recorded.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::record::{Header, Sink};
use crate::scenario::Plan;
use crate::trial::{self, TrialError, TrialSpec};

/// Turns the events of one trial into something small.
pub trait Fold: Sink + Send + 'static {
    /// What becomes of them.
    type Output: Send;

    /// The trial is over.
    fn finish(self) -> Self::Output;
}

/// One trial to run.
#[derive(Clone, Copy, Debug)]
pub struct Job<'p> {
    /// Of which plan.
    pub plan: &'p Plan,
    /// Which run.
    pub spec: TrialSpec,
}

/// The index of a job, and what came of it.
type Finished<F> = (usize, Result<<F as Fold>::Output, ExperimentError>);

/// Why not all trials were run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// One of them failed.
    #[error("scenario {scenario}, strategy {strategy}, seed {seed}")]
    Trial {
        /// In which scenario.
        scenario: String,
        /// With which strategy.
        strategy: String,
        /// With which seed.
        seed: u64,
        /// Why.
        source: TrialError,
    },
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Runs all `jobs` on `threads` threads, at least one. `make` begins the fold of a trial, `done` is told the index of each
/// that is finished and what came of it, and nothing new begins once `cancelled` is set. The outputs come in the order of the jobs.
///
/// # Errors
///
/// The first trial, in order, that failed; or the interruption.
pub fn run<F: Fold>(
    jobs: &[Job<'_>],
    threads: usize,
    make: impl Fn(&Header) -> F + Sync,
    done: impl Fn(usize, &F::Output) + Sync,
    cancelled: &AtomicBool,
) -> Result<Vec<F::Output>, ExperimentError> {
    let next = AtomicUsize::new(0);
    let finished = Mutex::new(Vec::with_capacity(jobs.len()));
    let work = || {
        while !cancelled.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else { break };
            let output = one(job, &make);
            if let Ok(output) = &output {
                done(index, output);
            }
            finished.lock().unwrap_or_else(PoisonError::into_inner).push((index, output));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(work);
        }
        work();
    });
    let mut finished: Vec<Finished<F>> = finished.into_inner().unwrap_or_else(PoisonError::into_inner);
    finished.sort_by_key(|(index, _)| *index);
    let whole = finished.len() == jobs.len();
    let outputs = finished.into_iter().map(|(_, output)| output).collect::<Result<Vec<_>, _>>()?;
    if whole { Ok(outputs) } else { Err(ExperimentError::Interrupted) }
}

/// Runs one of them. `make` begins its fold.
///
/// # Errors
///
/// When the trial failed.
pub fn one<F: Fold>(job: &Job<'_>, make: impl Fn(&Header) -> F) -> Result<F::Output, ExperimentError> {
    let header = trial::header(job.plan, job.spec);
    let Header { scenario, strategy, seed, control, .. } = &header;
    let _trial = tracing::info_span!("trial", scenario, strategy, seed, control).entered();
    let fold = make(&header);
    match trial::run(job.plan, job.spec, fold) {
        Ok(fold) => Ok(fold.finish()),
        Err(source) => Err(ExperimentError::Trial {
            scenario: header.scenario,
            strategy: header.strategy,
            seed: header.seed,
            source,
        }),
    }
}
