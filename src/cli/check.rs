//! `squall check` and `squall fmt`: scenario files, looked at without running them.

use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure, plural};
use super::streams::Streams;
use super::{args, files, plans};
use crate::scenario::{
    Beside, DownstreamStrategy, Lint, Plan, discover, format, lint, parse, same_meaning, shared_names,
};

pub(super) fn check(typed: &args::Check, streams: &Streams) -> Result<Exit, Failure> {
    let scenarios = plans::read(&typed.paths)?;
    let mut lints: Vec<(String, Lint)> = Vec::new();
    for scenario in &scenarios {
        lints.extend(lint(&scenario.plan).into_iter().map(|lint| (scenario.plan.file.clone(), lint)));
    }
    // Of one file alone nothing can be said about what others use.
    if typed.paths.is_empty() || typed.paths.iter().any(|path| path.is_dir()) {
        lints.extend(unused(&scenarios));
    }
    streams.data(|out| {
        for (file, lint) in &lints {
            let place = if lint.line == 0 { file.clone() } else { format!("{file}:{}", lint.line) };
            writeln!(out, "{place}: {}\n  help: {}", lint.message, lint.help)?;
        }
        writeln!(out, "{} checked, {}", plural(scenarios.len(), "scenario"), plural(lints.len(), "warning"))
    })?;
    Ok(if typed.strict && !lints.is_empty() { Exit::Usage } else { Exit::Good })
}

/// Shared strategies that no scenario names.
fn unused(scenarios: &[plans::Scenario]) -> Vec<(String, Lint)> {
    let used = |name: &str| scenarios.iter().any(|scenario| names(&scenario.plan).any(|used| used == name));
    let mut files: Vec<&(String, String)> = scenarios.iter().flat_map(|scenario| &scenario.text.shared).collect();
    files.sort_unstable();
    files.dedup();
    let mut lints = Vec::new();
    for (file, text) in files {
        for (name, line) in shared_names(text).into_iter().filter(|(name, _)| !used(name)) {
            let message = format!("no scenario here uses the strategy `{name}`");
            lints.push((
                file.clone(),
                Lint { line, message, help: "name it under `strategies`, or remove it".to_owned() },
            ));
        }
    }
    lints
}

fn names(plan: &Plan) -> impl Iterator<Item = &str> {
    let tiers = plan.servers.iter().flat_map(|server| &server.downstream).filter_map(|call| match &call.strategy {
        DownstreamStrategy::Fixed(strategy) => Some(strategy.name.as_str()),
        DownstreamStrategy::Same => None,
    });
    plan.strategies.iter().map(|strategy| strategy.name.as_str()).chain(tiers)
}

pub(super) fn fmt(typed: &args::Fmt, streams: &Streams) -> Result<Exit, Failure> {
    let usual = [PathBuf::from(plans::FOLDER)];
    let paths = if typed.paths.is_empty() { &usual[..] } else { &typed.paths };
    let sources = discover(paths).map_err(|mistakes| Failure::Scenarios(vec![mistakes]))?;
    let mut changed = Vec::new();
    let mut mistakes = Vec::new();
    for source in sources {
        match one(&source.path, typed.check) {
            Ok(true) => changed.push(source.path),
            Ok(false) => {}
            // One file's mistakes are no reason to leave the others as they are, or not to say what became of them.
            Err(Failure::Scenarios(told)) => mistakes.extend(told),
            Err(failure) => return Err(failure),
        }
    }
    let word = if typed.check { "would format" } else { "formatted" };
    streams.data(|out| changed.iter().try_for_each(|path| writeln!(out, "{word} {}", path.display())))?;
    if !mistakes.is_empty() {
        return Err(Failure::Scenarios(mistakes));
    }
    Ok(if typed.check && !changed.is_empty() { Exit::Usage } else { Exit::Good })
}

/// Formats a file; whether it was not formatted before.
fn one(path: &Path, only_check: bool) -> Result<bool, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, error))?;
    let read = |text: &str| parse(&name, text, &Beside::of(path));
    let before = read(&text).map_err(|mistakes| Failure::Scenarios(vec![mistakes]))?;
    let formatted = format(&text);
    if formatted == text {
        return Ok(false);
    }
    if read(&formatted).map_or(true, |after| !same_meaning(&before, &after)) {
        return Err(Failure::Usage(format!(
            "{name} cannot be formatted without changing what it means; it is left alone"
        )));
    }
    if !only_check {
        files::write(path, |out| out.write_all(formatted.as_bytes()))?;
    }
    Ok(true)
}
