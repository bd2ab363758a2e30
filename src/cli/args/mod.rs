//! The command line as it is typed: a room for each group of commands. What it means is worked out in
//! [`request`](super::request).

mod baseline;
mod files;
mod logs;
mod one;
mod run;
mod strategies;
mod trust;

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(super) use self::baseline::{BaselineAction, BaselineArgs, CheckFormat};
pub(super) use self::files::{Check, Fmt, List, Listed, New, Schema, SchemaOf};
pub(super) use self::logs::{Merge, Report};
pub(super) use self::one::{Explain, Trace, TraceFormat, Watch};
pub(super) use self::run::{Format, Inconclusive, Output, Run, Selection, SummaryMode};
pub(super) use self::strategies::{Compare, Export, Import};
pub(super) use self::trust::{Doctor, Net, Validate};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Every option can also be set in the environment (SQUALL_SEEDS=20) or in squall.toml (seeds = 20).

Exit codes:
  0    everything held
  1    an internal error
  2    a mistake on the command line or in a scenario
  4    nothing to run was selected
  99   an expectation failed, or a declared fault never fired
  100  worse than the baseline
  130  interrupted";

const COMPARE_WORDS: &str = "\
Strategies, and scenario files or folders of them. Two strategies are held against each other metric by metric, the first judged \
by the second; otherwise all that are named, or all that there are, stand side by side. The name of a sweep stands for all of \
its strategies";

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

    /// Read settings from this file. Default: squall.toml in this folder or one above it.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Use the settings of this profile of squall.toml, too.
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) profile: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run scenario files: one table a scenario, and an exit code.
    Run(Run),
    /// Put strategies side by side, with their Pareto front; or say which of two is better at what, seed by seed.
    #[command(mut_arg("paths", |arg| arg.value_name("STRATEGY|PATH").help(COMPARE_WORDS)))]
    Compare(Compare),
    /// Keep what a run came to, and find out when it gets worse.
    Baseline(BaselineArgs),
    /// Make one run of the logs of its shards.
    Merge(Merge),
    /// Report a run again from its log.
    Report(Report),
    /// Tell the story of single calls: attempts, pauses, and what the server and the weather did meanwhile.
    Explain(Explain),
    /// Write what happened in one trial for Perfetto, Wireshark or an OpenTelemetry collector.
    Trace(Trace),
    /// Run a scenario again whenever its file changes, and show what moved.
    Watch(Watch),
    /// Look for mistakes in scenario files, and for what is hardly meant, without running them.
    Check(Check),
    /// Write scenario files in the one way to write them.
    Fmt(Fmt),
    /// List scenarios, strategies, faults or metrics.
    List(List),
    /// Print the JSON Schema of scenario files, for editors.
    Schema(Schema),
    /// Write a new scenario file to begin with.
    New(New),
    /// Write a strategy as gRPC service config, and say what that cannot express.
    Export(Export),
    /// Turn a gRPC service config into a strategy for scenario files.
    Import(Import),
    /// Hold Squall against published results and closed forms.
    #[command(after_help = super::parameters::help())]
    Validate(Validate),
    /// Show what the simulated kernel does to one connection, packet by packet.
    Net(Net),
    /// Examine this machine, and run scenarios twice in fresh processes: the same seed must be the same storm.
    Doctor(Doctor),
    /// Print a completion script for a shell.
    Completions(Completions),
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
