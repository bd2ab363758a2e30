//! `squall run`: scenarios times strategies times seeds, judged and reported.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::args::Format;
use super::exit::{Exit, Failure, plural};
use super::progress::Progress;
use super::request;
use super::signals::Interruption;
use super::streams::Streams;
use super::{files, plans};
use crate::analysis::{Parts, Scopes, Trial, TrialFold, judge};
use crate::experiment::{self, ExperimentError, Job};
use crate::record::Header;
use crate::report::human::{self, Paint};
use crate::report::{self, Run};
use crate::scenario::Plan;
use crate::trial::TrialSpec;

/// How wide the human report in a file is.
const FILE_WIDTH: usize = 120;

pub(super) fn run(request: &request::Run, streams: &Streams) -> Result<Exit, Failure> {
    let plans = plans::read(&request.paths)?;
    let jobs = jobs(&plans, request);
    if jobs.is_empty() {
        return Err(Failure::Nothing(nothing(&plans, request)));
    }
    let trials = trials(&plans, &jobs, request, streams)?;
    let scenarios = plans.iter().zip(trials).filter(|(_, trials)| !trials.is_empty());
    let scenarios = scenarios.map(|(plan, trials)| judge(plan, &trials)).collect();
    let run = Run { scenarios, policy: request.policy };
    if let Some(folder) = &request.report_dir {
        write_files(&run, request, folder)?;
    }
    streams.data(|out| match request.format {
        Format::Human => {
            let (width, paint) = (streams.stdout_width(), streams.paint());
            human::write(&run, human::Options { width, paint, summary: request.summary }, out)
        }
        Format::Json => report::json::write(&run, out),
    })?;
    Ok(run.verdict().into())
}

/// Every trial that is to be run, in the order of reports.
fn jobs<'p>(plans: &'p [Plan], request: &request::Run) -> Vec<Job<'p>> {
    let mut jobs = Vec::new();
    for plan in plans {
        let seeds = request.seeds.of(plan.seeds);
        for strategy in plans::chosen(plan, &request.strategies) {
            for seed in seeds.iter() {
                let mut push = |control| jobs.push(Job { plan, spec: TrialSpec { strategy, seed, control } });
                push(false);
                if has_recovery(plan) {
                    push(true);
                }
            }
        }
    }
    jobs
}

/// Whether a fault ends while load is offered, so that there is something to recover from and a control twin to compare
/// with is worth its time.
fn has_recovery(plan: &Plan) -> bool {
    plan.faults.iter().flat_map(|fault| &fault.windows).any(|window| window.end < plan.duration)
}

/// Runs the jobs, and sorts their figures by scenario.
fn trials(
    plans: &[Plan],
    jobs: &[Job<'_>],
    request: &request::Run,
    streams: &Streams,
) -> Result<Vec<Vec<Trial>>, Failure> {
    let parts: Vec<Arc<Parts>> = plans.iter().map(|plan| Arc::new(Scopes::of(plan).parts().clone())).collect();
    let place = |file: &str| plans.iter().position(|plan| plan.file == file).expect("a job's plan is one of the plans");
    let make = |header: &Header| TrialFold::new(header, Arc::clone(&parts[place(&header.file)]));
    let progress = Progress::new(jobs.len(), request.progress && streams.watched());
    let done = |job: usize| progress.done(&jobs[job].plan.name);
    let interruption = Interruption::listen()?;
    let figures = experiment::run(jobs, request.threads, make, done, interruption.flag()).map_err(failure)?;
    let mut trials: Vec<Vec<Trial>> = plans.iter().map(|_| Vec::new()).collect();
    for (job, metrics) in jobs.iter().zip(figures) {
        let TrialSpec { strategy, seed, control } = job.spec;
        trials[place(&job.plan.file)].push(Trial { strategy, seed, control, metrics });
    }
    Ok(trials)
}

fn failure(error: ExperimentError) -> Failure {
    match error {
        ExperimentError::Interrupted => Failure::Interrupted,
        error => Failure::Internal("a trial could not be run".to_owned(), error.into()),
    }
}

/// Why nothing was selected, and what there would have been.
fn nothing(plans: &[Plan], request: &request::Run) -> String {
    let mut names: Vec<&str> = plans.iter().flat_map(|plan| &plan.strategies).map(|one| one.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let wanted = request.strategies.join("`, `");
    let scenarios = plural(plans.len(), "scenario");
    format!("none of {scenarios} has a strategy named `{wanted}`; there are {}", names.join(", "))
}

/// Every format, each in its file.
fn write_files(run: &Run, request: &request::Run, folder: &Path) -> Result<(), Failure> {
    let options = human::Options { width: FILE_WIDTH, paint: Paint::Plain, summary: request.summary };
    let human = |out: &mut dyn io::Write| human::write(run, options, out);
    let json = |out: &mut dyn io::Write| report::json::write(run, out);
    files::write(&folder.join("report.txt"), human)?;
    files::write(&folder.join("report.json"), json)
}
