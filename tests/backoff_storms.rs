//! The storms of `cargo bench --bench backoff` cost the same on a loaded machine as on an idle one, to the last bit.
#![cfg(feature = "cli")]

#[path = "../benches/backoff/storms.rs"]
mod storms;

use std::sync::atomic::{AtomicBool, Ordering};

use storms::{BACKOFFS, Cost, STORMS};

/// One seed of every storm under a schedule without jitter, one with, and one that looks back.
fn quick(threads: usize) -> Vec<Vec<Cost>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let named = |name: &str| BACKOFFS.iter().find(|backoff| backoff.name == name).unwrap();
    let schedules = ["exponential", "full-jitter", "decorrelated"].map(named);
    let storm = |storm| schedules.iter().flat_map(move |backoff| storms::weather(storm, backoff.schedule, 1)).collect();
    pool.install(|| STORMS.iter().map(storm).collect())
}

#[test]
fn virtual_figures_do_not_depend_on_the_machine() {
    let idle = quick(1);
    let stop = AtomicBool::new(false);
    let loaded = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let loaded = quick(3);
        stop.store(true, Ordering::Relaxed);
        loaded
    });
    assert_eq!(idle, loaded);
    assert!(idle.iter().flatten().all(|cost| cost.attempts > 0.0 && cost.completion_ms > 0.0));
}

/// The mean that the closing tables print is the mean of the seeds that were run.
#[test]
fn a_storm_of_two_seeds_costs_the_mean_of_both() {
    let costs = storms::weather(&STORMS[1], BACKOFFS[0].schedule, 2);
    let mean = Cost::mean(&costs);
    assert_eq!(mean.attempts, (costs[0].attempts + costs[1].attempts) / 2.0);
    assert_ne!(costs[0], costs[1]);
}
