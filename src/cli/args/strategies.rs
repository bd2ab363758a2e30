//! The arguments of commands about strategies: compared, written as gRPC service config, or read from one.

use std::path::PathBuf;

use clap::Args as Group;

use super::Selection;

#[derive(Debug, Group)]
pub(in crate::cli) struct Compare {
    #[command(flatten)]
    pub(in crate::cli) selection: Selection,

    /// Print JSON, as `squall run --format json` does.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct Export {
    /// A strategy of a scenario, or a preset such as grpc-default.
    #[arg(value_name = "STRATEGY")]
    pub(in crate::cli) strategy: String,

    /// Scenario files, or folders of them. Default: the presets, then as for run.
    #[arg(value_name = "PATH")]
    pub(in crate::cli) paths: Vec<PathBuf>,

    /// Fail if something cannot be expressed.
    #[arg(long)]
    pub(in crate::cli) strict: bool,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct Import {
    /// A service config: the JSON that grpc-go and others read.
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
}
