//! Does the simulated kernel behave like the real one?
//!
//! `tests/data/linux-tcp.json` holds what a real tonic client and server experienced over Linux 6.18, on links with loss,
//! across black holes, and while connecting. Here the same programs do the same work over the simulated network, and each
//! figure must lie within the tolerance written beside it.
//!
//! Run `cargo test --release --test fidelity -- --nocapture` for the table.

mod fidelity {
    pub(crate) mod case;
    pub(crate) mod table;
    pub(crate) mod workload;
}

use std::time::Duration;

use fidelity::case::{BlackHole, Connect, GroundTruth, Loss};
use fidelity::table::Table;
use fidelity::workload::{self, Outage, Workload};

/// What the measuring machine itself cost in every call, to be added to the simulated latency.
const HOST_OVERHEAD_MS: f64 = 0.45;

fn main() {
    let truth = GroundTruth::load();
    let mut table = Table::new();
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |id: &str| only.as_ref().is_none_or(|only| id.contains(only.as_str()));
    for case in truth.loss.iter().filter(|case| wanted(&case.id)) {
        loss(case, &mut table);
    }
    for case in truth.black_holes.iter().filter(|case| wanted(&case.id)) {
        black_hole(case, &mut table);
    }
    for case in truth.connects.iter().filter(|case| wanted(&case.id)) {
        connect(case, &mut table);
    }
    std::process::exit(table.finish());
}

/// Latencies of calls under loss. Several seeds are pooled, as two runs were on the real machine.
fn loss(case: &Loss, table: &mut Table) {
    // Lossy tails vary from run to run; more seeds only narrow our side of the comparison.
    let seeds = if cfg!(debug_assertions) { 2 } else { 8 };
    let rtt = Duration::from_secs_f64(case.rtt_ms / 1e3);
    let work = Workload { rtt, loss: case.loss_each_way, payload: case.payload_bytes, calls: 300, outage: None };
    let mut latencies: Vec<f64> = (0..seeds).flat_map(|seed| workload::run(&work, seed).latencies_ms()).collect();
    latencies.sort_by(f64::total_cmp);
    for (quantile, linux, tolerance) in case.quantiles() {
        let share = quantile[1..].parse::<f64>().expect("a quantile such as p99") / 100.0;
        let at = |share: f64| {
            let rank = (latencies.len() as f64 * share.clamp(0.0, 1.0)) as usize;
            latencies[rank.min(latencies.len() - 1)] + HOST_OVERHEAD_MS
        };
        let slack = rank_error(share, case.calls, latencies.len() as f64);
        table.quantile(&case.id, quantile, linux, at(share), (at(share - slack), at(share + slack)), tolerance);
    }
}

/// How far off the rank of a quantile may be: two standard errors of both samples, for calls of which every other one
/// suffers from its neighbour. It matters at cliffs, where 1 % of the calls waits for the next one 100 ms later and the
/// 99th percentile is 20 ms or 102 ms by the luck of a dozen packets.
fn rank_error(share: f64, measured: f64, simulated: f64) -> f64 {
    2.0 * (2.0 * share * (1.0 - share) * (1.0 / measured + 1.0 / simulated)).sqrt()
}

/// How long after a black hole ends the calls that met it end.
fn black_hole(case: &BlackHole, table: &mut Table) {
    let rtt = Duration::from_secs_f64(case.rtt_ms / 1e3);
    let lasts = Duration::from_secs_f64(case.black_hole_both_ways_s);
    let outage = Outage { from: Duration::from_secs(4), lasts };
    let work = Workload { rtt, loss: 0.0, payload: 100, calls: 150, outage: Some(outage) };
    let seeds = if cfg!(debug_assertions) { 1 } else { 3 };
    let mut after_heal: Vec<f64> = Vec::new();
    for seed in 0..seeds {
        let run = workload::run(&work, seed);
        let healed = run.began + outage.from + outage.lasts;
        let stalled = run.calls.iter().filter(|call| call.ms() > 50.0);
        after_heal.extend(stalled.map(|call| call.ended.as_secs_f64() - healed.as_secs_f64()));
    }
    after_heal.sort_by(f64::total_cmp);
    let stalled = after_heal.len() as f64 / f64::from(seeds as u32);
    let median = after_heal.get(after_heal.len() / 2).copied().unwrap_or(f64::NAN);
    table.row(&case.id, "stalled", "calls", case.stalled_calls_over_50ms, stalled, case.tolerance_stalled);
    table.row(&case.id, "heal", "s", case.median_stalled_call_ends_after_heal_s, median, case.tolerance_s);
}

/// When clients that connect into a black hole get through.
fn connect(case: &Connect, table: &mut Table) {
    let until = Duration::from_secs_f64(case.black_hole_until_s);
    let rtt = Duration::from_secs_f64(case.rtt_ms / 1e3);
    let mut took: Vec<f64> = (0..4).flat_map(|seed| workload::connect_through_black_hole(rtt, until, seed)).collect();
    took.sort_by(f64::total_cmp);
    let (min, median, max) = (took[0], took[took.len() / 2], took[took.len() - 1]);
    table.row(&case.id, "median", "ms", case.connect_ms.median, median, case.tolerance_ms);
    table.row(&case.id, "min", "ms", case.connect_ms.min, min, case.tolerance_ms);
    table.row(&case.id, "max", "ms", case.connect_ms.max, max, case.tolerance_ms);
}
