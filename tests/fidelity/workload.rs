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
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};

const CLIENTS: u32 = 20;
const STAGGER: Duration = Duration::from_millis(5);
const PERIOD: Duration = Duration::from_millis(100);
const DEADLINE: Duration = Duration::from_secs(60);
/// What the measuring machine itself took of each round trip of packets: how long it was beyond the delay of the link,
/// measured where calls of several round trips show it. It delays packets as the link does; so what programs do and what
/// answers it never fall on one instant, as on an ideal machine whose round trips divide the time between two calls.
const PACKET_OVERHEAD: Duration = Duration::from_micros(200);
/// How late the measuring program's timers were, at most: tokio and `epoll_wait` count whole milliseconds and round up, so
/// what the last event left of one is the lateness of the next call. Measured: starts are late by anything up to 1 ms, evenly.
/// It decides races where the round trip divides the time between two calls.
const TIMER_LATENESS: Duration = Duration::from_millis(1);

pub(crate) struct Workload {
    pub(crate) rtt: Duration,
    pub(crate) loss: f64,
    pub(crate) payload: usize,
    pub(crate) calls: u32,
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
    /// Of a machine that takes so much of every call.
    pub(crate) fn latencies_ms(&self, host_overhead_ms: f64) -> Vec<f64> {
        let beyond_packets = host_overhead_ms - PACKET_OVERHEAD.as_secs_f64() * 1e3;
        self.calls.iter().map(|call| call.ms() + beyond_packets).collect()
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
            let loss = LossModel::independent(Probability::new(work.loss).expect("a share"));
            net.set_default_link(LinkConfig { loss, ..LinkConfig::with_latency((work.rtt + PACKET_OVERHEAD) / 2) });
            let began = clock::now();
            let calls = Arc::new(Mutex::new(Vec::new()));
            let mut tasks = tokio::task::JoinSet::new();
            for number in 0..CLIENTS {
                let timers = Key::from_seed(seed).named("timers").with(u64::from(number));
                tasks.spawn(client_loop(client.clone(), number, work.calls, work.payload, timers, Arc::clone(&calls)));
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

/// Connects, on the link as it is, and then calls: the first call of a connection is as cold as it was when measured.
async fn client_loop(host: Host, number: u32, count: u32, payload: usize, timers: Key, calls: Arc<Mutex<Vec<Call>>>) {
    clock::sleep(STAGGER * number).await;
    let channel = endpoint().connect_with_connector(host.connector()).await.expect("connects");
    let start = clock::now();
    let mut pending = tokio::task::JoinSet::new();
    for number in 0..count {
        let late = TIMER_LATENESS.mul_f64(timers.with(u64::from(number)).draw().value());
        clock::sleep_until(start + PERIOD * number + late).await;
        let (mut client, calls) = (TelemetryServiceClient::new(channel.clone()), Arc::clone(&calls));
        pending.spawn(async move {
            let started = clock::now();
            let alert = AlertRequest {
                device_id: "d".repeat(payload),
                alert_type: "overheat".into(),
                timestamp: i64::from(number),
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
            for number in 0..CLIENTS {
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
