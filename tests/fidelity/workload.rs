//! The measured work in the simulator: the same programs, over a network such as the measuring machine's.

use std::time::Duration;

use squall::clock::{self, Instant, Simulation};
use squall::net::tcp::CongestionControl;
use squall::net::{Address, HostConfig, Impairment, LinkConfig, LossModel, Network, Pairs, TcpSettings};
use squall::random::{Key, Probability};
use squall::sim::Host;
use squall::telemetry::proto::telemetry_service_server::TelemetryServiceServer;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint, Server};

use crate::fidelity::load::{self, CLIENTS, Call, Calls, Ready, STAGGER};

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
    pub(crate) calls: Calls,
    pub(crate) outage: Option<Outage>,
}

#[derive(Clone, Copy)]
pub(crate) struct Outage {
    pub(crate) from: Duration,
    pub(crate) lasts: Duration,
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

/// On the link as it is.
async fn connect(client: Host) -> Channel {
    let endpoint = Endpoint::from_static("http://server:50051");
    endpoint.connect_with_connector(client.connector()).await.expect("connects")
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
            let mut clients = JoinSet::new();
            for number in 0..CLIENTS {
                let (client, calls) = (client.clone(), work.calls);
                let timers = Key::from_seed(seed).named("timers").with(u64::from(number));
                let late = move |call| TIMER_LATENESS.mul_f64(timers.with(u64::from(call)).draw().value());
                clients.spawn(async move {
                    clock::sleep(STAGGER * number).await;
                    load::client(connect(client), calls, late).await
                });
            }
            if let Some(outage) = work.outage {
                clock::sleep(outage.from).await;
                let fault = net.impair(Pairs::All, Impairment::drop_all());
                clock::sleep(outage.lasts).await;
                net.repair(fault);
            }
            Run { began, calls: clients.join_all().await.into_iter().flatten().collect() }
        })
        .expect("the simulation ends")
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
            let mut tasks = JoinSet::new();
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
