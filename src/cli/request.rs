//! The command line as it is meant: complete, with every default filled in.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::args::{self, Format, Inconclusive, SummaryMode};
use crate::analysis::Policy;
use crate::report::human::Summary;
use crate::report::log::Shard;
use crate::scenario::{Plan, Seeds};

/// Trials that were asked for.
#[derive(Debug)]
pub(super) struct Selection {
    /// Which files or folders; none: the default place.
    pub(super) paths: Vec<PathBuf>,
    /// Which strategies; none: all.
    pub(super) strategies: Vec<String>,
    /// Which seeds.
    pub(super) seeds: SeedChoice,
    /// How many trials at a time.
    pub(super) threads: usize,
    /// Whether progress is shown on a terminal.
    pub(super) progress: bool,
    /// Which part of them.
    pub(super) shard: Shard,
    /// Whether their events are kept.
    pub(super) events: bool,
    /// The folder whose journal keeps what is done, so that an interrupted run can go on.
    pub(super) journal: Option<PathBuf>,
    /// Whether a scenario may run more seeds than it begins with.
    pub(super) may_grow: bool,
}

/// What becomes of a result.
#[derive(Debug)]
pub(super) struct Output {
    /// What goes to stdout.
    pub(super) format: Format,
    /// Where every format is written besides.
    pub(super) report_dir: Option<PathBuf>,
    /// How much the human format says.
    pub(super) summary: Summary,
    /// What becomes of inconclusive verdicts.
    pub(super) policy: Policy,
}

/// Which seeds a scenario runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeedChoice {
    first: Option<u64>,
    count: Option<u32>,
}

impl Selection {
    /// What was meant by what was typed.
    pub(super) fn meant(typed: args::Selection) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            paths: typed.paths,
            strategies: typed.strategies,
            seeds: SeedChoice { first: typed.seed, count: typed.seeds },
            threads: typed.jobs.map_or_else(cores, usize::from),
            progress: !typed.quiet,
            shard: Shard::WHOLE,
            events: false,
            journal: None,
            may_grow: true,
        }
    }

    /// Whether a scenario decides by itself how many seeds it needs. Whoever says how many wants as many.
    pub(super) fn grows(&self, plan: &Plan) -> bool {
        self.may_grow && self.seeds.is_open() && !plan.enough.until.is_empty()
    }

    /// Whether it is all that there is.
    pub(super) fn is_everything(&self) -> bool {
        self.paths.is_empty() && self.strategies.is_empty()
    }
}

impl Output {
    /// What was meant by what was typed.
    pub(super) fn meant(typed: args::Output) -> Self {
        Self {
            format: typed.format,
            report_dir: typed.report_dir,
            summary: match typed.summary_mode {
                SummaryMode::Compact => Summary::Compact,
                SummaryMode::Full => Summary::Full,
            },
            policy: match typed.inconclusive {
                Inconclusive::ByFigure => Policy::ByFigure,
                Inconclusive::Pass => Policy::Pass,
                Inconclusive::Fail => Policy::Fail,
            },
        }
    }
}

impl SeedChoice {
    /// Whether the scenario says which seeds.
    const fn is_open(self) -> bool {
        self.first.is_none() && self.count.is_none()
    }

    /// The seeds of a scenario that would itself run with `own`.
    pub(super) fn of(self, own: Seeds) -> Seeds {
        // One seed is asked for to look at it: it comes alone unless more are asked for.
        let count = self.count.unwrap_or(if self.first.is_some() { 1 } else { own.count });
        Seeds { first: self.first.unwrap_or(own.first), count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_as_they_are_meant() {
        let own = Seeds { first: 10, count: 5 };
        let table = [
            (None, None, own),
            (Some(7), None, Seeds { first: 7, count: 1 }),
            (None, Some(20), Seeds { first: 10, count: 20 }),
            (Some(7), Some(20), Seeds { first: 7, count: 20 }),
        ];
        for (first, count, expected) in table {
            assert_eq!(SeedChoice { first, count }.of(own), expected);
        }
    }
}
