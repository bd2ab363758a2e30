//! `squall net`: what the simulated kernel does to one connection, packet by packet.

use std::time::Duration;

use super::args::Net;
use super::exit::{Exit, Failure};
use super::streams::Streams;
use crate::net::{Exchange, timeline};

pub(super) fn net(typed: &Net, streams: &Streams) -> Result<Exit, Failure> {
    let _ = (typed, streams, Duration::ZERO);
    let lines = timeline(&Exchange::default());
    let _ = lines;
    Ok(Exit::Good)
}
