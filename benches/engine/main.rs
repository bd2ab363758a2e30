//! What a call costs: bare tonic over a pipe, Squall's stack in stages, turmoil; all in one run, since machines differ.
//!
//! `cargo bench --bench engine` prints a line a figure. Every case is measured in rounds that alternate with the others, and
//! the best round counts: noise on a shared machine only ever adds.
//!
//! Clients make a hundred calls a second each, out of step with one another, as the clients of a scenario do. The second group of figures,
//! `in_step`, has all clients call at once and again as soon as they are answered: there a simulator that works in ticks, as turmoil
//! does, has every host busy in every tick, and comes off best.

mod duplex;
#[path = "../common/print.rs"]
mod print;
mod squall_stack;
mod turmoil_stack;

use std::time::{Duration, Instant};

use print::figure;
use squall::random::{Distribution, Key};
use squall::telemetry::proto::telemetry_service_server::TelemetryService;
use squall::telemetry::proto::{AlertRequest, AlertResponse};
use tonic::{Request, Response, Status};

/// Clients in the standard comparison.
const CLIENTS: u32 = 100;
/// Unary calls each of them makes, one after another.
const CALLS: u32 = 200;
const ROUNDS: usize = 5;
/// The mean pause before a paced call: a client makes about a hundred a second.
const PAUSE_MEAN: Duration = Duration::from_millis(10);

/// A case: its name, and what runs it for so many clients and calls.
type Case = (&'static str, fn(u32, u32, Load));

const CASES: [Case; 5] = [
    ("duplex", duplex::run),
    ("calm", squall_stack::calm),
    ("full", squall_stack::full),
    ("turmoil", turmoil_stack::run),
    ("lossy", squall_stack::lossy),
];

/// How the clients of a comparison call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    /// After pauses drawn anew for every call.
    Paced,
    /// All at once, the next call at once after the answer.
    InStep,
}

impl Load {
    fn pause(self, client: u32, call: u32) -> Option<Duration> {
        (self == Self::Paced).then(|| {
            let key = Key::from_seed(1).named("pause").with(client.into()).with(call.into());
            Distribution::exponential(PAUSE_MEAN).sample(key.draw())
        })
    }
}

/// A server that answers at once.
#[derive(Clone, Copy, Debug, Default)]
struct Echo;

#[tonic::async_trait]
impl TelemetryService for Echo {
    async fn report_alert(&self, request: Request<AlertRequest>) -> Result<Response<AlertResponse>, Status> {
        Ok(Response::new(AlertResponse { acknowledged: true, tracking_id: request.into_inner().device_id }))
    }
}

fn alert(client: u32) -> AlertRequest {
    AlertRequest { device_id: format!("device-{client}"), alert_type: "threshold".into(), timestamp: 1 }
}

fn main() {
    // `cargo test --benches` and `cargo bench -- --test` only check that everything runs; `-- --only full --clients 1000` is
    // for a profiler.
    let arguments: Vec<String> = std::env::args().collect();
    let quick = arguments.iter().any(|argument| argument == "--test");
    let after = |flag: &str| arguments.iter().skip_while(|argument| *argument != flag).nth(1);
    let number = |flag: &str| after(flag).map(|text| text.parse::<u32>().expect("a whole number"));
    let clients = number("--clients").unwrap_or(CLIENTS);
    let (calls, rounds) = if quick { (2, 1) } else { (number("--calls").unwrap_or(CALLS), ROUNDS) };
    let load = if arguments.iter().any(|argument| argument == "--in-step") { Load::InStep } else { Load::Paced };
    if let Some(name) = after("--only") {
        let case = CASES.iter().find(|(case, _)| case == name).expect("duplex, calm, full, turmoil or lossy");
        return figure(
            &format!("engine.{name}"),
            micros_a_call(clients * calls, &|| case.1(clients, calls, load)),
            "us",
        );
    }
    let measure = |load| best_of(rounds, clients, calls, load);
    tell("", measure(Load::Paced));
    tell("in_step_", measure(Load::InStep));
    scale(quick);
    let idle = seconds(&|| squall_stack::idle_hour(if quick { 10 } else { 1_000 }));
    figure("engine.idle_hour", idle, "s");
}

/// The cost of a call in every case, in microseconds; the order of [`CASES`].
type Costs = [f64; CASES.len()];

fn best_of(rounds: usize, clients: u32, calls: u32, load: Load) -> Costs {
    let mut best = [f64::INFINITY; CASES.len()];
    for _ in 0..rounds {
        for ((_, case), best) in CASES.iter().zip(&mut best) {
            *best = best.min(micros_a_call(clients * calls, &|| case(clients, calls, load)));
        }
    }
    best
}

/// Figures begin with `prefix`.
fn tell(prefix: &str, [duplex, calm, full, turmoil, lossy]: Costs) {
    let figure = |name: &str, value, unit| figure(&format!("engine.{prefix}{name}"), value, unit);
    figure("duplex", duplex, "us");
    figure("calm", calm, "us");
    figure("full", full, "us");
    figure("turmoil", turmoil, "us");
    figure("calm_vs_duplex", calm / duplex, "x");
    figure("full_vs_duplex", full / duplex, "x");
    figure("loss1_vs_duplex", lossy / duplex, "x");
    figure("turmoil_vs_full", turmoil / full, "x");
    // Like with like: turmoil has no layers, no recording and no analysis.
    figure("turmoil_vs_calm", turmoil / calm, "x");
}

fn scale(quick: bool) {
    for clients in [100_u32, 1_000, 10_000] {
        let (clients, calls) = if quick { (clients / 100, 1) } else { (clients, (20_000 / clients).max(5)) };
        let cost = micros_a_call(clients * calls, &|| squall_stack::full(clients, calls, Load::Paced));
        figure(&format!("engine.clients_{clients}"), cost, "us");
    }
    if let Some(peak) = peak_memory_mb() {
        figure("engine.rss_10000", peak, "MB");
    }
}

/// The most memory this process ever had, which is what the 10,000 clients took.
fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

fn micros_a_call(calls: u32, run: &dyn Fn()) -> f64 {
    seconds(run) * 1e6 / f64::from(calls)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn seconds(run: &dyn Fn()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}
