//! Hedging: what a second request after a short wait does to the slowest of a hundred answers.
//!
//! Source: J. Dean and L. Barroso, "The Tail at Scale" (CACM 2013): reading from 100 servers, a hedge after 10 ms took the
//! 99.9th percentile from 1800 to 74 ms, with 2 % more requests. A gateway asks 100 leaves at once and waits for them all.
//!
//! The percentile that is held against the source is a parameter: for another one, or another delay, the reference follows
//! from the leaves' tail S by 1 - (1 - S(t))^100, and with a hedge S(t)·S(t - d) in place of S(t).

use std::time::Duration;

use super::finding::{Finding, Tolerance};
use super::lab::{self, Lab, LabError, Run, each};
use super::{Params, Suite};
use crate::analysis::CURVE;
use crate::resilience::{HedgeConfig, HedgeDelay, LayerConfig};
use crate::scenario::DownstreamStrategy;

/// The tail at scale.
pub(super) const TAIL: Suite = Suite {
    name: "hedging",
    source: "The Tail at Scale",
    params: &[
        ("leaves", 100.0, 100.0),
        ("delay_ms", 10.0, 10.0),
        ("quantile", 0.98, 0.999),
        ("calls", 2_000.0, 25_000.0),
        ("seeds", 2.0, 4.0),
    ],
    run: tail,
    scenario: Some(scenario),
};

/// The leaves' tail: latency in ms, and the share above it.
const LEAF: [(f64, f64); 6] = [(0.5, 1.0), (2.0, 0.5), (10.0, 0.02), (69.0, 0.00316), (1800.0, 1e-5), (20_000.0, 1e-8)];

fn scenario(params: &Params) -> String {
    let leaves = params.count("leaves");
    let points: Vec<String> =
        LEAF.iter().map(|(ms, above)| format!("{{ share: {}%, value: {ms}ms }}", 100.0 * (1.0 - above))).collect();
    format!(
        "name: tail
about: A gateway asks {leaves} leaves and waits for the slowest.
duration: {}s
drain: 60s
servers:
  gateway: {{ service_time: 0s, durability: memory, calls: [{{ server: leaf, fan_out: {leaves}, strategy: {{ name: leaf-client, channel: {{ balance: round_robin }} }} }}] }}
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
    let (leaves, delay_ms, quantile) = (params.get("leaves"), params.get("delay_ms"), params.get("quantile"));
    let measured = |run: &Run| run.metrics.whole().latency.quantile_ns(quantile).map_or(f64::NAN, |ns| ns as f64 / 1e6);
    // Leaves and the gateway itself, a call.
    let requests = |run: &Run| run.metrics.whole().executions as f64 / run.metrics.whole().calls as f64 - 1.0;
    let mut plan = lab::plan(&scenario(params))?;
    let plain = lab.plan(&plan, params.seeds())?;
    for downstream in plan.servers.iter_mut().flat_map(|group| &mut group.downstream) {
        if let DownstreamStrategy::Fixed(fixed) = &mut downstream.strategy {
            let delay = HedgeDelay::Fixed(Duration::from_secs_f64(delay_ms / 1e3));
            fixed.strategy.layers = vec![LayerConfig::Hedge(HedgeConfig { delay, ..HedgeConfig::default() })];
        }
    }
    let hedged = lab.plan(&plan, params.seeds())?;
    let (plain, hedged) = (&plain[0], &hedged[0]);
    let close = Tolerance::Relative(0.1);
    let row = |name: &str| format!("hedging.{name}.p{}", quantile * 100.0);
    let without = slowest(leaves, quantile, slower);
    let with = slowest(leaves, quantile, |ms| slower(ms) * slower(ms - delay_ms));
    let more: Vec<f64> = each(hedged, requests).iter().map(|made| made / leaves - 1.0).collect();
    let mut findings = vec![
        Finding::of_seeds(row("none"), Some(without), &each(plain, measured), "ms", close),
        Finding::of_seeds(row("hedged"), Some(with), &each(hedged, measured), "ms", close),
        Finding::of_seeds("hedging.more", Some(slower(delay_ms)), &more, "", Tolerance::Absolute(0.002)),
    ];
    if leaves == 100.0 {
        findings.push(fan_out(plain));
    }
    if !CURVE.contains(&quantile) {
        findings.retain(|finding| !finding.observed.is_nan());
    }
    Ok(findings)
}

/// One in a hundred leaves takes longer than this; of a hundred leaves together, 63 % do.
fn fan_out(runs: &[Run]) -> Finding {
    let share = 1.0 - libm::pow(0.99, 100.0);
    let threshold_ms = slowest(1.0, 0.99, slower);
    let slow = |run: &Run| {
        let latency = &run.metrics.whole().latency;
        // Between the kept quantiles the curve is read by straight lines.
        let points: Vec<(f64, f64)> =
            CURVE.iter().zip(&latency.curve_ns).map(|(q, ns)| (*q, *ns as f64 / 1e6)).collect();
        let place = points.partition_point(|(_, ms)| *ms <= threshold_ms).clamp(1, points.len() - 1);
        let ((q0, x0), (q1, x1)) = (points[place - 1], points[place]);
        1.0 - (q0 + (q1 - q0) * (threshold_ms - x0) / (x1 - x0))
    };
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
