//! Traces: one trial, as the tools that people debug production with show it.
//!
//! - [`chrome`]: a timeline for Perfetto or `chrome://tracing`.
//! - [`otlp`]: spans for Jaeger, Tempo or anything else that speaks OpenTelemetry.
//! - [`pcapng`]: the packets of the simulated wire for Wireshark.
//!
//! Rule: times are virtual, and begin at 0. The same trial gives the same bytes.

pub mod chrome;
pub mod otlp;
pub mod pcapng;
mod spans;

pub use self::spans::{Names, Place, Span, SpanKind, Story};

#[cfg(test)]
mod samples;
