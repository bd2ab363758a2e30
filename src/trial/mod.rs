//! One run of a plan with one strategy and one seed: wires everything below together, and yields one stream of events.
//!
//! Rule: the stream is a function of (plan, strategy, seed, version) and of nothing else. Everything runs on one thread in
//! virtual time; every draw is keyed; whatever is iterated has an order.
//!
//! The seed's storm does not depend on the strategy: arrivals, link draws, service times and the schedule of faults are
//! keyed by what they decide, so all strategies meet the same ones. The *control twin* is the same trial without faults.

mod alert;
mod clients;
mod inflight;
mod observe;
mod tier;
mod world;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::{self, Instant, Simulation, Stalled};
use crate::faults::Timeline;
use crate::net::Observer;
use crate::record::{ClientNames, FaultNames, Header, Kind, LOG_VERSION, Recorder, ServerNames, Sink};
use crate::resilience::{InvalidConfig, Strategy};
use crate::scenario::{Capacity, Plan};

/// Which of the runs of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrialSpec {
    /// Its place in `plan.strategies`.
    pub strategy: usize,
    /// The seed of the storm.
    pub seed: u64,
    /// Whether it is the control twin, without faults.
    pub control: bool,
}

/// Why a trial could not be run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrialError {
    /// The strategy cannot be built.
    #[error("the strategy cannot be built")]
    Strategy(#[from] InvalidConfig),
    /// Nothing could happen any more before the end.
    #[error(transparent)]
    Stalled(#[from] Stalled),
}

/// What the log of a trial says before its events.
#[must_use]
pub fn header(plan: &Plan, spec: TrialSpec) -> Header {
    let faults = plan.faults.iter().filter(|_| !spec.control);
    Header {
        log_version: LOG_VERSION,
        squall_version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: plan.name.clone(),
        file: plan.file.clone(),
        strategy: plan.strategies[spec.strategy].name.clone(),
        seed: spec.seed,
        control: spec.control,
        duration_ns: u64::try_from(plan.duration.as_nanos()).unwrap_or(u64::MAX),
        clients: plan.clients.iter().map(|g| ClientNames { name: g.name.clone(), count: g.count }).collect(),
        servers: plan
            .servers
            .iter()
            .enumerate()
            .map(|(place, group)| ServerNames {
                called_by_clients: plan.clients.iter().any(|clients| clients.calls == place),
                name: group.name.clone(),
                replicas: group.replicas,
                workers: match group.capacity {
                    Capacity::Unlimited => 0,
                    Capacity::Workers(workers) => workers,
                },
            })
            .collect(),
        faults: faults
            .map(|fault| FaultNames {
                id: fault.id.clone(),
                kind: fault.kind.name().to_owned(),
                line: u32::try_from(fault.line).unwrap_or(u32::MAX),
                may_not_fire: fault.may_not_fire,
            })
            .collect(),
    }
}

/// Runs a trial, and gives back the sink that saw its events.
///
/// # Errors
///
/// When the strategy cannot be built, or the simulation stalls.
///
/// # Panics
///
/// When `spec.strategy` is none of the plan's, or when called inside a simulation.
pub fn run<S: Sink + Send + 'static>(plan: &Plan, spec: TrialSpec, sink: S) -> Result<S, TrialError> {
    run_watched(plan, spec, sink, None)
}

/// The same, with somebody who watches the network. Hosts are numbered servers first, each group in the order of the plan.
///
/// # Errors
///
/// As [`run`].
///
/// # Panics
///
/// As [`run`].
pub fn run_watched<S: Sink + Send + 'static>(
    plan: &Plan,
    spec: TrialSpec,
    sink: S,
    watcher: Option<Arc<dyn Observer>>,
) -> Result<S, TrialError> {
    let simulation = match arms_tokio_timers(plan, spec) {
        true => Simulation::new(),
        false => Simulation::without_tokio_timers(),
    };
    run_in(simulation, plan, spec, sink, watcher)
}

fn run_in<S: Sink + Send + 'static>(
    simulation: Simulation,
    plan: &Plan,
    spec: TrialSpec,
    sink: S,
    watcher: Option<Arc<dyn Observer>>,
) -> Result<S, TrialError> {
    let sink = Arc::new(Mutex::new(Some(sink)));
    let recorder = Recorder::new(Arc::clone(&sink));
    simulation.run(play(plan, spec, &recorder, watcher))??;
    let mut kept = sink.lock().unwrap_or_else(PoisonError::into_inner);
    // Only this function takes it out.
    Ok(kept.take().expect("the sink is where it was put"))
}

/// Whether any client, or any server that is a client of others, does.
fn arms_tokio_timers(plan: &Plan, spec: TrialSpec) -> bool {
    let tested = &plan.strategies[spec.strategy].strategy;
    let downstream = plan.servers.iter().flat_map(|group| &group.downstream);
    std::iter::once(tested).chain(downstream.map(|one| one.strategy.resolve(tested))).any(Strategy::arms_tokio_timers)
}

async fn play(
    plan: &Plan,
    spec: TrialSpec,
    recorder: &Recorder,
    watcher: Option<Arc<dyn Observer>>,
) -> Result<(), TrialError> {
    let world = world::World::build(plan, spec, recorder)?;
    if let Some(watcher) = watcher {
        world.stage.net().observe(watcher);
    }
    world.stage.open();
    let timeline = Timeline::start(&world.stage, if spec.control { &[] } else { &plan.faults });
    let crowd = clients::Crowd::start(&world)?;
    clock::sleep_until(Instant::ORIGIN + plan.duration).await;
    crowd.finish(Instant::ORIGIN + plan.end()).await;
    timeline.count();
    recorder.record(Kind::Ended { wire_bytes: world.stage.net().bytes_written() });
    recorder.close();
    Ok(())
}
