//! Faults for services of somebody else's: only what strikes processes, links and connections, whatever runs there.

use super::written;
use crate::scenario::check::Checker;
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::plan::FaultPlan;
use crate::scenario::raw;

const KINDS: [&str; 18] = [
    "slow_link",
    "jitter",
    "loss",
    "reorder",
    "duplicate",
    "bandwidth",
    "partition",
    "flap",
    "black_hole",
    "nat_expiry",
    "reset",
    "half_open",
    "refuse",
    "backlog_full",
    "crash",
    "crash_loop",
    "pause",
    "rolling_restart",
];

impl Checker<'_> {
    /// The faults of a scenario, for hosts that are not its own.
    pub(in crate::scenario::check) fn foreign_faults(&mut self, scenario: raw::Scenario) -> Vec<FaultPlan> {
        // What else the scenario says is about groups that are not here.
        let alone = raw::Scenario { faults: scenario.faults, ..raw::Scenario::default() };
        for (fault, _) in alone.faults.items() {
            self.strikes_anything(fault);
            self.asks_nobody(fault);
        }
        let faults = self.faults(&alone, &[]);
        if self.mistakes.is_empty() && faults.len() < alone.faults.items().count() {
            // A scenario without any group is told so elsewhere.
            self.push(Mistake::whole("a fault strikes servers or clients where there are none"));
        }
        faults
    }

    fn strikes_anything(&mut self, fault: &raw::Fault) {
        for (kind, place) in written(fault) {
            let Some(place) = place.filter(|_| !KINDS.contains(&kind)) else { continue };
            let mistake =
                Mistake::at(place, format!("`{kind}` strikes inside the service of scenarios, not inside others"));
            self.push(mistake.help(format!("what strikes any service: {}", KINDS.join(", "))));
        }
    }

    /// A process that is not ours cannot be asked to drain.
    fn asks_nobody(&mut self, fault: &raw::Fault) {
        let graceful = |how: &raw::Field<raw::How>| matches!(how.get(), Some(raw::How::Graceful(_)));
        let crash = fault.crash.get().and_then(|it| it.how.span().filter(|_| graceful(&it.how)));
        let rolling = fault.rolling_restart.with_span().and_then(|(it, at)| match it.how.is_absent() {
            true => Some(at),
            false => it.how.span().filter(|_| graceful(&it.how)),
        });
        for place in [crash, rolling].into_iter().flatten() {
            self.graceful(place);
        }
    }

    fn graceful(&mut self, place: Span) {
        let mistake = Mistake::at(place, "only the service of scenarios can be asked to drain");
        self.push(mistake.help("add `how: kill` or `how: power_loss`"));
    }
}
