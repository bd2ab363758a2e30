//! Contention for one row: who writes how often, and when the last is done, under five kinds of backoff.
//!
//! A server of the telemetry contract holds one version. `read` answers it in the tracking id; `write` carries it in the
//! timestamp, and is refused with ABORTED if it is stale. N clients read and write, back off when refused and start over.
//!
//! Source: AWS, "Exponential Backoff And Jitter" (M. Brooker, 2015), its simulator over 100 seeds.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tonic::{Request, Response, Status};

use super::finding::{Finding, Tolerance};
use super::lab::{Lab, LabError};
use super::rig::{self, Rig};
use super::{Param, Params, Suite};
use crate::clock::{self, Instant};
use crate::net::LinkConfig;
use crate::random::{Distribution, Key};
use crate::resilience::{Backoff, BackoffConfig, Client, Strategy};
use crate::telemetry::proto::telemetry_service_client::TelemetryServiceClient;
use crate::telemetry::proto::telemetry_service_server::TelemetryService;
use crate::telemetry::proto::{AlertRequest, AlertResponse};

/// Optimistic concurrency on one row.
pub(super) const AWS: Suite = Suite {
    name: "aws",
    source: "AWS, Exponential Backoff And Jitter",
    params: &[
        Param::each("clients", "clients that contend for the row", &[1.0, 10.0, 50.0, 100.0, 200.0])
            .whole()
            .within(1.0, 2000.0),
        Param::one("base_ms", "base of the backoff in ms", &[5.0]).within(0.001, 60_000.0),
        Param::one("cap_ms", "longest pause in ms", &[2000.0]).within(0.001, 3.6e6),
        Param::one("delay_ms", "mean delay each way in ms, normal", &[10.0]).within(0.0, 10_000.0),
        Param::one("delay_sd_ms", "its standard deviation in ms", &[2.0]).within(0.0, 10_000.0),
        Param::seeds(&[12.0], &[100.0]),
    ],
    cost: 150,
    run: aws,
    scenario: None,
};

/// Writes and completion in ms, each mean and standard deviation: none, exponential, equal, full, decorrelated.
type Cells = [((f64, f64), (f64, f64)); 5];

const PUBLISHED: [(f64, Cells); 4] = [
    (
        10.0,
        [
            ((51.0, 4.0), (382.0, 34.0)),
            ((51.0, 4.0), (3433.0, 1292.0)),
            ((43.0, 2.0), (731.0, 170.0)),
            ((39.0, 2.0), (463.0, 97.0)),
            ((38.0, 2.0), (439.0, 73.0)),
        ],
    ),
    (
        50.0,
        [
            ((690.0, 16.0), (1141.0, 46.0)),
            ((623.0, 25.0), (36_239.0, 3084.0)),
            ((348.0, 6.0), (4307.0, 588.0)),
            ((333.0, 5.0), (2891.0, 541.0)),
            ((375.0, 12.0), (2166.0, 511.0)),
        ],
    ),
    (
        100.0,
        [
            ((2421.0, 35.0), (2030.0, 46.0)),
            ((1856.0, 60.0), (63_146.0, 3841.0)),
            ((813.0, 8.0), (6759.0, 626.0)),
            ((796.0, 7.0), (4831.0, 517.0)),
            ((1001.0, 29.0), (4674.0, 790.0)),
        ],
    ),
    (
        200.0,
        [
            ((8817.0, 72.0), (3704.0, 51.0)),
            ((5636.0, 117.0), (105_887.0, 4237.0)),
            ((1873.0, 11.0), (9720.0, 659.0)),
            ((1891.0, 13.0), (7698.0, 551.0)),
            ((2607.0, 66.0), (8130.0, 811.0)),
        ],
    ),
];

const NAMES: [&str; 5] = ["none", "exponential", "equal", "full", "decorrelated"];

/// The source counts failures from 1 in `base * 2^n`: its first ceiling is twice the base. Decorrelated jitter begins at
/// the base.
fn backoffs(params: &Params) -> [BackoffConfig; 5] {
    let ms = |name| Duration::from_secs_f64(params.get(name) / 1e3);
    let (base, cap) = (ms("base_ms"), ms("cap_ms"));
    let first = (2 * base).min(cap);
    [
        BackoffConfig::None,
        BackoffConfig::Exponential { base: first, cap, multiplier: 2.0 },
        BackoffConfig::EqualJitter { base: first, cap },
        BackoffConfig::FullJitter { base: first, cap },
        BackoffConfig::Decorrelated { base, cap },
    ]
}

fn aws(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let ms = |name| Duration::from_secs_f64(params.get(name) / 1e3);
    let delay = Distribution::normal(ms("delay_ms"), ms("delay_sd_ms"));
    let mut findings = Vec::new();
    for &clients in params.all("clients") {
        let known = PUBLISHED.iter().find(|(n, _)| *n == clients && params.is_usual_but(&["clients"]));
        let known = known.map(|(_, cells)| cells);
        let (mut writes, mut completions) = (Vec::new(), Vec::new());
        for (place, backoff) in backoffs(params).into_iter().enumerate() {
            // Alone, nobody backs off.
            if clients == 1.0 && place > 0 {
                continue;
            }
            let runs = lab.seeds(params.seeds(), |seed| contend(seed, clients as u32, backoff, &delay))?;
            let figures = |which: fn(&(u64, f64)) -> f64| runs.iter().map(which).collect::<Vec<f64>>();
            let row = |what: &str| format!("aws.{clients}.{}.{what}", NAMES[place]);
            // One client alone writes once; the source gives its time.
            let alone = params.is_usual_but(&["clients"]) && clients == 1.0;
            let cell = known.map(|cells| cells[place]).or(alone.then_some(((1.0, 0.0), (40.0, 4.0))));
            let (known_writes, known_completion) = (cell.map(|cell| cell.0), cell.map(|cell| cell.1));
            writes.push(mean(row("writes"), known_writes, &figures(|run| run.0 as f64), "writes"));
            completions.push(mean(row("completion"), known_completion, &figures(|run| run.1), "ms"));
        }
        if let Some(cells) = known {
            findings.push(order(clients, "writes", cells.map(|cell| cell.0), &writes));
            findings.push(order(clients, "completion", cells.map(|cell| cell.1), &completions));
            findings.extend((clients == 100.0).then(|| jitter_saves(cells, &writes)));
        }
        findings.extend(writes.into_iter().zip(completions).flat_map(|(writes, completion)| [writes, completion]));
    }
    Ok(findings)
}

/// A mean over seeds, held against one with its standard deviation over a hundred.
fn mean(row: String, published: Option<(f64, f64)>, figures: &[f64], unit: &'static str) -> Finding {
    let (published, sd) = published.map_or((None, 0.0), |(mean, sd)| (Some(mean), sd));
    // A mean printed without decimals is known to half a unit.
    let published_error = libm::hypot(sd / 10.0, 0.29);
    let mut finding = Finding::of_seeds(row, published, figures, unit, Tolerance::Z { limit: 3.0, published_error });
    if sd > 0.0 {
        // Few seeds do not show their own spread well: the source's stands for both.
        finding.error = sd / libm::sqrt(figures.len() as f64);
    }
    finding
}

/// The article's claim: jitter takes fewer than half of the writes of exponential backoff without it.
fn jitter_saves(published: &Cells, writes: &[Finding]) -> Finding {
    let published = published[3].0.0 / published[1].0.0;
    Finding {
        row: "aws.100.full-to-exponential.writes".to_owned(),
        published: Some(published),
        observed: writes[3].observed / writes[1].observed,
        error: 0.0,
        unit: "x",
        tolerance: Tolerance::Absolute(0.5 - published),
    }
}

/// Of all pairs of strategies that the source tells apart by three standard errors: how many stand in its order.
fn order(clients: f64, what: &str, published: [(f64, f64); 5], observed: &[Finding]) -> Finding {
    let apart = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() > 3.0 * libm::hypot(a.1, b.1) / 10.0;
    let pairs = || (0..5).flat_map(|one| (one + 1..5).map(move |other| (one, other)));
    let told = || pairs().filter(|&(one, other)| apart(published[one], published[other]));
    let same = told().filter(|&(one, other)| {
        (published[one].0 < published[other].0) == (observed[one].observed < observed[other].observed)
    });
    let row = format!("aws.{clients}.order.{what}");
    Finding::exact(row, Some(told().count() as f64), same.count() as f64, "pairs")
}

/// One row with a version.
///
/// The source delays every message on its own. A link would delay every packet, and TCP acknowledges the first request after
/// a pause at once: the answer then queues behind that packet, and the later of two delays counts. So the links here take
/// no time, and the server holds each request and each answer for the delay of its message.
#[derive(Clone, Debug)]
struct Row {
    delay: Distribution,
    key: Key,
    version: Arc<AtomicI64>,
    writes: Arc<AtomicU64>,
}

#[tonic::async_trait]
impl TelemetryService for Row {
    async fn report_alert(&self, request: Request<AlertRequest>) -> Result<Response<AlertResponse>, Status> {
        let alert = request.into_inner();
        // The client names its messages: its number and theirs.
        let key = self.key.named(&alert.device_id);
        clock::sleep(self.delay.sample(key.named("request").draw())).await;
        let answer = self.answer(&alert);
        clock::sleep(self.delay.sample(key.named("answer").draw())).await;
        answer.map(Response::new)
    }
}

impl Row {
    fn answer(&self, alert: &AlertRequest) -> Result<AlertResponse, Status> {
        if alert.alert_type == "write" {
            self.writes.fetch_add(1, Ordering::Relaxed);
            let (old, new) = (alert.timestamp, alert.timestamp + 1);
            if self.version.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_err() {
                return Err(Status::aborted("the version is stale"));
            }
        }
        let tracking_id = self.version.load(Ordering::Relaxed).to_string();
        Ok(AlertResponse { acknowledged: true, tracking_id })
    }
}

/// Writes until everybody is done, and how long that took, in ms.
fn contend(seed: u64, clients: u32, backoff: BackoffConfig, delay: &Distribution) -> Result<(u64, f64), LabError> {
    rig::run(seed, |sim| async move {
        sim.net().set_default_link(LinkConfig::with_latency(Duration::ZERO));
        let rig = Rig::new(&sim);
        let row = Row {
            delay: delay.clone(),
            key: sim.key().named("message"),
            version: Arc::default(),
            writes: Arc::default(),
        };
        rig.serve(row.clone())?;
        // Everybody is connected before the race begins.
        let start = Instant::ORIGIN + Duration::from_secs(10);
        let mut racing = Vec::with_capacity(clients as usize);
        for number in 0..clients {
            let client = rig.client(&sim, number, &Strategy::default())?;
            racing.push(tokio::spawn(race(client, number, start, backoff, rig.key(&sim, number).named("backoff"))));
        }
        let mut last = start;
        for racer in racing {
            last = last.max(racer.await??);
        }
        Ok((row.writes.load(Ordering::Relaxed), (last - start).as_secs_f64() * 1e3))
    })
}

/// Reads and writes until it succeeds: when.
async fn race(
    mut client: TelemetryServiceClient<Client>,
    number: u32,
    start: Instant,
    backoff: BackoffConfig,
    key: Key,
) -> Result<Instant, Status> {
    let mut messages = 0_u64;
    let mut alert = |kind: &str, timestamp| {
        messages += 1;
        AlertRequest { device_id: format!("{number}/{messages}"), alert_type: kind.into(), timestamp }
    };
    client.report_alert(alert("read", 0)).await?;
    clock::sleep_until(start).await;
    let mut schedule = backoff.schedule();
    let mut failed = NonZeroU32::MIN;
    loop {
        let version = client.report_alert(alert("read", 0)).await?.into_inner().tracking_id;
        let version = version.parse().map_err(|_| Status::internal("the version is no number"))?;
        match client.report_alert(alert("write", version)).await {
            Ok(_) => return Ok(clock::now()),
            Err(status) if status.code() == tonic::Code::Aborted => {}
            Err(status) => return Err(status),
        }
        clock::sleep(schedule.pause(failed, key.with(u64::from(failed.get())).draw())).await;
        failed = failed.saturating_add(1);
    }
}
