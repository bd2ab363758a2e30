//! One alert with a two-second deadline, over real TCP: prints the acknowledgement, or why the call failed.
//!
//! `cargo run --example send_alert -- http://127.0.0.1:50051`

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use squall::telemetry::proto::AlertRequest;
use squall::telemetry::proto::telemetry_service_client::TelemetryServiceClient;
use tonic::transport::Endpoint;
use tonic::{Request, Status};

const DEADLINE: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let uri = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:50051".to_owned());
    let mut out = std::io::stdout();
    match send(uri).await {
        Ok((acknowledged, tracking_id)) => {
            writeln!(out, "acknowledged: {acknowledged}, tracking id: {tracking_id}")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(status) => {
            writeln!(out, "failed: {:?}: {}", status.code(), status.message())?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The deadline spans connecting and calling, and travels to the server as `grpc-timeout`.
async fn send(uri: String) -> Result<(bool, String), Status> {
    let endpoint = Endpoint::from_shared(uri).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let call = async {
        let channel = endpoint.connect().await.map_err(|error| Status::unavailable(reason(&error)))?;
        let mut request = Request::new(alert()?);
        request.set_timeout(DEADLINE);
        TelemetryServiceClient::new(channel).report_alert(request).await
    };
    let response = squall::clock::timeout(DEADLINE, call)
        .await
        .map_err(|_| Status::deadline_exceeded("no answer within two seconds"))??
        .into_inner();
    Ok((response.acknowledged, response.tracking_id))
}

/// An error and its causes: "transport error: Connection refused".
fn reason(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn alert() -> Result<AlertRequest, Status> {
    #[expect(clippy::disallowed_methods, reason = "a real device stamps its alerts with real time")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(|e| Status::internal(e.to_string()))?;
    let timestamp = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    Ok(AlertRequest { device_id: "device-1".into(), alert_type: "smoke".into(), timestamp })
}
