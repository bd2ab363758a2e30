//! `squall report` and `squall merge`: from logs to the report of their run, byte for byte.

use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use super::request::Output;
use super::streams::Streams;
use super::{args, plans};
use crate::report::log::{Log, LogError};

pub(super) fn report(typed: args::Report, streams: &Streams) -> Result<Exit, Failure> {
    conclude(&[typed.log], &Output::meant(typed.output), streams)
}

pub(super) fn merge(typed: args::Merge, streams: &Streams) -> Result<Exit, Failure> {
    conclude(&typed.logs, &Output::meant(typed.output), streams)
}

/// The run that logs make together.
pub(super) fn whole(paths: &[PathBuf]) -> Result<Log, Failure> {
    let logs = paths.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    Log::merge(logs).map_err(|error| Failure::Usage(format!("no whole run: {}", told(&error, paths))))
}

/// Why logs do not make a whole, with the files that are meant, and what can be done.
fn told(error: &LogError, paths: &[PathBuf]) -> String {
    let name = |log: usize| paths[log].display();
    match error {
        LogError::Different { log, what } => {
            format!("{} is not of the same run as {}: {what}", name(*log), name(0))
        }
        LogError::Twice { index, logs: [first, again] } => {
            format!("shard {index} is there twice, in {} and in {}", name(*first), name(*again))
        }
        LogError::Missing { index, count } => {
            format!("{error}; `squall run --shard slice:{index}/{count}` makes it, `squall merge` takes all of them")
        }
        _ => error.to_string(),
    }
}

fn conclude(paths: &[PathBuf], output: &Output, streams: &Streams) -> Result<Exit, Failure> {
    let log = whole(paths)?;
    let plans = plans::kept(&log.head.scenarios)?;
    super::conclude::conclude(&plans, &log, output, streams)
}

fn read(path: &Path) -> Result<Log, Failure> {
    let usage = |error: LogError| {
        if let LogError::Io(cause) = &error
            && cause.kind() == io::ErrorKind::UnexpectedEof
        {
            return Failure::Usage(format!("{}: it is cut off: copy or run it again", path.display()));
        }
        let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
        Failure::Usage(format!("{}: {error}{cause}", path.display()))
    };
    let file = std::fs::File::open(path).map_err(|error| usage(error.into()))?;
    Log::read(BufReader::new(file)).map_err(usage)
}
