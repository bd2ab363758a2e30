//! Faults inside a call.

use squall::record::Code;

use crate::world::{Fired, Row, ended, failed, ms, others_failed, recorded_and_failed, row, slower};

/// An answer that is recorded at the server and is an error to the client, counted by that.
fn spoilt(fault: &'static str) -> Row {
    row("grpc", fault, |seen| recorded_and_failed(seen) > 20, Fired::As(recorded_and_failed))
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "grpc",
            "grpc: { server: telemetry, status: INTERNAL, rate: 30% }",
            |seen| ended(seen, Code::Internal) > 20,
            Fired::As(|seen| ended(seen, Code::Internal)),
        ),
        spoilt("grpc: { server: telemetry, status: INTERNAL, when: after_handler, rate: 30% }"),
        spoilt("grpc: { server: telemetry, when: response_lost, rate: 30% }"),
        row(
            "grpc",
            "grpc: { server: telemetry, delay: 100ms }",
            |seen| slower(seen, ms(100)) > 100,
            Fired::As(|seen| slower(seen, ms(100))),
        ),
        row(
            "grpc",
            "grpc: { server: telemetry, delay: 100ms, when: after_handler }",
            |seen| slower(seen, ms(100)) > 100,
            Fired::As(|seen| slower(seen, ms(100))),
        ),
        row(
            "grpc",
            "grpc: { server: telemetry, reset: ENHANCE_YOUR_CALM, every: 4 }",
            |seen| ended(seen, Code::ResourceExhausted) > 20,
            Fired::As(|seen| ended(seen, Code::ResourceExhausted)),
        ),
        row(
            "grpc",
            "grpc: { server: telemetry, reset: CANCEL, first: 7 }",
            |seen| failed(seen) == 7,
            Fired::As(|seen| ended(seen, Code::Cancelled)),
        ),
        row(
            "grpc",
            "grpc: { server: telemetry, http_status: 503, clients: [devices/2] }",
            |seen| failed(seen) == 25 && others_failed(seen, 2) == 0,
            Fired::As(failed),
        ),
        // Said for all kinds alike: the same calls of the same client.
        row(
            "grpc",
            "only: { clients: [devices/2], method: ReportAlert, every: 5 }, grpc: { server: telemetry, http_status: 503 }",
            |seen| failed(seen) == 5 && others_failed(seen, 2) == 0,
            Fired::As(failed),
        ),
        row("grpc", "grpc: { server: telemetry, http_status: 404 }", |seen| failed(seen) > 0, Fired::As(failed)),
        spoilt("grpc: { server: telemetry, answer: no_trailers }"),
        spoilt("grpc: { server: telemetry, answer: no_message }"),
        spoilt("grpc: { server: telemetry, answer: corrupt }"),
        spoilt("grpc: { server: telemetry, answer: truncated }"),
        spoilt("grpc: { server: telemetry, answer: cut }"),
        row(
            "grpc",
            "grpc: { server: telemetry, set_trailers: { grpc-status: '8' } }",
            |seen| ended(seen, Code::ResourceExhausted) > 0,
            Fired::As(|seen| ended(seen, Code::ResourceExhausted)),
        ),
        spoilt("grpc: { server: telemetry, set_headers: { grpc-encoding: zstd } }"),
    ]
}
