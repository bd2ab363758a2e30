//! The command line as it is typed. What it means is worked out in [`request`](super::request).

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Exit codes:
  0    everything held
  1    an internal error
  2    a mistake on the command line or in a scenario
  4    nothing to run was selected
  99   an expectation failed, or a declared fault never fired
  100  worse than the baseline
  130  interrupted";

/// Chaos and fault injection for gRPC resilience: which retry policy survives the storm, and at what price?
#[derive(Debug, Parser)]
#[command(name = "squall", version, about, styles = STYLES, after_help = EXIT_CODES, max_term_width = 100)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,

    /// When to colour: by default if the output is a terminal and NO_COLOR is not set.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: Color,

    /// Tell what happens inside, with virtual times, on stderr; again (-vv) for more. RUST_LOG selects more finely.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run scenario files: one table a scenario, and an exit code.
    Run(Run),
    /// List scenarios, strategies, faults or metrics.
    List(List),
    /// Print the JSON Schema of scenario files, for editors.
    Schema(Schema),
    /// Write a new scenario file to begin with.
    New(New),
    /// Hold Squall against published results and closed forms.
    Validate(Validate),
    /// Print a completion script for a shell.
    Completions(Completions),
}

#[derive(Clone, Debug, Default, Group)]
pub(super) struct Run {
    /// Scenario files, or folders of them. Default: scenarios/ if it is there, else the built-in catalogue.
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    /// Run only the strategies of this name; may be given several times.
    #[arg(long = "strategy", value_name = "NAME")]
    pub(super) strategies: Vec<String>,

    /// Run so many seeds instead of what the scenario says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) seeds: Option<u32>,

    /// Run this seed alone; with --seeds, begin with it.
    #[arg(long, value_name = "S")]
    pub(super) seed: Option<u64>,

    /// How many trials run at the same time. Default: one a core. The result does not depend on it.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: Option<u16>,

    /// What to print.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: Format,

    /// Also write every format into this folder.
    #[arg(long, value_name = "DIR")]
    pub(super) report_dir: Option<PathBuf>,

    /// How much the human format says.
    #[arg(long, value_name = "MODE", default_value = "full")]
    pub(super) summary_mode: SummaryMode,

    /// What becomes of an expectation whose interval has the bound inside.
    #[arg(long, value_name = "VERDICT", default_value = "by-figure")]
    pub(super) inconclusive: Inconclusive,

    /// Do not show progress.
    #[arg(short, long)]
    pub(super) quiet: bool,
}

#[derive(Debug, Group)]
pub(super) struct List {
    /// What to list.
    #[arg(default_value = "scenarios")]
    pub(super) what: Listed,

    /// Scenario files, or folders of them. Default: as for run.
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
}

#[derive(Debug, Group)]
pub(super) struct Schema {
    /// Of which kind of file.
    #[arg(default_value = "scenario")]
    pub(super) of: SchemaOf,
}

#[derive(Debug, Group)]
pub(super) struct New {
    /// Begin with this scenario of the catalogue.
    #[arg(long, value_name = "NAME")]
    pub(super) from: Option<String>,

    /// The file to write; it must not exist yet.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
}

#[derive(Debug, Group)]
pub(super) struct Validate {
    /// Which suites, such as mm1 or aws. Default: all of them.
    #[arg(value_name = "SUITE")]
    pub(super) suites: Vec<String>,

    /// With as many seeds and calls as the sources had: half an hour instead of minutes.
    #[arg(long)]
    pub(super) full: bool,

    /// Set a parameter of the suite, as in load=0.5; may be given several times.
    #[arg(long, value_name = "NAME=NUMBER")]
    pub(super) set: Vec<String>,

    /// Print the scenario instead of running it.
    #[arg(long)]
    pub(super) scenario: bool,

    /// Print a page in Markdown: VALIDATION.md.
    #[arg(long)]
    pub(super) markdown: bool,

    /// How many trials run at the same time. Default: one a core. The result does not depend on it.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: Option<u16>,
}

#[derive(Debug, Group)]
pub(super) struct Completions {
    /// For which shell.
    pub(super) shell: Shell,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// If the output is a terminal and NO_COLOR is not set.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// Never.
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Tables for people.
    #[default]
    Human,
    /// One JSON document.
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum SummaryMode {
    /// The table, and what failed.
    Compact,
    /// Also what passed, and success over time.
    #[default]
    Full,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Inconclusive {
    /// The observed figure decides.
    #[default]
    ByFigure,
    /// It passes.
    Pass,
    /// It fails.
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Listed {
    /// Scenario files and what they teach.
    Scenarios,
    /// The strategies that scenarios compare.
    Strategies,
    /// The faults that scenarios declare.
    Faults,
    /// What can be measured and expected.
    Metrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// A scenario file.
    Scenario,
    /// A `strategies.yaml` of shared strategies.
    Strategies,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
