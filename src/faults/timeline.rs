//! When faults happen: one task a fault, asleep between its windows.

use std::sync::{Arc, Mutex};

use super::{Fault, Stage, Window, build, lock};
use crate::clock::{self, Instant};
use crate::net::Counts;
use crate::random::Key;
use crate::record::Kind;
use crate::scenario::FaultPlan;

/// The declared faults of a trial, under way.
pub struct Timeline {
    stage: Stage,
    faults: Vec<Shared>,
}

type Shared = Arc<Mutex<Box<dyn Fault>>>;

impl Timeline {
    /// Sets the faults in motion; their times count from now.
    #[must_use]
    pub fn start(stage: &Stage, plans: &[FaultPlan]) -> Self {
        let from = clock::now();
        let faults: Vec<Shared> = plans
            .iter()
            .enumerate()
            .map(|(number, plan)| {
                let key = stage.key().with(number as u64);
                let mut fault = build::build(plan, key);
                fault.prepare(stage);
                let fault: Shared = Arc::new(Mutex::new(fault));
                tokio::spawn(play(stage.clone(), plan.clone(), (number as u32, key, from), Arc::clone(&fault)));
                fault
            })
            .collect();
        Self { stage: stage.clone(), faults }
    }

    /// What each fault applied to and what it changed, so far, in the order of the list.
    #[must_use]
    pub fn counts(&self) -> Vec<Counts> {
        self.faults.iter().map(|fault| lock(fault).counts(&self.stage)).collect()
    }

    /// Records the same.
    pub fn count(&self) {
        for (number, counts) in self.counts().into_iter().enumerate() {
            self.stage.recorder().record(Kind::FaultCounted {
                fault: number as u32,
                matched: counts.matched,
                fired: counts.fired,
            });
        }
    }
}

async fn play(stage: Stage, plan: FaultPlan, (fault, key, from): (u32, Key, Instant), shared: Shared) {
    for (number, window) in plan.windows.iter().enumerate() {
        let number = number as u64;
        clock::sleep_until(from + window.start).await;
        if !plan.probability.hits(key.named("happens").with(number).draw()) {
            continue;
        }
        stage.recorder().record(Kind::FaultStarted { fault });
        let lasts = window.end - window.start;
        lock(&shared).start(&stage, Window { number, lasts });
        clock::sleep_until(from + window.end).await;
        lock(&shared).stop(&stage);
        stage.recorder().record(Kind::FaultEnded { fault });
    }
}
