//! `squall run`: scenarios times strategies times seeds, judged and reported.

use super::args::{self, Format};
use super::exit::{Exit, Failure};
use super::request::{Output, Selection};
use super::streams::Streams;
use super::trials::{self, Ran};
use super::{conclude, files};
use crate::report::log::Shard;

pub(super) fn run(typed: args::Run, streams: &Streams) -> Result<Exit, Failure> {
    let mut selection = Selection::meant(typed.selection);
    let output = Output::meant(typed.output);
    selection.shard = typed.shard.unwrap_or(Shard::WHOLE);
    selection.events = typed.events;
    selection.journal.clone_from(&output.report_dir);
    if selection.shard.count > 1 {
        return shard(&selection, &output, streams);
    }
    let Ran { plans, log, journal } = trials::run(&selection, streams)?;
    let exit = conclude::conclude(&plans, &log, &output, streams)?;
    journal.map_or(Ok(()), super::journal::Journal::finish)?;
    Ok(exit)
}

/// A part of a run: a log for `squall merge`, and no verdict.
fn shard(selection: &Selection, output: &Output, streams: &Streams) -> Result<Exit, Failure> {
    if output.format != Format::Jsonl && output.report_dir.is_none() {
        let why = "a shard has no verdict of its own: give it --format jsonl or --report-dir, then `squall merge`";
        return Err(Failure::Usage(why.to_owned()));
    }
    let Ran { log, journal, .. } = trials::run(selection, streams)?;
    if let Some(folder) = &output.report_dir {
        files::write(&folder.join(conclude::log_name(selection.shard)), |out| log.write_compressed(out))?;
    }
    if output.format == Format::Jsonl {
        streams.data(|out| log.write(out))?;
    }
    journal.map_or(Ok(()), super::journal::Journal::finish)?;
    Ok(Exit::Good)
}
