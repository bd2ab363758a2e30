//! gRPC to the letter: the retry throttling of gRFC A6 as grpc-go tests it, and the backoff of connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tonic::{Request, Response, Status};

use super::finding::{Finding, Tolerance};
use super::lab::{Lab, LabError, each};
use super::rig::{self, Rig};
use super::{Params, Suite};
use crate::clock;
use crate::resilience::effective_attempts;
use crate::resilience::{BackoffConfig, BudgetConfig, BudgetKind, Call, LayerConfig, RetryConfig, Strategy};
use crate::scenario::{ErrorFilter, Metric};
use crate::telemetry::proto::telemetry_service_server::TelemetryService;
use crate::telemetry::proto::{AlertRequest, AlertResponse};

/// gRFC A6, as grpc-go tests it.
pub(super) const THROTTLING: Suite = Suite {
    name: "grpc-throttling",
    source: "gRFC A6; grpc-go, TestRetryThrottling and TestMaxCallAttempts",
    params: &[("tokens", 10.0, 10.0), ("ratio", 0.5, 0.5), ("attempts", 4.0, 4.0), ("calls", 8_000.0, 40_000.0)],
    run: throttling,
    scenario: None,
};

/// grpc/grpc, connection-backoff.md.
pub(super) const CONNECT_BACKOFF: Suite = Suite {
    name: "connect-backoff",
    source: "grpc/grpc, connection-backoff.md and its interoperability test",
    params: &[("seeds", 3.0, 20.0)],
    run: connect_backoff,
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
fn script(params: &Params, ok: &[u32], calls: usize) -> Result<Vec<(bool, u32)>, LabError> {
    let strategy = throttled(params);
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
const OK: [u32; 9] = [0, 3, 6, 10, 11, 12, 13, 14, 16];
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

fn throttling(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let mut findings = Vec::new();
    let ok: Vec<u32> = OK.into_iter().chain([18]).collect();
    for (place, ((ok, counter), (expected, published))) in
        script(params, &ok, 12)?.into_iter().zip(COUNTERS).enumerate()
    {
        let row = |what| format!("grpc-throttling.call-{}.{what}", place + 1);
        let known = params.published(f64::from(published));
        findings.push(Finding::exact(row("counter"), known, f64::from(counter), "requests"));
        let known = params.published(f64::from(u8::from(expected)));
        findings.push(Finding::exact(row("ok"), known, f64::from(u8::from(ok)), ""));
    }
    let mut before = 0;
    for (place, (_, last)) in script(params, &[], 4)?.into_iter().enumerate() {
        let made = last + 1 - before;
        before = last + 1;
        let known = params.published(if place == 0 { 4.0 } else { 1.0 });
        let row = format!("grpc-throttling.failing.call-{}", place + 1);
        findings.push(Finding::exact(row, known, f64::from(made), "attempts"));
    }
    for (configured, cap, expected) in [(9, 4, 4.0), (9, 7, 7.0), (3, 10, 3.0), (8, -1, 5.0), (3, 0, 3.0)] {
        let made = f64::from(effective_attempts(configured, cap).get());
        findings.push(Finding::exact(format!("max-attempts.{configured},{cap}"), Some(expected), made, "attempts"));
    }
    let ratio = if params.get("ratio") == 0.5 { 0.1 } else { params.get("ratio") };
    let share = engages_at(lab, params, ratio)?;
    let row = format!("grpc-throttling.engages.r{ratio}");
    let tolerance = Tolerance::Absolute(1.0);
    let published = Some(100.0 * ratio / (1.0 + ratio));
    findings.push(Finding { row, published, observed: 100.0 * share, error: 0.0, unit: "%", tolerance });
    Ok(findings)
}

/// The failing share at which half of all retries are held back, by bisection over whole runs.
fn engages_at(lab: &Lab<'_>, params: &Params, ratio: f64) -> Result<f64, LabError> {
    // More tokens than usual make the border sharper; where it lies depends on the ratio alone.
    let (tokens, duration_s) = (30, params.get("calls") / 100.0);
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..8 {
        let share = (low + high) / 2.0;
        let runs = lab.scenario(
            &format!(
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
            ),
            1,
        )?;
        let amplification = each(&runs[0], |run| {
            run.metrics.whole().value(Metric::Amplification, ErrorFilter::ANY).unwrap_or(f64::NAN)
        });
        if amplification[0] - 1.0 > share / 2.0 { low = share } else { high = share }
    }
    Ok((low + high) / 2.0)
}

/// When attempts to connect begin, without jitter and the time of a round trip, in seconds.
const STARTS: [f64; 14] = [0.0, 1.0, 2.6, 5.16, 9.26, 15.8, 26.3, 43.1, 69.9, 112.9, 181.6, 291.5, 411.5, 531.5];

fn connect_backoff(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let seeds = lab.seeds(params.seeds(), |seed| {
        rig::run(seed, |sim| async move {
            let rig = Rig::new(&sim);
            rig.slam()?;
            let mut client = rig.client(&sim, 0, &Strategy::default())?;
            let call = tokio::spawn(async move {
                let mut request = Request::new(AlertRequest::default());
                request.extensions_mut().insert(Call::new().wait_for_ready(true));
                client.report_alert(request).await
            });
            clock::sleep(Duration::from_secs(700)).await;
            call.abort();
            Ok(rig.connects().iter().map(|at| at.as_nanos() as f64 / 1e9).collect::<Vec<f64>>())
        })
    })?;
    let mut findings = Vec::new();
    for (place, nominal) in STARTS.windows(2).map(|pair| pair[1] - pair[0]).enumerate() {
        let gap = |starts: &Vec<f64>| Some(starts.get(place + 1)? - starts.get(place)?);
        let gaps: Vec<f64> = seeds.iter().map(|starts| gap(starts).unwrap_or(f64::NAN)).collect();
        // Of all seeds, the one that is furthest off is held to the bounds.
        let worst = gaps.iter().copied().fold(nominal, |worst: f64, gap| {
            if (gap - nominal).abs() >= (worst - nominal).abs() || gap.is_nan() { gap } else { worst }
        });
        let row = format!("connect-backoff.gap-{}", place + 1);
        let tolerance = Tolerance::Absolute(0.2 * nominal + 0.1);
        findings.push(Finding { row, published: Some(nominal), observed: worst, error: 0.0, unit: "s", tolerance });
    }
    Ok(findings)
}
