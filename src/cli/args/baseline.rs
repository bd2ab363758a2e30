//! The arguments of `squall baseline`.

use std::path::PathBuf;

use clap::{Args as Group, ValueEnum};

use super::Selection;
use crate::scenario::{Margin, Metric, margin};

#[derive(Debug, Group)]
pub(in crate::cli) struct BaselineArgs {
    /// What to do with it.
    pub(in crate::cli) action: BaselineAction,

    #[command(flatten)]
    pub(in crate::cli) selection: Selection,

    /// The baseline file, to be checked in.
    #[arg(long, value_name = "FILE", default_value = "squall-baseline.json")]
    pub(in crate::cli) file: PathBuf,

    /// Take what this log says instead of running anything.
    #[arg(long, value_name = "LOG")]
    pub(in crate::cli) log: Option<PathBuf>,

    /// Let a metric move so far, as in p99=10%, recovery=500ms or success_rate=0.1% (points); may be given several times.
    #[arg(long = "tolerance", value_name = "METRIC=MARGIN", value_parser = tolerance)]
    pub(in crate::cli) tolerances: Vec<(Metric, Margin)>,

    /// How differences are told.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(in crate::cli) format: CheckFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum BaselineAction {
    /// Run, and write what came of it to a new file.
    Save,
    /// Run, and say what is better, worse, new or gone; exit with 100 if anything is worse or gone.
    Check,
    /// Run, say the same, and write it down as the new baseline.
    Accept,
    /// Print what the file says.
    Show,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum CheckFormat {
    /// A line a difference.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// Markdown, for a step summary.
    Markdown,
    /// GitHub annotations.
    Github,
}

/// `p99=10%`.
fn tolerance(text: &str) -> Result<(Metric, Margin), String> {
    let (name, amount) = text.split_once('=').ok_or("a tolerance is written METRIC=MARGIN, as in p99=10%")?;
    let metric: Metric = name.parse().map_err(|error: crate::scenario::metric::UnknownMetric| error.to_string())?;
    margin(amount, metric).map(|margin| (metric, margin))
}
