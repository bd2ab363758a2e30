//! Which parts of a run a scenario's expectations ask about.

use std::ops::Range;
use std::time::Duration;

use super::parts::Parts;
use crate::scenario::{Plan, Scope};

/// The parts of a plan's runs, and which of them belongs to which expectation.
#[derive(Clone, Debug)]
pub struct Scopes {
    distinct: Vec<Scope>,
    /// When calls are due that each scope counts, in nanoseconds; that of the whole run is not asked for.
    windows: Vec<Vec<Range<u64>>>,
    parts: Parts,
}

impl Scopes {
    /// The whole run, and every other scope that an expectation of `plan` names, once.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let mut distinct = vec![Scope::Whole];
        for expectation in &plan.expectations {
            if !distinct.contains(&expectation.scope) {
                distinct.push(expectation.scope.clone());
            }
        }
        let windows: Vec<_> = distinct.iter().map(|scope| ranges(plan, scope)).collect();
        let parts = Parts::new(nanos(plan.warmup), nanos(plan.duration), &windows[1..]);
        Self { distinct, windows, parts }
    }

    /// The parts for [`TrialFold`](super::TrialFold).
    #[must_use]
    pub const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// When calls are due that a scope counts; none for the whole run.
    pub(super) fn window(&self, scope: &Scope) -> Option<&[Range<u64>]> {
        let place = self.part(scope).filter(|place| *place > 0)?;
        self.windows.get(place).map(Vec::as_slice)
    }

    /// Which part a scope is, if the plan named it.
    pub(super) fn part(&self, scope: &Scope) -> Option<usize> {
        self.distinct.iter().position(|known| known == scope)
    }
}

/// When calls are due that a scope counts, the warm-up excluded.
fn ranges(plan: &Plan, scope: &Scope) -> Vec<Range<u64>> {
    let windows = |fault: usize| plan.faults[fault].windows.iter();
    let whole = match scope {
        Scope::Whole => one(0..u64::MAX),
        Scope::During(fault) => windows(*fault).map(|window| nanos(window.start)..nanos(window.end)).collect(),
        Scope::After(fault, pause) => {
            let end = windows(*fault).map(|window| window.end).max().unwrap_or_default();
            one(nanos(end + *pause)..u64::MAX)
        }
        Scope::Before(fault) => {
            let start = windows(*fault).map(|window| window.start).min().unwrap_or_default();
            one(0..nanos(start))
        }
        Scope::Between(from, to) => one(nanos(*from)..nanos(*to)),
    };
    let warmup = nanos(plan.warmup);
    whole.into_iter().map(|range| range.start.max(warmup)..range.end.max(warmup)).collect()
}

fn one(range: Range<u64>) -> Vec<Range<u64>> {
    std::iter::once(range).collect()
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
impl Scopes {
    /// The whole run alone.
    pub(super) fn whole() -> Self {
        Self { distinct: vec![Scope::Whole], windows: Vec::new(), parts: Parts::whole(0, u64::MAX) }
    }
}
