//! `squall baseline`: keep what a run came to, and find out when it gets worse.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::args::{self, BaselineAction, CheckFormat};
use super::exit::{Exit, Failure, plural};
use super::request::Selection;
use super::streams::Streams;
use super::{conclude, files, plans, report, trials};
use crate::analysis::{BASELINE_VERSION, Baseline, Difference, DifferenceKind, Tolerances};
use crate::report::difference::Check;
use crate::report::figure;
use crate::scenario::Plan;

/// What a command was asked.
struct Asked {
    selection: Selection,
    tolerances: Tolerances,
    format: CheckFormat,
    /// What was run already.
    log: Option<PathBuf>,
}

pub(super) fn baseline(typed: args::BaselineArgs, streams: &Streams) -> Result<Exit, Failure> {
    let path = typed.file;
    let mut tolerances = Tolerances::default();
    typed.tolerances.into_iter().for_each(|(metric, margin)| tolerances.set(metric, margin));
    let mut selection = Selection::meant(typed.selection);
    // A baseline holds what these seeds come to, exactly: no interval has to become narrower for it.
    selection.may_grow = false;
    let asked = Asked { selection, tolerances, format: typed.format, log: typed.log };
    match typed.action {
        BaselineAction::Save => save(&path, &asked, streams),
        BaselineAction::Check => check(&path, &asked, streams),
        BaselineAction::Accept => accept(&path, &asked, streams),
        BaselineAction::Show => {
            let baseline = read(&path)?;
            streams.data(|out| show(&baseline, out))?;
            Ok(Exit::Good)
        }
    }
}

fn save(path: &Path, asked: &Asked, streams: &Streams) -> Result<Exit, Failure> {
    refuse_in_ci()?;
    if path.exists() {
        let path = path.display();
        return Err(Failure::Usage(format!("{path} exists already; `squall baseline accept` brings it up to date")));
    }
    write(path, &run(asked, streams)?.baseline, streams)
}

fn check(path: &Path, asked: &Asked, streams: &Streams) -> Result<Exit, Failure> {
    let before = read(path)?;
    if tell(&before, &run(asked, streams)?, asked, streams)? { Ok(Exit::Regression) } else { Ok(Exit::Good) }
}

fn accept(path: &Path, asked: &Asked, streams: &Streams) -> Result<Exit, Failure> {
    refuse_in_ci()?;
    let mut accepted = read(path)?;
    let now = run(asked, streams)?;
    // Other seeds are a reason not to compare, not one not to accept.
    if accepted.other_seeds(&now.baseline).is_none() {
        tell(&accepted, &now, asked, streams)?;
    }
    let now = now.baseline;
    if asked.selection.is_everything() {
        accepted = now;
    } else {
        // What was not run stays as it was accepted.
        accepted.squall_version = now.squall_version;
        for (scenario, strategies) in now.scenarios {
            accepted.scenarios.entry(scenario).or_default().extend(strategies);
        }
    }
    write(path, &accepted, streams)
}

/// What was run, and where each scenario stands.
struct Ran {
    baseline: Baseline,
    files: Vec<(String, String)>,
    /// The scenarios and strategies that there are, run or not: what is among them is not gone.
    known: BTreeSet<(String, String)>,
}

fn run(asked: &Asked, streams: &Streams) -> Result<Ran, Failure> {
    let (plans, log) = match &asked.log {
        Some(path) => {
            let log = report::whole(std::slice::from_ref(path))?;
            (plans::kept(&log.head.scenarios)?, log)
        }
        None => {
            let trials::Ran { plans, log, .. } = trials::run(&asked.selection, streams)?;
            (plans, log)
        }
    };
    let files = plans.iter().map(|plan| (plan.name.clone(), plan.file.clone())).collect();
    let named = |plan: &Plan| -> Vec<(String, String)> {
        plan.strategies.iter().map(|strategy| (plan.name.clone(), strategy.name.clone())).collect()
    };
    let known = plans.iter().flat_map(named).collect();
    Ok(Ran { baseline: Baseline::of(&conclude::outcomes(&plans, &log)?), files, known })
}

/// A baseline that a build accepts by itself catches nothing.
fn refuse_in_ci() -> Result<(), Failure> {
    match std::env::var("CI") {
        Ok(ci) if !ci.is_empty() && ci != "false" => {
            Err(Failure::Usage("a baseline is not written in CI (the variable CI is set)".to_owned()))
        }
        _ => Ok(()),
    }
}

fn read(path: &Path) -> Result<Baseline, Failure> {
    let sorry = |why: String| Failure::Usage(format!("{}: {why}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(sorry("there is no baseline yet; `squall baseline save` writes one".to_owned()));
        }
        Err(error) => return Err(sorry(error.to_string())),
    };
    let torn = |error| {
        let way_out = "take it from version control again, or remove it and `squall baseline save`";
        sorry(format!("is no baseline: {error}; {way_out}"))
    };
    let baseline: Baseline = serde_json::from_str(&text).map_err(torn)?;
    let version = baseline.baseline_version;
    if version != BASELINE_VERSION {
        let way_out = "remove it and `squall baseline save`";
        let told = format!("is a baseline of version {version}; this Squall reads {BASELINE_VERSION}: {way_out}");
        return Err(sorry(told));
    }
    Ok(baseline)
}

fn write(path: &Path, baseline: &Baseline, streams: &Streams) -> Result<Exit, Failure> {
    files::write(path, |out| {
        serde_json::to_writer_pretty(&mut *out, baseline)?;
        writeln!(out)
    })?;
    streams.say(&format!("wrote {}", path.display()));
    Ok(Exit::Good)
}

/// Reports how a run differs from what was accepted; whether it got worse.
fn tell(before: &Baseline, ran: &Ran, asked: &Asked, streams: &Streams) -> Result<bool, Failure> {
    let now = &ran.baseline;
    if let Some((scenario, strategy)) = before.other_seeds(now) {
        return Err(Failure::Usage(format!(
            "the baseline has other seeds for {scenario} {strategy}: run with the same, or `squall baseline accept` anew"
        )));
    }
    let mut differences = before.compare(now, asked.selection.is_everything(), &asked.tolerances);
    // A log may be of some strategies of a scenario.
    let is_here = |one: &Difference| ran.known.contains(&(one.scenario.clone(), one.strategy.clone()));
    differences.retain(|one| one.kind != DifferenceKind::Gone || !is_here(one));
    let check = Check {
        differences: &differences,
        scenarios: now.scenarios.len(),
        strategies: now.scenarios.values().map(BTreeMap::len).sum(),
        version: &before.squall_version,
        files: &ran.files,
    };
    streams.data(|out| match asked.format {
        CheckFormat::Human => check.human(out),
        CheckFormat::Markdown => check.markdown(out),
        CheckFormat::Github => check.github(out),
        CheckFormat::Json => check.json(out),
    })?;
    Ok(check.fails())
}

fn show(baseline: &Baseline, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "Squall {}", baseline.squall_version)?;
    for (scenario, strategies) in &baseline.scenarios {
        for (strategy, entry) in strategies {
            writeln!(out, "{scenario} {strategy}: {}", plural(entry.fingerprints.len(), "seed"))?;
            for (name, value) in &entry.metrics {
                let value = value.unwrap_or(f64::INFINITY);
                // What another version kept is shown as it stands in the file.
                let shown = name.parse().map_or_else(|_| value.to_string(), |metric| figure(metric, value));
                writeln!(out, "  {name:24}  {shown}")?;
            }
        }
    }
    Ok(())
}
