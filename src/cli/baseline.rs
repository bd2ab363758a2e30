//! `squall baseline`: keep what a run came to, and find out when it gets worse.

use std::io;
use std::path::Path;

use super::args::{self, BaselineAction};
use super::exit::{Exit, Failure, plural};
use super::request::Selection;
use super::streams::Streams;
use super::{conclude, files, trials};
use crate::analysis::{BASELINE_VERSION, Baseline, Difference, DifferenceKind, Moved};
use crate::report::figure;

pub(super) fn baseline(typed: args::BaselineArgs, streams: &Streams) -> Result<Exit, Failure> {
    let path = typed.file;
    let selection = Selection::meant(typed.selection);
    match typed.action {
        BaselineAction::Save => save(&path, &selection, streams),
        BaselineAction::Check => check(&path, &selection, streams),
        BaselineAction::Accept => accept(&path, &selection, streams),
        BaselineAction::Show => {
            let baseline = read(&path)?;
            streams.data(|out| show(&baseline, out))?;
            Ok(Exit::Good)
        }
    }
}

fn save(path: &Path, selection: &Selection, streams: &Streams) -> Result<Exit, Failure> {
    refuse_in_ci()?;
    if path.exists() {
        let path = path.display();
        return Err(Failure::Usage(format!("{path} exists already; `squall baseline accept` brings it up to date")));
    }
    write(path, &run(selection, streams)?, streams)
}

fn check(path: &Path, selection: &Selection, streams: &Streams) -> Result<Exit, Failure> {
    let before = read(path)?;
    let now = run(selection, streams)?;
    let differences = tell(&before, &now, selection, streams)?;
    Ok(if differences.iter().any(Difference::fails) { Exit::Regression } else { Exit::Good })
}

fn accept(path: &Path, selection: &Selection, streams: &Streams) -> Result<Exit, Failure> {
    refuse_in_ci()?;
    let mut accepted = read(path)?;
    let now = run(selection, streams)?;
    tell(&accepted, &now, selection, streams)?;
    if selection.is_everything() {
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

fn run(selection: &Selection, streams: &Streams) -> Result<Baseline, Failure> {
    let (plans, log) = trials::run(selection, streams)?;
    Ok(Baseline::of(&conclude::outcomes(&plans, &log)?))
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
    let baseline: Baseline = serde_json::from_str(&text).map_err(|error| sorry(format!("is no baseline: {error}")))?;
    let version = baseline.baseline_version;
    if version != BASELINE_VERSION {
        return Err(sorry(format!("is a baseline of version {version}; this Squall reads {BASELINE_VERSION}")));
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

/// Says how a run differs from what was accepted, a line a difference.
fn tell(
    before: &Baseline,
    now: &Baseline,
    selection: &Selection,
    streams: &Streams,
) -> Result<Vec<Difference>, Failure> {
    let differences = before.compare(now, selection.is_everything());
    streams.data(|out| {
        if before.squall_version != now.squall_version {
            let (old, new) = (&before.squall_version, &now.squall_version);
            writeln!(out, "the baseline is of Squall {old}, this is {new}: logs may differ, figures are compared")?;
        }
        differences.iter().try_for_each(|difference| writeln!(out, "{}", line(difference)))?;
        let count = now.scenarios.values().map(std::collections::BTreeMap::len).sum();
        let failed = differences.iter().filter(|difference| difference.fails()).count();
        let what = if failed > 0 { "worse than the baseline" } else { "no worse than the baseline" };
        writeln!(out, "{}, {}: {what}", plural(now.scenarios.len(), "scenario"), strategies(count))
    })?;
    Ok(differences)
}

fn strategies(count: usize) -> String {
    format!("{count} {}", if count == 1 { "strategy" } else { "strategies" })
}

fn line(difference: &Difference) -> String {
    let moved = |Moved { metric, before, after }: &Moved| {
        format!("{metric} from {} to {}", figure(*metric, *before), figure(*metric, *after))
    };
    let (word, what) = match &difference.kind {
        DifferenceKind::New => ("new", String::new()),
        DifferenceKind::Gone => ("gone", String::new()),
        DifferenceKind::Changed => ("changed", "no figure beyond its tolerance".to_owned()),
        DifferenceKind::Improved(figures) => ("improved", moved(figures)),
        DifferenceKind::Regressed(figures) => ("regressed", moved(figures)),
    };
    format!("{word:9}  {} {}  {what}", difference.scenario, difference.strategy).trim_end().to_owned()
}

fn show(baseline: &Baseline, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "Squall {}", baseline.squall_version)?;
    for (scenario, strategies) in &baseline.scenarios {
        for (strategy, entry) in strategies {
            writeln!(out, "{scenario} {strategy}: {}", plural(entry.fingerprints.len(), "seed"))?;
            for (name, value) in &entry.metrics {
                let shown = match name.parse() {
                    Ok(metric) => figure(metric, value.unwrap_or(f64::INFINITY)),
                    Err(_) => format!("{value:?}"),
                };
                writeln!(out, "  {name:24}  {shown}")?;
            }
        }
    }
    Ok(())
}
