//! gRPC's retries to the letter: the throttling and the caps of gRFC A6, as grpc-go tests them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tonic::{Request, Response, Status};

use super::finding::{Finding, Tolerance, mean_and_error};
use super::lab::{Lab, LabError};
use super::rig::{self, Rig};
use super::run::each;
use super::{Param, Params, Suite};
use crate::resilience::effective_attempts;
use crate::resilience::{BackoffConfig, BudgetConfig, BudgetKind, LayerConfig, RetryConfig, Strategy};
use crate::scenario::{ErrorFilter, Metric};
use crate::telemetry::proto::telemetry_service_server::TelemetryService;
use crate::telemetry::proto::{AlertRequest, AlertResponse};

/// gRFC A6, as grpc-go tests it.
pub(super) const THROTTLING: Suite = Suite {
    name: "grpc-throttling",
    source: "gRFC A6; grpc-go, TestRetryThrottling",
    params: &[
        Param::one("tokens", "tokens of the bucket", &[10.0]).whole().within(1.0, 1000.0),
        Param::one("ratio", "tokens that a success gives back", &[0.5]).within(0.001, 1000.0),
        Param::one("attempts", "most attempts of a call", &[4.0]).whole().within(2.0, 100.0),
        Param::each("ok", "numbers of the requests that are answered OK, the first is 0", &OK).whole(),
        Param::sample("calls", "calls of the script", &[12.0], &[12.0]).within(1.0, 10_000.0),
        Param::sample("failing_calls", "calls to a server that always fails", &[4.0], &[4.0]).within(1.0, 10_000.0),
    ],
    cost: 1,
    run: throttling,
    scenario: None,
};

/// gRFC A6, how many failures it takes.
pub(super) const ENGAGES: Suite = Suite {
    name: "throttle-engages",
    source: "gRFC A6: r / (1 + r)",
    params: &[
        Param::each("ratio", "tokens that a success gives back", &[0.1, 0.5]).within(0.001, 100.0),
        Param::one("tokens", "tokens of the bucket: more make the border sharper", &[30.0]).whole().within(2.0, 1000.0),
        Param::sample("calls", "calls of a seed at each share that is tried", &[6_000.0], &[20_000.0]),
        Param::seeds(&[4.0], &[8.0]),
    ],
    cost: 1000,
    run: engages,
    scenario: Some(|params| failing(params, params.get("ratio"), 0.5)),
};

/// gRFC A6, the cap of a channel.
pub(super) const MAX_ATTEMPTS: Suite = Suite {
    name: "max-attempts",
    source: "gRFC A6; grpc-go, TestMaxCallAttempts",
    params: &[
        Param::one("attempts", "attempts that a service config asks for", &[9.0]).whole().within(2.0, 1000.0),
        Param::one("cap", "most attempts of the channel; fewer than 2 mean 5", &[4.0]).whole().within(-1.0, 1000.0),
    ],
    cost: 1,
    run: max_attempts,
    scenario: None,
};

/// Answers the n-th request OK if its table says so.
#[derive(Clone, Debug)]
struct Scripted {
    ok: Arc<[u32]>,
    served: Arc<AtomicU32>,
}

#[tonic::async_trait]
impl TelemetryService for Scripted {
    async fn report_alert(&self, _: Request<AlertRequest>) -> Result<Response<AlertResponse>, Status> {
        let number = self.served.fetch_add(1, Ordering::Relaxed);
        if self.ok.contains(&number) {
            return Ok(Response::new(AlertResponse { acknowledged: true, tracking_id: number.to_string() }));
        }
        Err(Status::unavailable("not this one"))
    }
}

/// For each of `calls` calls: whether it succeeded, and the number of the last request that the server saw by then.
fn script(strategy: &Strategy, ok: &[u32], calls: usize) -> Result<Vec<(bool, u32)>, LabError> {
    let strategy = strategy.clone();
    let ok: Arc<[u32]> = ok.into();
    rig::run(1, |sim| async move {
        let rig = Rig::new(&sim);
        let service = Scripted { ok, served: Arc::default() };
        rig.serve(service.clone())?;
        let mut client = rig.client(&sim, 0, &strategy)?;
        let mut seen = Vec::with_capacity(calls);
        for _ in 0..calls {
            let answer = client.report_alert(AlertRequest::default()).await;
            seen.push((answer.is_ok(), service.served.load(Ordering::Relaxed) - 1));
        }
        Ok(seen)
    })
}

fn throttled(params: &Params) -> Strategy {
    let kind = BudgetKind::Grpc { tokens: params.count("tokens"), ratio: params.get("ratio") };
    let (initial, max) = (Duration::from_millis(10), Duration::from_millis(100));
    let retry = RetryConfig {
        attempts: params.count("attempts"),
        backoff: BackoffConfig::grpc(initial, max, 2.0),
        budget: Some(BudgetConfig::per_client(kind)),
        ..RetryConfig::default()
    };
    Strategy { name: "a6".into(), layers: vec![LayerConfig::Retry(retry)], ..Strategy::default() }
}

/// Which requests grpc-go's server answers OK, and where its counter stands after each of twelve calls.
const OK: [f64; 10] = [0.0, 3.0, 6.0, 10.0, 11.0, 12.0, 13.0, 14.0, 16.0, 18.0];
const COUNTERS: [(bool, u32); 12] = [
    (true, 0),
    (true, 3),
    (true, 6),
    (false, 8),
    (false, 9),
    (true, 10),
    (true, 11),
    (true, 12),
    (true, 13),
    (true, 14),
    (true, 16),
    (false, 17),
];

fn throttling(_: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let strategy = throttled(params);
    let mut findings = Vec::new();
    let ok: Vec<u32> = params.all("ok").iter().map(|number| *number as u32).collect();
    let calls = params.count("calls") as usize;
    let mut expected = by_rule(params, &ok, calls);
    if params.is_usual_but(&[]) {
        // What was printed stands above what follows from it.
        expected.iter_mut().zip(COUNTERS).for_each(|(row, published)| *row = published);
    }
    for (place, ((ok, counter), expected)) in script(&strategy, &ok, calls)?.into_iter().zip(expected).enumerate() {
        let row = |what| format!("grpc-throttling.call-{}.{what}", place + 1);
        findings.push(Finding::exact(row("counter"), Some(f64::from(expected.1)), f64::from(counter), "requests"));
        let [known, ok] = [expected.0, ok].map(|ok| f64::from(u8::from(ok)));
        findings.push(Finding::exact(row("ok"), Some(known), ok, ""));
    }
    let calls = params.count("failing_calls") as usize;
    let made = |rows: Vec<(bool, u32)>| {
        let ends = rows.into_iter().map(|(_, last)| last + 1);
        ends.scan(0, |before, end| Some(end - std::mem::replace(before, end))).map(f64::from).collect::<Vec<f64>>()
    };
    let (seen, expected) = (made(script(&strategy, &[], calls)?), made(by_rule(params, &[], calls)));
    for (place, (seen, expected)) in seen.into_iter().zip(expected).enumerate() {
        let row = format!("grpc-throttling.failing.call-{}", place + 1);
        findings.push(Finding::exact(row, Some(expected), seen, "attempts"));
    }
    Ok(findings)
}

/// What gRFC A6 says of any script: a failure takes a token, a success gives some back, and a retry needs more than half of
/// all when the failure has been charged.
fn by_rule(params: &Params, ok: &[u32], calls: usize) -> Vec<(bool, u32)> {
    let (most, ratio, attempts) = (params.get("tokens"), params.get("ratio"), params.count("attempts"));
    let (mut tokens, mut number) = (most, 0);
    let mut call = || {
        for attempt in 1.. {
            let (succeeded, last) = (ok.contains(&number), number);
            number += 1;
            tokens = if succeeded { (tokens + ratio).min(most) } else { (tokens - 1.0).max(0.0) };
            if succeeded || attempt == attempts || tokens <= most / 2.0 {
                return (succeeded, last);
            }
        }
        unreachable!("a call has so many attempts and no more")
    };
    (0..calls).map(|_| call()).collect()
}

/// grpc-go's table: what is configured, the channel's cap, and how many attempts are made.
const CAPPED: [(u32, i64, f64); 5] = [(9, 4, 4.0), (9, 7, 7.0), (3, 10, 3.0), (8, -1, 5.0), (3, 0, 3.0)];

fn max_attempts(_: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let asked = (params.count("attempts"), params.get("cap") as i64);
    // The channel's own default stands in for a cap that makes no sense.
    let cap = if asked.1 < 2 { 5.0 } else { asked.1 as f64 };
    let one = [(asked.0, asked.1, f64::from(asked.0).min(cap))];
    let cases = if params.is_usual_but(&[]) { &CAPPED[..] } else { &one[..] };
    let mut findings = Vec::new();
    for (configured, cap, attempts) in cases {
        let retry = RetryConfig { attempts: effective_attempts(*configured, *cap).get(), ..RetryConfig::default() };
        let strategy = Strategy { layers: vec![LayerConfig::Retry(retry)], ..Strategy::default() };
        let made = script(&strategy, &[], 1)?.into_iter().map(|(_, last)| f64::from(last + 1)).sum();
        findings.push(Finding::exact(format!("max-attempts.{configured},{cap}"), Some(*attempts), made, "attempts"));
    }
    Ok(findings)
}

fn engages(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let mut findings = Vec::new();
    let shares = lab.chains(params.all("ratio"), |ratio| engages_at(lab, params, *ratio))?;
    for (ratio, share) in params.all("ratio").iter().zip(shares) {
        let row = format!("throttle-engages.r{ratio}");
        let published = Some(100.0 * ratio / (1.0 + ratio));
        let tolerance = Tolerance::Absolute(1.0);
        findings.push(Finding { row, published, observed: 100.0 * share, error: 0.0, unit: "%", tolerance });
    }
    Ok(findings)
}

/// The failing share at which the bucket neither fills nor empties, by bisection over whole runs.
///
/// It is then as often in its upper half as in its lower one, an attempt at a time. In the upper half a call makes more
/// attempts and the bucket moves faster, so that `1 / (2 + share)` of the calls find it there and may retry.
fn engages_at(lab: &Lab<'_>, params: &Params, ratio: f64) -> Result<f64, LabError> {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..10 {
        let share = (low + high) / 2.0;
        let runs = lab.scenario(&failing(params, ratio, share), params.seeds())?;
        let amplification = each(&runs[0], |run| {
            run.metrics.whole().value(Metric::Amplification, ErrorFilter::ANY).unwrap_or(f64::NAN)
        });
        if mean_and_error(&amplification).0 - 1.0 > share / (2.0 + share) { low = share } else { high = share }
    }
    Ok((low + high) / 2.0)
}

fn failing(params: &Params, ratio: f64, share: f64) -> String {
    // More tokens than usual make the border sharper; where it lies depends on the ratio alone.
    let (tokens, duration_s) = (params.count("tokens"), params.get("calls") / 100.0);
    format!(
        "name: throttle
about: A share of requests fails; the throttle lets retries through, or it does not.
duration: {duration_s}s
warmup: {}s
servers:
  telemetry: {{ service_time: 0s }}
clients:
  devices: {{ calls: telemetry, load: {{ constant: 100/s }} }}
faults:
  - {{ at: 0s, grpc: {{ server: telemetry, status: UNAVAILABLE, rate: {}% }} }}
strategies:
  - name: throttle
    layers:
      - retry: {{ attempts: 2, on: [UNAVAILABLE], budget: {{ tokens: {tokens}, ratio: {ratio} }} }}
",
        duration_s / 4.0,
        share * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::super::suite;
    use super::*;

    /// The rule that other parameters are held against gives grpc-go's own table.
    #[test]
    fn the_rule_gives_the_published_table() {
        let params = Params::of(suite("grpc-throttling").unwrap(), false, &[]).unwrap();
        let ok: Vec<u32> = OK.iter().map(|number| *number as u32).collect();
        assert_eq!(by_rule(&params, &ok, 12), COUNTERS);
        assert_eq!(by_rule(&params, &[], 4), [(false, 3), (false, 4), (false, 5), (false, 6)]);
    }
}
