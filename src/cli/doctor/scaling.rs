//! How much faster two cores are than one: trials share nothing, so anything below twice is the machine's or ours.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::super::exit::Failure;
use super::super::streams::Streams;
use super::tell;
use crate::analysis::{Parts, TrialFold};
use crate::experiment::{self, Job};
use crate::scenario::{Alone, parse};
use crate::trial::TrialSpec;

/// As many calls as a scenario of the catalogue has, with everything that allocates.
const WORK: &str = "
name: work
about: Work for every core.
duration: 20s
servers: { telemetry: { replicas: 3, workers: 32, service_time: { lognormal: { median: 4ms, p99: 30ms } } } }
clients: { devices: { count: 50, calls: telemetry, load: { poisson: 4/s } } }
strategies:
  - name: retry
    layers:
      - deadline: 2s
      - retry: { attempts: 4, on: [UNAVAILABLE], backoff: { full_jitter: { base: 100ms, cap: 1s } } }
      - attempt_timeout: 500ms
    channel: { balance: round_robin }
";

/// How many trials; even, so that two cores have as many each.
const TRIALS: u64 = 12;
/// How often each is timed; the fastest counts, as nothing makes a machine faster than it is.
const TIMES: usize = 3;

/// Measures and tells `scaling.cores2`, if there are two cores.
pub(super) fn measure(streams: &Streams) -> Result<(), Failure> {
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return tell(streams, true, "one core: nothing to share work with");
    }
    let plan = parse("work.yaml", WORK, &Alone).map_err(|mistakes| Failure::Scenarios(vec![mistakes]))?;
    let job = |seed| Job { plan: &plan, spec: TrialSpec { strategy: 0, seed, control: false } };
    let jobs: Vec<Job<'_>> = (1..=TRIALS).map(job).collect();
    let parts = Arc::new(Parts::whole(0, u64::MAX));
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..TIMES {
        for (threads, fastest) in [1, 2].into_iter().zip(&mut fastest) {
            let took = timed(|| {
                let make = |header: &_| TrialFold::new(header, Arc::clone(&parts));
                experiment::run(&jobs, threads, make, |_, _| (), &AtomicBool::new(false)).map(|_| ())
            })?;
            *fastest = took.min(*fastest);
        }
    }
    let gain = fastest[0].as_secs_f64() / fastest[1].as_secs_f64();
    tell(streams, true, &format!("two cores do {gain:.2} times the work of one"))?;
    streams.data(|out| writeln!(out, "figure scaling.cores2 = {gain:.3} x"))
}

#[expect(clippy::disallowed_methods, reason = "the time that people wait is what is measured")]
fn timed(work: impl FnOnce() -> Result<(), experiment::ExperimentError>) -> Result<Duration, Failure> {
    let began = std::time::Instant::now();
    work().map_err(|error| Failure::Internal("a trial could not be run".to_owned(), error.into()))?;
    Ok(began.elapsed())
}
