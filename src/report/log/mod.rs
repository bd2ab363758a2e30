//! The log of a run: JSON Lines, versioned; what shards leave behind, and what a report can be made from again.
//!
//! The first line says what was run, with the scenario files' text, so that a log can be judged anywhere. Each further line
//! holds the fold of one trial's events: its figures and its fingerprint. On request the events themselves follow it, a line
//! each; whoever reads them folds them again, and refuses a log whose events do not give its figures. They are left out
//! by default because a trial is a pure function of scenario, strategy and seed: the fingerprint says whether running it
//! again still gives the same events, and the log of a thousand trials stays a few megabytes.
//!
//! Rule: a report made from a log is the report of the run, byte for byte. Figures are whole numbers for that reason.
//! `docs/log.md` is the reference of the format.

mod events;
mod merge;
mod read;
#[cfg(test)]
mod tests;

use std::io;

use serde::{Deserialize, Serialize};

pub use self::events::{Chunk, EventText, Place, Spool, event_line};
use crate::analysis::TrialMetrics;
use crate::scenario::{Diagnostics, Plan, Resolver, parse};

/// The version of the log's shape; readers refuse others.
pub const VERSION: u32 = 2;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`VERSION`] when it was written.
    pub squall_log: u32,
    /// The version of Squall that ran it.
    pub squall_version: String,
    /// Which part of the run it holds.
    pub shard: Shard,
    /// How many trials the whole run has.
    pub trials: usize,
    /// The scenarios of the whole run.
    pub scenarios: Vec<Text>,
}

/// A part of a run: the trials that remain `index - 1` when their place is divided by `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Which part, from 1.
    pub index: u32,
    /// Of how many.
    pub count: u32,
}

/// A scenario file, and the files of shared strategies that it sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The file, as the user named it.
    pub file: String,
    /// What it says.
    pub text: String,
    /// The shared strategies, nearest first: what to call each file, and what it says.
    pub shared: Vec<(String, String)>,
    /// The files that it names, such as gRPC service configs, and what they say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<(String, String)>,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its place in the whole run, from 0.
    pub trial: usize,
    /// Its scenario, by its place in the first line.
    pub scenario: usize,
    /// Its strategy.
    pub strategy: String,
    /// Its seed.
    pub seed: u64,
    /// Whether it is a control twin.
    pub control: bool,
    /// Its figures.
    pub metrics: TrialMetrics,
    /// Its events, if they were asked for; the line says how many lines of them follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Chunk>,
}

/// A log: its first line and its trials, in the order of their places.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// The first line.
    pub head: Head,
    /// The trials.
    pub lines: Vec<Line>,
}

/// Why a text is no log, or logs do not make a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// It could not be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// It holds nothing.
    #[error("it is empty")]
    Empty,
    /// A line is not what it should be.
    #[error("line {line} is not part of a log")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The scenarios that it keeps cannot be read by this version of Squall.
    #[error("its scenarios are not understood")]
    Scenario(Box<Diagnostics>),
    /// A trial's events do not give its figures.
    #[error("line {line} does not follow from its events")]
    Unfounded {
        /// Which, from 1.
        line: usize,
    },
    /// Another version of the log's shape.
    #[error("it is a log of version {0}; this Squall reads version {VERSION}")]
    Version(u32),
    /// The logs are not of the same run.
    #[error("the logs are of different runs: {what}")]
    Different {
        /// Which is not of the same run as the first, from 0.
        log: usize,
        /// What is different about it.
        what: &'static str,
    },
    /// The same shard came twice.
    #[error("shard {index} is there twice")]
    Twice {
        /// Which.
        index: u32,
        /// Which of the logs hold it, from 0.
        logs: [usize; 2],
    },
    /// A shard is not there.
    #[error("shard {index} of {count} is missing")]
    Missing {
        /// Which.
        index: u32,
        /// Of how many.
        count: u32,
    },
    /// Not all trials are there: the run was cut off.
    #[error("{found} of {expected} trials are there: a log was cut off")]
    Incomplete {
        /// How many are there.
        found: usize,
        /// How many should be.
        expected: usize,
    },
}

impl Shard {
    /// All of a run.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Whether the pair of strategy and seed at this place belongs to it.
    #[must_use]
    pub const fn holds(self, place: usize) -> bool {
        place % self.count as usize == self.index as usize - 1
    }
}

impl Text {
    /// What the scenario means.
    ///
    /// # Errors
    ///
    /// Mistakes, if another version of Squall wrote it.
    pub fn plan(&self) -> Result<Plan, Diagnostics> {
        parse(&self.file, &self.text, self)
    }
}

/// A kept scenario sees what it saw when it was run.
impl Resolver for Text {
    fn shared(&self) -> Result<Vec<(String, String)>, (String, String)> {
        Ok(self.shared.clone())
    }

    fn read(&self, file: &str) -> Result<String, String> {
        let kept = self.files.iter().find(|(name, _)| name == file);
        kept.map(|(_, text)| text.clone()).ok_or_else(|| "the log does not hold it".to_owned())
    }
}

impl Log {
    /// Writes it.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written, or events cannot be read back.
    pub fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, &self.head)?;
        writeln!(out)?;
        for line in &self.lines {
            serde_json::to_writer(&mut *out, line)?;
            writeln!(out)?;
            if let Some(chunk) = &line.events {
                chunk.copy(out)?;
            }
        }
        Ok(())
    }

    /// Writes it compressed with zstd.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_compressed(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut encoder = zstd::Encoder::new(out, events::LEVEL)?;
        self.write(&mut encoder)?;
        encoder.finish()?;
        Ok(())
    }
}
