//! How a command ends: every exit code, and every failure's words, in one place.

use std::io;
use std::process::ExitCode;

use super::args::Color;
use super::streams::Streams;
use crate::analysis::Verdict;
use crate::scenario::{Diagnostics, closest, did_you_mean};

/// The exit codes, a contract with scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Everything held.
    Good = 0,
    /// Squall itself failed.
    Internal = 1,
    /// A mistake on the command line or in a scenario.
    Usage = 2,
    /// Nothing to run was selected.
    Nothing = 4,
    /// An expectation failed, or a declared fault never fired.
    Failed = 99,
    /// Worse than the baseline.
    Regression = 100,
    /// Somebody asked to stop: 128 + SIGINT.
    Interrupted = 130,
}

/// Why a command could not do what was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// What was asked for makes no sense.
    Usage(String),
    /// Scenario files have mistakes, file by file.
    Scenarios(Vec<Diagnostics>),
    /// Nothing was selected, and why.
    Nothing(String),
    /// Somebody asked to stop.
    Interrupted {
        /// Whether the same command goes on where this one stopped.
        resumable: bool,
    },
    /// Nobody reads the output any more.
    ReaderGone,
    /// Something else went wrong: doing what, and why.
    Internal(String, Box<dyn std::error::Error>),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass | Verdict::Inconclusive => Self::Good,
            Verdict::Fail => Self::Failed,
        }
    }
}

impl Failure {
    /// A failure to write to stdout.
    pub(super) fn output(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ReaderGone
        } else {
            Self::Internal("cannot write the output".to_owned(), error.into())
        }
    }

    /// A failure to read or write a file.
    pub(super) fn file(doing: &str, path: &std::path::Path, error: io::Error) -> Self {
        Self::Internal(format!("cannot {doing} {}", path.display()), error.into())
    }

    const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Scenarios(_) => Exit::Usage,
            Self::Nothing(_) => Exit::Nothing,
            Self::Interrupted { .. } => Exit::Interrupted,
            // `squall list | head` is no failure.
            Self::ReaderGone => Exit::Good,
            Self::Internal(..) => Exit::Internal,
        }
    }
}

/// Says why a command failed, and gives its exit code.
pub(super) fn fail(failure: &Failure, streams: &Streams) -> ExitCode {
    match failure {
        Failure::Usage(message) | Failure::Nothing(message) => streams.error(message),
        Failure::Scenarios(all) => {
            for diagnostics in all {
                streams.say(&diagnostics.render(streams.stderr_color(), streams.stderr_width()));
                streams.say("");
            }
            let mistakes: usize = all.iter().map(Diagnostics::len).sum();
            let (mistake, file) = (plural(mistakes, "mistake"), plural(all.len(), "file"));
            streams.error(&format!("{mistake} in {file}; nothing was run"));
        }
        Failure::Interrupted { resumable: false } => streams.error("interrupted; nothing was reported"),
        Failure::Interrupted { resumable: true } => {
            streams.error("interrupted; nothing was reported, and the same command goes on from here");
        }
        Failure::ReaderGone => {}
        Failure::Internal(doing, error) => {
            streams.error(doing);
            let mut source = Some(&**error);
            while let Some(error) = source {
                streams.say(&format!("  because: {error}"));
                source = error.source();
            }
        }
    }
    failure.exit().into()
}

/// What clap has to say: help and version are data, mistakes are not; `origin` says where a mistake comes from.
pub(super) fn usage(told: &clap::Error, origin: Option<String>) -> ExitCode {
    let exit = if told.use_stderr() { Exit::Usage } else { Exit::Good };
    // Whoever closed the stream does not want to read it.
    let _ = told.print();
    if let Some(origin) = origin {
        Streams::new(Color::Auto).say(&format!("\n  note: {origin}"));
    }
    exit.into()
}

/// The way out for whoever named something that is not there.
pub(super) fn meant<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    closest(written, &known).map_or_else(|| format!("there are {}", known.join(", ")), did_you_mean)
}

pub(super) fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
