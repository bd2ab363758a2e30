//! Running what was selected: from scenarios to the log of their trials.
//!
//! A scenario may leave open how many seeds it needs. It is then run in rounds, each with half as many seeds again, until its
//! intervals are narrow enough. What is known already, from an earlier round or from a run that was interrupted, is not run
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::conclude;
use super::exit::{Failure, meant, plural};
use super::journal::{self, Journal};
use super::places::{Key, Place, Places};
use super::plans::{self, Scenario};
use super::progress::Progress;
use super::request::Selection;
use super::signals::Interruption;
use super::streams::Streams;
use crate::analysis::{self, Parts, Scopes, Trial, TrialFold, TrialMetrics};
use crate::experiment::{self, ExperimentError, Fold, Job};
use crate::record::{Event, Header, Sink};
use crate::report::log::{Chunk, EventText, Head, Line, Log, Spool, Text, VERSION};
use crate::scenario::{Metric, Plan, Seeds};

/// A run that is over.
#[derive(Debug)]
pub(super) struct Ran {
    /// The scenarios of which something was selected.
    pub(super) plans: Vec<Plan>,
    /// What came of them.
    pub(super) log: Log,
    /// What goes on with the run if it is interrupted before its reports are written.
    pub(super) journal: Option<Journal>,
}

/// Runs what was selected. Only scenarios of which something was selected are in the log.
pub(super) fn run(selection: &Selection, streams: &Streams) -> Result<Ran, Failure> {
    let mut scenarios = plans::read(&selection.paths)?;
    // A name that nobody has is a slip of the pen: what else was asked for would pass without it.
    if let Some(unknown) = selection.strategies.iter().find(|name| !is_known(&scenarios, name)) {
        return Err(Failure::Nothing(nothing(&scenarios, unknown)));
    }
    scenarios.retain(|scenario| !plans::chosen(&scenario.plan, &selection.strategies).is_empty());
    let (texts, plans): (Vec<_>, Vec<_>) = scenarios.into_iter().map(|one| (one.text, one.plan)).unzip();
    if let Some(plan) = plans.iter().find(|plan| selection.shard.count > 1 && selection.grows(plan)) {
        let name = &plan.name;
        return Err(Failure::Usage(format!(
            "{name} decides while it runs how many seeds it needs: a shard needs --seeds"
        )));
    }
    let mut runner = Runner::new(&plans, &texts, selection, streams)?;
    let places = runner.rounds()?;
    let (squall_log, squall_version) = (VERSION, env!("CARGO_PKG_VERSION").to_owned());
    let (shard, trials) = (selection.shard, places.trials);
    let lines = runner.lines(&places);
    let journal = runner.journal;
    let head = Head { squall_log, squall_version, shard, trials, scenarios: texts };
    Ok(Ran { plans, log: Log { head, lines }, journal })
}

/// What it takes to run trials, and those that were run.
struct Runner<'p> {
    plans: &'p [Plan],
    parts: Vec<Arc<Parts>>,
    selection: &'p Selection,
    streams: &'p Streams,
    interruption: Interruption,
    journal: Option<Journal>,
    /// Where events wait, if they are asked for.
    spool: Option<Arc<Spool>>,
    done: BTreeMap<Key, Line>,
}

impl<'p> Runner<'p> {
    fn new(plans: &'p [Plan], texts: &[Text], selection: &'p Selection, streams: &'p Streams) -> Result<Self, Failure> {
        let mut runner = Self {
            plans,
            parts: plans.iter().map(|plan| Arc::new(Scopes::of(plan).parts().clone())).collect(),
            selection,
            streams,
            interruption: Interruption::listen()?,
            journal: None,
            spool: None,
            done: BTreeMap::new(),
        };
        if let Some(folder) = &selection.journal {
            let of = journal::Of {
                squall_log: VERSION,
                squall_version: env!("CARGO_PKG_VERSION").to_owned(),
                program: journal::program(),
                shard: selection.shard,
                events: selection.events,
                strategies: selection.strategies.clone(),
                scenarios: texts.to_vec(),
            };
            let (journal, lines) = Journal::open(folder, &of)?;
            // Nobody else writes reports there now: the journal is locked.
            conclude::clean(folder, selection.shard)?;
            runner.spool = journal.spool().cloned();
            runner.journal = Some(journal);
            lines.into_iter().for_each(|line| runner.know(line));
        } else if selection.events {
            let file = tempfile::tempfile();
            let sorry = |error: io::Error| Failure::Internal("cannot make a temporary file".to_owned(), error.into());
            runner.spool = Some(Spool::to(file.map_err(sorry)?));
        }
        Ok(runner)
    }

    fn know(&mut self, line: Line) {
        let plan = self.plans.get(line.scenario);
        let place = plan.and_then(|plan| plan.strategies.iter().position(|strategy| strategy.name == line.strategy));
        if let Some(strategy) = place {
            self.done.insert((line.scenario, strategy, line.seed, line.control), line);
        }
    }

    /// Runs until every scenario has had enough seeds; the trials of the whole run.
    fn rounds(&mut self) -> Result<Places<'p>, Failure> {
        let mut seeds: Vec<Seeds> = self.plans.iter().map(|plan| self.selection.seeds.of(plan.seeds)).collect();
        let mut first = true;
        // Scenarios that may run no more seeds, and would like to.
        let mut settled = BTreeSet::new();
        loop {
            let places = Places::of(self.plans, &seeds, self.selection);
            self.round(&places, first)?;
            first = false;
            let mut more = false;
            for (scenario, plan) in self.plans.iter().enumerate() {
                let count = seeds[scenario].count;
                if !self.selection.grows(plan) || !self.unsure(scenario, seeds[scenario]) {
                    continue;
                }
                if count < plan.enough.most {
                    seeds[scenario].count = (count + count.div_ceil(2)).min(plan.enough.most);
                    more = true;
                } else if settled.insert(scenario) && self.selection.progress {
                    let name = &plan.name;
                    self.streams
                        .say(&format!("{name}: intervals are wider than it asks for, with all of its {count} seeds"));
                }
            }
            if !more {
                return Ok(places);
            }
        }
    }

    /// Runs what is not known yet.
    fn round(&mut self, places: &Places<'p>, first: bool) -> Result<(), Failure> {
        let missing: Vec<Place<'p>> =
            places.mine.iter().filter(|place| !self.done.contains_key(&place.key())).copied().collect();
        let known = places.mine.len() - missing.len();
        if first && known > 0 && self.selection.progress {
            self.streams
                .say(&format!("going on with an interrupted run: {known} of {} trials are done", places.mine.len()));
        }
        let jobs: Vec<Job<'_>> = missing.iter().map(|place| place.job).collect();
        let scenario =
            |file: &str| self.plans.iter().position(|plan| plan.file == file).expect("every trial is of a plan");
        let make = |header: &Header| Keeping {
            fold: TrialFold::new(header, Arc::clone(&self.parts[scenario(&header.file)])),
            events: self.spool.as_ref().map(|spool| (EventText::new(), Arc::clone(spool))),
        };
        let line = |place: &Place<'_>, kept: Kept| Line {
            trial: place.trial,
            scenario: place.scenario,
            strategy: place.job.plan.strategies[place.job.spec.strategy].name.clone(),
            seed: place.job.spec.seed,
            control: place.job.spec.control,
            metrics: kept.metrics,
            events: kept.events,
        };
        let progress = Progress::new(jobs.len(), self.selection.progress && self.streams.watched());
        let done = |job: usize, kept: &io::Result<Kept>| {
            progress.done(&jobs[job].plan.name);
            if let (Some(journal), Ok(kept)) = (&self.journal, kept) {
                journal.add(line(&missing[job], kept.clone()));
            }
        };
        let flag = self.interruption.flag();
        let outputs = experiment::run(&jobs, self.selection.threads, make, done, flag);
        self.journal.as_ref().map_or(Ok(()), Journal::check)?;
        for (place, kept) in missing.iter().zip(outputs.map_err(|error| self.failure(error))?) {
            let sorry = |error: io::Error| Failure::Internal("cannot keep the events".to_owned(), error.into());
            self.done.insert(place.key(), line(place, kept.map_err(sorry)?));
        }
        Ok(())
    }

    /// Whether an interval of a scenario is still wider than it asks for.
    fn unsure(&self, scenario: usize, seeds: Seeds) -> bool {
        let plan = &self.plans[scenario];
        let of_it =
            self.done.iter().filter(|((of, _, seed, _), _)| *of == scenario && seeds.iter().any(|one| one == *seed));
        let trials: Vec<Trial<'_>> = of_it
            .map(|((_, strategy, seed, control), line)| Trial {
                strategy: *strategy,
                seed: *seed,
                control: *control,
                metrics: &line.metrics,
            })
            .collect();
        let outcome = analysis::judge(plan, &trials);
        let wide = |metric: &Metric, margin: crate::scenario::Margin| {
            let figures = outcome.strategies.iter().filter_map(|strategy| strategy.metrics.get(metric));
            let mut estimates = figures.map(|figure| figure.estimate).filter(|estimate| estimate.mean.is_finite());
            estimates.any(|one| (one.high - one.mean).max(one.mean - one.low) > margin.around(one.mean))
        };
        plan.enough.until.iter().any(|(metric, margin)| wide(metric, *margin))
    }

    /// The trials of a run in their order; what an earlier run knew beyond them is left out.
    fn lines(&mut self, places: &Places<'_>) -> Vec<Line> {
        let known = places.mine.iter().filter_map(|place| Some((place, self.done.remove(&place.key())?)));
        known.map(|(place, line)| Line { trial: place.trial, ..line }).collect()
    }

    fn failure(&self, error: ExperimentError) -> Failure {
        match error {
            ExperimentError::Interrupted => Failure::Interrupted { resumable: self.journal.is_some() },
            error => Failure::Internal("a trial could not be run".to_owned(), error.into()),
        }
    }
}

/// Folds a trial, and keeps its events if they are asked for.
struct Keeping {
    fold: TrialFold,
    events: Option<(io::Result<EventText>, Arc<Spool>)>,
}

/// What remains of a trial.
#[derive(Clone)]
struct Kept {
    metrics: TrialMetrics,
    events: Option<Chunk>,
}

impl Sink for Keeping {
    fn event(&mut self, event: &Event) {
        self.fold.event(event);
        if let Some((Ok(text), _)) = &mut self.events {
            text.event(event);
        }
    }
}

impl Fold for Keeping {
    type Output = io::Result<Kept>;

    fn finish(self) -> io::Result<Kept> {
        let events = self.events.map(|(text, spool)| text?.finish(&spool)).transpose()?;
        Ok(Kept { metrics: self.fold.finish(), events })
    }
}

fn is_known(scenarios: &[Scenario], name: &str) -> bool {
    scenarios.iter().flat_map(|scenario| &scenario.plan.strategies).any(|strategy| strategy.is_called(name))
}

/// Why nothing was selected, and what there would have been.
fn nothing(scenarios: &[Scenario], unknown: &str) -> String {
    let strategies = scenarios.iter().flat_map(|scenario| &scenario.plan.strategies);
    let mut names: Vec<&str> = strategies.map(|strategy| strategy.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let meant = meant(unknown, names);
    let which = match scenarios {
        [only] => format!("{} has no", only.plan.name),
        all => format!("none of {} has a", plural(all.len(), "scenario")),
    };
    format!("{which} strategy named `{unknown}`; {meant}")
}
