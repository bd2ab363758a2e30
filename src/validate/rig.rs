//! A small network for programs that are no scenario: one server of the telemetry contract, clients with real channels.

use std::sync::{Arc, Mutex, PoisonError};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;

use super::LabError;
use crate::clock::{self, HyperTimer, Instant};
use crate::net::{Address, HostId, Network, Stream};
use crate::random::Key;
use crate::resilience::{self, Ambient, Client, Connector, Endpoint, Strategy, Target};
use crate::sim::Sim;
use crate::telemetry::PORT;
use crate::telemetry::proto::telemetry_service_client::TelemetryServiceClient;
use crate::telemetry::proto::telemetry_service_server::{TelemetryService, TelemetryServiceServer};

/// The server's host, and who calls it.
#[derive(Clone, Debug)]
pub(super) struct Rig {
    net: Network,
    server: HostId,
    /// When somebody began to connect.
    connects: Arc<Mutex<Vec<Instant>>>,
}

impl Rig {
    pub(super) fn new(sim: &Sim) -> Self {
        Self { net: sim.net().clone(), server: sim.host("telemetry").id(), connects: Arc::default() }
    }

    /// Serves the telemetry contract.
    pub(super) fn serve<T: TelemetryService>(&self, service: T) -> std::io::Result<()> {
        let listener = self.net.listen(self.server, PORT, 65_536)?;
        let service = TelemetryServiceServer::new(service);
        self.net.spawn_on(self.server, async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .timer(HyperTimer::new())
                    .auto_date_header(false)
                    .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service.clone()));
                tokio::spawn(connection);
            }
        });
        Ok(())
    }

    /// Accepts every connection and closes it.
    pub(super) fn slam(&self) -> std::io::Result<()> {
        let listener = self.net.listen(self.server, PORT, 128)?;
        self.net.spawn_on(self.server, async move { while listener.accept().await.is_ok() {} });
        Ok(())
    }

    /// A client on a host of its own.
    pub(super) fn client(
        &self,
        sim: &Sim,
        number: u32,
        strategy: &Strategy,
    ) -> Result<TelemetryServiceClient<Client>, resilience::InvalidConfig> {
        let from = sim.host(&format!("client-{number}")).id();
        let to = FromHost { rig: self.clone(), from };
        let ambient = Ambient::new(self.key(sim, number));
        let target = Target::fixed("telemetry", ["telemetry:50051"]);
        Ok(TelemetryServiceClient::new(resilience::build(strategy, target, to, &ambient)?))
    }

    /// What everything random about a client follows from.
    pub(super) fn key(&self, sim: &Sim, number: u32) -> Key {
        sim.key().named("client").with(u64::from(number))
    }

    /// When connecting began, so far.
    pub(super) fn connects(&self) -> Vec<Instant> {
        self.connects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Clone, Debug)]
struct FromHost {
    rig: Rig,
    from: HostId,
}

impl Connector for FromHost {
    type Io = Stream;

    async fn connect(&self, _: &Endpoint) -> std::io::Result<Stream> {
        self.rig.connects.lock().unwrap_or_else(PoisonError::into_inner).push(clock::now());
        self.rig.net.connect(self.from, Address::new(self.rig.server, PORT)).await
    }
}

/// Runs a program in virtual time.
pub(super) fn run<T, F>(seed: u64, program: impl FnOnce(Sim) -> F) -> Result<T, LabError>
where
    F: Future<Output = Result<T, crate::sim::Error>>,
{
    Sim::new(seed).within(std::time::Duration::MAX).run(program).map_err(|error| LabError::Program(error.to_string()))
}
