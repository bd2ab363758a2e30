//! The arguments of commands that show why a run can be believed.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as Group;

use super::super::parameters::Parameters;
use crate::random::Probability;
use crate::scenario::units;

#[derive(Debug, Group)]
pub(in crate::cli) struct Validate {
    /// Which suites, such as mm1 or aws. Default: all of them.
    #[arg(value_name = "SUITE")]
    pub(in crate::cli) suites: Vec<String>,

    /// With as many seeds and calls as the sources had: half an hour instead of minutes.
    #[arg(long)]
    pub(in crate::cli) full: bool,

    /// Set a parameter, as in load=0.5; may be given several times. Each is an option of its own, too: see below.
    #[arg(long, value_name = "NAME=NUMBER")]
    pub(in crate::cli) set: Vec<String>,

    #[command(flatten)]
    pub(in crate::cli) parameters: Parameters,

    /// Print the scenario instead of running it.
    #[arg(long)]
    pub(in crate::cli) scenario: bool,

    /// Print a page in Markdown: VALIDATION.md.
    #[arg(long)]
    pub(in crate::cli) markdown: bool,

    /// How many trials run at the same time. Default: one a core. The result does not depend on it.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) jobs: Option<u16>,
}

/// A client connects, sends a request, and gets an answer of the same size.
#[derive(Clone, Debug, Group)]
pub(in crate::cli) struct Net {
    /// Round trip of the link.
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = units::duration)]
    pub(in crate::cli) rtt: Duration,
    /// Packets lost, each way.
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = units::percent)]
    pub(in crate::cli) loss: Probability,
    /// Bytes of a request.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(in crate::cli) bytes: u32,
    /// How many requests, one after another.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(in crate::cli) requests: u32,
    /// Which losses happen.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(in crate::cli) seed: u64,
    /// Everything vanishes from this moment on.
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub(in crate::cli) black_hole: Option<Duration>,
    /// For how long it does.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = units::duration, requires = "black_hole")]
    pub(in crate::cli) lasts: Duration,
    /// Reno instead of CUBIC.
    #[arg(long)]
    pub(in crate::cli) reno: bool,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct Doctor {
    /// Scenario files, or folders of them. Default: as for run.
    #[arg(value_name = "PATH")]
    pub(in crate::cli) paths: Vec<PathBuf>,

    /// Run at least so many triples of scenario, strategy and seed, each twice.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(in crate::cli) pairs: u32,

    /// Do not measure how work is shared among cores.
    #[arg(long)]
    pub(in crate::cli) quick: bool,
}
