//! The contract in JSON, as protobuf's JSON mapping writes it: camel case, 64-bit numbers as text.

use serde::{Deserialize, Serialize};
use squall::telemetry::proto::{AlertRequest, AlertResponse};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    device_id: std::borrow::Cow<'a, str>,
    alert_type: std::borrow::Cow<'a, str>,
    timestamp: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    acknowledged: bool,
    tracking_id: String,
}

pub(crate) fn encode(alert: &AlertRequest) -> Vec<u8> {
    let request = Request {
        device_id: alert.device_id.as_str().into(),
        alert_type: alert.alert_type.as_str().into(),
        timestamp: alert.timestamp.to_string(),
    };
    serde_json::to_vec(&request).expect("strings serialise")
}

pub(crate) fn decode_request(text: &[u8]) -> Option<AlertRequest> {
    let request: Request<'_> = serde_json::from_slice(text).ok()?;
    Some(AlertRequest {
        device_id: request.device_id.into_owned(),
        alert_type: request.alert_type.into_owned(),
        timestamp: request.timestamp.parse().ok()?,
    })
}

pub(crate) fn encode_response(answer: &AlertResponse) -> Vec<u8> {
    let response = Response { acknowledged: answer.acknowledged, tracking_id: answer.tracking_id.clone() };
    serde_json::to_vec(&response).expect("strings serialise")
}

pub(crate) fn decode_response(text: &[u8]) -> Option<AlertResponse> {
    let Response { acknowledged, tracking_id } = serde_json::from_slice(text).ok()?;
    Some(AlertResponse { acknowledged, tracking_id })
}
