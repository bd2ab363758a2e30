//! Does the simulated kernel behave like the real one?
//!
//! `tests/data/linux-tcp.json` and `linux-tcp-more.json` hold what a real tonic client and server experienced over Linux
//! 6.18, on links with loss, across black holes, and while connecting. Here the same programs do the same work over the
//! simulated network, and each figure must lie within the tolerance written beside it.
//!
//! One rule more: where 5 % of the calls wait for the next one, 50 ms later, the 95th percentile of Linux itself is 70 or
//! 101 ms by the luck of a dozen packets. What lies outside is therefore held against a longer sample of the same case, if
//! there is one, by the same tolerance; the table says so.
//!
//! Run `cargo test --release --test fidelity -- --nocapture` for the table.

mod fidelity {
    pub(crate) mod case;
    pub(crate) mod connection;
    pub(crate) mod load;
    pub(crate) mod single;
    pub(crate) mod table;
    pub(crate) mod workload;
}

mod wire;

use std::time::Duration;

use fidelity::case::{BlackHole, Connect, GroundTruth, Loss};
use fidelity::connection;
use fidelity::load::Calls;
use fidelity::single::{Bulk, Timers};
use fidelity::table::Table;
use fidelity::workload::{self, Outage, Workload};

fn main() {
    let truth = GroundTruth::load();
    let mut table = Table::new();
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |id: &str| only.as_ref().is_none_or(|only| id.contains(only.as_str()));
    for case in truth.loss.iter().filter(|case| wanted(&case.id)) {
        loss(case, &truth, &mut table);
    }
    for case in truth.black_holes.iter().filter(|case| wanted(&case.id)) {
        black_hole(case, &mut table);
    }
    for case in truth.connects.iter().filter(|case| wanted(&case.id)) {
        connect(case, &mut table);
    }
    if wanted("timers") {
        timers(&truth.timers, &mut table);
    }
    if wanted("bulk") {
        bulk(&truth.bulk, &mut table);
    }
    std::process::exit(table.finish());
}

/// Latencies of calls under loss. Several seeds are pooled, as several runs were on the real machine.
fn loss(case: &Loss, truth: &GroundTruth, table: &mut Table) {
    let rtt = Duration::from_secs_f64(case.rtt_ms / 1e3);
    let calls = Calls { count: 300, payload: case.payload_bytes };
    let work = Workload { rtt, loss: case.loss_each_way, calls, outage: None };
    let mut latencies = in_parallel(seeds(case), |seed| workload::run(&work, seed).latencies_ms(case.host_overhead_ms));
    latencies.sort_by(f64::total_cmp);
    for figure in truth.figures(case) {
        let squall = match figure.name.strip_prefix('p') {
            Some(percent) => quantile(&latencies, percent.parse::<f64>().expect("a quantile such as p99") / 100.0),
            None => latencies.iter().sum::<f64>() / latencies.len() as f64,
        };
        table.figure(&case.id, &figure, squall);
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share) as usize;
    sorted[rank.min(sorted.len() - 1)]
}

/// Lossy tails vary from run to run, and a mean with them; more seeds only narrow our side of the comparison.
fn seeds(case: &Loss) -> u64 {
    match case.loss_each_way {
        0.0 => 2,
        _ if cfg!(debug_assertions) => 6,
        _ => 12,
    }
}

/// What `run` gives for each seed, one after the other.
fn in_parallel(seeds: u64, run: impl Fn(u64) -> Vec<f64> + Sync) -> Vec<f64> {
    let run = &run;
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..seeds).map(|seed| scope.spawn(move || run(seed))).collect();
        runs.into_iter().flat_map(|run| run.join().expect("a run ends")).collect()
    })
}

/// How long after a black hole ends the calls that met it end.
fn black_hole(case: &BlackHole, table: &mut Table) {
    let rtt = Duration::from_secs_f64(case.rtt_ms / 1e3);
    let lasts = Duration::from_secs_f64(case.black_hole_both_ways_s);
    let outage = Outage { from: Duration::from_secs(4), lasts };
    let calls = Calls { count: 150, payload: 100 };
    let work = Workload { rtt, loss: 0.0, calls, outage: Some(outage) };
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

/// Which tick of the kernel a timer meets is luck; the seeds stand for it.
const TICKS: u64 = 9;

/// Timers of single connections. How late Linux's timer wheel is depends on the tick that the first was set at: by up to two
/// ticks of 4 ms, and by 3 % in a ladder that takes seconds.
fn timers(measured: &Timers, table: &mut Table) {
    const TWO_TICKS: f64 = 8.0;
    let late = |after_s: f64| (0.03 * after_s).max(TWO_TICKS / 1e3);
    for case in &measured.rto {
        // The first repetition is a tail loss probe; the timeout is what passes between it and the second.
        let rto = median(|seed| {
            let sent_at = connection::into_black_hole(case.rtt, seed).sent_at;
            vec![(sent_at[2] - sent_at[1]) * 1e3]
        });
        let id = format!("timers-rto-rtt{:.1}ms", case.rtt.as_secs_f64() * 1e3);
        table.row(&id, "rto", "ms", case.rto_ms, rto[0], TWO_TICKS);
    }
    let segment = &measured.segment;
    let squall = median(|seed| {
        let segment = connection::into_black_hole(segment.rtt, seed);
        [&[segment.gives_up], &*segment.sent_at].concat()
    });
    let (gives_up, sent_at) = (squall[0], &squall[1..]);
    ladder("timers-segment", &segment.at_s, sent_at, late, table);
    for syns in &measured.syns {
        let squall = median(|seed| connection::syns(syns.linear, seed));
        ladder(&format!("timers-syn-linear-{}", syns.linear), &syns.at_s, &squall, late, table);
    }
    // The first timer after that sees it; timers are 120 s apart by then.
    table.row("timers-retries2-15", "gives up", "s", measured.gives_up_after_s, gives_up, 120.0);
    let nagle = median(|seed| vec![connection::write_write_read_ms(measured.nagle.rtt, seed)]);
    table.row("timers-nagle", "median", "ms", measured.nagle.median_ms, nagle[0], TWO_TICKS);
}

fn ladder(id: &str, linux: &[f64], squall: &[f64], tolerance: impl Fn(f64) -> f64, table: &mut Table) {
    for (step, linux) in linux.iter().enumerate().skip(1) {
        let squall = squall.get(step).copied().unwrap_or(f64::NAN);
        table.row(id, &format!("{step}."), "s", *linux, squall, tolerance(*linux));
    }
}

/// The median of each figure over the ticks that a host may have started at.
fn median(figures: impl Fn(u64) -> Vec<f64>) -> Vec<f64> {
    let runs: Vec<Vec<f64>> = (0..TICKS).map(figures).collect();
    let shortest = runs.iter().map(Vec::len).min().unwrap_or(0);
    let middle = |figure: usize| {
        let mut values: Vec<f64> = runs.iter().map(|run| run[figure]).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    (0..shortest).map(middle).collect()
}

/// Reno's throughput on a lossy link, which Mathis' formula gives within 15 %.
fn bulk(measured: &Bulk, table: &mut Table) {
    for (loss, linux) in &measured.ratios {
        let ratios = in_parallel(4, |seed| vec![connection::bulk(measured.rtt, *loss, seed)]);
        let squall = ratios.iter().sum::<f64>() / ratios.len() as f64;
        table.row(&format!("bulk-reno-{}pct", loss * 100.0), "ratio", "", *linux, squall, 0.15 * linux);
    }
}
