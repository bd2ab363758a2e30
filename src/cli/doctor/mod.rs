//! `squall doctor`: is this machine fit, and is the same seed still the same storm on it?

mod machine;
mod scaling;
mod twice;

use super::args;
use super::exit::{Exit, Failure};
use super::streams::Streams;

pub(super) fn doctor(typed: &args::Doctor, streams: &Streams) -> Result<Exit, Failure> {
    let mut healthy = machine::check(streams)?;
    if !typed.quick {
        scaling::measure(streams)?;
    }
    healthy &= twice::check(typed, streams)?;
    Ok(if healthy { Exit::Good } else { Exit::Internal })
}

/// One line of the examination.
fn tell(streams: &Streams, good: bool, text: &str) -> Result<(), Failure> {
    streams.data(|out| writeln!(out, "{} {text}", if good { "✓" } else { "✗" }))
}
