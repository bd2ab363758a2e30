//! The storms, as scenarios, and what a trial of one cost.

use std::fmt::Write as _;
use std::sync::Arc;

use rayon::prelude::*;
use squall::analysis::{Parts, TrialFold};
use squall::scenario::{Alone, ErrorFilter, Metric, Plan};
use squall::trial::{self, TrialSpec};

/// A named schedule, as scenario files write it.
pub(crate) struct Backoff {
    pub(crate) name: &'static str,
    pub(crate) schedule: &'static str,
}

/// Every schedule, with the same base and cap where it has them.
pub(crate) const BACKOFFS: [Backoff; 11] = [
    Backoff { name: "none", schedule: "none" },
    Backoff { name: "constant", schedule: "{ constant: 100ms }" },
    Backoff { name: "linear", schedule: "{ linear: { base: 100ms, cap: 5s } }" },
    Backoff { name: "fibonacci", schedule: "{ fibonacci: { base: 100ms, cap: 5s } }" },
    Backoff { name: "exponential", schedule: "{ exponential: { base: 100ms, cap: 5s } }" },
    Backoff { name: "full-jitter", schedule: "{ full_jitter: { base: 100ms, cap: 5s } }" },
    Backoff { name: "equal-jitter", schedule: "{ equal_jitter: { base: 100ms, cap: 5s } }" },
    Backoff { name: "decorrelated", schedule: "{ decorrelated: { base: 100ms, cap: 5s } }" },
    Backoff { name: "grpc", schedule: "{ grpc: { initial: 100ms, max: 5s } }" },
    Backoff { name: "aws-sdk", schedule: "{ aws_sdk: { base: 100ms, cap: 5s } }" },
    Backoff { name: "envoy", schedule: "{ envoy: { base: 100ms, cap: 5s } }" },
];

/// A storm: everything of a scenario but its strategies.
pub(crate) struct Storm {
    pub(crate) name: &'static str,
    weather: &'static str,
}

pub(crate) const STORMS: [Storm; 5] = [
    Storm {
        name: "herd-after-restart",
        weather: "
duration: 10s
servers: { telemetry: { workers: 4, service_time: 10ms, queue: { limit: 64 }, when_full: { status: UNAVAILABLE }, startup: 500ms } }
clients: { devices: { count: 100, calls: telemetry, load: { poisson: 2/s } } }
faults:
  - { at: 3s, for: 2s, crash: { server: telemetry, how: kill, lose: nothing } }
",
    },
    Storm {
        name: "one-in-five-fails",
        weather: "
duration: 10s
servers: { telemetry: { service_time: 10ms } }
clients: { devices: { count: 100, calls: telemetry, load: { poisson: 2/s } } }
faults:
  - { at: 0s, grpc: { server: telemetry, method: ReportAlert, status: UNAVAILABLE, rate: 20%, when: before_handler } }
",
    },
    Storm {
        name: "contention",
        // One writer at a time, and whoever finds it busy is turned away.
        weather: "
duration: 1s
drain: 600s
servers: { telemetry: { workers: 1, service_time: 10ms, queue: { limit: 0 }, when_full: { status: UNAVAILABLE } } }
clients: { devices: { count: 100, calls: telemetry, load: { closed_loop: { think: 0ms } }, max_calls: 1 } }
",
    },
    Storm {
        name: "overload",
        weather: "
duration: 10s
drain: 120s
servers: { telemetry: { workers: 4, service_time: 20ms, queue: { limit: 32 }, when_full: { status: UNAVAILABLE } } }
clients: { devices: { count: 120, calls: telemetry, load: { poisson: 2/s } } }
",
    },
    Storm {
        name: "long-outage",
        weather: "
duration: 40s
drain: 60s
servers: { telemetry: { workers: 8, service_time: 10ms, startup: 500ms } }
clients: { devices: { count: 50, calls: telemetry, load: { poisson: 1/s } } }
faults:
  - { at: 5s, for: 30s, crash: { server: telemetry, how: kill, lose: nothing } }
",
    },
];

/// What one seed of a storm cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    /// The share of calls that came back OK.
    pub(crate) success: f64,
    /// The longest that any call took, whether it succeeded or gave up.
    pub(crate) completion_ms: f64,
    pub(crate) attempts: f64,
    pub(crate) executions: f64,
    pub(crate) goodput: f64,
    pub(crate) p99_ms: f64,
}

impl Cost {
    /// The mean of several seeds.
    pub(crate) fn mean(costs: &[Self]) -> Self {
        let mean = |figure: fn(&Self) -> f64| costs.iter().map(figure).sum::<f64>() / costs.len() as f64;
        Self {
            success: mean(|cost| cost.success),
            completion_ms: mean(|cost| cost.completion_ms),
            attempts: mean(|cost| cost.attempts),
            executions: mean(|cost| cost.executions),
            goodput: mean(|cost| cost.goodput),
            p99_ms: mean(|cost| cost.p99_ms),
        }
    }
}

/// A storm under a schedule, seed by seed.
pub(crate) fn weather(storm: &Storm, schedule: &str, seeds: u64) -> Vec<Cost> {
    let plan = plan(storm, schedule);
    (1..=seeds).into_par_iter().map(|seed| cost(&plan, seed)).collect()
}

fn plan(storm: &Storm, schedule: &str) -> Plan {
    let mut text = format!("name: {}\nabout: A storm to compare backoff schedules.\n", storm.name);
    let _ = writeln!(
        text,
        "{}strategies:
  - name: subject
    layers:
      - retry: {{ attempts: 1000, on: [UNAVAILABLE], backoff: {schedule} }}
    channel: {{ connect_backoff: {{ custom: {{ initial: 100ms, max: 1s }} }} }}",
        storm.weather
    );
    squall::scenario::parse("storm.yaml", &text, &Alone).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn cost(plan: &Plan, seed: u64) -> Cost {
    let spec = TrialSpec { strategy: 0, seed, control: false };
    let parts = Parts::whole(0, plan.duration.as_nanos() as u64);
    let fold = TrialFold::new(&trial::header(plan, spec), Arc::new(parts));
    let metrics = trial::run(plan, spec, fold).expect("the trial runs").finish();
    let figure = |metric| metrics.whole().value(metric, ErrorFilter::ANY).unwrap_or_default();
    Cost {
        success: figure(Metric::SuccessRate),
        completion_ms: figure(Metric::MaxLatency),
        attempts: figure(Metric::Attempts),
        executions: figure(Metric::Executions),
        goodput: figure(Metric::Goodput),
        p99_ms: figure(Metric::P99),
    }
}
