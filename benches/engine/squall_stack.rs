//! Squall itself: the bare network, and whole trials with every layer, recording and analysis.

use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use squall::analysis::{Parts, TrialFold};
use squall::clock::{HyperTimer, Simulation};
use squall::net::{Address, HostConfig, HostId, Network, Stream};
use squall::random::Key;
use squall::resilience::{self, Ambient, Connector, Endpoint, Strategy, Target};
use squall::scenario::{Alone, Plan};
use squall::telemetry::proto::telemetry_service_client::TelemetryServiceClient;
use squall::telemetry::proto::telemetry_service_server::TelemetryServiceServer;
use squall::trial::{self, TrialSpec};

use crate::{Echo, Load, PAUSE_MEAN, alert};

const PORT: u16 = 50051;

/// Every layer that the standard strategies use, outermost first.
const LAYERS: &str = "
    layers:
      - deadline: 2s
      - retry: { attempts: 4, on: [UNAVAILABLE], backoff: { full_jitter: { base: 100ms, cap: 2s } }, budget: { tokens: 10, ratio: 0.1 } }
      - attempt_timeout: 500ms
      - breaker: { failure_rate: 50%, window: 10s, min_calls: 20, open: 5s, probes: 3 }
";

/// Real client and server over calm links of 250 us: nothing else.
pub(crate) fn calm(clients: u32, calls: u32, load: Load) {
    let run = Simulation::without_tokio_timers().run(async move {
        let net = Network::new(Key::from_seed(1));
        let server = net.add_host(HostConfig::named("telemetry".to_owned()));
        net.spawn_on(server, serve(net.clone(), server));
        let tasks: Vec<_> = (0..clients)
            .map(|client| {
                let host = net.add_host(HostConfig::named(format!("device-{client}")));
                tokio::spawn(talk(FromHost { net: net.clone(), host, server }, client, calls, load))
            })
            .collect();
        for task in tasks {
            task.await.expect("no call fails");
        }
    });
    run.expect("it does not stall");
}

async fn serve(net: Network, host: HostId) {
    let listener = net.listen(host, PORT, 65_536).expect("the port is free");
    let service = TelemetryServiceServer::new(Echo);
    while let Ok((stream, _)) = listener.accept().await {
        let service = hyper_util::service::TowerToHyperService::new(service.clone());
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(HyperTimer::new())
            .auto_date_header(false)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn talk(from: FromHost, client: u32, calls: u32, load: Load) {
    let target = Target::fixed("telemetry", ["telemetry:50051"]);
    let ambient = Ambient::new(Key::from_seed(u64::from(client)));
    let client_stack = resilience::build(&Strategy::default(), target, from, &ambient).expect("a bare channel");
    let mut stub = TelemetryServiceClient::new(client_stack);
    for call in 0..calls {
        if let Some(pause) = load.pause(client, call) {
            squall::clock::sleep(pause).await;
        }
        stub.report_alert(alert(client)).await.expect("answers");
    }
}

#[derive(Clone)]
struct FromHost {
    net: Network,
    host: HostId,
    server: HostId,
}

impl Connector for FromHost {
    type Io = Stream;

    async fn connect(&self, _: &Endpoint) -> std::io::Result<Stream> {
        self.net.connect(self.host, Address::new(self.server, PORT)).await
    }
}

/// A whole trial: every layer, the telemetry server, recording and analysis on.
pub(crate) fn full(clients: u32, calls: u32, load: Load) {
    trial_of(clients, calls, load, 0.0);
}

/// The same over links that lose one packet in a hundred.
pub(crate) fn lossy(clients: u32, calls: u32, load: Load) {
    trial_of(clients, calls, load, 1.0);
}

fn trial_of(clients: u32, calls: u32, load: Load, loss_percent: f64) {
    let think = match load {
        Load::InStep => "0ms".to_owned(),
        Load::Paced => format!("{{ exponential: {{ mean: {}ms }} }}", PAUSE_MEAN.as_millis()),
    };
    let load = format!("{{ closed_loop: {{ think: {think} }} }}, max_calls: {calls}");
    run(&plan(clients, &load, "3600s", loss_percent), u64::from(clients) * u64::from(calls));
}

/// An hour of virtual time in which `clients` connected clients do nothing after their first call.
pub(crate) fn idle_hour(clients: u32) {
    run(&plan(clients, "once", "3600s", 0.0), u64::from(clients));
}

fn run(plan: &Plan, offered: u64) {
    let spec = TrialSpec { strategy: 0, seed: 1, control: false };
    let parts = Parts::whole(0, plan.duration.as_nanos() as u64);
    let fold = TrialFold::new(&trial::header(plan, spec), Arc::new(parts));
    let metrics = trial::run(plan, spec, fold).expect("the trial runs").finish();
    assert_eq!(metrics.whole().calls, offered, "every call was made");
}

fn plan(clients: u32, load: &str, duration: &str, loss_percent: f64) -> Plan {
    let text = format!(
        "name: engine
about: What a call costs.
duration: {duration}
seeds: 1
servers:
  telemetry: {{ replicas: 1, service_time: 0ms, backlog: 65536 }}
clients:
  devices: {{ count: {clients}, calls: telemetry, load: {load} }}
links:
  - {{ between: [devices, telemetry], latency: 250us, loss: {loss_percent}% }}
strategies:
  - name: full{LAYERS}
"
    );
    squall::scenario::parse("engine.yaml", &text, &Alone).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}
