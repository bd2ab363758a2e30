//! Spans reach a collector that speaks the published protocol: a tonic server with OpenTelemetry's own messages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use squall::record::Event;
use squall::report::trace::otlp;
use squall::scenario::Alone;
use squall::trial::{self, TrialSpec};

/// Half of the answers are errors: a storm of retries.
const STORM: &str = r"
name: storm
about: Half of the answers are errors for a second.
duration: 3s
seeds: 1
servers: { telemetry: { workers: 1, service_time: 20ms } }
clients: { devices: { count: 5, calls: telemetry, load: { poisson: 5/s } } }
faults:
  - { at: 1s, for: 1s, grpc: { server: telemetry, method: ReportAlert, status: UNAVAILABLE, rate: 50%, when: after_handler } }
strategies:
  - name: retry
    layers:
      - deadline: 1s
      - retry: { attempts: 4, on: [UNAVAILABLE], backoff: { full_jitter: { base: 20ms, cap: 100ms } } }
";

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

impl Collector {
    /// A collector, and where it listens.
    async fn listen() -> (Self, String) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let service = TraceServiceServer::new(collector.clone());
        tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
        (collector, endpoint)
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let resources = request.into_inner().resource_spans;
        let spans = resources.into_iter().flat_map(|one| one.scope_spans).flat_map(|scope| scope.spans);
        self.0.lock().unwrap().extend(spans);
        Ok(tonic::Response::new(ExportTraceServiceResponse { partial_success: None }))
    }
}

/// A storm of retries, span by span: every attempt hangs below its call, every handler below its attempt.
#[tokio::test]
async fn a_collector_gets_the_tree_of_every_call() {
    let plan = squall::scenario::parse("storm.yaml", STORM, &Alone).unwrap();
    let spec = TrialSpec { strategy: 0, seed: 1, control: false };
    let (header, events) = tokio::task::spawn_blocking(move || {
        (trial::header(&plan, spec), trial::run(&plan, spec, Vec::<Event>::new()).unwrap())
    })
    .await
    .unwrap();

    let (collector, endpoint) = Collector::listen().await;
    let sent = otlp::send(otlp::request(&header, &events, 0), &endpoint).await.unwrap();
    let spans = collector.0.lock().unwrap().clone();
    assert_eq!(spans.len(), sent);

    let by_id: BTreeMap<(&[u8], &[u8]), &Span> =
        spans.iter().map(|span| ((&span.trace_id[..], &span.span_id[..]), span)).collect();
    assert_eq!(by_id.len(), spans.len(), "ids tell spans apart");
    let mut below: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for span in spans.iter().filter(|span| !span.parent_span_id.is_empty()) {
        let parent = by_id[&(&span.trace_id[..], &span.parent_span_id[..])];
        assert!(parent.start_time_unix_nano <= span.start_time_unix_nano, "{span:?}");
        *below.entry((&parent.name, &span.name)).or_default() += 1;
    }
    let rpc = "telemetry.TelemetryService/ReportAlert";
    let calls = spans.iter().filter(|span| span.name == "call").count() as u32;
    assert!(below[&("call", rpc)] > calls, "calls were retried: {below:?}");
    assert!(below[&(rpc, rpc)] > 0, "handlers hang below attempts: {below:?}");
    assert!(spans.iter().any(|span| span.status.as_ref().is_some_and(|status| status.code == 2)));
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_an_error() {
    let error = otlp::send(serde_json::json!({"resourceSpans": []}), "http://127.0.0.1:1").await.unwrap_err();
    assert_eq!(error.to_string(), "no collector can be reached at http://127.0.0.1:1");
}

/// What the command says, and how it exits.
async fn trace(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_squall"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["trace", "tests/cli/files/storm.yaml"]).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn the_command_delivers_from_the_time_that_it_is_told() {
    const EPOCH_S: u64 = 1_700_000_000;
    let (collector, endpoint) = Collector::listen().await;
    let epoch = EPOCH_S.to_string();
    let (exit, told) = trace(&["--format", "otlp", "--endpoint", &endpoint, "--epoch", &epoch]).await;
    let spans = collector.0.lock().unwrap().clone();
    assert_eq!((exit, told.trim()), (Some(0), &*format!("{endpoint} took {} spans", spans.len())));
    let begin = EPOCH_S * 1_000_000_000;
    assert!(spans.iter().all(|span| (begin..begin + 10_000_000_000).contains(&span.start_time_unix_nano)));
}

#[tokio::test]
async fn only_spans_are_delivered() {
    let (exit, told) = trace(&["--format", "chrome", "--endpoint", "http://127.0.0.1:1"]).await;
    assert_eq!(exit, Some(2), "{told}");
    let (exit, told) = trace(&["--format", "otlp", "--endpoint", "http://127.0.0.1:1"]).await;
    assert_eq!(exit, Some(1), "{told}");
    assert!(told.contains("no collector can be reached at http://127.0.0.1:1"), "{told}");
}
