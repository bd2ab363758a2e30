//! Open and closed loops: what each makes of the same server, and what becomes of an open one that asks again.
//!
//! A closed loop waits for its answer before it asks the next time, and so spares the very server that is slow: it measures
//! another system. The last rows are the trap at the end of that road: one service in a thousand takes a hundred times as
//! long, and a client that waits no longer than 15 s asks again. The server works on both, and never catches up.
//!
//! Source: M. Brooker, "Open and Closed, Omission and Collapse" and its simulator, "omission". There a late answer is asked
//! for again when it arrives; here, when it is late, as clients with a timeout do.

use super::finding::{Finding, Tolerance};
use super::lab::{Lab, LabError};
use super::queueing::{CLOSE, mean_s, open, percentile, scenario};
use super::run::each;
use super::sojourn::Sojourn;
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
        Param::each("quantile", "quantiles that are compared", &[0.99]).within(0.001, 0.9999),
        Param::sample("calls", "calls of a seed", &[40_000.0], &[40_000.0]),
        Param::seeds(&[6.0], &[30.0]),
    ],
    cost: 80,
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
    cost: 180,
    run: replacement,
    scenario: Some(replaced),
};

/// How long a loop thinks, as the source has it: the wait in the queue is left out of what a loop should take.
fn think_ms(params: &Params, clients: u32) -> f64 {
    let (service_ms, load) = (params.get("service_ms"), params.get("load"));
    (1.0 - load) * service_ms + (f64::from(clients) - 1.0) * service_ms / load
}

fn closed(params: &Params, clients: u32) -> String {
    let (service_ms, load, calls) = (params.get("service_ms"), params.get("load"), params.get("calls"));
    let think_ms = think_ms(params, clients);
    let times = format!("{{ exponential: {{ mean: {service_ms}ms }} }}");
    let loop_ = format!("{{ closed_loop: {{ think: {{ exponential: {{ mean: {think_ms}ms }} }} }} }}");
    scenario(1, &times, &loop_, clients, calls * service_ms / 1000.0 / load, 0.0)
}

/// What theory says of a call in one of so many loops, or in the open one.
fn sojourn(params: &Params, clients: u32) -> Sojourn {
    let (service_s, load) = (params.get("service_ms") / 1e3, params.get("load"));
    match clients {
        0 => Sojourn::open(service_s, load),
        clients => Sojourn::closed(service_s, think_ms(params, clients) / 1e3, clients),
    }
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
        let known = published.filter(|_| params.is_usual_but(&["clients", "quantile"]));
        let queue = sojourn(params, clients as u32);
        let name = |what: &str| match clients as u32 {
            0 => format!("loops.open.{what}"),
            clients => format!("loops.closed.{clients}.{what}"),
        };
        let mut row = |name: String, expected: f64, figures: &[f64], close| {
            findings.push(Finding::of_seeds(name, Some(expected), figures, "s", close));
        };
        row(name("mean"), known.map_or_else(|| queue.mean_s(), |known| known.0), &each(runs, mean_s), close[0]);
        for &quantile in params.all("quantile") {
            let known = known.filter(|_| quantile == 0.99).map(|known| known.1);
            let (expected, close) =
                known.map_or_else(|| (queue.quantile_s(quantile), CLOSE), |known| (known, close[1]));
            let tails = each(runs, |run| run.quantile_s(quantile));
            row(name(&percentile(quantile)), expected, &tails, close);
        }
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

#[cfg(test)]
mod tests {
    use super::super::suite;
    use super::*;

    /// Theory gives what the source's simulator printed.
    #[test]
    fn theory_gives_the_published_figures() {
        let params = Params::of(suite("loops").unwrap(), false, &[]).unwrap();
        let close = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 0.01, "{found}, {expected}");
        for (clients, mean, p99) in [(1, 0.1, 0.463), (10, 0.244, 0.948)] {
            let queue = sojourn(&params, clients);
            close(queue.mean_s(), mean);
            close(queue.quantile_s(0.99), p99);
        }
    }
}
