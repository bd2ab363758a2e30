//! `squall net`: what the simulated kernel does to one connection, packet by packet, so that people can look before they
//! believe.

use super::args;
use super::exit::{Exit, Failure};
use super::streams::Streams;
use crate::net::tcp::CongestionControl;
use crate::net::{Exchange, TcpSettings, timeline};

pub(super) fn net(typed: &args::Net, streams: &Streams) -> Result<Exit, Failure> {
    let congestion_control = if typed.reno { CongestionControl::Reno } else { CongestionControl::Cubic };
    let lines = timeline(&Exchange {
        rtt: typed.rtt,
        loss: typed.loss,
        bytes: typed.bytes as usize,
        requests: typed.requests,
        seed: typed.seed,
        black_hole: typed.black_hole.map(|from| (from, typed.lasts)),
        tcp: TcpSettings { congestion_control, ..TcpSettings::default() },
    });
    streams.data(|out| lines.iter().try_for_each(|line| writeln!(out, "{line}")))?;
    Ok(Exit::Good)
}
