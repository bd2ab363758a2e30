//! The outage of the metastability suite, as scenarios: in continuous time, and in steps.

use super::Params;

/// When the outage begins, in seconds.
pub(super) const OUTAGE_S: f64 = 20.0;

/// When the outage has ended, in seconds.
pub(super) fn ended(params: &Params) -> usize {
    (OUTAGE_S + params.get("outage_s")) as usize
}

/// Calls that are evenly spaced, under these strategies.
pub(super) fn outage(params: &Params, load: f64, strategies: &[&str], duration_s: f64) -> String {
    let (attempts, timeout_s) = (params.count("attempts"), params.get("timeout_s"));
    let layers = |name: &str| match name {
        "retry" => {
            format!("- retry: {{ attempts: {attempts}, on: [UNAVAILABLE] }}\n      - attempt_timeout: {timeout_s}s")
        }
        "budget" => format!(
            "- retry: {{ attempts: {attempts}, on: [UNAVAILABLE], budget: {{ tokens: 10, ratio: 0.1, scope: shared }} }}
      - attempt_timeout: {timeout_s}s"
        ),
        // The deadline of the call travels, ends retries, and lets the server drop what nobody waits for.
        "deadline" => format!("- deadline: {timeout_s}s\n      - retry: {{ attempts: {attempts}, on: [UNAVAILABLE] }}"),
        _ => format!("- attempt_timeout: {timeout_s}s"),
    };
    let (count, every_s) = crowd(params, load);
    let clients =
        [format!("count: {count}, stagger: {every_s}s, load: {{ bursts: {{ size: 1, every: {every_s}s }} }}")];
    let strategies: Vec<(&str, String)> = strategies.iter().map(|name| (*name, layers(name))).collect();
    scenario(params, &clients, &strategies, duration_s)
}

/// Calls that are sent so many at a time, at the start of every step of one timeout, and wait until the end of the next step.
pub(super) fn in_steps(params: &Params, sent: f64, duration_s: f64) -> String {
    let step_s = params.get("timeout_s");
    // As many groups take turns as keep each client to eight calls an outage.
    let turns = (params.get("outage_s") / step_s / 8.0).ceil();
    let every_s = turns * step_s;
    let group = |turn: u32| {
        let start_s = f64::from(turn) * step_s;
        format!("count: {sent}, start: {start_s}s, load: {{ bursts: {{ size: 1, every: {every_s}s }} }}")
    };
    let clients: Vec<String> = (0..turns as u32).map(group).collect();
    scenario(params, &clients, &[("steps", format!("- attempt_timeout: {}s", 2.0 * step_s))], duration_s)
}

fn scenario(params: &Params, clients: &[String], strategies: &[(&str, String)], duration_s: f64) -> String {
    let aware = if strategies.iter().any(|(name, _)| *name == "deadline") { ", deadline_aware: true" } else { "" };
    let lines = |line: &dyn Fn(usize, &String) -> String| -> String {
        clients.iter().enumerate().map(|(number, group)| line(number, group)).collect()
    };
    let groups = lines(&|number, group| format!("  devices-{number}: {{ calls: telemetry, {group} }}\n"));
    let links = lines(&|number, _| format!("  - {{ between: [devices-{number}, telemetry], latency: 250us }}\n"));
    let strategies: String =
        strategies.iter().map(|(name, layers)| format!("  - name: {name}\n    layers:\n      {layers}\n")).collect();
    format!(
        "name: outage
about: An outage whose traffic arrives at its end, at a server that works in order of arrival and does not know who has gone.
duration: {duration_s}s
servers:
  telemetry: {{ workers: 1, service_time: {:.3}us, queue: {{ limit: 10000000 }}, durability: memory, on_cancel: finish{aware} }}
clients:
{groups}links:
{links}faults:
  - {{ at: {OUTAGE_S}s, for: {}s, pause: {{ server: telemetry }} }}
strategies:
{strategies}",
        1e6 / params.get("capacity"),
        params.get("outage_s"),
    )
}

/// How many clients share the load, and how often each of them calls: one after another, all the same distance apart.
///
/// A server that was away finds calls on its connections that were cancelled meanwhile, and hyper closes a connection on which
/// that are more than twenty. It would forget the work that this is about, so every client makes eight attempts an outage.
fn crowd(params: &Params, load: f64) -> (f64, f64) {
    let clients = (load * params.get("outage_s") * params.get("attempts") / 8.0).ceil();
    (clients, clients / load)
}
