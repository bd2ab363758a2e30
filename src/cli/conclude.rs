//! From the log of a run to its verdict and its reports: the same way for a live run, a merged one and an old one.

use std::io::{self, Write};
use std::path::Path;

use super::args::Format;
use super::exit::{Exit, Failure};
use super::files;
use super::request::Output;
use super::streams::Streams;
use crate::analysis::{ScenarioOutcome, Trial, judge};
use crate::report::human::{self, Paint};
use crate::report::log::{Line, Log, Shard};
use crate::report::{Run, github, html, json, junit, markdown, prometheus};
use crate::scenario::Plan;

/// How wide the human report in a file is.
const FILE_WIDTH: usize = 120;

/// Judges a whole log and reports it as asked.
pub(super) fn conclude(plans: &[Plan], log: &Log, output: &Output, streams: &Streams) -> Result<Exit, Failure> {
    let run = Run { scenarios: outcomes(plans, log)?, policy: output.policy };
    let on_terminal = human::Options { width: streams.stdout_width(), paint: streams.paint(), summary: output.summary };
    if let Some(folder) = &output.report_dir {
        write_files(&run, log, on_terminal, folder)?;
    }
    streams.data(|out| write(&run, log, output.format, on_terminal, out))?;
    Ok(run.verdict().into())
}

/// What came of every scenario in a whole log.
pub(super) fn outcomes(plans: &[Plan], log: &Log) -> Result<Vec<ScenarioOutcome>, Failure> {
    let mut trials: Vec<Vec<Trial<'_>>> = plans.iter().map(|_| Vec::new()).collect();
    for line in &log.lines {
        let trial = trial(plans, line)?;
        trials[line.scenario].push(trial);
    }
    Ok(plans.iter().zip(&trials).map(|(plan, trials)| judge(plan, trials)).collect())
}

fn trial<'l>(plans: &[Plan], line: &'l Line) -> Result<Trial<'l>, Failure> {
    let plan = plans.get(line.scenario);
    let place = plan.and_then(|plan| plan.strategies.iter().position(|strategy| strategy.name == line.strategy));
    let unknown =
        || Failure::Usage(format!("the log has a trial of `{}`, which its scenario does not know", line.strategy));
    let strategy = place.ok_or_else(unknown)?;
    Ok(Trial { strategy, seed: line.seed, control: line.control, metrics: &line.metrics })
}

fn write(run: &Run, log: &Log, format: Format, options: human::Options, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Human => human::write(run, options, out),
        Format::Json => json::write(run, out),
        Format::Jsonl => log.write(out),
        Format::Html => html::write(run, &log.head.scenarios, out),
        Format::Junit => junit::write(run, out),
        Format::Markdown => markdown::write(run, out),
        Format::Github => github::write(run, out),
        Format::Prometheus => prometheus::write(run, out),
    }
}

/// Every format that is a document, each in its file.
fn write_files(run: &Run, log: &Log, on_terminal: human::Options, folder: &Path) -> Result<(), Failure> {
    let options = human::Options { width: FILE_WIDTH, paint: Paint::Plain, ..on_terminal };
    let document =
        |(name, format): (&str, Format)| files::write(&folder.join(name), |out| write(run, log, format, options, out));
    DOCUMENTS.into_iter().try_for_each(document)?;
    files::write(&folder.join(log_name(Shard::WHOLE)), |out| log.write_compressed(out))
}

/// The documents of a report folder; its log comes beside them.
const DOCUMENTS: [(&str, Format); 6] = [
    ("index.html", Format::Html),
    ("report.txt", Format::Human),
    ("report.json", Format::Json),
    ("report.md", Format::Markdown),
    ("junit.xml", Format::Junit),
    ("metrics.prom", Format::Prometheus),
];

/// What the log of a part of a run is called.
pub(super) fn log_name(shard: Shard) -> String {
    match shard {
        Shard::WHOLE => "squall.jsonl.zst".to_owned(),
        Shard { index, count } => format!("squall-{index}-of-{count}.jsonl.zst"),
    }
}

/// Removes what a process that was killed while it wrote reports left beside them.
pub(super) fn clean(folder: &Path, shard: Shard) -> Result<(), Failure> {
    let log = log_name(shard);
    let documents = DOCUMENTS.iter().map(|(name, _)| *name).filter(|_| shard == Shard::WHOLE);
    documents.chain([log.as_str()]).try_for_each(|name| files::clean(&folder.join(name)))
}
