//! Hedging: what a second request after a short wait does to the slowest of a hundred answers.
//!
//! Source: J. Dean and L. Barroso, "The Tail at Scale" (CACM 2013): reading from 100 servers, a hedge after 10 ms took the
//! 99.9th percentile from 1800 to 74 ms, with 2 % more requests. A gateway asks 100 leaves at once and waits for them all.
//!
//! The percentile that is held against the source is a parameter: for another one, or another delay, the reference follows
//! from the leaves' tail S by 1 - (1 - S(t))^100, and with a hedge S(t)·S(t - d) in place of S(t).

use super::finding::{Finding, Tolerance};
use super::lab::{Lab, LabError};
use super::queueing::percentile;
use super::run::{Run, each, pooled};
use super::{Param, Params, Suite};
use crate::analysis::Latencies;

/// The tail at scale.
pub(super) const TAIL: Suite = Suite {
    name: "hedging",
    source: "The Tail at Scale",
    params: &[
        Param::one("leaves", "leaves that are asked at once", &[100.0]).whole().within(1.0, 1000.0),
        Param::one("delay_ms", "delay of the hedge in ms", &[10.0]).within(0.001, 60_000.0),
        Param::each("quantile", "percentiles that are compared, as shares", &[0.5, 0.98, 0.999]).within(0.01, 0.9999),
        Param::sample("calls", "calls of a seed", &[1_000.0], &[2_000.0]),
        Param::seeds(&[8.0], &[50.0]),
    ],
    cost: 400,
    run: tail,
    scenario: Some(|params| scenario(params, true)),
};

/// The leaves' tail: latency in ms, and the share above it.
const LEAF: [(f64, f64); 6] = [(0.5, 1.0), (2.0, 0.5), (10.0, 0.02), (69.0, 0.00316), (1800.0, 1e-5), (20_000.0, 1e-8)];

fn scenario(params: &Params, hedged: bool) -> String {
    let leaves = params.count("leaves");
    let layers = format!("layers: [{{ hedge: {{ delay: {}ms }} }}], ", params.get("delay_ms"));
    let layers = if hedged { layers } else { String::new() };
    let points: Vec<String> =
        LEAF.iter().map(|(ms, above)| format!("{{ share: {}%, value: {ms}ms }}", 100.0 * (1.0 - above))).collect();
    format!(
        "name: tail
about: A gateway asks {leaves} leaves and waits for the slowest.
duration: {}s
drain: 60s
servers:
  gateway: {{ service_time: 0s, durability: memory, calls: [{{ server: leaf, fan_out: {leaves}, strategy: {{ name: leaf-client, {layers}channel: {{ balance: round_robin }} }} }}] }}
  leaf: {{ replicas: {leaves}, drawn_by: attempt, durability: memory, service_time: {{ quantiles: [{}] }} }}
clients:
  devices: {{ calls: gateway, load: {{ constant: 50/s }} }}
links:
  - {{ between: [devices, gateway], latency: 0s }}
  - {{ between: [gateway, leaf], latency: 0s }}
strategies:
  - name: none
",
        params.get("calls") / 50.0,
        points.join(", ")
    )
}

/// The share of leaves that take longer, by straight lines between the points in a plot of logarithms.
fn slower(ms: f64) -> f64 {
    if ms <= LEAF[0].0 {
        return 1.0;
    }
    let place = LEAF.iter().rposition(|(at, _)| *at <= ms).unwrap_or(0).min(LEAF.len() - 2);
    let ((x0, y0), (x1, y1)) = (LEAF[place], LEAF[place + 1]);
    libm::exp(libm::log(y0) + (libm::log(y1) - libm::log(y0)) * libm::log(ms / x0) / libm::log(x1 / x0))
}

/// The quantile of the slowest of so many leaves, each slower than t with probability `tail(t)`, by bisection.
fn slowest(leaves: f64, quantile: f64, tail: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (LEAF[0].0, LEAF[LEAF.len() - 1].0);
    for _ in 0..100 {
        let middle = libm::sqrt(low * high);
        let below = libm::pow(1.0 - tail(middle), leaves);
        if below < quantile { low = middle } else { high = middle }
    }
    high
}

fn tail(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let (leaves, delay_ms) = (params.get("leaves"), params.get("delay_ms"));
    // Leaves and the gateway itself, a call.
    let requests = |run: &Run| run.metrics.whole().executions as f64 / run.metrics.whole().calls as f64 - 1.0;
    let runs = lab.chains(&[false, true], |hedged| lab.scenario(&scenario(params, *hedged), params.seeds()))?;
    let (plain, hedged) = (&runs[0][0], &runs[1][0]);
    let [all_plain, all_hedged] = [plain, hedged].map(|runs| pooled(runs));
    let mut findings = Vec::new();
    for &quantile in params.all("quantile") {
        let name = percentile(quantile);
        let usual = quantile == 0.999 && params.is_usual_but(&["quantile"]);
        let hedge = |ms: f64| slower(ms) * slower(ms - delay_ms);
        let mut row = |which: &str, all: &Latencies, tail: &dyn Fn(f64) -> f64, published: Option<f64>| {
            // The spread of a quantile follows from how many calls lie beyond it.
            let calls = params.get("calls") * params.get("seeds");
            let share = libm::sqrt(quantile * (1.0 - quantile) / calls);
            let ends = [-share, share].map(|off| slowest(leaves, (quantile + off).min(1.0 - 1e-9), tail));
            findings.push(Finding {
                row: format!("hedging.{which}.{name}"),
                published: published.or_else(|| Some(slowest(leaves, quantile, tail))),
                observed: all.quantile_ns(quantile) as f64 / 1e6,
                error: (ends[1] - ends[0]) / 2.0,
                unit: "ms",
                tolerance: Tolerance::Relative(0.1),
            });
        };
        row("none", &all_plain, &slower, usual.then_some(1800.0));
        row("hedged", &all_hedged, &hedge, usual.then_some(74.0));
    }
    let more: Vec<f64> = each(hedged, requests).iter().map(|made| made / leaves - 1.0).collect();
    let expected = slower(delay_ms);
    let tolerance = Tolerance::Absolute((0.1 * expected).max(0.002));
    findings.push(Finding::of_seeds("hedging.more", Some(expected), &more, "", tolerance));
    findings.push(fan_out(plain, leaves));
    Ok(findings)
}

/// One in a hundred leaves takes longer than this; of a hundred leaves together, 63 % do.
fn fan_out(runs: &[Run], leaves: f64) -> Finding {
    let share = 1.0 - libm::pow(0.99, leaves);
    let threshold_ms = slowest(1.0, 0.99, slower);
    let slow = |run: &Run| run.latencies.share_above((threshold_ms * 1e6) as u64);
    Finding::of_seeds("hedging.fan_out", Some(share), &each(runs, slow), "", Tolerance::Absolute(0.03))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published percentiles follow from the published tail.
    #[test]
    fn the_reference_is_the_published_result() {
        let none = slowest(100.0, 0.999, slower);
        let hedged = slowest(100.0, 0.999, |ms| slower(ms) * slower(ms - 10.0));
        assert!((none / 1800.0 - 1.0).abs() < 0.01, "{none}");
        assert!((hedged / 74.0 - 1.0).abs() < 0.03, "{hedged}");
        assert!((slower(10.0) - 0.02).abs() < 1e-9);
    }
}
