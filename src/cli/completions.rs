//! `squall completions`: a script that teaches a shell the command line.

use clap::CommandFactory;

use super::args;
use super::exit::{Exit, Failure};
use super::streams::Streams;

pub(super) fn completions(typed: &args::Completions, streams: &Streams) -> Result<Exit, Failure> {
    // clap's generator panics when it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(typed.shell, &mut args::Args::command(), "squall", &mut script);
    streams.data(|out| out.write_all(&script))?;
    Ok(Exit::Good)
}
