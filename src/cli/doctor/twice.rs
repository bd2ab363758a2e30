//! The same run in two fresh processes: every trial must leave the same record, and if one does not, the first event that
//! differs says where to look.
//!
//! The second process has another locale, time zone and number of threads, and starts at other addresses: whatever leaks from
//! those into a trial shows.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::super::exit::{Failure, plural};
use super::super::streams::Streams;
use super::super::{args, plans};
use super::tell;
use crate::report::log::{Line, Log};
use crate::scenario::Plan;

/// Runs what was asked for twice; whether all of it was the same.
pub(super) fn check(typed: &args::Doctor, streams: &Streams) -> Result<bool, Failure> {
    let scenarios = plans::read(&typed.paths)?;
    let combinations: u32 = scenarios.iter().map(|scenario| scenario.plan.strategies.len() as u32).sum();
    let seeds = typed.pairs.div_ceil(combinations.max(1)).to_string();
    let empty = tempfile::NamedTempFile::new().map_err(|error| internal("cannot make a temporary file", error))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let fresh = |strange: bool, words: &[&str]| start(strange, empty.path(), words);
    let mut logs = Vec::new();
    for strange in [false, true] {
        let jobs = (cores + usize::from(strange)).to_string();
        let mut words = vec!["run", "--format", "jsonl", "--quiet", "--seeds", &seeds, "--jobs", &jobs];
        words.extend(typed.paths.iter().filter_map(|path| path.to_str()));
        let (mut child, stdout) = fresh(strange, &words)?;
        let log = Log::read(stdout).map_err(|error| internal("a fresh process gave no log", error))?;
        child.wait().map_err(|error| internal("a fresh process is lost", error))?;
        logs.push(log);
    }
    let [one, other] = &logs[..] else { unreachable!("two processes were run") };
    let pairs = one.lines.iter().filter(|line| !line.control).count();
    let differing: Vec<&Line> =
        one.lines.iter().zip(&other.lines).filter(|(one, other)| one != other).map(|(line, _)| line).collect();
    let same = differing.is_empty() && one.lines.len() == other.lines.len();
    let what = format!("{} of scenario, strategy and seed, each in two fresh processes", plural(pairs, "triple"));
    let told = if same { "no divergence".to_owned() } else { plural(differing.len(), "divergence") };
    tell(streams, same, &format!("{what}: {told}"))?;
    streams.data(|out| {
        writeln!(out, "figure doctor.pairs = {pairs} runs")?;
        writeln!(out, "figure doctor.divergences = {} runs", differing.len())
    })?;
    if let Some(line) = differing.first() {
        let plan = &scenarios[line.scenario].plan;
        let told = locate(plan, line, &fresh)?;
        streams.data(|out| writeln!(out, "  {}, {}, seed {}: {told}", plan.name, line.strategy, line.seed))?;
    }
    Ok(same)
}

type Fresh<'f> = dyn Fn(bool, &[&str]) -> Result<(Child, ChildStdout), Failure> + 'f;

/// Has the trial's events told by two more processes, and finds the first that differs.
fn locate(plan: &Plan, line: &Line, fresh: &Fresh<'_>) -> Result<String, Failure> {
    let seed = line.seed.to_string();
    let mut words = vec!["explain", &plan.file, "--strategy", &line.strategy, "--seed", &seed, "--events"];
    if line.control {
        words.push("--control");
    }
    let (mut one, one_events) = fresh(false, &words)?;
    let (mut other, other_events) = fresh(true, &words)?;
    let found = first_difference(one_events, other_events).map_err(|error| internal("events cannot be read", error))?;
    for child in [&mut one, &mut other] {
        // A process that still has something to say is not waited for.
        let _ = child.kill();
        child.wait().map_err(|error| internal("a fresh process is lost", error))?;
    }
    Ok(found.unwrap_or_else(|| "two more processes agree, so it differs only now and then".to_owned()))
}

/// The first line in which two texts differ, with its number.
fn first_difference(one: impl Read, other: impl Read) -> std::io::Result<Option<String>> {
    let (mut one, mut other) = (BufReader::new(one).lines(), BufReader::new(other).lines());
    let mut number = 0_u64;
    loop {
        match (one.next().transpose()?, other.next().transpose()?) {
            (None, None) => return Ok(None),
            (left, right) if left == right => number += 1,
            (left, right) => {
                let [left, right] = [left, right].map(|line| line.unwrap_or_else(|| "nothing more".to_owned()));
                return Ok(Some(format!(
                    "event {number} is\n    {left}\n  in one process and\n    {right}\n  in another"
                )));
            }
        }
    }
}

/// Starts this program anew, with no settings but those given.
fn start(strange: bool, settings: &Path, words: &[&str]) -> Result<(Child, ChildStdout), Failure> {
    let program = std::env::current_exe().map_err(|error| internal("cannot find this program", error))?;
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SQUALL_")) {
        command.env_remove(name);
    }
    if strange {
        // A longer environment moves the stack.
        command.envs([("TZ", "Pacific/Kiritimati"), ("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr_TR.UTF-8")]);
        command.env("SHIFT", "x".repeat(4099));
    }
    command.arg("--config").arg(settings).args(words).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| internal("cannot start a fresh process", error))?;
    let stdout = child.stdout.take().expect("it was piped");
    Ok((child, stdout))
}

fn internal(doing: &str, error: impl std::error::Error + 'static) -> Failure {
    Failure::Internal(doing.to_owned(), Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_that_differs_is_named() {
        let find = |one: &str, other: &str| first_difference(one.as_bytes(), other.as_bytes()).unwrap();
        assert_eq!(find("head\na\nb\n", "head\na\nb\n"), None);
        let told = find("head\na\nb\nc\n", "head\na\nx\nc\n").unwrap();
        assert!(told.contains("event 2 is") && told.contains("    b\n") && told.contains("    x\n"), "{told}");
        assert!(find("head\na\n", "head\n").unwrap().contains("nothing more"));
    }
}
