//! Which trials a run consists of, in the order of its report, and which of them are this process's.

use super::plans;
use super::request::Selection;
use crate::experiment::Job;
use crate::scenario::{Plan, Seeds};
use crate::trial::TrialSpec;

/// A trial, and where it belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'p> {
    /// Its place among all trials of all shards.
    pub(super) trial: usize,
    /// Its scenario's place.
    pub(super) scenario: usize,
    /// What is to be run.
    pub(super) job: Job<'p>,
}

/// All trials, and those that belong to this shard.
#[derive(Debug)]
pub(super) struct Places<'p> {
    /// How many there are in all shards.
    pub(super) trials: usize,
    /// Those of this one.
    pub(super) mine: Vec<Place<'p>>,
}

/// What a trial is known by when the number of seeds is not settled yet: scenario, strategy, seed, control twin.
pub(super) type Key = (usize, usize, u64, bool);

impl Place<'_> {
    pub(super) const fn key(&self) -> Key {
        let TrialSpec { strategy, seed, control } = self.job.spec;
        (self.scenario, strategy, seed, control)
    }
}

impl<'p> Places<'p> {
    /// Every trial in the order of reports, a control twin after its trial and in the same shard; `seeds` are those of each
    /// plan.
    pub(super) fn of(plans: &'p [Plan], seeds: &[Seeds], selection: &Selection) -> Self {
        let mut places = Self { trials: 0, mine: Vec::new() };
        let mut pair = 0;
        for (scenario, (plan, seeds)) in plans.iter().zip(seeds).enumerate() {
            let twins = if has_recovery(plan) { &[false, true][..] } else { &[false] };
            for strategy in plans::chosen(plan, &selection.strategies) {
                for seed in seeds.iter() {
                    for control in twins {
                        let job = Job { plan, spec: TrialSpec { strategy, seed, control: *control } };
                        if selection.shard.holds(pair) {
                            places.mine.push(Place { trial: places.trials, scenario, job });
                        }
                        places.trials += 1;
                    }
                    pair += 1;
                }
            }
        }
        places
    }
}

/// Whether a fault ends while load is offered, so that there is something to recover from and a control twin to compare
/// with is worth its time.
fn has_recovery(plan: &Plan) -> bool {
    plan.faults.iter().flat_map(|fault| &fault.windows).any(|window| window.end < plan.duration)
}
