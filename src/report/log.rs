//! The log of a run: JSON Lines, versioned; what shards leave behind, and what a report can be made from again.
//!
//! The first line says what was run, with the scenario files' text, so that a log can be judged anywhere. Each further line
//! holds the figures of one trial. Events are not kept: a trial is a pure function of scenario, strategy and seed, so they
//! can be had again at any time; its fingerprint says whether they are still the same.
//!
//! Rule: a report made from a log is the report of the run, byte for byte. Figures are whole numbers for that reason.

use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};

use crate::analysis::TrialMetrics;

/// The version of the log's shape; readers refuse others.
pub const VERSION: u32 = 1;

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The file, as the user named it.
    pub file: String,
    /// What it says.
    pub text: String,
    /// The shared strategies, nearest first: what to call each file, and what it says.
    pub shared: Vec<(String, String)>,
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
    /// Another version of the log's shape.
    #[error("it is a log of version {0}; this Squall reads version {VERSION}")]
    Version(u32),
    /// The logs are not of the same run.
    #[error("the logs are of different runs")]
    Different,
    /// The same shard came twice.
    #[error("shard {0} is there twice")]
    Twice(u32),
    /// A shard is not there.
    #[error("shard {index} of {count} is missing")]
    Missing {
        /// Which.
        index: u32,
        /// Of how many.
        count: u32,
    },
    /// Not all trials are there: the run was cut off.
    #[error("{found} of {expected} trials are there")]
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

impl Log {
    /// Writes it.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, &self.head)?;
        writeln!(out)?;
        for line in &self.lines {
            serde_json::to_writer(&mut *out, line)?;
            writeln!(out)?;
        }
        Ok(())
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is no log.
    pub fn read(input: impl BufRead) -> Result<Self, LogError> {
        let mut texts = input.lines();
        let head = texts.next().ok_or(LogError::Empty)??;
        let head: Head = serde_json::from_str(&head).map_err(|source| LogError::Line { line: 1, source })?;
        if head.squall_log != VERSION {
            return Err(LogError::Version(head.squall_log));
        }
        let line = |(number, text): (usize, io::Result<String>)| {
            serde_json::from_str(&text?).map_err(|source| LogError::Line { line: number + 2, source })
        };
        Ok(Self { head, lines: texts.enumerate().map(line).collect::<Result<_, _>>()? })
    }

    /// Makes a whole of its shards, given in any order.
    ///
    /// # Errors
    ///
    /// When they are not of one run, or one is missing or there twice.
    pub fn merge(logs: Vec<Self>) -> Result<Self, LogError> {
        let mut whole = logs.first().ok_or(LogError::Empty)?.head.clone();
        let count = whole.shard.count;
        let mut seen = vec![false; count as usize];
        let mut lines = Vec::new();
        for log in logs {
            let index = log.head.shard.index;
            let same = Head { shard: whole.shard, ..log.head.clone() } == whole && log.head.shard.count == count;
            if !same || index == 0 || index > count {
                return Err(LogError::Different);
            }
            if std::mem::replace(&mut seen[index as usize - 1], true) {
                return Err(LogError::Twice(index));
            }
            lines.extend(log.lines);
        }
        if let Some(missing) = seen.iter().position(|seen| !seen) {
            return Err(LogError::Missing { index: missing as u32 + 1, count });
        }
        whole.shard = Shard::WHOLE;
        lines.sort_by_key(|line| line.trial);
        let log = Self { head: whole, lines };
        log.check_whole()?;
        Ok(log)
    }

    fn check_whole(&self) -> Result<(), LogError> {
        let (found, expected) = (self.lines.len(), self.head.trials);
        let in_order = self.lines.iter().enumerate().all(|(place, line)| line.trial == place);
        if found == expected && in_order { Ok(()) } else { Err(LogError::Incomplete { found, expected }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Series;

    fn line(trial: usize) -> Line {
        let metrics = TrialMetrics {
            parts: Vec::new(),
            series: Series::default(),
            faults: Vec::new(),
            fault_windows: Vec::new(),
            wire_bytes: u64::MAX,
            fingerprint: 7,
        };
        Line { trial, scenario: 0, strategy: "retry".to_owned(), seed: 1, control: false, metrics }
    }

    fn shard(index: u32, count: u32) -> Log {
        let scenarios = vec![Text { file: "a.yaml".to_owned(), text: "name: a".to_owned(), shared: Vec::new() }];
        let shard = Shard { index, count };
        let head = Head { squall_log: VERSION, squall_version: "0.1.0".to_owned(), shard, trials: 10, scenarios };
        Log { head, lines: (0..10).filter(|trial| shard.holds(*trial)).map(line).collect() }
    }

    #[test]
    fn a_log_reads_back() {
        let mut written = Vec::new();
        shard(2, 3).write(&mut written).unwrap();
        assert_eq!(Log::read(&*written).unwrap(), shard(2, 3));
    }

    #[test]
    fn shards_in_any_order_make_the_whole() {
        for count in 1..=7 {
            let mut shards: Vec<Log> = (1..=count).map(|index| shard(index, count)).collect();
            shards.rotate_left(count as usize / 2);
            assert_eq!(Log::merge(shards).unwrap(), shard(1, 1), "{count}");
        }
    }

    #[test]
    fn what_does_not_make_a_whole_is_said() {
        let message = |logs: Vec<Log>| Log::merge(logs).unwrap_err().to_string();
        assert_eq!(message(Vec::new()), "it is empty");
        assert_eq!(message(vec![shard(1, 2)]), "shard 2 of 2 is missing");
        assert_eq!(message(vec![shard(1, 2), shard(1, 2)]), "shard 1 is there twice");
        assert_eq!(message(vec![shard(1, 2), shard(2, 3)]), "the logs are of different runs");
        let mut cut_off = shard(1, 1);
        cut_off.lines.pop();
        assert_eq!(message(vec![cut_off]), "9 of 10 trials are there");
    }

    #[test]
    fn what_is_no_log_is_said() {
        let message = |text: &str| Log::read(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(message(""), "it is empty");
        assert_eq!(message("{}"), "line 1 is not part of a log");
    }
}
