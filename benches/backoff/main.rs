//! Which backoff wins: every schedule against the same storms, in virtual time and in server work.
//!
//! `cargo bench --bench backoff`. Wall time plays no part: a sample is what one seed of the storm cost, so the figures are the
//! same on every machine, loaded or idle, and a saved criterion baseline (`-- --save-baseline NAME`) changes only when
//! behaviour does. A table at the end ranks the schedules, and shows how much hangs on base and cap.

mod measure;
#[path = "../common/print.rs"]
mod print;
mod storms;
mod table;

use std::time::Duration;

use criterion::{Criterion, SamplingMode};

use measure::Handed;
use storms::{BACKOFFS, Cost, STORMS, Storm};

/// Each seed is a sample; criterion wants at least ten.
const SEEDS: u64 = 10;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let seeds = if quick { 1 } else { SEEDS };
    let costs: Vec<Vec<Vec<Cost>>> = STORMS
        .iter()
        .map(|storm| BACKOFFS.iter().map(|backoff| storms::weather(storm, backoff.schedule, seeds)).collect())
        .collect();
    bench(Handed::in_unit("ms"), "completion", &costs, |cost| cost.completion_ms);
    bench(Handed::in_unit("handlers"), "work", &costs, |cost| cost.executions);
    table::ranking(&costs);
    table::sensitivity(seeds.min(5));
    table::places(&costs);
}

/// Hands criterion one sample a seed.
fn bench(measurement: Handed, what: &str, costs: &[Vec<Vec<Cost>>], figure: impl Fn(&Cost) -> f64) {
    let mut criterion = Criterion::default()
        .with_measurement(measurement)
        // One call warms up, which costs nothing here; so how many there are never depends on how fast the machine is.
        .warm_up_time(Duration::from_nanos(1))
        .measurement_time(Duration::from_millis(10))
        .sample_size(SEEDS as usize)
        .configure_from_args();
    for (Storm { name, .. }, costs) in STORMS.iter().zip(costs) {
        let mut group = criterion.benchmark_group(format!("{name}/{what}"));
        group.sampling_mode(SamplingMode::Flat);
        for (backoff, costs) in BACKOFFS.iter().zip(costs) {
            let mut sample = 0;
            group.bench_function(backoff.name, |bencher| {
                let cost = figure(&costs[sample % costs.len()]);
                sample += 1;
                bencher.iter_custom(|iterations| cost * iterations as f64);
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
