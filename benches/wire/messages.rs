//! What is sent: an alert of a given size, and its answer.

use squall::telemetry::proto::{AlertRequest, AlertResponse};

/// An alert whose device id has `payload` bytes.
pub(crate) fn alert(payload: usize) -> AlertRequest {
    AlertRequest { device_id: "d".repeat(payload), alert_type: "overheat".to_owned(), timestamp: 1_700_000_000_000 }
}

/// The answer to any alert.
pub(crate) fn answer() -> AlertResponse {
    AlertResponse { acknowledged: true, tracking_id: "t-00000000-0000".to_owned() }
}
