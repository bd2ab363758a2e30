//! The limit: tonic's own client and server over an in-memory pipe, without any simulation.

#![expect(clippy::disallowed_methods, reason = "tokio's own clock is what this case runs on")]

use hyper_util::rt::TokioIo;
use squall::telemetry::proto::telemetry_service_client::TelemetryServiceClient;
use squall::telemetry::proto::telemetry_service_server::TelemetryServiceServer;
use tonic::transport::{Endpoint, Server};
use tower::service_fn;

use crate::{Echo, Load, alert};

/// As large as tonic's default flow-control window, so that the pipe never limits.
const PIPE_BYTES: usize = 64 * 1024;

/// `clients` make `calls` calls each, on tokio's own paused clock: pauses between calls take no real time here either.
pub(crate) fn run(clients: u32, calls: u32, load: Load) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async move {
        let tasks: Vec<_> = (0..clients).map(|client| tokio::spawn(talk(client, calls, load))).collect();
        for task in tasks {
            task.await.expect("no call fails");
        }
    });
}

async fn talk(client: u32, calls: u32, load: Load) {
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    let incoming = tokio_stream::once(Ok::<_, std::io::Error>(far));
    let server = Server::builder().add_service(TelemetryServiceServer::new(Echo));
    tokio::spawn(server.serve_with_incoming(incoming));
    let mut near = Some(near);
    let connector = service_fn(move |_| {
        let near = near.take().expect("it connects once");
        async move { Ok::<_, std::io::Error>(TokioIo::new(near)) }
    });
    let channel = Endpoint::from_static("http://telemetry").connect_with_connector(connector).await.expect("connects");
    let mut stub = TelemetryServiceClient::new(channel);
    for call in 0..calls {
        if let Some(pause) = load.pause(client, call) {
            tokio::time::sleep(pause).await;
        }
        stub.report_alert(alert(client)).await.expect("answers");
    }
}
