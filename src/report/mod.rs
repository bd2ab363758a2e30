//! Reports: what people and programs read of a run.
//!
//! Rule: a report says what an outcome says and computes nothing of its own. It depends on the outcome and on the options it
//! is given, never on the clock, the locale or the directory, so the same run gives the same bytes everywhere.

#[cfg(feature = "cli")]
mod best;
pub mod difference;
mod front;
pub mod github;
#[cfg(feature = "cli")]
pub mod html;
#[cfg(feature = "cli")]
pub mod human;
pub mod json;
#[cfg(feature = "cli")]
pub mod junit;
#[cfg(feature = "cli")]
pub mod log;
pub mod markdown;
pub mod prometheus;
mod ranking;
mod reproduce;
#[cfg(test)]
mod samples;
#[cfg(all(test, feature = "cli"))]
mod tests;
pub mod trace;
mod units;
mod why;

use crate::analysis::{Policy, ScenarioOutcome, Verdict};
use crate::scenario::Metric;

/// A run: the outcomes of its scenarios, in the order in which they were asked for.
#[derive(Clone, Debug)]
pub struct Run {
    /// What came of each scenario.
    pub scenarios: Vec<ScenarioOutcome>,
    /// What becomes of inconclusive verdicts.
    pub policy: Policy,
}

impl Run {
    /// The worst verdict of a scenario; pass if there is none.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.scenarios.iter().map(|scenario| scenario.verdict(self.policy)).max().unwrap_or(Verdict::Pass)
    }
}

/// A metric's figure with its unit, as every report shows it: three significant digits; `never` for an infinite one.
#[must_use]
pub fn figure(metric: Metric, value: f64) -> String {
    units::figure(metric, value)
}
