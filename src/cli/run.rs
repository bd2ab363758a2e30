//! `squall run`: scenarios times strategies times seeds, judged and reported.

use super::args::{self, Format};
use super::exit::{Exit, Failure};
use super::request::{Output, Selection};
use super::streams::Streams;
use super::{conclude, trials};
use crate::report::log::Shard;

pub(super) fn run(typed: args::Run, streams: &Streams) -> Result<Exit, Failure> {
    let mut selection = Selection::meant(typed.selection);
    let output = Output::meant(typed.output);
    selection.shard = typed.shard.unwrap_or(Shard::WHOLE);
    if selection.shard.count > 1 && (output.format != Format::Jsonl || output.report_dir.is_some()) {
        let why = "a shard has no verdict of its own: give it --format jsonl and no --report-dir, then `squall merge`";
        return Err(Failure::Usage(why.to_owned()));
    }
    let (plans, log) = trials::run(&selection, streams)?;
    if selection.shard.count > 1 {
        streams.data(|out| log.write(out))?;
        return Ok(Exit::Good);
    }
    conclude::conclude(&plans, &log, &output, streams)
}
