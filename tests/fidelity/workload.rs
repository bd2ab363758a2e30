//! The work of the measurement: 20 clients, a connection each, a call every 100 ms whether or not the last has ended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::clock::{self, Instant, Simulation};
use squall::net::tcp::CongestionControl;
use squall::net::{Address, HostConfig, Impairment, LinkConfig, LossModel, Network, Pairs, TcpSettings};
use squall::random::{Key, Probability};
use squall::sim::Host;
use squall::telemetry::proto::telemetry_service_client::TelemetryServiceClient;
use squall::telemetry::proto::telemetry_service_server::{TelemetryService, TelemetryServiceServer};
use squall::telemetry::proto::{AlertRequest, AlertResponse};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

const CLIENTS: u64 = 20;
const STAGGER: Duration = Duration::from_millis(5);
const PERIOD: Duration = Duration::from_millis(100);
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Workload {
    pub(crate) rtt: Duration,
    pub(crate) loss: f64,
    pub(crate) payload: usize,
    pub(crate) calls: u64,
    pub(crate) outage: Option<Outage>,
}

#[derive(Clone, Copy)]
pub(crate) struct Outage {
    pub(crate) from: Duration,
    pub(crate) lasts: Duration,
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

pub(crate) struct Run {
    pub(crate) began: Instant,
    pub(crate) calls: Vec<Call>,
}

impl Run {
    pub(crate) fn latencies_ms(&self) -> Vec<f64> {
        self.calls.iter().map(Call::ms).collect()
    }
}

/// Answers at once.
struct Ready;

#[tonic::async_trait]
impl TelemetryService for Ready {
    async fn report_alert(&self, _: Request<AlertRequest>) -> Result<Response<AlertResponse>, Status> {
        Ok(Response::new(AlertResponse { acknowledged: true, tracking_id: "t-00000000-0000".into() }))
    }
}

/// The kernel of the measuring machine.
fn kernel() -> TcpSettings {
    TcpSettings { congestion_control: CongestionControl::Reno, ..TcpSettings::default() }
}

fn hosts(net: &Network) -> (Host, Host) {
    let add = |name: &str| {
        let id = net.add_host(HostConfig { name: name.into(), tcp: kernel() });
        Host::new(net.clone(), id)
    };
    (add("client"), add("server"))
}

fn serve(server: &Host) {
    let listener = server.listen(50_051).expect("the port is free");
    let service = Server::builder().add_service(TelemetryServiceServer::new(Ready)).serve_with_incoming(listener);
    server.spawn(async move { service.await.expect("the server runs") });
}

fn endpoint() -> Endpoint {
    Endpoint::from_static("http://server:50051")
}

pub(crate) fn run(work: &Workload, seed: u64) -> Run {
    Simulation::new()
        .run(async {
            let net = Network::new(Key::from_seed(seed));
            let (client, server) = hosts(&net);
            serve(&server);
            // Connections are made on a calm link; what is measured is calls.
            net.set_default_link(LinkConfig::with_latency(work.rtt / 2));
            let mut channels = Vec::new();
            for _ in 0..CLIENTS {
                channels.push(endpoint().connect_with_connector(client.connector()).await.expect("connects"));
            }
            let loss = LossModel::independent(Probability::new(work.loss).expect("a share"));
            net.set_default_link(LinkConfig { loss, ..LinkConfig::with_latency(work.rtt / 2) });
            let began = clock::now();
            let calls = Arc::new(Mutex::new(Vec::new()));
            let mut tasks = tokio::task::JoinSet::new();
            for (number, channel) in (0..).zip(channels) {
                let start = began + STAGGER * number;
                tasks.spawn(client_loop(channel, start, work.calls, work.payload, Arc::clone(&calls)));
            }
            if let Some(outage) = work.outage {
                clock::sleep(outage.from).await;
                let fault = net.impair(Pairs::All, Impairment::drop_all());
                clock::sleep(outage.lasts).await;
                net.repair(fault);
            }
            tasks.join_all().await;
            let calls = std::mem::take(&mut *calls.lock().unwrap());
            Run { began, calls }
        })
        .expect("the simulation ends")
}

async fn client_loop(channel: Channel, start: Instant, count: u64, payload: usize, calls: Arc<Mutex<Vec<Call>>>) {
    let mut pending = tokio::task::JoinSet::new();
    for number in 0..count {
        clock::sleep_until(start + PERIOD * u32::try_from(number).unwrap()).await;
        let (mut client, calls) = (TelemetryServiceClient::new(channel.clone()), Arc::clone(&calls));
        pending.spawn(async move {
            let started = clock::now();
            let alert = AlertRequest {
                device_id: "d".repeat(payload),
                alert_type: "overheat".into(),
                timestamp: number as i64,
            };
            let mut request = Request::new(alert);
            request.set_timeout(DEADLINE);
            // A call that fails counts with the time it took, as on the real machine.
            let _ = clock::timeout(DEADLINE, client.report_alert(request)).await;
            calls.lock().unwrap().push(Call { started, ended: clock::now() });
        });
    }
    pending.join_all().await;
}

/// In ms from each client's first SYN to its connection.
pub(crate) fn connect_through_black_hole(rtt: Duration, until: Duration, seed: u64) -> Vec<f64> {
    Simulation::new()
        .run(async {
            let net = Network::new(Key::from_seed(seed));
            let (client, server) = hosts(&net);
            serve(&server);
            net.set_default_link(LinkConfig::with_latency(rtt / 2));
            let fault = net.impair(Pairs::All, Impairment::drop_all());
            let heal = net.clone();
            tokio::spawn(async move {
                clock::sleep(until).await;
                heal.repair(fault);
            });
            let mut tasks = tokio::task::JoinSet::new();
            for number in 0..u32::try_from(CLIENTS).unwrap() {
                let (net, from, to) = (net.clone(), client.id(), Address::new(server.id(), 50_051));
                tasks.spawn(async move {
                    clock::sleep(STAGGER * number).await;
                    let began = clock::now();
                    net.connect(from, to).await.expect("connects in the end");
                    (clock::now() - began).as_secs_f64() * 1e3
                });
            }
            tasks.join_all().await
        })
        .expect("the simulation ends")
}
