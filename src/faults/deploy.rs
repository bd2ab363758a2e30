//! A version that is worse, rolled out in batches. Nothing crashes that would not be replaced anyway: the harm comes with what
//! replaces it. It fires for each process that was replaced.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::crash::one;
use super::fleet::replace;
use super::grpc::{Active, Of};
use super::{Fault, Stage, Window, lock};
use crate::clock::{self, Ramp};
use crate::net::Counts;
use crate::random::{Distribution, Key};
use crate::scenario::{Deploy, Grpc, GrpcHarm, GrpcWhen, Members, Slowdown};
use crate::telemetry::{Interference, Knob, Tally, Trouble, Whom};

/// Who runs the new version by now, and what to undo; `None` once it is taken back.
type Replaced = Option<Vec<(Members, Knob)>>;

/// A worse version on its way.
pub(super) struct Rollout {
    plan: Deploy,
    key: Key,
    replaced: Arc<Mutex<Replaced>>,
    tally: Tally,
}

impl Rollout {
    pub(super) fn new(plan: Deploy, key: Key) -> Self {
        Self { plan, key, replaced: Arc::default(), tally: Tally::default() }
    }

    /// The batches, in order.
    fn batches(&self) -> Vec<Members> {
        let range = self.plan.server.range.clone();
        let batch = |start: u32| Members {
            group: self.plan.server.group,
            range: start..(start + self.plan.batch).min(range.end),
        };
        range.clone().step_by(self.plan.batch as usize).map(batch).collect()
    }

    /// What is wrong with the new version.
    fn version(&self, window: Window) -> (Trouble, Arc<dyn Interference>) {
        let slowdown = Slowdown { factor: self.plan.factor, add: Distribution::default() };
        let grpc = Grpc {
            server: self.plan.server.clone(),
            method: String::new(),
            rate: self.plan.errors,
            when: GrpcWhen::BeforeHandler,
            delay: Distribution::default(),
            harm: GrpcHarm::Status { code: tonic::Code::Internal, message: "a bug".to_owned(), pushback: None },
        };
        // Counted by process, not by call.
        let of =
            Of { key: self.key.with(window.number), whom: Whom::default(), ramp: always(), tally: Tally::default() };
        (Trouble::Slow(slowdown, always()), Arc::new(Active::new(grpc, of)))
    }
}

fn always() -> Ramp {
    Ramp::rising(clock::Instant::ORIGIN, Duration::ZERO)
}

impl Fault for Rollout {
    fn start(&mut self, stage: &Stage, window: Window) {
        let batches = self.batches();
        let apart = window.lasts / u32::try_from(batches.len()).unwrap_or(1).max(1);
        let (trouble, bug) = self.version(window);
        *lock(&self.replaced) = Some(Vec::new());
        for (turn, members) in (0..).zip(batches) {
            let (stage, tally, replaced) = (stage.clone(), self.tally.clone(), Arc::clone(&self.replaced));
            let (down, how, trouble, bug) = (self.plan.down, self.plan.how, trouble.clone(), Arc::clone(&bug));
            tokio::spawn(async move {
                clock::sleep(apart * turn).await;
                replace(&stage, &members, down, how, &tally).await;
                let mut replaced = lock(&replaced);
                // Taken back while this batch was down: what came up is the old version.
                let Some(replaced) = replaced.as_mut() else { return };
                for (index, replica) in stage.replicas(&members).enumerate() {
                    let knobs =
                        [replica.trouble(trouble.clone(), &Tally::default()), replica.interfere(Arc::clone(&bug))];
                    replaced.extend(knobs.map(|knob| (one(&members, index), knob)));
                }
            });
        }
    }

    fn stop(&mut self, stage: &Stage) {
        for (members, knob) in lock(&self.replaced).take().into_iter().flatten() {
            for replica in stage.replicas(&members) {
                replica.undo(knob);
            }
        }
    }

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}
