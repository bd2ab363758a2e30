//! Running what was selected: from scenarios to the log of their trials.

use std::sync::Arc;

use super::exit::{Failure, plural};
use super::plans::{self, Scenario};
use super::progress::Progress;
use super::request::Selection;
use super::signals::Interruption;
use super::streams::Streams;
use crate::analysis::{Parts, Scopes, TrialFold};
use crate::experiment::{self, ExperimentError, Job};
use crate::record::Header;
use crate::report::log::{Head, Line, Log, VERSION};
use crate::scenario::Plan;
use crate::trial::TrialSpec;

/// A trial, and where it belongs.
struct Place<'p> {
    /// Its place among all trials of all shards.
    trial: usize,
    /// Its scenario's place.
    scenario: usize,
    job: Job<'p>,
}

/// Runs what was selected. Only scenarios of which something was selected are in the log.
pub(super) fn run(selection: &Selection, streams: &Streams) -> Result<(Vec<Plan>, Log), Failure> {
    let mut scenarios = plans::read(&selection.paths)?;
    let nothing = nothing(&scenarios, selection);
    scenarios.retain(|scenario| !plans::chosen(&scenario.plan, &selection.strategies).is_empty());
    if scenarios.is_empty() {
        return Err(Failure::Nothing(nothing));
    }
    let (texts, plans): (Vec<_>, Vec<_>) = scenarios.into_iter().map(|one| (one.text, one.plan)).unzip();
    let all = places(&plans, selection);
    let (squall_log, squall_version) = (VERSION, env!("CARGO_PKG_VERSION").to_owned());
    let (shard, trials) = (selection.shard, all.trials);
    let head = Head { squall_log, squall_version, shard, trials, scenarios: texts };
    let lines = lines(&plans, &all.mine, selection, streams)?;
    Ok((plans, Log { head, lines }))
}

/// All trials, and those that belong to this shard.
struct Places<'p> {
    trials: usize,
    mine: Vec<Place<'p>>,
}

/// Every trial in the order of reports, a control twin after its trial and in the same shard.
fn places<'p>(plans: &'p [Plan], selection: &Selection) -> Places<'p> {
    let mut places = Places { trials: 0, mine: Vec::new() };
    let mut pair = 0;
    for (scenario, plan) in plans.iter().enumerate() {
        let seeds = selection.seeds.of(plan.seeds);
        for strategy in plans::chosen(plan, &selection.strategies) {
            for seed in seeds.iter() {
                for control in if has_recovery(plan) { &[false, true][..] } else { &[false] } {
                    let job = Job { plan, spec: TrialSpec { strategy, seed, control: *control } };
                    if selection.shard.holds(pair) {
                        places.mine.push(Place { trial: places.trials, scenario, job });
                    }
                    places.trials += 1;
                }
                pair += 1;
            }
        }
    }
    places
}

/// Whether a fault ends while load is offered, so that there is something to recover from and a control twin to compare
/// with is worth its time.
fn has_recovery(plan: &Plan) -> bool {
    plan.faults.iter().flat_map(|fault| &fault.windows).any(|window| window.end < plan.duration)
}

fn lines(plans: &[Plan], places: &[Place<'_>], selection: &Selection, streams: &Streams) -> Result<Vec<Line>, Failure> {
    let parts: Vec<Arc<Parts>> = plans.iter().map(|plan| Arc::new(Scopes::of(plan).parts().clone())).collect();
    let scenario = |file: &str| plans.iter().position(|plan| plan.file == file).expect("every trial is of a plan");
    let make = |header: &Header| TrialFold::new(header, Arc::clone(&parts[scenario(&header.file)]));
    let jobs: Vec<Job<'_>> = places.iter().map(|place| place.job).collect();
    let progress = Progress::new(jobs.len(), selection.progress && streams.watched());
    let done = |job: usize| progress.done(&jobs[job].plan.name);
    let interruption = Interruption::listen()?;
    let figures = experiment::run(&jobs, selection.threads, make, done, interruption.flag()).map_err(failure)?;
    let line = |(place, metrics): (&Place<'_>, _)| {
        let TrialSpec { strategy, seed, control } = place.job.spec;
        let strategy = place.job.plan.strategies[strategy].name.clone();
        Line { trial: place.trial, scenario: place.scenario, strategy, seed, control, metrics }
    };
    Ok(places.iter().zip(figures).map(line).collect())
}

fn failure(error: ExperimentError) -> Failure {
    match error {
        ExperimentError::Interrupted => Failure::Interrupted,
        error => Failure::Internal("a trial could not be run".to_owned(), error.into()),
    }
}

/// Why nothing was selected, and what there would have been.
fn nothing(scenarios: &[Scenario], selection: &Selection) -> String {
    let strategies = scenarios.iter().flat_map(|scenario| &scenario.plan.strategies);
    let mut names: Vec<&str> = strategies.map(|strategy| strategy.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let wanted = selection.strategies.join("`, `");
    let scenarios = plural(scenarios.len(), "scenario");
    format!("none of {scenarios} has a strategy named `{wanted}`; there are {}", names.join(", "))
}
