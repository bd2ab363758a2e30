//! The telemetry service over real TCP: an ordinary tonic server.
//!
//! `cargo run --example telemetry_server -- 127.0.0.1:50051`, and `send_alert` in another terminal.

use std::error::Error;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use squall::telemetry::proto::telemetry_service_server::{TelemetryService, TelemetryServiceServer};
use squall::telemetry::proto::{AlertRequest, AlertResponse};
use tonic::{Request, Response, Status};

#[derive(Default)]
struct Alerts {
    received: AtomicU64,
}

#[tonic::async_trait]
impl TelemetryService for Alerts {
    async fn report_alert(&self, request: Request<AlertRequest>) -> Result<Response<AlertResponse>, Status> {
        let alert = request.into_inner();
        if alert.device_id.is_empty() {
            return Err(Status::invalid_argument("an alert needs a device_id"));
        }
        let number = self.received.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Response::new(AlertResponse { acknowledged: true, tracking_id: format!("{}-{number}", alert.device_id) }))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50051".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    tonic::transport::Server::builder()
        .add_service(TelemetryServiceServer::new(Alerts::default()))
        .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener))
        .await?;
    Ok(())
}
