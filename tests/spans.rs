//! What tracing sees: one span a call, one an attempt below it, with OpenTelemetry's names, and the W3C header on the wire.

mod peer;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use peer::{Reply, Server, call, target};
use squall::clock::Simulation;
use squall::random::Key;
use squall::resilience::{Ambient, LayerConfig, RetryConfig, Strategy, build};
use tonic::Code;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A span: its name, the number of its parent, its fields.
#[derive(Clone, Debug, Default)]
struct Span {
    name: &'static str,
    parent: Option<u64>,
    fields: BTreeMap<&'static str, String>,
    closed: bool,
}

impl Visit for Span {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

#[derive(Default)]
struct Seen {
    spans: Vec<Span>,
    inside: Vec<u64>,
}

/// Remembers the spans of this crate. Ids count from 1.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Seen>>);

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target().starts_with("squall::resilience")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut seen = self.0.lock().unwrap();
        let parent = attributes.parent().map(Id::into_u64).or_else(|| seen.inside.last().copied());
        let mut span = Span { name: attributes.metadata().name(), parent, ..Span::default() };
        attributes.record(&mut span);
        seen.spans.push(span);
        Id::from_u64(seen.spans.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        values.record(&mut self.0.lock().unwrap().spans[id.into_u64() as usize - 1]);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, id: &Id) {
        self.0.lock().unwrap().inside.push(id.into_u64());
    }

    fn exit(&self, _: &Id) {
        self.0.lock().unwrap().inside.pop();
    }

    fn try_close(&self, id: Id) -> bool {
        self.0.lock().unwrap().spans[id.into_u64() as usize - 1].closed = true;
        true
    }
}

fn spans(server: &Server, attempts: u32) -> Vec<Span> {
    let collector = Collector::default();
    let server = server.clone();
    tracing::subscriber::with_default(collector.clone(), || {
        Simulation::new()
            .run(async move {
                let layers = vec![LayerConfig::Retry(RetryConfig { attempts, ..RetryConfig::default() })];
                let strategy = Strategy { name: "s".to_owned(), layers, ..Strategy::default() };
                let ambient = Ambient::new(Key::from_seed(1));
                let client = build(&strategy, target(1), server, &ambient).unwrap();
                let _ = call(client).await;
            })
            .unwrap();
    });
    let seen = collector.0.lock().unwrap();
    seen.spans.clone()
}

fn field<'s>(span: &'s Span, name: &str) -> &'s str {
    span.fields.get(name).map_or("", String::as_str)
}

#[test]
fn a_call_has_a_span_and_each_attempt_one_below_it() {
    let server = Server::sequence([Reply::Status(Code::Unavailable), Reply::Ok]);
    let spans = spans(&server, 3);
    assert_eq!(spans.iter().map(|span| span.name).collect::<Vec<_>>(), ["call", "attempt", "attempt"], "{spans:#?}");
    let [call, first, second] = &spans[..] else { unreachable!() };
    for (name, value) in [
        ("otel.name", "/test.Echo/Say"),
        ("otel.kind", "client"),
        ("rpc.system", "grpc"),
        ("rpc.service", "test.Echo"),
        ("rpc.method", "Say"),
        ("rpc.grpc.status_code", "0"),
        ("error.type", ""),
    ] {
        assert_eq!(field(call, name), value, "{name} of {call:?}");
    }
    assert_eq!((first.parent, second.parent), (Some(1), Some(1)));
    for (span, attempt, code, error) in [(first, "1", "14", "UNAVAILABLE"), (second, "2", "0", "")] {
        assert_eq!(field(span, "attempt"), attempt);
        assert_eq!(field(span, "server.address"), "server-0:1");
        assert_eq!(field(span, "rpc.grpc.status_code"), code);
        assert_eq!(field(span, "error.type"), error);
    }
    assert!(spans.iter().all(|span| span.closed), "{spans:#?}");
}

#[test]
fn a_failed_call_says_how_it_failed() {
    let server = Server::sequence([Reply::Status(Code::NotFound)]);
    let spans = spans(&server, 3);
    assert_eq!(spans.len(), 2);
    assert_eq!((field(&spans[0], "error.type"), field(&spans[0], "otel.status_code")), ("NOT_FOUND", "ERROR"));
}

/// `00-<trace>-<span>-01`: attempts of a call share the trace, and each is a span of its own.
#[test]
fn attempts_carry_a_traceparent() {
    let server = Server::sequence([Reply::Status(Code::Unavailable), Reply::Ok]);
    spans(&server, 2);
    let parents: Vec<String> = (0..2).map(|n| server.headers(n)["traceparent"].to_str().unwrap().to_owned()).collect();
    let parts: Vec<Vec<&str>> = parents.iter().map(|parent| parent.split('-').collect()).collect();
    for part in &parts {
        assert_eq!(part.iter().map(|field| field.len()).collect::<Vec<_>>(), [2, 32, 16, 2], "{part:?}");
        assert!(part.iter().all(|field| field.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase())));
        assert!(part[1] != "0".repeat(32) && part[2] != "0".repeat(16), "all zeros is invalid");
    }
    assert_eq!(parts[0][1], parts[1][1]);
    assert_ne!(parts[0][2], parts[1][2]);
}
