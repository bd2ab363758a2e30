//! The calls to look at: the few of a part that show best what went wrong in it.
//!
//! "99 % of 12,000 calls" is no help to whoever must find out why. A failed expectation therefore names calls, and
//! `squall explain` tells their story. They are picked while the trial runs, so that a log can name them without the trial.
//!
//! Rule: at most [`KEPT`] of a kind and in one order, whatever the order in which classes of calls are merged.

use serde::{Deserialize, Serialize};

use crate::record::{CallId, Code, Origin};

/// How many calls of a kind are kept.
pub(super) const KEPT: usize = 3;

/// A call that ended, or was abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorstCall {
    /// Which.
    pub call: CallId,
    /// When it was due, in nanoseconds.
    pub due_ns: u64,
    /// From when it was due to its end, in nanoseconds.
    pub took_ns: u64,
    /// How it ended.
    pub code: Code,
    /// Who said so.
    pub origin: Origin,
    /// How many attempts it made until then.
    pub attempts: u16,
}

/// The calls to look at in one part of one trial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worst {
    /// Those that took longest.
    pub slowest: Vec<WorstCall>,
    /// The first of each way to fail, by when they were due.
    pub failed: Vec<WorstCall>,
    /// Those with most attempts, beyond the first.
    pub retried: Vec<WorstCall>,
    /// Acknowledged, and in no log at the end.
    pub lost: Vec<CallId>,
    /// In a log more than once.
    pub duplicated: Vec<CallId>,
}

impl Worst {
    /// A call ended.
    pub(super) fn end(&mut self, call: WorstCall) {
        keep(&mut self.slowest, call, slower, KEPT);
        if call.attempts > 1 {
            keep(&mut self.retried, call, more_attempts, KEPT);
        }
        if call.code != Code::Ok {
            self.fail(call);
        }
    }

    fn fail(&mut self, call: WorstCall) {
        match self.failed.iter_mut().find(|known| (known.code, known.origin) == (call.code, call.origin)) {
            Some(known) if earlier(&call, known) => *known = call,
            Some(_) => {}
            None => self.failed.push(call),
        }
        self.failed.sort_unstable_by_key(|known| (known.due_ns, known.call));
    }

    /// An acknowledged call is in no log.
    pub(super) fn lose(&mut self, call: CallId) {
        keep(&mut self.lost, call, |one, other| one < other, KEPT);
    }

    /// A call is in a log more than once.
    pub(super) fn duplicate(&mut self, call: CallId) {
        keep(&mut self.duplicated, call, |one, other| one < other, KEPT);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.slowest.iter().for_each(|call| keep(&mut self.slowest, *call, slower, KEPT));
        other.retried.iter().for_each(|call| keep(&mut self.retried, *call, more_attempts, KEPT));
        other.failed.iter().for_each(|call| self.fail(*call));
        other.lost.iter().for_each(|call| self.lose(*call));
        other.duplicated.iter().for_each(|call| self.duplicate(*call));
    }
}

fn slower(one: &WorstCall, other: &WorstCall) -> bool {
    (other.took_ns, one.call) < (one.took_ns, other.call)
}

fn more_attempts(one: &WorstCall, other: &WorstCall) -> bool {
    (other.attempts, other.took_ns, one.call) < (one.attempts, one.took_ns, other.call)
}

fn earlier(one: &WorstCall, other: &WorstCall) -> bool {
    (one.due_ns, one.call) < (other.due_ns, other.call)
}

/// Keeps the first `count` of everything offered, in the order of `before`.
fn keep<T: Copy>(kept: &mut Vec<T>, one: T, before: impl Fn(&T, &T) -> bool, count: usize) {
    // Nearly every call ends here.
    if kept.len() == count && !before(&one, &kept[count - 1]) {
        return;
    }
    let place = kept.iter().position(|other| before(&one, other)).unwrap_or(kept.len());
    kept.insert(place, one);
    kept.truncate(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: u32, took_ns: u64, attempts: u16, code: Code) -> WorstCall {
        let due_ns = u64::from(number);
        WorstCall { call: CallId::new(0, number), due_ns, took_ns, code, origin: Origin::Server, attempts }
    }

    fn numbers(calls: &[WorstCall]) -> Vec<u32> {
        calls.iter().map(|one| one.call.number()).collect()
    }

    /// Whichever class a call was in, and in whichever order classes are merged, the same calls are named.
    #[test]
    fn the_same_calls_are_kept_in_any_order() {
        let calls = [
            call(0, 10, 1, Code::Ok),
            call(1, 90, 4, Code::Unavailable),
            call(2, 30, 2, Code::Ok),
            call(3, 90, 1, Code::DeadlineExceeded),
            call(4, 70, 3, Code::Unavailable),
            call(5, 20, 4, Code::Ok),
        ];
        for cut in 0..=calls.len() {
            let mut halves = [Worst::default(), Worst::default()];
            calls.iter().enumerate().for_each(|(place, call)| halves[usize::from(place < cut)].end(*call));
            let [mut worst, other] = halves;
            worst.merge(&other);
            assert_eq!(numbers(&worst.slowest), [1, 3, 4], "{cut}");
            assert_eq!(numbers(&worst.retried), [1, 5, 4], "{cut}");
            assert_eq!(numbers(&worst.failed), [1, 3], "the first UNAVAILABLE, and the first DEADLINE_EXCEEDED");
        }
    }
}
