//! Verdicts: pass, fail, or not enough evidence to say; and which of them stop a build.

use serde::{Deserialize, Serialize};

/// What is to be said of an expectation, a fault or a run. The later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds, and no seed is missing to be sure of it.
    Pass,
    /// The interval of the figure has its bound inside: other seeds might say otherwise.
    Inconclusive,
    /// It does not hold.
    Fail,
}

/// What becomes of an inconclusive verdict when the run as a whole is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The observed figure decides: it is deterministic, so the answer is at least always the same.
    #[default]
    ByFigure,
    /// It passes.
    Pass,
    /// It fails.
    Fail,
}

impl Verdict {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
        }
    }
}
