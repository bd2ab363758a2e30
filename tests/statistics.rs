//! Can a comparison be believed? How often two strategies that are the same look different, and how often a difference
//! that is there is found. Both are properties of the whole chain: trials, figures, intervals, ranking.
//!
//! Trials are drawn from a pool, which makes comparisons a little alike and the test short; `SQUALL_FULL=1` gives every
//! comparison trials of its own.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use squall::analysis::stats::{Bootstrap, Estimate};
use squall::analysis::{Parts, TrialFold, TrialMetrics};
use squall::experiment::{self, Job};
use squall::random::Key;
use squall::scenario::{Alone, ErrorFilter, Metric, Plan, parse};
use squall::trial::TrialSpec;

/// How many seeds a scenario has that does not say how many.
const SEEDS: usize = 5;
/// How many comparisons.
const COMPARISONS: usize = 200;
/// What is compared: shares, ratios, times, of the middle and of the tail.
const METRICS: [Metric; 5] = [Metric::SuccessRate, Metric::Amplification, Metric::WastedWork, Metric::P50, Metric::P99];

/// A small storm. `SERVICE` is the median of its service time.
const STORM: &str = "
name: storm
about: A small storm, many times.
duration: 3s
drain: 1s
servers: { telemetry: { workers: 3, service_time: { lognormal: { median: SERVICE, p99: 60ms } }, queue: { limit: 16 } } }
clients: { devices: { count: 10, calls: telemetry, load: { poisson: 6/s } } }
faults: [{ at: 1s, for: 500ms, grpc: { server: telemetry, method: ReportAlert, status: UNAVAILABLE, rate: 40% } }]
strategies:
  - name: a
    layers:
      - deadline: 1s
      - retry: { attempts: 4, on: [UNAVAILABLE], backoff: { full_jitter: { base: 100ms, cap: 1s } } }
  - name: b
    layers:
      - deadline: 1s
      - retry: { attempts: 4, on: [UNAVAILABLE], backoff: { full_jitter: { base: 100ms, cap: 1s } } }
";

fn full() -> bool {
    std::env::var_os("SQUALL_FULL").is_some()
}

#[expect(clippy::print_stdout, reason = "figures are for whoever runs the tests with --nocapture")]
fn figure(name: &str, value: f64, unit: &str) {
    println!("figure {name} = {value} {unit}");
}

fn plan(service: &str) -> Plan {
    parse("storm.yaml", &STORM.replace("SERVICE", service), &Alone).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn run(plan: &Plan, specs: impl Iterator<Item = (usize, u64)>) -> Vec<TrialMetrics> {
    let job = |(strategy, seed)| Job { plan, spec: TrialSpec { strategy, seed, control: false } };
    let jobs: Vec<Job<'_>> = specs.map(job).collect();
    let parts = Arc::new(Parts::whole(0, 3_000_000_000));
    let make = |header: &_| TrialFold::new(header, Arc::clone(&parts));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    experiment::run(&jobs, threads, make, |_, _| (), &AtomicBool::new(false)).unwrap()
}

fn value(trial: &TrialMetrics, metric: Metric) -> Option<f64> {
    trial.whole().value(metric, ErrorFilter::ANY)
}

/// Whether an interval says that there is a difference.
fn certain(difference: Option<Estimate>) -> bool {
    difference.is_some_and(|difference| difference.low > 0.0 || difference.high < 0.0)
}

/// A strategy against itself under another name and with other seeds. Nominally one comparison of twenty is wrong; 200
/// comparisons may stray from that by three standard errors.
#[test]
fn what_is_the_same_seldom_looks_different() {
    let plan = plan("30ms");
    let pool = if full() { 2 * SEEDS * COMPARISONS } else { 500 };
    let trials: Vec<TrialMetrics> = run(&plan, (0..pool as u64).map(|seed| (seed as usize % 2, seed)));
    let key = Key::from_seed(1).named("comparisons");
    let mut bootstrap = Bootstrap::default();
    let mut worst: f64 = 0.0;
    let mut all = 0;
    for metric in METRICS {
        let alarms = (0..COMPARISONS).filter(|comparison| {
            let group = |side: usize| -> Vec<Option<f64>> {
                let drawn = drawn(key.with(*comparison as u64), pool);
                let own = |place: usize| 2 * SEEDS * comparison + place;
                let place = |place: usize| if full() { own(place) } else { drawn[place] };
                (side * SEEDS..(side + 1) * SEEDS).map(|at| value(&trials[place(at)], metric)).collect()
            };
            certain(bootstrap.difference(&group(0), &group(1)))
        });
        let alarms = alarms.count();
        let share = alarms as f64 / COMPARISONS as f64;
        figure(&format!("statistics.false_alarms.{metric}"), share * 100.0, "%");
        worst = worst.max(share);
        all += alarms;
    }
    let share = all as f64 / (COMPARISONS * METRICS.len()) as f64;
    figure("statistics.false_alarms", share * 100.0, "%");
    assert!(share <= 0.05 + 0.02, "{share} of all comparisons are wrong");
    assert!(worst <= 0.05 + 0.05, "{worst} of one metric's are");
}

/// Twice as many different places of the pool as a strategy has seeds.
fn drawn(key: Key, pool: usize) -> Vec<usize> {
    let mut places = Vec::new();
    let mut draws = (0..).map(|number: u64| key.with(number).draw().index(pool));
    while places.len() < 2 * SEEDS {
        let place = draws.next().expect("draws do not end");
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// Servers that are 5 % slower, on the same seeds: found nine times of ten with the seeds that a scenario has by default.
#[test]
fn a_difference_of_a_twentieth_is_found() {
    let comparisons = if full() { COMPARISONS } else { 40 };
    let seeds = (0..(comparisons * SEEDS) as u64).map(|seed| (0, seed));
    let [fast, slow] = ["20ms", "21ms"].map(|service| run(&plan(service), seeds.clone()));
    let mut bootstrap = Bootstrap::default();
    let values = |trials: &[TrialMetrics], metric| trials.iter().map(|trial| value(trial, metric)).collect::<Vec<_>>();
    let mut power = |metric: Metric| {
        let (fast, slow) = (values(&fast, metric), values(&slow, metric));
        let pairs = fast.chunks_exact(SEEDS).zip(slow.chunks_exact(SEEDS));
        let found = pairs.filter(|(fast, slow)| certain(bootstrap.difference(slow, fast)));
        found.count() as f64 / comparisons as f64
    };
    let found = power(Metric::P50);
    figure("statistics.power.p50", found * 100.0, "%");
    let mean = power(Metric::MeanLatency);
    figure("statistics.power.mean", mean * 100.0, "%");
    assert!(found >= 0.9, "the median's difference was found in {found} of the comparisons");
}
