//! `squall trace`: one trial for the tools that people debug production with.
//!
//! Nothing needs to have been kept for it: the trial is run again, and is the same.

use std::io::{self, Write};
use std::sync::Arc;

use super::args::{self, TraceFormat};
use super::exit::{Exit, Failure};
use super::streams::Streams;
use super::{files, one};
use crate::net::Observer;
use crate::record::{Event, Header};
use crate::report::trace::pcapng::Capture;
use crate::report::trace::{Names, Place, chrome, otlp};
use crate::trial;

pub(super) fn trace(typed: &args::Trace, streams: &Streams) -> Result<Exit, Failure> {
    let (plan, spec) = one::trial(&typed.scenario, typed.strategy.as_deref(), typed.seed)?;
    let epoch_ns = typed.epoch * 1_000_000_000;
    #[cfg(feature = "otlp")]
    if typed.endpoint.is_some() && typed.format != TraceFormat::Otlp {
        return Err(Failure::Usage("--endpoint is for spans: give it --format otlp".to_owned()));
    }
    let capture = Arc::new(Capture::default());
    let watcher = (typed.format == TraceFormat::Pcapng).then(|| Arc::clone(&capture) as Arc<dyn Observer>);
    let events = trial::run_watched(&plan, spec, Vec::<Event>::new(), watcher)
        .map_err(|error| Failure::Internal("the trial could not be run".to_owned(), error.into()))?;
    let header = trial::header(&plan, spec);
    #[cfg(feature = "otlp")]
    if let Some(endpoint) = &typed.endpoint {
        let sent = deliver(otlp::request(&header, &events, epoch_ns), endpoint)?;
        streams.say(&format!("{endpoint} took {}", super::exit::plural(sent, "span")));
        return Ok(Exit::Good);
    }
    let fill = |out: &mut dyn Write| -> io::Result<()> {
        match typed.format {
            TraceFormat::Chrome => chrome::write(&header, &events, out),
            TraceFormat::Otlp => otlp::write(&header, &events, epoch_ns, out),
            TraceFormat::Pcapng => capture.write(&hosts(&header), &about(&header), out),
        }
    };
    match &typed.output {
        Some(path) => {
            files::write(path, fill)?;
            streams.say(&format!("wrote {}", path.display()));
        }
        None => streams.data(fill)?,
    }
    Ok(Exit::Good)
}

#[cfg(feature = "otlp")]
fn deliver(request: serde_json::Value, endpoint: &str) -> Result<usize, Failure> {
    let failed =
        |error: Box<dyn std::error::Error>| Failure::Internal("the spans were not delivered".to_owned(), error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| failed(e.into()))?;
    runtime.block_on(otlp::send(request, endpoint)).map_err(|error| failed(error.into()))
}

/// The names of hosts in the order of the network: servers first.
fn hosts(header: &Header) -> Vec<String> {
    let names = Names(header);
    let servers: u32 = header.servers.iter().map(|group| group.replicas).sum();
    let clients: u32 = header.clients.iter().map(|group| group.count).sum();
    let places = (0..servers).map(Place::Server).chain((0..clients).map(Place::Client));
    // A slash is no part of a host's name.
    places.map(|place| names.host(place).replace('/', "-")).collect()
}

fn about(header: &Header) -> String {
    format!("{}, strategy {}, seed {}; times are virtual", header.scenario, header.strategy, header.seed)
}
