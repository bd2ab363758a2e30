//! Open and closed loops: what each makes of the same server, and what becomes of an open one that asks again.
//!
//! A closed loop waits for its answer before it asks the next time, and so spares the very server that is slow: it measures
//! another system. The last rows are the trap at the end of that road: one service in a thousand takes a hundred times as
//! long, and a client that waits no longer than 15 s asks again. The server works on both, and never catches up.
//!
//! Source: M. Brooker, "Open and Closed, Omission and Collapse" and its simulator, "omission". There a late answer is asked
//! for again when it arrives; here, when it is late, as clients with a timeout do.

use super::finding::{Finding, Tolerance};
use super::lab::{Lab, LabError, each};
use super::queueing::{CLOSE, mean_s, open, quantile_s, scenario};
use super::{Param, Params, Suite};

const LOAD: Param = Param::one("load", "share of the time that the server is busy", &[0.8]).within(0.01, 0.99);
const SERVICE: Param = Param::one("service_ms", "mean work of a call in ms", &[100.0]).within(0.001, 1e6);

/// The same server behind an open loop and behind closed ones.
pub(super) const LOOPS: Suite = Suite {
    name: "loops",
    source: "M. Brooker, omission simulator",
    params: &[
        LOAD,
        SERVICE,
        Param::each("clients", "closed loops; 0 is the open one", &[0.0, 1.0, 10.0]).whole().within(0.0, 10_000.0),
        Param::sample("calls", "calls of a seed", &[40_000.0], &[40_000.0]),
        Param::seeds(&[6.0], &[30.0]),
    ],
    run: loops,
    scenario: Some(|params| match params.all("clients") {
        [0.0] => open(params, 1, "exponential: { mean: ", " }"),
        [0.0, next, ..] => closed(params, *next as u32),
        clients => closed(params, clients[0] as u32),
    }),
};

/// Rare slow services, and jobs that replace late ones.
pub(super) const REPLACEMENT: Suite = Suite {
    name: "replacement",
    source: "M. Brooker, omission simulator",
    params: &[
        LOAD,
        SERVICE,
        Param::one("slow_ms", "mean work of a slow call in ms", &[10_000.0]).within(0.001, 1e7),
        Param::one("slow_percent", "slow calls in percent", &[0.1]).within(0.0, 100.0),
        Param::one("older_s", "age in s from which on a call is asked for again", &[15.0]).within(0.01, 1e5),
        Param::one("duration_s", "length of a run in s", &[5000.0]).within(100.0, 1e6),
        Param::seeds(&[4.0], &[30.0]),
    ],
    run: replacement,
    scenario: Some(replaced),
};

fn closed(params: &Params, clients: u32) -> String {
    let (service_ms, load, calls) = (params.get("service_ms"), params.get("load"), params.get("calls"));
    // As the source has it: the wait in the queue is left out of what a loop should take.
    let think_ms = (1.0 - load) * service_ms + (f64::from(clients) - 1.0) * service_ms / load;
    let times = format!("{{ exponential: {{ mean: {service_ms}ms }} }}");
    let loop_ = format!("{{ closed_loop: {{ think: {{ exponential: {{ mean: {think_ms}ms }} }} }} }}");
    scenario(1, &times, &loop_, clients, calls * service_ms / 1000.0 / load, 0.0)
}

fn loops(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let mut findings = Vec::new();
    let z = Tolerance::Z { limit: 3.0, published_error: 0.022 };
    for &clients in params.all("clients") {
        let text = match clients as u32 {
            0 => open(params, 1, "exponential: { mean: ", " }"),
            clients => closed(params, clients),
        };
        let runs = &lab.scenario(&text, params.seeds())?[0];
        let (published, close) = match clients as u32 {
            0 => (Some((0.516, 2.43)), [z, Tolerance::Relative(0.1)]),
            1 => (Some((0.100, 0.463)), [CLOSE; 2]),
            10 => (Some((0.244, 0.948)), [CLOSE; 2]),
            _ => (None, [CLOSE; 2]),
        };
        let known = published.filter(|_| params.is_usual_but(&["clients"]));
        let name = |what| match clients as u32 {
            0 => format!("loops.open.{what}"),
            clients => format!("loops.closed.{clients}.{what}"),
        };
        let (means, tails) = (each(runs, mean_s), each(runs, |run| quantile_s(run, 0.99)));
        findings.push(Finding::of_seeds(name("mean"), known.map(|known| known.0), &means, "s", close[0]));
        findings.push(Finding::of_seeds(name("p99"), known.map(|known| known.1), &tails, "s", close[1]));
    }
    Ok(findings)
}

fn replaced(params: &Params) -> String {
    let get = |name| params.get(name);
    let (service_ms, slow_ms, slow) = (get("service_ms"), get("slow_ms"), get("slow_percent"));
    let mean_ms = service_ms + (slow_ms - service_ms) * slow / 100.0;
    let times = format!(
        "{{ mixture: [{{ share: {}%, of: {{ exponential: {{ mean: {service_ms}ms }} }} }}, \
         {{ share: {slow}%, of: {{ exponential: {{ mean: {slow_ms}ms }} }} }}] }}",
        100.0 - slow
    );
    format!(
        "name: replacement
about: One service in a thousand is slow; whoever waits too long asks again, and the server works on both.
duration: {}s
drain: 1h
servers:
  telemetry: {{ workers: 1, service_time: {times}, drawn_by: attempt, on_cancel: finish, queue: {{ limit: 10000000 }}, durability: memory }}
clients:
  devices: {{ calls: telemetry, load: {{ poisson: {}/s }} }}
links:
  - {{ between: [devices, telemetry], latency: 0s }}
strategies:
  - name: giving-up
    layers:
      - attempt_timeout: {older}s
  - name: replacing
    layers:
      - retry: {{ attempts: 4, on: [UNAVAILABLE] }}
      - attempt_timeout: {older}s
",
        get("duration_s"),
        get("load") / mean_ms * 1000.0,
        older = get("older_s"),
    )
}

/// Whether the queue diverges: whether in the last fifth of a run most calls are not answered in time.
fn replacement(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let runs = lab.scenario(&replaced(params), params.seeds())?;
    let duration_s = params.get("duration_s");
    let (from, to) = ((0.8 * duration_s) as usize, duration_s as usize);
    let row = |place: usize, name: &str, published: f64| {
        let diverged = each(&runs[place], |run| f64::from(u8::from(run.bins.goodput(from, to) < 0.5)));
        let name = format!("replacement.{name}.diverges");
        Finding::of_seeds(name, params.published(published), &diverged, "of runs", Tolerance::Exact)
    };
    Ok(vec![row(0, "giving-up", 0.0), row(1, "replacing", 1.0)])
}
