//! The arguments of commands that look at one scenario, or at one trial of it.

use std::path::PathBuf;

use clap::{Args as Group, ValueEnum};

use crate::record::CallId;

#[derive(Debug, Group)]
pub(in crate::cli) struct Explain {
    /// The scenario: a file, or a name of the catalogue.
    pub(in crate::cli) scenario: PathBuf,

    /// With which strategy. Default: the first one.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) strategy: Option<String>,

    /// With which seed. Default: the scenario's first one.
    #[arg(long, value_name = "S")]
    pub(in crate::cli) seed: Option<u64>,

    /// Which call, as CLIENT/NUMBER; may be given several times. Default: the three that took longest.
    #[arg(long = "call", value_name = "CALL")]
    pub(in crate::cli) calls: Vec<CallId>,

    /// The first call that failed.
    #[arg(long, conflicts_with = "calls")]
    pub(in crate::cli) first_failure: bool,

    /// Print every event of the trial as a line of JSON instead, behind a line that says which trial it is.
    #[arg(long, conflicts_with_all = ["calls", "first_failure"])]
    pub(in crate::cli) events: bool,

    /// Run the control twin: the same trial without faults.
    #[arg(long)]
    pub(in crate::cli) control: bool,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct Trace {
    /// The scenario: a file, or a name of the catalogue.
    pub(in crate::cli) scenario: PathBuf,

    /// With which strategy. Default: the first one.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) strategy: Option<String>,

    /// With which seed. Default: the scenario's first one.
    #[arg(long, value_name = "S")]
    pub(in crate::cli) seed: Option<u64>,

    /// For which tool.
    #[arg(long, value_name = "FORMAT", default_value = "chrome")]
    pub(in crate::cli) format: TraceFormat,

    /// The file to write. Default: standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,

    /// Deliver the spans to a collector over gRPC instead, as in http://localhost:4317. Needs --format otlp.
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "URL", conflicts_with = "output")]
    pub(in crate::cli) endpoint: Option<String>,

    /// When virtual time begins, in seconds after 1970: collectors drop spans that are too old. For --format otlp.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=10_000_000_000))]
    pub(in crate::cli) epoch: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum TraceFormat {
    /// A timeline for ui.perfetto.dev or chrome://tracing.
    Chrome,
    /// The packets of the simulated wire, for Wireshark and tshark.
    Pcapng,
    /// Spans in OpenTelemetry's JSON.
    Otlp,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct Watch {
    /// The scenario file.
    pub(in crate::cli) scenario: PathBuf,

    /// Run only the strategies of this name; may be given several times.
    #[arg(long = "strategy", value_name = "NAME")]
    pub(in crate::cli) strategies: Vec<String>,

    /// Run so many seeds instead of what the scenario says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(in crate::cli) seeds: Option<u32>,

    /// How many trials run at the same time. Default: one a core.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) jobs: Option<u16>,

    /// Stop after so many runs. Default: at ctrl-c.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) runs: Option<u32>,
}
