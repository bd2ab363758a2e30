//! What the simulated kernel does to one connection, packet by packet, as tcpdump would show it: to look before believing.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::observer::{ConnectionEvent, Observer, Packet};
use super::{Address, ConnectionId, HostConfig, Impairment, LinkConfig, LossModel, Network, Pairs, Side, TcpSettings};
use crate::clock::{self, Instant, Simulation};
use crate::random::{Key, Probability};

/// An exchange to look at: a client connects, sends a request, gets an answer of the same size, and closes.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Round trip of the link.
    pub rtt: Duration,
    /// Packets lost, each way.
    pub loss: Probability,
    /// Size of the request, and of the answer. At least 1.
    pub bytes: usize,
    /// How many of them, one after another.
    pub requests: u32,
    /// Which losses happen.
    pub seed: u64,
    /// Everything vanishes from the first moment, for the second duration.
    pub black_hole: Option<(Duration, Duration)>,
    /// Both kernels.
    pub tcp: TcpSettings,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            rtt: Duration::from_millis(10),
            loss: Probability::NEVER,
            bytes: 1_000,
            requests: 1,
            seed: 1,
            black_hole: None,
            tcp: TcpSettings::default(),
        }
    }
}

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Line {
    /// A packet was sent.
    Packet(Packet),
    /// Something happened to the connection.
    Event(Instant, ConnectionEvent),
    /// What the client's program saw in the end.
    End(Instant, Result<(), String>),
}

/// Runs an exchange and tells what happened, in order.
///
/// ```
/// use squall::net::{Exchange, timeline};
/// let lines = timeline(&Exchange::default());
/// assert!(lines[1].to_string().contains("client > server  [S] win "), "{}", lines[1]);
/// ```
#[must_use]
pub fn timeline(exchange: &Exchange) -> Vec<Line> {
    let lines = Arc::new(Lines::default());
    let run = Simulation::without_tokio_timers().run(run(exchange.clone(), Arc::clone(&lines)));
    let end = run.map_err(|stalled| stalled.to_string()).and_then(|outcome| outcome);
    let mut lines = std::mem::take(&mut *lines.0.lock().expect("never locked across a panic"));
    let last = lines.last().map_or(Instant::ORIGIN, Line::at);
    let at = end.as_ref().map_or(last, |at| *at);
    let place = lines.partition_point(|line| line.at() <= at);
    lines.insert(place, Line::End(at, end.map(|_| ())));
    lines
}

async fn run(exchange: Exchange, lines: Arc<Lines>) -> Result<Instant, String> {
    let net = Network::new(Key::from_seed(exchange.seed));
    let host = |name: &str| HostConfig { name: name.to_owned(), tcp: exchange.tcp.clone() };
    let (client, server) = (net.add_host(host("client")), net.add_host(host("server")));
    let loss = LossModel::independent(exchange.loss);
    net.set_default_link(LinkConfig { loss, ..LinkConfig::with_latency(exchange.rtt / 2) });
    net.observe(lines);
    let address = Address::new(server, 443);
    let listener = net.listen(server, address.port, 16).map_err(|error| error.to_string())?;
    let size = exchange.bytes.max(1);
    net.spawn_on(server, async move {
        let Ok((mut stream, _)) = listener.accept().await else { return };
        let mut request = vec![0; size];
        while stream.read_exact(&mut request).await.is_ok() {
            if stream.write_all(&request).await.is_err() {
                return;
            }
        }
    });
    if let Some((from, lasts)) = exchange.black_hole {
        let net = net.clone();
        let strike = move |net: &Network| net.impair(Pairs::All, Impairment::drop_all());
        // What is there from the start meets the first SYN.
        let struck = from.is_zero().then(|| strike(&net));
        tokio::spawn(async move {
            clock::sleep(from).await;
            let fault = struck.unwrap_or_else(|| strike(&net));
            clock::sleep(lasts).await;
            net.repair(fault);
        });
    }
    let talk = async {
        let mut stream = net.connect(client, address).await?;
        let mut answer = vec![0; size];
        for _ in 0..exchange.requests {
            stream.write_all(&answer).await?;
            stream.read_exact(&mut answer).await?;
        }
        std::io::Result::Ok(())
    };
    let outcome = talk.await.map_err(|error| error.to_string());
    let end = clock::now();
    // What the kernels still have to say to each other.
    clock::sleep(exchange.rtt * 4 + Duration::from_millis(500)).await;
    outcome.map(|()| end)
}

#[derive(Default)]
struct Lines(Mutex<Vec<Line>>);

impl Lines {
    fn push(&self, line: Line) {
        self.0.lock().expect("never locked across a panic").push(line);
    }
}

impl Observer for Lines {
    fn connection(&self, at: Instant, _: ConnectionId, event: &ConnectionEvent) {
        // The packets themselves say that they are sent again.
        if !matches!(event, ConnectionEvent::Retransmit { .. }) {
            self.push(Line::Event(at, *event));
        }
    }

    fn packet(&self, packet: &Packet) {
        self.push(Line::Packet(*packet));
    }

    fn wants_packets(&self) -> bool {
        true
    }
}

impl Line {
    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Instant {
        match self {
            Self::Packet(packet) => packet.sent_at,
            Self::Event(at, _) | Self::End(at, _) => *at,
        }
    }
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

/// As tcpdump with relative sequence numbers: `12.000250  client > server  [.] seq 1:1449, ack 1, win 64240`.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12.6}  ", self.at().as_secs_f64())?;
        match self {
            Self::Packet(packet) => write_packet(f, packet),
            Self::Event(_, event) => write!(f, "-- {}", Description(event)),
            Self::End(_, Ok(())) => f.write_str("== the client has its answer"),
            Self::End(_, Err(error)) => write!(f, "== the client fails: {error}"),
        }
    }
}

fn write_packet(f: &mut fmt::Formatter<'_>, packet: &Packet) -> fmt::Result {
    let segment = &packet.segment;
    write!(f, "{} > {}  [{}]", name(packet.sender), name(packet.sender.other()), segment.flags)?;
    if !segment.is_empty() {
        write!(f, " seq {}:{},", segment.seq, segment.end)?;
    }
    if segment.flags.ack {
        write!(f, " ack {},", segment.ack)?;
    }
    write!(f, " win {}", segment.window)?;
    for (from, to) in segment.sacks.as_slice() {
        write!(f, " sack {from}:{to}")?;
    }
    if segment.retransmission {
        f.write_str(" (again)")?;
    }
    if packet.arrives_at.is_none() {
        f.write_str("  LOST")?;
    }
    Ok(())
}

struct Description<'a>(&'a ConnectionEvent);

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ConnectionEvent::Connecting { .. } => f.write_str("the client connects"),
            ConnectionEvent::Established { side } => write!(f, "established for the {}", name(*side)),
            ConnectionEvent::Refused => f.write_str("refused"),
            ConnectionEvent::TimedOut { side } => write!(f, "the {} gives up", name(*side)),
            ConnectionEvent::Reset { side } => write!(f, "reset for the {}", name(*side)),
            ConnectionEvent::Closed { side } => write!(f, "closed for the {}", name(*side)),
            ConnectionEvent::Retransmit { side } => write!(f, "the {} sends again", name(*side)),
            ConnectionEvent::RetransmissionTimeout { side, count } => {
                write!(f, "retransmission timeout of the {}, {count} in a row", name(*side))
            }
        }
    }
}
