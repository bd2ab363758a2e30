//! Retries by arithmetic: how often they save a call, how much they add, and how layers of them multiply.
//!
//! Sources: SRE book, "Addressing Cascading Failures"; M. Brooker, "Fixing retries with token buckets and circuit breakers".

use super::finding::{Finding, Tolerance};
use super::lab::{Lab, LabError};
use super::run::{Run, each};
use super::{Param, Params, Suite};
use crate::scenario::{ErrorFilter, Metric};

/// Tiers that each retry.
pub(super) const AMPLIFICATION: Suite = Suite {
    name: "amplification",
    source: "SRE book, Addressing Cascading Failures",
    params: &[
        Param::one("layers", "layers that retry, the clients included", &[3.0]).whole().within(1.0, 6.0),
        Param::one("attempts", "attempts that each makes", &[4.0]).whole().within(2.0, 10.0),
        Param::sample("calls", "calls, one a second", &[5.0], &[20.0]).within(1.0, 10_000.0),
    ],
    cost: 2,
    run: amplification,
    scenario: Some(|params| tiers(params, params.count("layers"), params.count("attempts"))),
};

/// One client on a backend that always fails, with and without a budget.
pub(super) const BUDGET: Suite = Suite {
    name: "budget",
    source: "SRE book, Handling Overload",
    params: &[
        Param::one("attempts", "most attempts of a call", &[3.0]).whole().within(2.0, 100.0),
        Param::one("percent", "budget: retries in percent of requests", &[10.0]).within(0.1, 100.0),
        Param::sample("calls", "calls of a seed", &[20_000.0], &[100_000.0]),
        Param::seeds(&[1.0], &[5.0]),
    ],
    cost: 40,
    run: budget,
    scenario: Some(budgets),
};

/// Independent failures.
pub(super) const ARITHMETIC: Suite = Suite {
    name: "retries",
    source: "closed form: 1 - p^k",
    params: &[
        Param::each("p", "probability that an attempt fails", &[0.1, 0.5]).within(0.0, 0.999),
        Param::each("attempts", "most attempts of a call", &[2.0, 4.0]).whole().within(2.0, 100.0),
        Param::sample("calls", "calls of a seed", &[60_000.0], &[200_000.0]),
        Param::seeds(&[2.0], &[5.0]),
    ],
    cost: 110,
    run: arithmetic,
    scenario: Some(|params| failing(params, params.get("p"), params.count("attempts"))),
};

/// Token buckets and breakers for retries.
pub(super) const BUCKETS: Suite = Suite {
    name: "buckets",
    source: "M. Brooker, Fixing retries with token buckets and circuit breakers",
    params: &[
        Param::each("p", "probability that an attempt fails", &[0.1, 0.5]).within(0.0, 0.999),
        Param::one("rate", "calls of a client a second", &[10.0]).within(0.01, 1000.0),
        Param::one("attempts", "most attempts of a call", &[4.0]).whole().within(2.0, 100.0),
        Param::one("delay_ms", "mean delay each way in ms, exponential", &[10.0]).within(0.0, 10_000.0),
        Param::one("per_call", "tokens that a call adds", &[0.1]).within(0.001, 100.0),
        Param::one("size", "most tokens of a bucket", &[5.0]).within(1.0, 1e6),
        Param::one("failure_rate_percent", "failures in percent above which the breaker stops retries", &[10.0])
            .within(0.1, 100.0),
        Param::one("duration_s", "length of a run in s", &[100.0]).within(1.0, 100_000.0),
        Param::sample("clients", "clients, each with a bucket and a breaker of its own", &[100.0], &[100.0])
            .within(1.0, 10_000.0),
        Param::seeds(&[1.0], &[5.0]),
    ],
    cost: 150,
    run: buckets,
    scenario: Some(|params| bucket_scenario(params, params.get("p"))),
};

/// How many layers, and how many attempts of each, the source multiplies.
const MULTIPLIED: [(u32, u32); 2] = [(3, 4), (5, 3)];

fn amplification(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let chosen = [(params.count("layers"), params.count("attempts"))];
    let cases = if params.is_usual_but(&[]) { &MULTIPLIED[..] } else { &chosen[..] };
    let mut findings = Vec::new();
    for &(layers, attempts) in cases {
        let run = &lab.scenario(&tiers(params, layers, attempts), 1)?[0][0];
        let executions = run.metrics.faults[0].fired as f64 / run.metrics.whole().calls as f64;
        let expected = f64::powi(f64::from(attempts), layers as i32);
        findings.push(Finding::exact(format!("amplification.{layers}x{attempts}"), Some(expected), executions, "x"));
    }
    Ok(findings)
}

/// The device and all tiers but the last retry; the last one fails.
fn tiers(params: &Params, layers: u32, attempts: u32) -> String {
    let mut servers = String::new();
    for tier in 1..layers {
        servers += &format!("  tier-{tier}: {{ calls: [{{ server: tier-{} }}] }}\n", tier + 1);
    }
    let calls = params.count("calls");
    format!(
        "name: amplification
about: Each of {layers} layers makes {attempts} attempts, and the backend fails.
duration: {calls}s
servers:
{servers}  tier-{layers}: {{ }}
clients:
  devices: {{ calls: tier-1, load: {{ constant: 1/s }} }}
faults:
  - {{ at: 0s, grpc: {{ server: tier-{layers}, status: UNAVAILABLE }} }}
strategies:
  - name: retry
    layers:
      - retry: {{ attempts: {attempts}, on: [UNAVAILABLE] }}
"
    )
}

fn budgets(params: &Params) -> String {
    let (attempts, percent) = (params.count("attempts"), params.get("percent"));
    let layers = [
        format!("retry: {{ attempts: {attempts}, on: [UNAVAILABLE] }}"),
        format!("retry: {{ attempts: {attempts}, on: [UNAVAILABLE], budget: {{ sre: {{ percent: {percent}% }} }} }}"),
    ];
    failing_scenario(params.get("calls"), 100.0, &[("plain", &layers[0]), ("budget", &layers[1])])
}

fn budget(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let runs = lab.scenario(&budgets(params), params.seeds())?;
    let load = |runs: &[Run]| each(runs, |run| value(run, Metric::Amplification));
    let close = Tolerance::Absolute(0.01);
    let (attempts, share) = (params.get("attempts"), params.get("percent") / 100.0);
    Ok(vec![
        Finding::of_seeds("budget.without", Some(attempts), &load(&runs[0]), "x", close),
        Finding::of_seeds("budget.with", Some((1.0 + share).min(attempts)), &load(&runs[1]), "x", close),
    ])
}

fn value(run: &Run, metric: Metric) -> f64 {
    run.metrics.whole().value(metric, ErrorFilter::ANY).unwrap_or(f64::NAN)
}

fn failing(params: &Params, p: f64, attempts: u32) -> String {
    let retry = format!("retry: {{ attempts: {attempts}, on: [UNAVAILABLE] }}");
    failing_scenario(params.get("calls"), p * 100.0, &[("retry", &retry)])
}

/// One client at 100/s on a server that fails a share of requests.
fn failing_scenario(calls: f64, percent: f64, strategies: &[(&str, &str)]) -> String {
    let strategies: String =
        strategies.iter().map(|(name, layer)| format!("  - name: {name}\n    layers:\n      - {layer}\n")).collect();
    format!(
        "name: failing
about: A share of all requests fails, each on its own.
duration: {}s
servers:
  telemetry: {{ service_time: 0s }}
clients:
  devices: {{ calls: telemetry, load: {{ poisson: 100/s }} }}
faults:
  - {{ at: 0s, grpc: {{ server: telemetry, status: UNAVAILABLE, rate: {percent}% }} }}
strategies:
{strategies}",
        calls / 100.0
    )
}

fn arithmetic(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let mut findings = Vec::new();
    for &p in params.all("p") {
        for &attempts in params.all("attempts") {
            let runs = &lab.scenario(&failing(params, p, attempts as u32), params.seeds())?[0];
            let lost = libm::pow(p, attempts);
            let close = Tolerance::Absolute(0.01);
            let name = |what| format!("retries.p{p}.k{attempts}.{what}");
            let success = each(runs, |run| value(run, Metric::SuccessRate));
            findings.push(Finding::of_seeds(name("success"), Some(1.0 - lost), &success, "", close));
            let made = each(runs, |run| value(run, Metric::Amplification));
            findings.push(Finding::of_seeds(name("attempts"), Some((1.0 - lost) / (1.0 - p)), &made, "x", close));
        }
    }
    Ok(findings)
}

fn bucket_scenario(params: &Params, p: f64) -> String {
    let (get, attempts) = (|name| params.get(name), params.count("attempts"));
    format!(
        "name: buckets
about: Four ways to retry on a server that fails a share of requests, each on its own.
duration: {}s
servers:
  telemetry: {{ service_time: 0s }}
clients:
  devices: {{ count: {}, calls: telemetry, load: {{ poisson: {}/s }} }}
links:
  - {{ between: [devices, telemetry], latency: {{ exponential: {{ mean: {}ms }} }} }}
faults:
  - {{ at: 0s, grpc: {{ server: telemetry, status: UNAVAILABLE, rate: {}% }} }}
strategies:
  - name: none
  - name: retries
    layers:
      - retry: {{ attempts: {attempts}, on: [UNAVAILABLE] }}
  - name: bucket
    layers:
      - retry: {{ attempts: {attempts}, on: [UNAVAILABLE], budget: {{ token_bucket: {{ per_call: {}, size: {} }} }} }}
  - name: breaker
    layers:
      - retry: {{ attempts: {attempts}, on: [UNAVAILABLE], budget: {{ cumulative_breaker: {}% }} }}
",
        get("duration_s"),
        get("clients"),
        get("rate"),
        get("delay_ms"),
        p * 100.0,
        get("per_call"),
        get("size"),
        get("failure_rate_percent"),
    )
}

/// What the source's simulator printed: p, and success and load of each of the four.
const PUBLISHED: [(f64, [(f64, f64); 4]); 2] = [
    (0.1, [(0.899, 1.0), (1.0, 1.111), (0.985, 1.094), (0.926, 1.030)]),
    (0.5, [(0.5, 1.0), (0.938, 1.874), (0.553, 1.104), (0.5, 1.0)]),
];

/// Success and load of strategies that keep no account of what happened before.
fn closed_form(name: &str, p: f64, attempts: f64) -> Option<(f64, f64)> {
    let lost = libm::pow(p, attempts);
    match name {
        "none" => Some((1.0 - p, 1.0)),
        "retries" => Some((1.0 - lost, (1.0 - lost) / (1.0 - p))),
        _ => None,
    }
}

fn buckets(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let mut findings = Vec::new();
    for &p in params.all("p") {
        let published = PUBLISHED.iter().find(|(known, _)| *known == p && params.is_usual_but(&["p"]));
        let published = published.map(|(_, rows)| rows);
        let runs = lab.scenario(&bucket_scenario(params, p), params.seeds())?;
        for (place, name) in ["none", "retries", "bucket", "breaker"].into_iter().enumerate() {
            let close = Tolerance::Absolute(0.01);
            let known = published.map(|rows| rows[place]).or_else(|| closed_form(name, p, params.get("attempts")));
            let success = each(&runs[place], |run| value(run, Metric::SuccessRate));
            let load = each(&runs[place], |run| value(run, Metric::Amplification));
            let row = |what| format!("buckets.p{p}.{name}.{what}");
            findings.push(Finding::of_seeds(row("success"), known.map(|row| row.0), &success, "", close));
            findings.push(Finding::of_seeds(row("load"), known.map(|row| row.1), &load, "x", close));
        }
    }
    Ok(findings)
}
