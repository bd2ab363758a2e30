//! Overload: collapse under retries, outages that never end, and clients that throttle themselves.
//!
//! Sources: M. Brooker, "simple collapse"; N. Bronson et al., "Metastable Failures in Distributed Systems" (idealised); SRE
//! book, "Handling Overload".

use std::time::Duration;

use super::finding::{Finding, Tolerance};
use super::lab::{self, Lab, LabError, Run, each};
use super::{Params, Suite};
use crate::resilience::{LayerConfig, ThrottleConfig, ThrottleRule};

/// A server that gets slower the more it does, and a spike of load.
pub(super) const COLLAPSE: Suite = Suite {
    name: "collapse",
    source: "M. Brooker, simple collapse",
    params: &[
        ("load", 0.0, 0.0),
        ("spike", 80.0, 80.0),
        ("width_s", 0.0, 0.0),
        ("per_call_ms", 10.0, 10.0),
        ("clients", 200.0, 200.0),
        ("seeds", 6.0, 30.0),
    ],
    run: collapse,
    scenario: Some(|params| collapse_scenario(params, params.get("load").max(1.0), params.get("width_s").max(1.0))),
};

/// A first-in-first-out server that finishes what nobody waits for any more.
pub(super) const METASTABILITY: Suite = Suite {
    name: "metastability",
    source: "Metastable Failures in Distributed Systems (HotOS 2021), idealised",
    params: &[
        ("load", 0.0, 0.0),
        ("capacity", 300.0, 300.0),
        ("outage_s", 10.0, 10.0),
        ("clients", 700.0, 1000.0),
        ("duration_s", 220.0, 400.0),
    ],
    run: metastability,
    scenario: Some(|params| outage(params, params.get("load").max(1.0))),
};

/// Adaptive throttling on a backend that can do a fifth of what is asked.
pub(super) const ADAPTIVE: Suite = Suite {
    name: "adaptive",
    source: "SRE book, Handling Overload",
    params: &[
        ("k", 0.0, 0.0),
        ("capacity", 20.0, 20.0),
        ("overload", 5.0, 5.0),
        ("window_s", 120.0, 120.0),
        ("seeds", 1.0, 10.0),
    ],
    run: adaptive,
    scenario: None,
};

fn collapse_scenario(params: &Params, load: f64, width_s: f64) -> String {
    let (clients, spike, per_call) = (params.get("clients"), params.get("spike"), params.get("per_call_ms"));
    format!(
        "name: collapse
about: Latency grows with concurrency; a spike of load, and what three attempts make of it.
duration: 120s
drain: 80s
servers:
  telemetry: {{ service_time: 1s, per_call: {per_call}ms, on_cancel: finish, drawn_by: attempt, durability: memory }}
clients:
  devices:
    count: {clients}
    calls: telemetry
    load: {{ phases: [{{ for: 20s, rate: {}/s }}, {{ for: {width_s}s, rate: {}/s }}, {{ rate: {}/s }}] }}
links:
  - {{ between: [devices, telemetry], latency: {{ exponential: {{ mean: 100ms }} }} }}
strategies:
  - name: no-backoff
    layers:
      - retry: {{ attempts: 3, on: [UNAVAILABLE] }}
      - attempt_timeout: 3s
  - name: jitter
    layers:
      - retry: {{ attempts: 3, on: [UNAVAILABLE], backoff: {{ full_jitter: {{ base: 20s, cap: 40s }} }} }}
      - attempt_timeout: 3s
",
        load / clients,
        spike / clients,
        load / clients
    )
}

/// Load, width of the spike, and which share of runs collapsed: without backoff, and with.
const COLLAPSED: [(f64, f64, f64, f64); 4] =
    [(40.0, 3.0, 0.0, 0.0), (40.0, 5.0, 21.0 / 30.0, 0.0), (40.0, 10.0, 1.0, 1.0), (20.0, 5.0, 0.0, 0.0)];

fn collapse(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let (load, width) = (params.get("load"), params.get("width_s"));
    let usual = (params.get("spike"), params.get("per_call_ms")) == (80.0, 10.0);
    let mut cases: Vec<(f64, f64)> = COLLAPSED.iter().map(|case| (case.0, case.1)).collect();
    if load != 0.0 || width != 0.0 {
        let or = |value: f64, usual: f64| if value == 0.0 { usual } else { value };
        cases = vec![(or(load, 40.0), or(width, 5.0))];
    }
    let mut findings = Vec::new();
    for (load, width) in cases {
        let runs = lab.scenario(&collapse_scenario(params, load, width), params.seeds())?;
        let known = COLLAPSED.iter().find(|case| (case.0, case.1) == (load, width)).filter(|_| usual);
        for (place, name) in ["none", "jitter"].into_iter().enumerate() {
            let published = known.map(|case| if place == 0 { case.2 } else { case.3 });
            let collapsed = each(&runs[place], |run| f64::from(u8::from(run.bins.success(100, 120) < 0.5)));
            let row = format!("collapse.{load}-{}.{width}s.{name}", params.get("spike"));
            // Of fewer runs than the source's thirty, chance alone takes more.
            let share = published.unwrap_or(0.0);
            let chance = 3.0 * libm::sqrt(share * (1.0 - share) / collapsed.len() as f64);
            let close = Tolerance::Absolute(if collapsed.len() < 30 { chance.max(0.2) } else { 0.2 });
            findings.push(Finding::of_seeds(row, published, &collapsed, "of runs", close));
        }
    }
    Ok(findings)
}

/// When the outage begins, in seconds.
const OUTAGE: u32 = 20;

fn outage(params: &Params, load: f64) -> String {
    let (clients, capacity) = (params.get("clients"), params.get("capacity"));
    let server = |more: &str| {
        let work_us = 1e6 / capacity;
        format!(
            "{{ workers: 1, service_time: {work_us:.3}us, queue: {{ limit: 10000000 }}, durability: memory{more} }}"
        )
    };
    format!(
        "name: outage
about: An outage whose traffic arrives at its end, at a server that works in order of arrival and does not know who has gone.
duration: {}s
servers:
  telemetry: {}
clients:
  devices: {{ count: {clients}, calls: telemetry, load: {{ constant: {}/s }} }}
links:
  - {{ between: [devices, telemetry], latency: 250us }}
faults:
  - {{ at: {OUTAGE}s, for: {}s, pause: {{ server: telemetry }} }}
strategies:
  - name: retry
    layers:
      - retry: {{ attempts: 2, on: [UNAVAILABLE] }}
      - attempt_timeout: 1s
  - name: none
    layers:
      - attempt_timeout: 1s
  - name: budget
    layers:
      - retry: {{ attempts: 2, on: [UNAVAILABLE], budget: {{ tokens: 10, ratio: 0.1, scope: shared }} }}
      - attempt_timeout: 1s
",
        params.get("duration_s"),
        server(", on_cancel: finish"),
        load / clients,
        params.get("outage_s"),
    )
}

fn metastability(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let (capacity, outage_s) = (params.get("capacity"), params.get("outage_s"));
    let usual = (capacity, outage_s) == (300.0, 10.0);
    let ended = OUTAGE as usize + outage_s as usize;
    let mut findings = Vec::new();
    for load in params.or_all("load", &[280.0, 140.0, 100.0, 155.0]) {
        let runs = lab.scenario(&outage(params, load), 1)?;
        let recovery = |run: &Run| run.bins.recovery(ended);
        let row = |name: &str| format!("metastability.{load}.{name}");
        // Every call of the outage is sent `times`, and so is every call after it.
        let heals = |times: f64, capacity: f64| {
            let spare = capacity - times * load;
            if spare > 0.0 { (times * outage_s * load - capacity).max(0.0) / spare } else { f64::INFINITY }
        };
        // Seconds are counted whole. The source is fluid: it repeats every call of the outage before its end, where really those of
        // the last second are repeated after it; near the border of 150/s that second is worth several.
        let close = |seconds: f64| Tolerance::Absolute(2.0 + if seconds.is_finite() { 0.03 * seconds } else { 0.0 });
        let published = heals(2.0, capacity);
        let repeated = each(&runs[0], recovery);
        findings.push(Finding::of_seeds(row("retry.recovery"), Some(published), &repeated, "s", close(published)));
        let published = if usual && load == 280.0 { 112.0 } else { heals(1.0, capacity) };
        let once = each(&runs[1], recovery);
        findings.push(Finding::of_seeds(row("none.recovery"), Some(published), &once, "s", close(published)));
        let healed = each(&runs[2], |run| f64::from(u8::from(recovery(run).is_finite())));
        findings.push(Finding::of_seeds(row("budget.heals"), Some(1.0), &healed, "", Tolerance::Exact));
        if 2.0 * load > capacity {
            let goodput = each(&runs[0], |run| run.bins.success(ended + 20, params.get("duration_s") as usize));
            findings.push(Finding::of_seeds(row("retry.goodput"), Some(0.0), &goodput, "", Tolerance::Absolute(0.01)));
        }
    }
    Ok(findings)
}

fn adaptive(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let (capacity, overload, window_s) = (params.get("capacity"), params.get("overload"), params.get("window_s"));
    let mut findings = Vec::new();
    for k in params.or_all("k", &[2.0, 1.1]) {
        let mut plan = lab::plan(&format!(
            "name: adaptive
about: A backend that takes a fifth of what is asked of it, and a client that learns to ask for less.
duration: {}s
warmup: {window_s}s
servers:
  telemetry: {{ service_time: 0s, per_client: {capacity}/s }}
clients:
  devices: {{ calls: telemetry, load: {{ poisson: {}/s }} }}
strategies:
  - name: throttle
",
            4.0 * window_s,
            overload * capacity
        ))?;
        let window = Duration::from_secs_f64(window_s);
        let throttle = ThrottleConfig { rule: ThrottleRule::Sre { k }, window, ..ThrottleConfig::sre() };
        plan.strategies[0].strategy.layers = vec![LayerConfig::Throttle(throttle)];
        let runs = lab.plan(&plan, params.seeds())?;
        let rejected = each(&runs[0], |run| {
            let whole = run.metrics.whole();
            1.0 - whole.ok as f64 / whole.attempts as f64
        });
        // Of k requests one is accepted, as long as there are more than that.
        let expected = 1.0 - 1.0 / k.min(overload);
        let row = format!("adaptive.k{k}.rejected");
        findings.push(Finding::of_seeds(row, Some(expected), &rejected, "", Tolerance::Absolute(0.02)));
    }
    Ok(findings)
}
