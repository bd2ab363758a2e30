//! What happens inside, on stderr, on request. Times are virtual: those of the trial, not of the person who waits for it.

use std::fmt;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::streams::Streams;
use crate::clock;

/// Installs the subscriber, if anything was asked for: `-v`, or RUST_LOG.
pub(super) fn start(verbose: u8, streams: &Streams) {
    let level = match verbose {
        0 => None,
        1 => Some("squall=info"),
        2 => Some("squall=debug"),
        _ => Some("squall=trace,h2=debug,hyper=debug,tonic=debug"),
    };
    let filter = match (std::env::var("RUST_LOG"), level) {
        (Ok(wanted), _) if !wanted.is_empty() => EnvFilter::try_new(&wanted).unwrap_or_else(|mistake| {
            streams.say(&format!("warning: RUST_LOG is ignored: {mistake}"));
            EnvFilter::new(level.unwrap_or("off"))
        }),
        (_, Some(level)) => EnvFilter::new(level),
        _ => return,
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(Virtual)
        .with_writer(std::io::stderr)
        .with_ansi(streams.stderr_color())
        .init();
}

/// The time of the trial that a line belongs to; a dash outside of any.
struct Virtual;

impl FormatTime for Virtual {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        if clock::in_simulation() { write!(out, "{}", clock::now()) } else { out.write_str("-") }
    }
}
