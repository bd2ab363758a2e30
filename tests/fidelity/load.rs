//! What the measured programs do, whatever kernel they run on: `workload` plays them in the simulator, `tests/kernel` over a
//! real one.

use std::future::Future;
use std::time::Duration;

use squall::clock::{self, Instant};
use squall::telemetry::proto::telemetry_service_client::TelemetryServiceClient;
use squall::telemetry::proto::telemetry_service_server::TelemetryService;
use squall::telemetry::proto::{AlertRequest, AlertResponse};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// Clients, a connection each.
pub(crate) const CLIENTS: u32 = 20;
/// Between the starts of two clients.
pub(crate) const STAGGER: Duration = Duration::from_millis(5);
/// Between the starts of two calls of a client, whether or not the first has ended.
const PERIOD: Duration = Duration::from_millis(100);
const DEADLINE: Duration = Duration::from_secs(60);

/// Answers at once.
pub(crate) struct Ready;

#[tonic::async_trait]
impl TelemetryService for Ready {
    async fn report_alert(&self, _: Request<AlertRequest>) -> Result<Response<AlertResponse>, Status> {
        Ok(Response::new(AlertResponse { acknowledged: true, tracking_id: "t-00000000-0000".into() }))
    }
}

pub(crate) struct Call {
    pub(crate) started: Instant,
    pub(crate) ended: Instant,
}

impl Call {
    pub(crate) fn ms(&self) -> f64 {
        (self.ended - self.started).as_secs_f64() * 1e3
    }
}

/// What each client asks.
#[derive(Clone, Copy)]
pub(crate) struct Calls {
    pub(crate) count: u32,
    /// Bytes of a request's payload.
    pub(crate) payload: usize,
}

/// Connects, and then calls: the first call of a connection is as cold as its connection. Call `n` is `late(n)` late.
pub(crate) async fn client(
    connect: impl Future<Output = Channel>,
    calls: Calls,
    late: impl Fn(u32) -> Duration,
) -> Vec<Call> {
    let channel = connect.await;
    let start = clock::now();
    let mut pending = JoinSet::new();
    for number in 0..calls.count {
        clock::sleep_until(start + PERIOD * number + late(number)).await;
        pending.spawn(call(channel.clone(), number, calls.payload));
    }
    pending.join_all().await
}

/// A call that fails counts with the time it took.
async fn call(channel: Channel, number: u32, payload: usize) -> Call {
    let started = clock::now();
    let device_id = "d".repeat(payload);
    let alert = AlertRequest { device_id, alert_type: "overheat".into(), timestamp: i64::from(number) };
    let mut request = Request::new(alert);
    request.set_timeout(DEADLINE);
    let _ = clock::timeout(DEADLINE, TelemetryServiceClient::new(channel).report_alert(request)).await;
    Call { started, ended: clock::now() }
}
