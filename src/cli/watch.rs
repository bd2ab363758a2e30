//! `squall watch`: a scenario is run again whenever its file changes, and what moved is shown.
//!
//! The file, and the shared strategies that it sees, are read again and compared: a change of the clock alone is no change.

use std::io::{self, Write};
use std::time::Duration;

use super::exit::{self, Exit, Failure};
use super::request::Selection;
use super::streams::Streams;
use super::trials::{self, Ran};
use super::{args, conclude, plans};
use crate::analysis::{Policy, ScenarioOutcome, StrategyOutcome};
use crate::report::human::{self, Summary};
use crate::report::log::Text;
use crate::report::{Run, figure};
use crate::scenario::Metric;
use crate::scenario::metric::Better;

/// How often the file is read.
const EVERY: Duration = Duration::from_millis(250);

pub(super) fn watch(typed: args::Watch, streams: &Streams) -> Result<Exit, Failure> {
    if !typed.scenario.is_file() {
        let path = typed.scenario.display();
        let way_out = match plans::embedded(&typed.scenario) {
            Some(known) => format!(": `squall new --from {0} {0}.yaml` makes one of it", known.name),
            None => ": it is no folder but one scenario that is watched".to_owned(),
        };
        return Err(Failure::Usage(format!("{path} is no file, and cannot be watched{way_out}")));
    }
    let mut seen: Option<Option<Text>> = None;
    let mut before: Option<ScenarioOutcome> = None;
    let mut runs = 0;
    loop {
        let read = plans::read(std::slice::from_ref(&typed.scenario));
        let text = read.as_ref().ok().and_then(|scenarios| scenarios.first()).map(|scenario| scenario.text.clone());
        if seen.as_ref() != Some(&text) {
            match read {
                Ok(_) => {
                    let now = run(&typed, streams)?;
                    streams.data(|out| show(before.as_ref(), &now, streams, out))?;
                    before = Some(now);
                }
                // It will be mended; whoever watches sees the mistake now.
                Err(failure) => drop(exit::fail(&failure, streams)),
            }
            seen = Some(text);
            runs += 1;
            if typed.runs == Some(runs) {
                return Ok(Exit::Good);
            }
            streams.say(&format!("watching {}; ctrl-c ends it", typed.scenario.display()));
        }
        #[expect(clippy::disallowed_methods, reason = "nothing is simulated while a person edits a file")]
        std::thread::sleep(EVERY);
    }
}

fn run(typed: &args::Watch, streams: &Streams) -> Result<ScenarioOutcome, Failure> {
    let selection = Selection::meant(args::Selection {
        paths: vec![typed.scenario.clone()],
        strategies: typed.strategies.clone(),
        seeds: typed.seeds,
        seed: None,
        jobs: typed.jobs,
        quiet: false,
    });
    let Ran { plans, log, .. } = trials::run(&selection, streams)?;
    let outcome = conclude::outcomes(&plans, &log)?.into_iter().next();
    outcome.ok_or_else(|| Failure::Nothing("nothing was run".to_owned()))
}

fn show(
    before: Option<&ScenarioOutcome>,
    now: &ScenarioOutcome,
    streams: &Streams,
    out: &mut dyn Write,
) -> io::Result<()> {
    let run = Run { scenarios: vec![now.clone()], policy: Policy::default() };
    let options = human::Options { width: streams.stdout_width(), paint: streams.paint(), summary: Summary::Full };
    human::write(&run, options, out)?;
    let Some(before) = before else { return Ok(()) };
    let moved = moved(before, now);
    writeln!(out, "\n{}", if moved.is_empty() { "nothing moved" } else { "what moved:" })?;
    moved.iter().try_for_each(|line| writeln!(out, "  {line}"))
}

/// What reads otherwise than before, a line a figure.
fn moved(before: &ScenarioOutcome, now: &ScenarioOutcome) -> Vec<String> {
    let mut lines = Vec::new();
    for strategy in &now.strategies {
        match before.strategies.iter().find(|old| old.name == strategy.name) {
            None => lines.push(format!("{} is new", strategy.name)),
            Some(old) => {
                lines.extend(Metric::ALL.into_iter().filter_map(|metric| figure_moved(old, strategy, metric)));
                lines.extend(verdicts_moved(old, strategy));
            }
        }
    }
    let gone = before.strategies.iter().filter(|old| now.strategies.iter().all(|strategy| strategy.name != old.name));
    lines.extend(gone.map(|old| format!("{} is gone", old.name)));
    lines
}

fn figure_moved(old: &StrategyOutcome, new: &StrategyOutcome, metric: Metric) -> Option<String> {
    let (old, name, new) = (old.metrics.get(&metric)?, &new.name, new.metrics.get(&metric)?);
    let (from, to) = (old.estimate.mean, new.estimate.mean);
    let shown = [from, to].map(|value| figure(metric, value));
    if shown[0] == shown[1] {
        return None;
    }
    let word = match (metric.better(), to > from) {
        (Better::Neither, _) => "",
        (Better::Higher, true) | (Better::Lower, false) => "  better",
        _ => "  worse",
    };
    Some(format!("{name}  {metric}  {} -> {}{word}", shown[0], shown[1]))
}

fn verdicts_moved<'a>(old: &'a StrategyOutcome, new: &'a StrategyOutcome) -> impl Iterator<Item = String> + 'a {
    new.expectations.iter().filter_map(|judgement| {
        let before = old.expectations.iter().find(|known| known.text == judgement.text)?;
        let (from, to) = (before.verdict, judgement.verdict);
        (from != to).then(|| format!("{}  `{}`  {} -> {}", new.name, judgement.text, from.name(), to.name()))
    })
}
