//! The arguments of commands about scenario files: written, checked, formatted, listed and described.

use std::path::PathBuf;

use clap::{Args as Group, ValueEnum};

#[derive(Debug, Group)]
pub(in crate::cli) struct New {
    /// Begin with this scenario of the catalogue.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) from: Option<String>,

    /// The file to write; it must not exist yet.
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct Check {
    /// Scenario files, or folders of them. Default: as for run.
    #[arg(value_name = "PATH")]
    pub(in crate::cli) paths: Vec<PathBuf>,

    /// Exit with 2 if there is a warning.
    #[arg(long)]
    pub(in crate::cli) strict: bool,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct Fmt {
    /// Scenario files, or folders of them. Default: scenarios/.
    #[arg(value_name = "PATH")]
    pub(in crate::cli) paths: Vec<PathBuf>,

    /// Change nothing; exit with 2 if a file would change.
    #[arg(long)]
    pub(in crate::cli) check: bool,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct List {
    /// What to list.
    #[arg(default_value = "scenarios")]
    pub(in crate::cli) what: Listed,

    /// Scenario files, or folders of them. Default: as for run.
    #[arg(value_name = "PATH")]
    pub(in crate::cli) paths: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Listed {
    /// Scenario files and what they teach.
    Scenarios,
    /// The strategies that scenarios compare.
    Strategies,
    /// The faults that scenarios declare.
    Faults,
    /// What can be measured and expected.
    Metrics,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct Schema {
    /// Of which kind of file.
    #[arg(default_value = "scenario")]
    pub(in crate::cli) of: SchemaOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SchemaOf {
    /// A scenario file.
    Scenario,
    /// A `strategies.yaml` of shared strategies.
    Strategies,
}
