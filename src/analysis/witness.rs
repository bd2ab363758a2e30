//! Witnesses: the calls that a failed expectation names, and what is to be said of each.
//!
//! Which calls show it best depends on what was asked: a latency, the slowest; an error, the first that failed in that way;
//! an amplification, those with most attempts; a lost alert, those that were promised and lost.

use serde::Serialize;

use super::worst::{KEPT, Worst, WorstCall};
use crate::record::{CallId, Code};
use crate::scenario::{Expectation, Metric};

/// A call to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// Which.
    #[serde(serialize_with = "as_text")]
    pub call: CallId,
    /// What became of it.
    pub what: Saw,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Saw {
    /// It ended, or was abandoned.
    End {
        /// From when it was due to its end, in nanoseconds.
        took_ns: u64,
        /// How it ended.
        code: Code,
        /// Who said so.
        origin: crate::record::Origin,
        /// How many attempts it made until then.
        attempts: u16,
    },
    /// It was acknowledged, and is in no log.
    Lost,
    /// It is in a log more than once.
    Duplicated,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn as_text<S: serde::Serializer>(call: &CallId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(call)
}

/// The calls that show why `expectation` failed, out of those to look at in its part of a run.
pub(super) fn witnesses(expectation: &Expectation, worst: &Worst) -> Vec<Witness> {
    let ends = |calls: &[WorstCall]| calls.iter().map(end).collect::<Vec<_>>();
    let all = |calls: &[CallId], what| calls.iter().map(|call| Witness { call: *call, what }).collect::<Vec<_>>();
    let mut chosen = match expectation.metric {
        Metric::SuccessRate | Metric::Goodput | Metric::Errors | Metric::ErrorRate => {
            let taken = |call: &&WorstCall| expectation.errors.takes(call.code, call.origin);
            worst.failed.iter().filter(taken).map(end).collect()
        }
        Metric::Amplification | Metric::WorkAmplification | Metric::Attempts | Metric::Executions => {
            ends(&worst.retried)
        }
        Metric::LostAcknowledged => all(&worst.lost, Saw::Lost),
        Metric::Duplicates => all(&worst.duplicated, Saw::Duplicated),
        // What recovery and wasted work amount to is no single call's doing, and yet somebody waited.
        Metric::Calls => Vec::new(),
        _ => ends(&worst.slowest),
    };
    chosen.truncate(KEPT);
    chosen
}

fn end(call: &WorstCall) -> Witness {
    let WorstCall { call, took_ns, code, origin, attempts, .. } = *call;
    Witness { call, what: Saw::End { took_ns, code, origin, attempts } }
}
