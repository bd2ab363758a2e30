//! The arguments of commands that run trials and report them: which trials, and what becomes of the result.

use std::path::PathBuf;

use clap::{Args as Group, ValueEnum};

use crate::report::log::Shard;

#[derive(Debug, Group)]
pub(in crate::cli) struct Run {
    #[command(flatten)]
    pub(in crate::cli) selection: Selection,

    #[command(flatten)]
    pub(in crate::cli) output: Output,

    /// Keep every event in the log, too. Some 100 bytes a call, compressed.
    #[arg(long)]
    pub(in crate::cli) events: bool,

    /// Run only this part of the trials, as in slice:1/3, for `squall merge`. Needs --format jsonl or --report-dir.
    #[arg(long, value_name = "slice:I/N", value_parser = shard)]
    pub(in crate::cli) shard: Option<Shard>,
}

/// Which trials.
#[derive(Debug, Group)]
pub(in crate::cli) struct Selection {
    /// Scenario files, or folders of them. Default: scenarios/ if it is there, else the built-in catalogue.
    #[arg(value_name = "PATH")]
    pub(in crate::cli) paths: Vec<PathBuf>,

    /// Run only the strategies of this name; may be given several times.
    #[arg(long = "strategy", value_name = "NAME")]
    pub(in crate::cli) strategies: Vec<String>,

    /// Run so many seeds instead of what the scenario says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(in crate::cli) seeds: Option<u32>,

    /// Run this seed alone; with --seeds, begin with it.
    #[arg(long, value_name = "S")]
    pub(in crate::cli) seed: Option<u64>,

    /// How many trials run at the same time. Default: one a core. The result does not depend on it.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) jobs: Option<u16>,

    /// Do not show progress.
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
}

/// What becomes of the result.
#[derive(Debug, Group)]
pub(in crate::cli) struct Output {
    /// What to print.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(in crate::cli) format: Format,

    /// Also write every format into this folder. A run that was interrupted goes on where it stopped.
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) report_dir: Option<PathBuf>,

    /// How much the human format says.
    #[arg(long, value_name = "MODE", default_value = "full")]
    pub(in crate::cli) summary_mode: SummaryMode,

    /// What becomes of an expectation whose interval has the bound inside.
    #[arg(long, value_name = "VERDICT", default_value = "by-figure")]
    pub(in crate::cli) inconclusive: Inconclusive,
}

/// `slice:2/3`.
fn shard(text: &str) -> Result<Shard, String> {
    let numbers = text.strip_prefix("slice:").and_then(|slice| slice.split_once('/'));
    let parsed = numbers.and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    match parsed {
        Some((index, count)) if (1..=count).contains(&index) => Ok(Shard { index, count }),
        _ => Err("a shard is written slice:I/N, with I from 1 to N".to_owned()),
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// Tables for people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// The log: a line a trial, for `squall merge` and `squall report`.
    Jsonl,
    /// JUnit XML.
    Junit,
    /// Markdown, for a step summary.
    Markdown,
    /// GitHub annotations at the lines of the scenario file.
    Github,
    /// Prometheus' text format, for a textfile collector or a Pushgateway.
    Prometheus,
    /// One page with every figure and drawing, for a browser.
    Html,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SummaryMode {
    /// The table, and what failed.
    Compact,
    /// Also what passed, and success over time.
    #[default]
    Full,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Inconclusive {
    /// The observed figure decides.
    #[default]
    ByFigure,
    /// It passes.
    Pass,
    /// It fails.
    Fail,
}
