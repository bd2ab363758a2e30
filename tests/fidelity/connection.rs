//! One connection alone, as a packet capture shows it: timers, Nagle, bulk transfers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::clock::{self, Instant, Simulation};
use squall::net::tcp::CongestionControl;
use squall::net::{ConnectionEvent, ConnectionId, LinkConfig, LossModel, Observer, Packet, Side, Stream, TcpSettings};
use squall::random::Probability;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::wire::Wire;

/// A request or an answer.
const MESSAGE: [u8; 100] = [7; 100];

/// When the client sent what carries something, a SYN or bytes.
#[derive(Default)]
struct Capture(Mutex<Vec<Instant>>);

impl Observer for Capture {
    fn connection(&self, _: Instant, _: ConnectionId, _: &ConnectionEvent) {}

    fn packet(&self, packet: &Packet) {
        let carries = packet.segment.flags.syn || packet.segment.payload() > 0;
        if packet.sender == Side::Client && carries {
            self.0.lock().unwrap().push(packet.sent_at);
        }
    }

    fn wants_packets(&self) -> bool {
        true
    }
}

impl Capture {
    fn on(wire: &Wire) -> Arc<Self> {
        let capture = Arc::new(Self::default());
        wire.net.observe(capture.clone());
        capture
    }

    /// In seconds from the first packet sent at `since` or later, which is at 0.
    fn seconds_since(&self, since: Instant) -> Vec<f64> {
        let sent: Vec<Instant> = self.0.lock().unwrap().iter().copied().filter(|at| *at >= since).collect();
        sent.iter().map(|at| (*at - sent[0]).as_secs_f64()).collect()
    }
}

/// Sends one after the other, and waits until all has arrived.
async fn send(from: &mut Stream, to: &mut Stream, parts: &[&[u8]]) {
    let mut arrived = vec![0; parts.iter().map(|part| part.len()).sum()];
    let write = async {
        for part in parts {
            from.write_all(part).await.expect("sends");
        }
    };
    tokio::join!(write, async { to.read_exact(&mut arrived).await.expect("arrives") });
}

/// What became of a segment sent into a black hole on a connection whose round trips are known.
pub(crate) struct IntoBlackHole {
    /// When it was sent, and sent again, in seconds.
    pub(crate) sent_at: Vec<f64>,
    /// After how many seconds the kernel gave it up.
    pub(crate) gives_up: f64,
}

pub(crate) fn into_black_hole(rtt: Duration, seed: u64) -> IntoBlackHole {
    Simulation::new()
        .run(async {
            let wire = Wire::new(rtt, TcpSettings::default(), seed);
            let capture = Capture::on(&wire);
            let (mut client, mut server) = wire.connected().await;
            for _ in 0..20 {
                send(&mut client, &mut server, &[&MESSAGE]).await;
                send(&mut server, &mut client, &[&MESSAGE]).await;
            }
            clock::sleep(Duration::from_secs(1)).await;
            wire.black_hole();
            let began = clock::now();
            client.write_all(&MESSAGE).await.expect("goes into the buffer");
            client.read_u8().await.expect_err("nothing answers");
            IntoBlackHole { sent_at: capture.seconds_since(began), gives_up: (clock::now() - began).as_secs_f64() }
        })
        .expect("the simulation ends")
}

/// When SYNs into a black hole are sent, and then, when `connect` fails; in seconds.
pub(crate) fn syns(linear_timeouts: u32, seed: u64) -> Vec<f64> {
    Simulation::new()
        .run(async {
            let tcp = TcpSettings { syn_linear_timeouts: linear_timeouts, ..TcpSettings::default() };
            let wire = Wire::new(Duration::from_millis(20), tcp, seed);
            let capture = Capture::on(&wire);
            wire.black_hole();
            let began = clock::now();
            wire.connect().await.expect_err("nobody answers");
            let mut times = capture.seconds_since(began);
            times.push((clock::now() - began).as_secs_f64());
            times
        })
        .expect("the simulation ends")
}

/// What a request in two writes takes with Nagle's algorithm, in ms: the second waits for a delayed acknowledgement.
pub(crate) fn write_write_read_ms(rtt: Duration, seed: u64) -> f64 {
    Simulation::new()
        .run(async {
            let wire = Wire::new(rtt, TcpSettings { nodelay: false, ..TcpSettings::default() }, seed);
            let (mut client, mut server) = wire.connected().await;
            let mut took = Vec::new();
            for _ in 0..100 {
                let began = clock::now();
                send(&mut client, &mut server, &[&MESSAGE, &MESSAGE]).await;
                send(&mut server, &mut client, &[&MESSAGE]).await;
                took.push((clock::now() - began).as_secs_f64() * 1e3);
                clock::sleep(Duration::from_millis(100)).await;
            }
            took.sort_by(f64::total_cmp);
            took[took.len() / 2]
        })
        .expect("the simulation ends")
}

/// What Reno sends in bulk on a link that loses data, over MSS / (RTT sqrt(loss)).
pub(crate) fn bulk(rtt: Duration, loss: f64, seed: u64) -> f64 {
    const BYTES: usize = 8_000_000;
    let tcp = TcpSettings { congestion_control: CongestionControl::Reno, ..TcpSettings::default() };
    let mss = f64::from(tcp.mss);
    let seconds = Simulation::new().run(async {
        let wire = Wire::new(rtt, tcp, seed);
        let independent = LossModel::independent(Probability::new(loss).expect("a share"));
        let there = LinkConfig { loss: independent, ..LinkConfig::with_latency(rtt / 2) };
        wire.net.set_link(wire.client, wire.server, there);
        let (mut client, mut server) = wire.connected().await;
        let bytes = vec![7; BYTES];
        // The first losses end slow start far above the window that will settle.
        send(&mut client, &mut server, &[&bytes[..BYTES / 2]]).await;
        let began = clock::now();
        send(&mut client, &mut server, &[&bytes]).await;
        (clock::now() - began).as_secs_f64()
    });
    BYTES as f64 / seconds.expect("the simulation ends") * rtt.as_secs_f64() * loss.sqrt() / mss
}
