//! The arguments of commands that begin with logs instead of trials.

use std::path::PathBuf;

use clap::Args as Group;

use super::Output;

#[derive(Debug, Group)]
pub(in crate::cli) struct Report {
    /// A log that `squall run --format jsonl` wrote.
    #[arg(value_name = "LOG")]
    pub(in crate::cli) log: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) output: Output,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct Merge {
    /// The logs of all shards, in any order.
    #[arg(value_name = "LOG", required = true)]
    pub(in crate::cli) logs: Vec<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) output: Output,
}
