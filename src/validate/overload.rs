//! Overload: collapse under retries, and clients that throttle themselves.
//!
//! Sources: M. Brooker, "simple collapse"; SRE book, "Handling Overload".

use std::time::Duration;

use super::finding::{Finding, Tolerance};
use super::lab::{self, Lab, LabError};
use super::run::{Run, each};
use super::{Param, Params, Suite};

/// A server that gets slower the more it does, and a spike of load.
pub(super) const COLLAPSE: Suite = Suite {
    name: "collapse",
    source: "M. Brooker, simple collapse",
    params: &[
        Param::one("load", "calls a second before and after the spike", &[40.0]).within(0.1, 10_000.0),
        Param::one("width_s", "length of the spike in s", &[5.0]).within(0.0, 80.0),
        Param::one("spike", "calls a second in the spike", &[80.0]).within(0.1, 10_000.0),
        Param::one("work_ms", "work of a call in ms", &[1000.0]).within(0.0, 60_000.0),
        Param::one("per_call_ms", "work that every call inside adds in ms, itself included", &[10.0])
            .within(0.0, 10_000.0),
        Param::one("delay_ms", "mean delay each way in ms, exponential", &[100.0]).within(0.0, 10_000.0),
        Param::one("timeout_s", "timeout of an attempt in s", &[3.0]).within(0.001, 600.0),
        Param::one("attempts", "most attempts of a call", &[3.0]).whole().within(2.0, 100.0),
        Param::one("backoff_s", "ceiling of the first pause in s; those of later ones are twice that", &[20.0])
            .within(0.0, 3600.0),
        Param::sample("clients", "clients that share the load", &[200.0], &[200.0]).within(1.0, 10_000.0),
        Param::seeds(&[8.0], &[30.0]),
    ],
    cost: 100,
    run: collapse,
    scenario: Some(|params| collapse_scenario(params, params.get("load"), params.get("width_s"))),
};

/// Adaptive throttling on a backend that can do a fifth of what is asked.
pub(super) const ADAPTIVE: Suite = Suite {
    name: "adaptive",
    source: "SRE book, Handling Overload",
    params: &[
        Param::each("k", "requests that are sent for one that is accepted", &[2.0, 1.1]).within(1.0, 1000.0),
        Param::one("capacity", "requests a second that the backend accepts", &[20.0]).within(0.1, 10_000.0),
        Param::one("overload", "load as a multiple of the capacity", &[5.0]).within(0.1, 1000.0),
        Param::one("window_s", "how far back the client looks, in s", &[120.0]).within(1.0, 3600.0),
        Param::seeds(&[5.0], &[20.0]),
    ],
    cost: 10,
    run: adaptive,
    scenario: Some(|params| throttled(params, params.get("k"))),
};

fn collapse_scenario(params: &Params, load: f64, width_s: f64) -> String {
    let (clients, get) = (params.get("clients"), |name| params.get(name));
    let (attempts, timeout_s, backoff_s) = (params.count("attempts"), get("timeout_s"), get("backoff_s"));
    let usual = format!("rate: {}/s", load / clients);
    let spike = format!("{{ for: {width_s}s, rate: {}/s }}, ", get("spike") / clients);
    let spike = if width_s > 0.0 { spike } else { String::new() };
    format!(
        "name: collapse
about: Latency grows with concurrency; a spike of load, and what attempts that time out make of it.
duration: 120s
drain: 10s
servers:
  telemetry: {{ service_time: {}ms, per_call: {}ms, on_cancel: finish, drawn_by: attempt, durability: memory }}
clients:
  devices: {{ count: {clients}, calls: telemetry, load: {{ phases: [{{ for: 20s, {usual} }}, {spike}{{ {usual} }}] }} }}
links:
  - {{ between: [devices, telemetry], latency: {{ exponential: {{ mean: {}ms }} }} }}
strategies:
  - name: no-backoff
    layers:
      - retry: {{ attempts: {attempts}, on: [UNAVAILABLE] }}
      - attempt_timeout: {timeout_s}s
  - name: jitter
    layers:
      - retry: {{ attempts: {attempts}, on: [UNAVAILABLE], backoff: {{ full_jitter: {{ base: {backoff_s}s, cap: {}s }} }} }}
      - attempt_timeout: {timeout_s}s
",
        alone_ms(params),
        get("per_call_ms"),
        get("delay_ms"),
        2.0 * backoff_s,
    )
}

/// The source counts the call itself among those that slow it down.
fn alone_ms(params: &Params) -> f64 {
    params.get("work_ms") + params.get("per_call_ms")
}

/// Load, width of the spike, and which share of runs collapsed: without backoff, and with.
const COLLAPSED: [(f64, f64, f64, f64); 4] =
    [(40.0, 3.0, 0.0, 0.0), (40.0, 5.0, 21.0 / 30.0, 0.0), (40.0, 10.0, 1.0, 1.0), (20.0, 5.0, 0.0, 0.0)];

fn collapse(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let chosen = [(params.get("load"), params.get("width_s"))];
    let table = COLLAPSED.map(|case| (case.0, case.1));
    let cases = if params.is_usual_but(&[]) { &table[..] } else { &chosen[..] };
    let mut findings = Vec::new();
    for &(load, width) in cases {
        let runs = lab.scenario(&collapse_scenario(params, load, width), params.seeds())?;
        let usual = params.is_usual_but(&["load", "width_s"]);
        let known = COLLAPSED.iter().find(|case| (case.0, case.1) == (load, width)).filter(|_| usual);
        for (place, name) in ["none", "jitter"].into_iter().enumerate() {
            let published = known.map(|case| if place == 0 { case.2 } else { case.3 });
            let collapsed = each(&runs[place], |run| f64::from(u8::from(run.bins.goodput(100, 120) < 0.5)));
            let row = format!("collapse.{load}-{}.{width}s.{name}", params.get("spike"));
            // Of fewer runs than the source's thirty, chance alone takes more.
            let share = published.unwrap_or(0.0);
            let chance = 3.0 * libm::sqrt(share * (1.0 - share) / collapsed.len() as f64);
            let close = Tolerance::Absolute(if collapsed.len() < 30 { chance.max(0.2) } else { 0.2 });
            findings.push(Finding::of_seeds(row, published, &collapsed, "of runs", close));
        }
    }
    let loads = cases.iter().map(|(load, _)| *load).fold(Vec::new(), |mut loads, load| {
        if !loads.contains(&load) {
            loads.push(load);
        }
        loads
    });
    for load in loads {
        findings.extend(healthy(lab, params, load)?);
    }
    Ok(findings)
}

/// How many calls are inside a healthy server: `load * work / (1 - per_call * load)`; beyond that it has no equilibrium.
///
/// Healthy are those whose calls come back in time; nobody gives up here, so that it is the server that is measured.
fn healthy(lab: &Lab<'_>, params: &Params, load: f64) -> Result<Option<Finding>, LabError> {
    let (work_s, per_call_s) = (params.get("work_ms") / 1e3, params.get("per_call_ms") / 1e3);
    let (expected, idle) = (load * work_s / (1.0 - per_call_s * load), 1.0 - per_call_s * load);
    if idle < 0.05 {
        return Ok(None);
    }
    let mut plan = lab::plan(&collapse_scenario(params, load, 0.0))?;
    plan.strategies.truncate(1);
    plan.strategies[0].strategy.layers.clear();
    // Until then the server fills: the closer to its limit, the slower.
    let fills_s = 20.0 + 5.0 * (work_s + per_call_s * expected) / idle;
    plan.warmup = Duration::from_secs_f64(fills_s);
    plan.duration = Duration::from_secs_f64(fills_s + 100.0);
    let runs = &lab.plan(&plan, params.seeds())?[0];
    let inside = |run: &Run| run.metrics.whole().busy_ns as f64 / run.metrics.whole().span_ns as f64;
    let row = format!("collapse.{load}.concurrency");
    Ok(Some(Finding::of_seeds(row, Some(expected), &each(runs, inside), "calls", Tolerance::Relative(0.03))))
}

fn throttled(params: &Params, k: f64) -> String {
    let (capacity, window_s) = (params.get("capacity"), params.get("window_s"));
    format!(
        "name: adaptive
about: A backend that takes a part of what is asked of it, and a client that learns to ask for less.
duration: {}s
warmup: {window_s}s
servers:
  telemetry: {{ service_time: 0s, per_client: {capacity}/s }}
clients:
  devices: {{ calls: telemetry, load: {{ poisson: {}/s }} }}
strategies:
  - name: throttle
    layers:
      - throttle: {{ k: {k}, window: {window_s}s }}
",
        4.0 * window_s,
        params.get("overload") * capacity
    )
}

fn adaptive(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let overload = params.get("overload");
    let mut findings = Vec::new();
    for &k in params.all("k") {
        let runs = lab.scenario(&throttled(params, k), params.seeds())?;
        let rejected = each(&runs[0], |run| {
            let whole = run.metrics.whole();
            1.0 - whole.ok as f64 / whole.attempts as f64
        });
        // Of k requests one is accepted, as long as there are more than that.
        let expected = 1.0 - 1.0 / k.min(overload.max(1.0));
        let row = format!("adaptive.k{k}.rejected");
        findings.push(Finding::of_seeds(row, Some(expected), &rejected, "", Tolerance::Absolute(0.02)));
    }
    Ok(findings)
}
