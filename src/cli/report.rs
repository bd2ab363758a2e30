//! `squall report` and `squall merge`: from logs to the report of their run, byte for byte.

use std::io::BufReader;
use std::path::Path;

use super::exit::{Exit, Failure};
use super::request::Output;
use super::streams::Streams;
use super::{args, plans};
use crate::report::log::{Log, LogError};

pub(super) fn report(typed: args::Report, streams: &Streams) -> Result<Exit, Failure> {
    conclude(vec![read(&typed.log)?], &Output::meant(typed.output), streams)
}

pub(super) fn merge(typed: args::Merge, streams: &Streams) -> Result<Exit, Failure> {
    let logs = typed.logs.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    conclude(logs, &Output::meant(typed.output), streams)
}

/// The run that logs make together.
pub(super) fn whole(logs: Vec<Log>) -> Result<Log, Failure> {
    Log::merge(logs).map_err(|error| Failure::Usage(format!("no whole run: {error}")))
}

fn conclude(logs: Vec<Log>, output: &Output, streams: &Streams) -> Result<Exit, Failure> {
    let log = whole(logs)?;
    let plans = plans::kept(&log.head.scenarios)?;
    super::conclude::conclude(&plans, &log, output, streams)
}

pub(super) fn read(path: &Path) -> Result<Log, Failure> {
    let usage = |error: LogError| {
        let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
        Failure::Usage(format!("{}: {error}{cause}", path.display()))
    };
    let file = std::fs::File::open(path).map_err(|error| usage(error.into()))?;
    Log::read(BufReader::new(file)).map_err(usage)
}
