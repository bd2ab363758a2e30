//! Protobuf over gRPC beside JSON over HTTP/1.1, on the same contract: is it smaller, cheaper to encode, and faster?
//!
//! `cargo bench --bench wire`. Encoding and decoding are timed on this machine; bytes and latency are those of real clients and
//! servers on the same simulated link (10 ms there and back, 1 MB/s), in virtual time. Every ratio is JSON over protobuf: more than 1
//! means that gRPC has the better of it.

mod json;
mod messages;
#[path = "../common/print.rs"]
mod print;
mod transport;

use std::hint::black_box;
use std::time::Instant;

use print::{figure, say};
use prost::Message as _;
use squall::telemetry::proto::AlertRequest;

/// Bytes of the device id, which stands for a payload.
const PAYLOADS: [usize; 5] = [16, 100, 1_000, 10_000, 100_000];

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let rounds = if quick { 10 } else { 20_000 };
    say(&format!(
        "{:>8} {:>10} {:>10} {:>11} {:>11} {:>12} {:>12} {:>12} {:>12}",
        "payload",
        "pb bytes",
        "json bytes",
        "pb enc ns",
        "json enc ns",
        "grpc B/call",
        "http B/call",
        "grpc ms",
        "http ms"
    ));
    let mut all = Vec::with_capacity(PAYLOADS.len());
    for payload in PAYLOADS {
        let alert = messages::alert(payload);
        let rounds = (rounds * 16 / payload.max(16)).max(10);
        let (protobuf, text) = (alert.encode_to_vec(), json::encode(&alert));
        let encode = [nanos(rounds, || alert.encode_to_vec()), nanos(rounds, || json::encode(&alert))];
        let decode = [
            nanos(rounds, || AlertRequest::decode(protobuf.as_slice()).expect("it was encoded above")),
            nanos(rounds, || json::decode_request(&text).expect("it was encoded above")),
        ];
        let (grpc, http) = (transport::grpc(&alert), transport::http(&alert));
        say(&format!(
            "{payload:>8} {:>10} {:>10} {:>11.0} {:>11.0} {:>12.1} {:>12.1} {:>12.3} {:>12.3}",
            protobuf.len(),
            text.len(),
            encode[0],
            encode[1],
            grpc.bytes,
            http.bytes,
            grpc.latency_ms,
            http.latency_ms
        ));
        let ratios = [
            ("message_bytes", text.len() as f64 / protobuf.len() as f64),
            ("encode_time", encode[1] / encode[0]),
            ("decode_time", decode[1] / decode[0]),
            ("wire_bytes", http.bytes / grpc.bytes),
            ("latency", http.latency_ms / grpc.latency_ms),
        ];
        all.push((payload, ratios));
    }
    say("\nJSON over protobuf, by payload: more than 1 means that gRPC has the better of it");
    let heads = all.first().map(|(_, ratios)| ratios.map(|(name, _)| format!("{name:>14}")).join(" "));
    say(&format!("{:>8} {}", "payload", heads.unwrap_or_default()));
    for (payload, ratios) in &all {
        say(&format!("{payload:>8} {}", ratios.map(|(_, ratio)| format!("{ratio:>13.3}x")).join(" ")));
    }
    for (payload, ratios) in &all {
        for (name, ratio) in ratios {
            figure(&format!("wire.{name}_{payload}"), *ratio, "x");
        }
    }
}

/// Nanoseconds a round: the best of five, since noise only adds.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn nanos<T>(rounds: usize, mut work: impl FnMut() -> T) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..rounds {
            black_box(work());
        }
        best = best.min(start.elapsed().as_nanos() as f64 / rounds as f64);
    }
    best
}
