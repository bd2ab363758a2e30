//! OpenTelemetry: calls, attempts, waits and handlers as spans, in the JSON encoding of OTLP.
//!
//! Jaeger, Tempo and the collector read it; with the feature `otlp`, `send` delivers the same to a collector over gRPC. The
//! ids are those that travel on the simulated wire in `traceparent`: the low half of a trace id is the call.
//!
//! Source: OTLP specification 1.x, "JSON Protobuf Encoding"; OpenTelemetry semantic conventions for RPC.

use std::collections::BTreeMap;
use std::io;

use serde_json::{Value, json};

use super::{Names, Place, Span, SpanKind, Story};
use crate::record::{CallId, Code, Event, Header, Kind};

/// What the high half of a trace id is, so that it is never all zero; `squall` in ASCII.
const TRACE: u64 = 0x7371_7561_6C6C_0000;

const SERVICE: &str = "telemetry.TelemetryService";
const METHOD: &str = "ReportAlert";

/// OTLP's numbers for kinds of spans and for a status that is an error.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const CLIENT: u8 = 3;
const ERROR: u8 = 2;

/// A trial as an `ExportTraceServiceRequest`. Virtual time begins `epoch_ns` nanoseconds after 1970.
#[must_use]
pub fn request(header: &Header, events: &[Event], epoch_ns: u64) -> Value {
    let story = Story::of(events);
    let names = Names(header);
    let mut told = moments(events, epoch_ns);
    // A resource a host, so that tools can tell them apart.
    let mut hosts: BTreeMap<Place, Vec<Value>> = BTreeMap::new();
    for one in &story.spans {
        let moments = if one.kind == SpanKind::Call { told.remove(&one.call).unwrap_or_default() } else { Vec::new() };
        hosts.entry(one.place()).or_default().push(span(header, one, moments, epoch_ns));
    }
    let mut resources: Vec<Value> = hosts
        .into_iter()
        .map(|(place, spans)| resource(header, names.of(place).0, &names.host(place), spans))
        .collect();
    if !story.faults.is_empty() {
        let spans = story.faults.iter().enumerate().map(|(place, fault)| weather(&names, place, *fault, epoch_ns));
        resources.push(resource(header, "faults", "faults", spans.collect()));
    }
    json!({"resourceSpans": resources})
}

/// Writes the same, as one line of JSON: what a file receiver of the collector reads.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(header: &Header, events: &[Event], epoch_ns: u64, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &request(header, events, epoch_ns))?;
    writeln!(out)
}

fn resource(header: &Header, service: &str, instance: &str, spans: Vec<Value>) -> Value {
    let attributes = [
        text("service.name", service),
        text("service.instance.id", instance),
        text("squall.scenario", &header.scenario),
        text("squall.strategy", &header.strategy),
        number("squall.seed", header.seed),
    ];
    let scope = json!({"name": "squall", "version": header.squall_version});
    json!({"resource": {"attributes": attributes}, "scopeSpans": [{"scope": scope, "spans": spans}]})
}

fn span(header: &Header, span: &Span, moments: Vec<Value>, epoch_ns: u64) -> Value {
    let (name, kind) = match span.kind {
        SpanKind::Call => ("call".to_owned(), INTERNAL),
        SpanKind::Attempt => (format!("{SERVICE}/{METHOD}"), CLIENT),
        SpanKind::Queue(_) => ("wait for a worker".to_owned(), INTERNAL),
        SpanKind::Handler(_) => (format!("{SERVICE}/{METHOD}"), SERVER),
    };
    let mut attributes = vec![text("rpc.system", "grpc"), text("rpc.service", SERVICE), text("rpc.method", METHOD)];
    if span.attempt > 0 {
        attributes.push(number("squall.attempt", u64::from(span.attempt)));
    }
    if span.wasted {
        attributes.push(json!({"key": "squall.wasted", "value": {"boolValue": true}}));
    }
    let mut status = json!({});
    if let Some((code, origin)) = span.end {
        attributes.push(number("rpc.grpc.status_code", code as u64));
        attributes.push(text("squall.origin", origin.name()));
        if code != Code::Ok {
            status = json!({"code": ERROR, "message": format!("{code}, says the {origin}")});
        }
    }
    let mut value = json!({
        "traceId": trace_id(header, span.call),
        "spanId": span_id(span.kind, span.attempt),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": (epoch_ns + span.start_ns).to_string(),
        "endTimeUnixNano": (epoch_ns + span.end_ns).to_string(),
        "attributes": attributes,
        "events": moments,
        "status": status,
    });
    let parent = match span.kind {
        SpanKind::Call => None,
        SpanKind::Attempt => Some(span_id(SpanKind::Call, 0)),
        SpanKind::Queue(server) | SpanKind::Handler(server) if Names(header).is_called_by_clients(server) => {
            Some(span_id(SpanKind::Attempt, span.attempt))
        }
        // The attempts of tiers behind are no spans of their own: what they cause is part of the call.
        SpanKind::Queue(_) | SpanKind::Handler(_) => Some(span_id(SpanKind::Call, 0)),
    };
    if let Some(parent) = parent {
        value["parentSpanId"] = parent.into();
    }
    value
}

/// A fault, as a trace of its own.
fn weather(names: &Names<'_>, place: usize, (fault, start, end): (u32, u64, u64), epoch_ns: u64) -> Value {
    json!({
        "traceId": format!("{TRACE:016x}{:016x}", u64::MAX - place as u64),
        "spanId": format!("{:016x}", place as u64 + 1),
        "name": names.fault(fault),
        "kind": INTERNAL,
        "startTimeUnixNano": (epoch_ns + start).to_string(),
        "endTimeUnixNano": (epoch_ns + end).to_string(),
        "attributes": [],
        "events": [],
        "status": {},
    })
}

/// What befell each call on its way and took no time.
fn moments(events: &[Event], epoch_ns: u64) -> BTreeMap<CallId, Vec<Value>> {
    let mut moments: BTreeMap<CallId, Vec<Value>> = BTreeMap::new();
    for event in events {
        let (call, name, attributes) = match event.kind {
            Kind::RetryScheduled { call, attempt, after_ns } => {
                let attributes = vec![number("attempt", u64::from(attempt)), number("after_ns", after_ns)];
                (call, "retry scheduled", attributes)
            }
            Kind::RetryStopped { call, reason, .. } => {
                (call, "retry stopped", vec![text("reason", &format!("{reason:?}"))])
            }
            Kind::Hedged { call, attempt } => (call, "hedged", vec![number("attempt", u64::from(attempt))]),
            Kind::Rejected { call, by } => (call, "rejected", vec![text("by", by.name())]),
            Kind::Shed { call, code, .. } => (call, "shed", vec![text("code", code.name())]),
            Kind::Recorded { call, .. } => (call, "recorded", Vec::new()),
            Kind::RecordLost { call, .. } => (call, "record lost", Vec::new()),
            _ => continue,
        };
        let at = (epoch_ns + event.at.as_nanos()).to_string();
        let moment = json!({"timeUnixNano": at, "name": name, "attributes": attributes});
        moments.entry(call).or_default().push(moment);
    }
    moments
}

/// The high half tells seeds apart, the low half calls.
fn trace_id(header: &Header, call: CallId) -> String {
    format!("{:016x}{:016x}", TRACE ^ (header.seed & 0xFFFF), call.bits())
}

/// An attempt's number, as on the wire; above it, what and where, so that no two spans of a call share an id.
fn span_id(kind: SpanKind, attempt: u32) -> String {
    let above = match kind {
        SpanKind::Attempt => 0,
        SpanKind::Call => 1 << 28,
        SpanKind::Queue(server) => 2 << 28 | u64::from(server),
        SpanKind::Handler(server) => 3 << 28 | u64::from(server),
    };
    format!("{:016x}", above << 32 | u64::from(attempt))
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// 64-bit numbers are text in this encoding.
fn number(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

#[cfg(feature = "otlp")]
pub use self::sending::{SendError, send};

#[cfg(feature = "otlp")]
mod sending {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
    use serde_json::Value;

    /// The most spans of one host that travel in one message: well below the 4 MiB that receivers accept.
    const BATCH: usize = 2_000;

    /// Why spans could not be delivered.
    #[derive(Debug, thiserror::Error)]
    #[non_exhaustive]
    pub enum SendError {
        /// The endpoint is no URL, or nobody answers there.
        #[error("no collector can be reached at {0}")]
        Connect(String, #[source] tonic::transport::Error),
        /// The collector refused.
        #[error("the collector refused the spans")]
        Refused(#[source] Box<tonic::Status>),
        /// Spans do not have the shape of OTLP.
        #[error("the spans are not well formed")]
        Shape(#[from] serde_json::Error),
    }

    /// Delivers a [`request`](super::request) to a collector at `endpoint`, such as `http://localhost:4317`, and says how many
    /// spans it took.
    ///
    /// # Errors
    ///
    /// When the collector cannot be reached, or refuses.
    pub async fn send(request: Value, endpoint: &str) -> Result<usize, SendError> {
        let unreachable = |error| SendError::Connect(endpoint.to_owned(), error);
        let mut client = TraceServiceClient::connect(endpoint.to_owned()).await.map_err(unreachable)?;
        let request: ExportTraceServiceRequest = serde_json::from_value(request)?;
        let mut sent = 0;
        for resource in request.resource_spans {
            for scope in &resource.scope_spans {
                for spans in scope.spans.chunks(BATCH) {
                    sent += spans.len();
                    let mut scope = scope.clone();
                    scope.spans = spans.to_vec();
                    let mut part = resource.clone();
                    part.scope_spans = vec![scope];
                    let message = ExportTraceServiceRequest { resource_spans: vec![part] };
                    client.export(message).await.map_err(|status| SendError::Refused(Box::new(status)))?;
                }
            }
        }
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn spans() -> Vec<Value> {
        let request = request(&samples::header(), &samples::retried(), 0);
        let resources = request["resourceSpans"].as_array().unwrap().clone();
        resources.iter().flat_map(|one| one["scopeSpans"][0]["spans"].as_array().unwrap().clone()).collect()
    }

    /// handler and wait below the second attempt, attempts below the call.
    #[test]
    fn spans_make_a_tree() {
        let spans = spans();
        let of = |id: &Value| spans.iter().find(|span| span["spanId"] == *id && span["traceId"] != Value::Null);
        let chain = |span: &Value| {
            let mut names = vec![span["name"].as_str().unwrap().to_owned()];
            let mut parent = span["parentSpanId"].clone();
            while let Some(above) = of(&parent) {
                names.push(above["name"].as_str().unwrap().to_owned());
                parent = above["parentSpanId"].clone();
            }
            names.join(" < ")
        };
        let rpc = "telemetry.TelemetryService/ReportAlert";
        let expected = [
            "call".to_owned(),
            format!("{rpc} < call"),
            format!("{rpc} < call"),
            format!("wait for a worker < {rpc} < call"),
            format!("{rpc} < {rpc} < call"),
            "crash-1".to_owned(),
        ];
        assert_eq!(spans.iter().map(chain).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn ids_are_those_of_the_wire_and_none_is_zero() {
        for span in spans() {
            let (trace, id) = (span["traceId"].as_str().unwrap(), span["spanId"].as_str().unwrap());
            assert_eq!((trace.len(), id.len()), (32, 16));
            assert!(trace.chars().any(|digit| digit != '0') && id.chars().any(|digit| digit != '0'));
        }
        assert_eq!(spans()[2]["spanId"], "0000000000000002");
        assert!(spans()[2]["traceId"].as_str().unwrap().ends_with("0000000100000004"));
    }

    #[test]
    fn a_failure_says_what_and_who() {
        let spans = spans();
        assert_eq!(spans[1]["status"], json!({"code": 2, "message": "UNAVAILABLE, says the network"}));
        assert_eq!(spans[2]["status"], json!({}));
        assert_eq!(spans[0]["events"][0]["name"], "retry scheduled");
    }
}
