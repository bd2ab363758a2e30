//! The command line as it is typed. What it means is worked out in [`request`](super::request).

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::parameters::Parameters;
use crate::random::Probability;
use crate::record::CallId;
use crate::report::log::Shard;
use crate::scenario::{Margin, Metric, margin, units};

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

/// A client connects, sends a request, and gets an answer of the same size.
#[derive(Clone, Debug, Group)]
pub(super) struct Net {
    /// Round trip of the link.
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = units::duration)]
    pub(super) rtt: Duration,
    /// Packets lost, each way.
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = units::percent)]
    pub(super) loss: Probability,
    /// Bytes of a request.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(super) bytes: usize,
    /// How many requests, one after another.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) requests: u32,
    /// Which losses happen.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(super) seed: u64,
    /// Everything vanishes from this moment on.
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub(super) black_hole: Option<Duration>,
    /// For how long it does.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = units::duration)]
    pub(super) lasts: Duration,
    /// Reno instead of CUBIC.
    #[arg(long)]
    pub(super) reno: bool,
}

#[derive(Debug, Group)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) selection: Selection,

    #[command(flatten)]
    pub(super) output: Output,

    /// Keep every event in the log, too. Some 100 bytes a call, compressed.
    #[arg(long)]
    pub(super) events: bool,

    /// Run only this part of the trials, as in slice:1/3, for `squall merge`. Needs --format jsonl or --report-dir.
    #[arg(long, value_name = "slice:I/N", value_parser = shard)]
    pub(super) shard: Option<Shard>,
}

/// Which trials.
#[derive(Debug, Group)]
pub(super) struct Selection {
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

    /// Do not show progress.
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// What becomes of the result.
#[derive(Debug, Group)]
pub(super) struct Output {
    /// What to print.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: Format,

    /// Also write every format into this folder. A run that was interrupted goes on where it stopped.
    #[arg(long, value_name = "DIR")]
    pub(super) report_dir: Option<PathBuf>,

    /// How much the human format says.
    #[arg(long, value_name = "MODE", default_value = "full")]
    pub(super) summary_mode: SummaryMode,

    /// What becomes of an expectation whose interval has the bound inside.
    #[arg(long, value_name = "VERDICT", default_value = "by-figure")]
    pub(super) inconclusive: Inconclusive,
}

#[derive(Debug, Group)]
pub(super) struct Report {
    /// A log that `squall run --format jsonl` wrote.
    #[arg(value_name = "LOG")]
    pub(super) log: PathBuf,

    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Group)]
pub(super) struct Merge {
    /// The logs of all shards, in any order.
    #[arg(value_name = "LOG", required = true)]
    pub(super) logs: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Group)]
pub(super) struct BaselineArgs {
    /// What to do with it.
    pub(super) action: BaselineAction,

    #[command(flatten)]
    pub(super) selection: Selection,

    /// The baseline file, to be checked in.
    #[arg(long, value_name = "FILE", default_value = "squall-baseline.json")]
    pub(super) file: PathBuf,

    /// Take what this log says instead of running anything.
    #[arg(long, value_name = "LOG")]
    pub(super) log: Option<PathBuf>,

    /// Let a metric move so far, as in p99=10%, recovery=500ms or success_rate=0.1% (points); may be given several times.
    #[arg(long = "tolerance", value_name = "METRIC=MARGIN", value_parser = tolerance)]
    pub(super) tolerances: Vec<(Metric, Margin)>,

    /// How differences are told.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: CheckFormat,
}

/// `p99=10%`.
fn tolerance(text: &str) -> Result<(Metric, Margin), String> {
    let (name, amount) = text.split_once('=').ok_or("a tolerance is written METRIC=MARGIN, as in p99=10%")?;
    let metric: Metric = name.parse().map_err(|error: crate::scenario::metric::UnknownMetric| error.to_string())?;
    margin(amount, metric).map(|margin| (metric, margin))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum CheckFormat {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum BaselineAction {
    /// Run, and write what came of it to a new file.
    Save,
    /// Run, and say what is better, worse, new or gone; exit with 100 if anything is worse or gone.
    Check,
    /// Run, say the same, and write it down as the new baseline.
    Accept,
    /// Print what the file says.
    Show,
}

#[derive(Debug, Group)]
pub(super) struct Compare {
    #[command(flatten)]
    pub(super) selection: Selection,

    /// Print JSON, as `squall run --format json` does.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Group)]
pub(super) struct Explain {
    /// The scenario: a file, or a name of the catalogue.
    pub(super) scenario: PathBuf,

    /// With which strategy. Default: the first one.
    #[arg(long, value_name = "NAME")]
    pub(super) strategy: Option<String>,

    /// With which seed. Default: the scenario's first one.
    #[arg(long, value_name = "S")]
    pub(super) seed: Option<u64>,

    /// Which call, as CLIENT/NUMBER; may be given several times. Default: the three that took longest.
    #[arg(long = "call", value_name = "CALL")]
    pub(super) calls: Vec<CallId>,

    /// The first call that failed.
    #[arg(long, conflicts_with = "calls")]
    pub(super) first_failure: bool,

    /// Print every event of the trial as a line of JSON instead, behind a line that says which trial it is.
    #[arg(long, conflicts_with_all = ["calls", "first_failure"])]
    pub(super) events: bool,

    /// Run the control twin: the same trial without faults.
    #[arg(long)]
    pub(super) control: bool,
}

#[derive(Debug, Group)]
pub(super) struct Trace {
    /// The scenario: a file, or a name of the catalogue.
    pub(super) scenario: PathBuf,

    /// With which strategy. Default: the first one.
    #[arg(long, value_name = "NAME")]
    pub(super) strategy: Option<String>,

    /// With which seed. Default: the scenario's first one.
    #[arg(long, value_name = "S")]
    pub(super) seed: Option<u64>,

    /// For which tool.
    #[arg(long, value_name = "FORMAT", default_value = "chrome")]
    pub(super) format: TraceFormat,

    /// The file to write. Default: standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Deliver the spans to a collector over gRPC instead, as in http://localhost:4317. Needs --format otlp.
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "URL", conflicts_with = "output")]
    pub(super) endpoint: Option<String>,

    /// When virtual time begins, in seconds after 1970: collectors drop spans that are too old. For --format otlp.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=10_000_000_000))]
    pub(super) epoch: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TraceFormat {
    /// A timeline for ui.perfetto.dev or chrome://tracing.
    Chrome,
    /// The packets of the simulated wire, for Wireshark and tshark.
    Pcapng,
    /// Spans in OpenTelemetry's JSON.
    Otlp,
}

#[derive(Debug, Group)]
pub(super) struct Watch {
    /// The scenario file.
    pub(super) scenario: PathBuf,

    /// Run only the strategies of this name; may be given several times.
    #[arg(long = "strategy", value_name = "NAME")]
    pub(super) strategies: Vec<String>,

    /// Run so many seeds instead of what the scenario says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) seeds: Option<u32>,

    /// How many trials run at the same time. Default: one a core.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: Option<u16>,

    /// Stop after so many runs. Default: at ctrl-c.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) runs: Option<u32>,
}

#[derive(Debug, Group)]
pub(super) struct Check {
    /// Scenario files, or folders of them. Default: as for run.
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    /// Exit with 2 if there is a warning.
    #[arg(long)]
    pub(super) strict: bool,
}

#[derive(Debug, Group)]
pub(super) struct Fmt {
    /// Scenario files, or folders of them. Default: scenarios/.
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    /// Change nothing; exit with 2 if a file would change.
    #[arg(long)]
    pub(super) check: bool,
}

#[derive(Debug, Group)]
pub(super) struct Doctor {
    /// Scenario files, or folders of them. Default: as for run.
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    /// Run at least so many triples of scenario, strategy and seed, each twice.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) pairs: u32,

    /// Do not measure how work is shared among cores.
    #[arg(long)]
    pub(super) quick: bool,
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
pub(super) struct Export {
    /// A strategy of a scenario, or a preset such as grpc-default.
    #[arg(value_name = "STRATEGY")]
    pub(super) strategy: String,

    /// Scenario files, or folders of them. Default: the presets, then as for run.
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    /// Fail if something cannot be expressed.
    #[arg(long)]
    pub(super) strict: bool,
}

#[derive(Debug, Group)]
pub(super) struct Import {
    /// A service config: the JSON that grpc-go and others read.
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

    /// Set a parameter, as in load=0.5; may be given several times. Each is an option of its own, too: see below.
    #[arg(long, value_name = "NAME=NUMBER")]
    pub(super) set: Vec<String>,

    #[command(flatten)]
    pub(super) parameters: Parameters,

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
