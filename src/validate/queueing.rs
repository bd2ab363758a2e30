//! Queueing: M/M/1, M/D/1 and M/M/c.
//!
//! The server has its workers and an unbounded queue; the network takes no time, so that what is measured is the wait and
//! the work. Closed forms: any textbook (L. Kleinrock, "Queueing Systems", 1975).

use super::finding::{Finding, Tolerance};
use super::lab::{Lab, LabError};
use super::run::{Run, each};
use super::{Param, Params, Suite};

const TEXTBOOK: &str = "L. Kleinrock, Queueing Systems, volume 1";
const LOAD: Param = Param::one("load", "share of the time that a worker is busy", &[0.8]).within(0.01, 0.99);
const SERVICE: Param = Param::one("service_ms", "mean work of a call in ms", &[100.0]).within(0.001, 1e6);

/// One worker, exponential work. Few long runs: the far tail of a short one is biased.
pub(super) const MM1: Suite = Suite {
    name: "mm1",
    source: TEXTBOOK,
    params: &[
        LOAD,
        SERVICE,
        Param::each("quantile", "quantiles that are compared", &[0.5, 0.99, 0.999]).within(0.001, 0.9999),
        Param::sample("calls", "calls of a seed", &[250_000.0], &[400_000.0]),
        Param::seeds(&[4.0], &[8.0]),
    ],
    cost: 70,
    run: mm1,
    scenario: Some(|params| open(params, 1, "exponential: { mean: ", " }")),
};

/// One worker, constant work.
pub(super) const MD1: Suite = Suite {
    name: "md1",
    source: TEXTBOOK,
    params: &[
        LOAD,
        SERVICE,
        Param::sample("calls", "calls of a seed", &[4_000.0], &[20_000.0]),
        Param::seeds(&[100.0], &[100.0]),
    ],
    cost: 45,
    run: md1,
    scenario: Some(|params| open(params, 1, "constant: ", "")),
};

/// Several workers, exponential work.
pub(super) const MMC: Suite = Suite {
    name: "mmc",
    source: TEXTBOOK,
    params: &[
        LOAD,
        Param::one("service_ms", "mean work of a call in ms", &[1000.0]).within(0.001, 1e6),
        Param::each("workers", "workers", &[1.0, 2.0, 10.0]).whole().within(1.0, 10_000.0),
        Param::sample("calls", "calls of a seed", &[3_000.0], &[10_000.0]),
        Param::seeds(&[100.0], &[100.0]),
    ],
    cost: 100,
    run: mmc,
    scenario: Some(|params| open(params, params.count("workers"), "exponential: { mean: ", " }")),
};

pub(super) fn open(params: &Params, workers: u32, before: &str, after: &str) -> String {
    let (service_ms, load, calls) = (params.get("service_ms"), params.get("load"), params.get("calls"));
    let rate = load * f64::from(workers) / service_ms * 1000.0;
    let times = format!("{{ {before}{service_ms}ms{after} }}");
    // A tenth of the run fills the queue and is not judged.
    scenario(workers, &times, &format!("{{ poisson: {rate}/s }}"), 1, 1.1 * calls / rate, 0.1 * calls / rate)
}

pub(super) fn scenario(
    workers: u32,
    service: &str,
    load: &str,
    clients: u32,
    duration_s: f64,
    warmup_s: f64,
) -> String {
    format!(
        "name: queueing
about: A queue of the textbook, over a network that takes no time.
duration: {duration_s:.3}s
warmup: {warmup_s:.3}s
drain: 1h
seeds: 5
servers:
  telemetry: {{ workers: {workers}, service_time: {service}, queue: {{ limit: 10000000 }}, durability: memory }}
clients:
  devices: {{ count: {clients}, calls: telemetry, load: {load} }}
links:
  - {{ between: [devices, telemetry], latency: 0s }}
strategies:
  - name: none
"
    )
}

pub(super) fn mean_s(run: &Run) -> f64 {
    run.metrics.whole().latency.mean_ns().unwrap_or_default() / 1e9
}

/// A quantile as rows are named: `p99.9`.
pub(super) fn percentile(quantile: f64) -> String {
    format!("p{}", libm::round(quantile * 1e6) / 1e4)
}

pub(super) const CLOSE: Tolerance = Tolerance::Relative(0.03);

fn mm1(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let runs = &lab.scenario(&open(params, 1, "exponential: { mean: ", " }"), params.seeds())?[0];
    let mean = params.get("service_ms") / 1000.0 / (1.0 - params.get("load"));
    let quantile = |tail: f64| mean * libm::log(1.0 / tail);
    let row =
        |name: &str, published: f64, figures: &[f64]| Finding::of_seeds(name, Some(published), figures, "s", CLOSE);
    let tails = params
        .all("quantile")
        .iter()
        .map(|&q| row(&format!("mm1.{}", percentile(q)), quantile(1.0 - q), &each(runs, |run| run.quantile_s(q))));
    Ok(std::iter::once(row("mm1.mean", mean, &each(runs, mean_s))).chain(tails).collect())
}

fn md1(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let runs = &lab.scenario(&open(params, 1, "constant: ", ""), params.seeds())?[0];
    let (service, load) = (params.get("service_ms") / 1000.0, params.get("load"));
    let mean = service * (1.0 + load / (2.0 * (1.0 - load)));
    Ok(vec![Finding::of_seeds("md1.mean", Some(mean), &each(runs, mean_s), "s", CLOSE)])
}

fn mmc(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let mut findings = Vec::new();
    for &workers in params.all("workers") {
        let runs = &lab.scenario(&open(params, workers as u32, "exponential: { mean: ", " }"), params.seeds())?[0];
        let (service, load) = (params.get("service_ms") / 1000.0, params.get("load"));
        let mean = service + erlang_c(workers as u32, load) * service / (workers * (1.0 - load));
        let name = format!("mmc.{workers}.mean");
        findings.push(Finding::of_seeds(name, Some(mean), &each(runs, mean_s), "s", CLOSE));
    }
    Ok(findings)
}

/// The probability that a call has to wait, by the recursion for Erlang B.
fn erlang_c(workers: u32, load: f64) -> f64 {
    let offered = load * f64::from(workers);
    let blocked = (1..=workers).fold(1.0, |b, n| offered * b / (f64::from(n) + offered * b));
    blocked / (1.0 - load * (1.0 - blocked))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published means of M/M/c at a load of 0.8 and a service time of 1 s.
    #[test]
    fn erlang_c_gives_the_published_means() {
        for (workers, mean) in [(1, 5.0), (2, 2.778), (10, 1.205)] {
            let found = 1.0 + erlang_c(workers, 0.8) / (f64::from(workers) * 0.2);
            assert!((found - mean).abs() < 1e-3, "{workers}: {found}");
        }
    }
}
