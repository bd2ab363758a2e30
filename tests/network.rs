//! What every network must do, whatever the weather: deliver bytes in order, once, unaltered; obey its own physics; answer
//! the open complaints about other simulators.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use proptest::prelude::*;
use squall::clock::{self, Instant, Simulation};
use squall::net::tcp::CongestionControl;
use squall::net::{
    Address, ByteRate, ConnectionEvent, ConnectionId, HostConfig, HostId, Impairment, LinkConfig, LossModel, Network,
    Observer, Packet, Pairs, QueueLimit, Reorder, Stream, TcpSettings,
};
use squall::random::{Distribution, Key, Probability};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PORT: u16 = 80;

fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

fn share(value: f64) -> Probability {
    Probability::new(value).unwrap()
}

struct Pair {
    net: Network,
    client: HostId,
    server: HostId,
}

impl Pair {
    fn new(seed: u64, tcp: &TcpSettings, there: LinkConfig, back: LinkConfig) -> Self {
        let net = Network::new(Key::from_seed(seed));
        let host = |name: &str| net.add_host(HostConfig { name: name.into(), tcp: tcp.clone() });
        let (client, server) = (host("client"), host("server"));
        net.set_link(client, server, there);
        net.set_link(server, client, back);
        Self { net, client, server }
    }

    async fn connected(&self) -> io::Result<(Stream, Stream)> {
        let listener = self.net.listen(self.server, PORT, 16)?;
        let (client, server) =
            tokio::join!(self.net.connect(self.client, Address::new(self.server, PORT)), listener.accept());
        Ok((client?, server?.0))
    }
}

/// Sends `bytes` and says how long they took to arrive.
async fn transfer(from: &mut Stream, to: &mut Stream, bytes: usize) -> io::Result<Duration> {
    let began = clock::now();
    let sent = vec![7; bytes];
    let mut arrived = vec![0; bytes];
    let (write, read) = tokio::join!(from.write_all(&sent), to.read_exact(&mut arrived));
    write?;
    read?;
    Ok(clock::now() - began)
}

/// A segment that is lost costs time, not the connection. Turmoil's issue 185: "dropped packet hangs the client".
#[test]
fn a_dropped_packet_does_not_hang_the_client() {
    let took = Simulation::new().run(async {
        let link = LinkConfig::with_latency(ms(5));
        let pair = Pair::new(1, &TcpSettings::default(), link.clone(), link);
        let (mut client, mut server) = pair.connected().await?;
        let fault = pair.net.impair(vec![(pair.client, pair.server)], Impairment::drop_all());
        client.write_all(b"lost").await?;
        clock::sleep(ms(1)).await;
        pair.net.repair(fault);
        assert_eq!((pair.net.counts(fault).matched, pair.net.counts(fault).fired), (1, 1));
        let mut bytes = [0; 4];
        let began = clock::now();
        server.read_exact(&mut bytes).await?;
        assert_eq!(&bytes, b"lost");
        io::Result::Ok(clock::now() - began)
    });
    let took = took.unwrap().unwrap();
    assert!(took > ms(200) && took < ms(240), "one retransmission timeout of 200 ms plus the round trip, not {took:?}");
}

/// Nobody answers from behind a partition. Turmoil's issue 169: "partition is refused".
#[test]
fn a_partition_is_silent_not_refused() {
    let outcome = Simulation::new().run(async {
        let link = LinkConfig::with_latency(ms(5));
        let pair = Pair::new(1, &TcpSettings::default(), link.clone(), link);
        let _listener = pair.net.listen(pair.server, PORT, 16);
        pair.net.impair(Pairs::between(&[pair.client], &[pair.server]), Impairment::drop_all());
        let connect = pair.net.connect(pair.client, Address::new(pair.server, PORT));
        let quick = clock::timeout(Duration::from_secs(60), connect).await.is_err();
        let slow = pair.net.connect(pair.client, Address::new(pair.server, PORT)).await;
        (quick, slow.map(|_| ()).map_err(|error| error.kind()))
    });
    assert_eq!(outcome.unwrap(), (true, Err(io::ErrorKind::TimedOut)));
}

/// Mathis, Semke, Mahdavi, Ott (1997): MSS/RTT * 1.22/sqrt(p), which Linux's Reno was measured to meet (1.27).
#[test]
fn throughput_under_loss_follows_mathis() {
    let rtt = ms(40);
    for (loss, seeds, bytes) in [(0.005, 4, 12_000_000), (0.02, 4, 6_000_000)] {
        let tcp = TcpSettings { congestion_control: CongestionControl::Reno, ..TcpSettings::default() };
        let mut seconds = 0.0;
        for seed in 0..seeds {
            let there = LinkConfig { loss: LossModel::independent(share(loss)), ..LinkConfig::with_latency(rtt / 2) };
            let took = Simulation::new().run(async {
                let pair = Pair::new(seed, &tcp, there, LinkConfig::with_latency(rtt / 2));
                let (mut client, mut server) = pair.connected().await?;
                // The first losses end slow start far above the window that will settle.
                transfer(&mut client, &mut server, 4_000_000).await?;
                transfer(&mut client, &mut server, bytes).await
            });
            seconds += took.unwrap().unwrap().as_secs_f64();
        }
        let rate = (bytes as u64 * seeds) as f64 / seconds;
        let mathis = f64::from(tcp.mss) / rtt.as_secs_f64() * 1.22 / loss.sqrt();
        let ratio = rate / mathis;
        assert!((ratio - 1.0).abs() < 0.15, "loss {loss}: {ratio:.3} of what Mathis says");
    }
}

/// Counts what was lost and what was sent again.
#[derive(Default)]
struct Repairs {
    lost: AtomicU32,
    repeated: AtomicU32,
}

impl Observer for Repairs {
    fn connection(&self, _: Instant, _: ConnectionId, _: &ConnectionEvent) {}

    fn packet(&self, packet: &Packet) {
        self.lost.fetch_add(u32::from(packet.arrives_at.is_none()), Relaxed);
        self.repeated.fetch_add(u32::from(packet.segment.retransmission), Relaxed);
    }

    fn wants_packets(&self) -> bool {
        true
    }
}

/// On a link that never reorders nothing is repeated in vain, though a burst and its repairs leave at one instant. (A tail
/// loss probe may repeat one segment that was only waiting for its acknowledgement.)
#[test]
fn only_what_was_lost_is_sent_again() {
    for seed in 0..20 {
        let repairs = Arc::new(Repairs::default());
        let seen = Arc::clone(&repairs);
        let run = Simulation::new().run(async move {
            let there = LinkConfig { loss: LossModel::independent(share(0.02)), ..LinkConfig::with_latency(ms(25)) };
            let pair = Pair::new(seed, &TcpSettings::default(), there, LinkConfig::with_latency(ms(25)));
            let (mut client, mut server) = pair.connected().await.unwrap();
            pair.net.observe(seen);
            transfer(&mut client, &mut server, 1_000_000).await.unwrap();
        });
        run.unwrap();
        let (lost, repeated) = (repairs.lost.load(Relaxed), repairs.repeated.load(Relaxed));
        assert!(lost > 5, "seed {seed}: only {lost} lost");
        assert!((lost..=lost + 1).contains(&repeated), "seed {seed}: {lost} lost, {repeated} sent again");
    }
}

/// A limited link delivers its bandwidth: payload is 1448 of every 1500 bytes.
#[test]
fn a_limited_link_delivers_its_bandwidth() {
    for congestion_control in [CongestionControl::Reno, CongestionControl::Cubic] {
        let rate = 1_250_000.0;
        let tcp = TcpSettings { congestion_control, ..TcpSettings::default() };
        let there = LinkConfig { bandwidth: ByteRate::per_second(rate).ok(), ..LinkConfig::with_latency(ms(10)) };
        let bytes = 20_000_000;
        let took = Simulation::new().run(async {
            let pair = Pair::new(1, &tcp, there, LinkConfig::with_latency(ms(10)));
            let (mut client, mut server) = pair.connected().await?;
            transfer(&mut client, &mut server, bytes).await
        });
        let delivered = bytes as f64 / took.unwrap().unwrap().as_secs_f64();
        let ratio = delivered / (rate * 1448.0 / 1500.0);
        assert!((ratio - 1.0).abs() < 0.02, "{congestion_control:?}: {ratio:.4} of the bandwidth");
    }
}

/// A bulk transfer fills the queue, and everyone behind it waits for as long as the queue is: bufferbloat.
#[test]
fn a_full_queue_delays_others_by_its_length() {
    let (rate, queue) = (1_250_000.0, 250_000_u64);
    let waits = Simulation::new().run(async {
        let there = LinkConfig {
            bandwidth: ByteRate::per_second(rate).ok(),
            queue: QueueLimit::Bytes(queue),
            ..LinkConfig::with_latency(ms(5))
        };
        let pair = Pair::new(1, &TcpSettings::default(), there, LinkConfig::with_latency(ms(5)));
        let listener = pair.net.listen(pair.server, PORT, 16)?;
        let address = Address::new(pair.server, PORT);
        let (bulk, ping) =
            (pair.net.connect(pair.client, address).await?, pair.net.connect(pair.client, address).await?);
        let ((sink, _), (echo, _)) = (listener.accept().await?, listener.accept().await?);
        tokio::spawn(async move {
            let (mut bulk, mut sink) = (bulk, sink);
            let _ = transfer(&mut bulk, &mut sink, 40_000_000).await;
        });
        let (mut ping, mut echo) = (ping, echo);
        let mut waits = Vec::new();
        for _ in 0..100 {
            clock::sleep(ms(200)).await;
            waits.push((transfer(&mut ping, &mut echo, 1).await? - ms(5)).as_secs_f64());
        }
        io::Result::Ok(waits)
    });
    let mut waits = waits.unwrap().unwrap();
    waits.sort_by(f64::total_cmp);
    let (median, full) = (waits[waits.len() / 2], queue as f64 / rate);
    assert!(median > 0.6 * full && median < 1.02 * full, "median {median:.3} s behind a queue of {full:.3} s");
}

/// A queue is bytes: on a link that became faster it is as long as before and gone sooner, so that who comes then finds room.
#[test]
fn a_link_that_becomes_faster_has_room_at_once() {
    for queue in [QueueLimit::Bytes(256 << 10), QueueLimit::Packets(170)] {
        let took = Simulation::new().run(async {
            let megabits = |rate: f64| LinkConfig {
                bandwidth: ByteRate::per_second(rate * 125_000.0).ok(),
                queue,
                ..LinkConfig::with_latency(ms(5))
            };
            let pair = Pair::new(1, &TcpSettings::default(), megabits(1.0), LinkConfig::with_latency(ms(5)));
            let (mut bulk, mut sink) = pair.connected().await?;
            tokio::spawn(async move { transfer(&mut bulk, &mut sink, 40_000_000).await });
            clock::sleep(ms(10_000)).await;
            pair.net.set_link(pair.client, pair.server, megabits(100.0));
            let _listener = pair.net.listen(pair.server, PORT, 16)?;
            let began = clock::now();
            pair.net.connect(pair.client, Address::new(pair.server, PORT)).await?;
            io::Result::Ok(clock::now() - began)
        });
        let took = took.unwrap().unwrap();
        assert!(took < ms(35), "{queue:?}: a round trip of 10 ms behind 21 ms of queue took {took:?}");
    }
}

/// Who does not read stops who writes: what is under way is bounded by the two buffers.
#[test]
fn back_pressure_bounds_memory() {
    let accepted = Simulation::new().run(async {
        let link = LinkConfig::with_latency(ms(1));
        let pair = Pair::new(1, &TcpSettings::default(), link.clone(), link);
        let (mut client, _server) = pair.connected().await?;
        let mut accepted = 0;
        while let Ok(written) = clock::timeout(Duration::from_secs(60), client.write(&[0; 4096])).await {
            accepted += written?;
        }
        io::Result::Ok(accepted)
    });
    let accepted = accepted.unwrap().unwrap();
    assert!((64_000..1_000_000).contains(&accepted), "{accepted} bytes were taken for a peer that reads nothing");
}

/// A paused reader's window closes; once it reads again, the transfer goes on, though the window update may be lost.
#[test]
fn a_lost_window_update_does_not_stall() {
    let done = Simulation::new().run(async {
        let link = LinkConfig::with_latency(ms(1));
        let pair = Pair::new(1, &TcpSettings::default(), link.clone(), link);
        let (mut client, mut server) = pair.connected().await?;
        let writer = tokio::spawn(async move { client.write_all(&[1; 500_000]).await.map(|()| client) });
        clock::sleep(Duration::from_secs(3)).await;
        let fault = pair.net.impair(vec![(pair.server, pair.client)], Impairment::drop_all());
        let mut bytes = vec![0; 500_000];
        let (head, tail) = bytes.split_at_mut(60_000);
        server.read_exact(head).await?;
        clock::sleep(ms(10)).await;
        pair.net.repair(fault);
        server.read_exact(tail).await?;
        assert!(bytes.iter().all(|byte| *byte == 1));
        io::Result::Ok(writer.await.is_ok())
    });
    assert!(done.unwrap().unwrap());
}

/// One schedule of bad weather.
#[derive(Clone, Debug)]
struct Weather {
    seed: u64,
    latency_us: u64,
    jitter_us: u64,
    loss: f64,
    burst: bool,
    duplicate: f64,
    reorder: f64,
    kilobytes_per_second: Option<u64>,
    outages: Vec<(u64, u64, bool)>,
    there: Vec<usize>,
    back: Vec<usize>,
    slow_reader: bool,
    reno: bool,
}

prop_compose! {
    fn weather()(
        seed: u64, latency_us in 0..50_000_u64, jitter_us in 0..20_000_u64, loss in 0.0..0.25, burst: bool,
        duplicate in 0.0..0.2, reorder in 0.0..0.2, kilobytes_per_second in proptest::option::of(50..5_000_u64),
        outages in proptest::collection::vec((0..3_000_u64, 1..2_000_u64, any::<bool>()), 0..3),
        there in proptest::collection::vec(1..20_000_usize, 0..12), back in proptest::collection::vec(1..20_000_usize, 0..12),
        slow_reader: bool, reno: bool,
    ) -> Weather {
        Weather {
            seed, latency_us, jitter_us, loss, burst, duplicate, reorder, kilobytes_per_second, outages, there, back,
            slow_reader, reno,
        }
    }
}

impl Weather {
    fn link(&self) -> LinkConfig {
        let low = Duration::from_micros(self.latency_us);
        let loss = if self.burst {
            let (enter, leave) = (share(self.loss / 4.0), share(0.3));
            LossModel::GilbertElliott { enter, leave, good: Probability::NEVER, bad: share(0.8) }
        } else {
            LossModel::independent(share(self.loss))
        };
        LinkConfig {
            latency: Distribution::uniform(low, low + Duration::from_micros(self.jitter_us)).unwrap(),
            loss,
            bandwidth: self.kilobytes_per_second.map(|rate| ByteRate::per_second(rate as f64 * 1e3).unwrap()),
            duplicate: share(self.duplicate),
            reorder: Some(Reorder { rate: share(self.reorder), hold: Distribution::exponential(ms(5)) }),
            ..LinkConfig::default()
        }
    }

    /// Exchanges everything both ways; says when it was done.
    fn exchange(&self) -> Result<Instant, String> {
        let run = Simulation::new().run(async {
            let congestion_control = if self.reno { CongestionControl::Reno } else { CongestionControl::Cubic };
            // Patient enough not to give up: with a quarter lost each way, timeouts may grow to minutes.
            let tcp = TcpSettings { congestion_control, retries2: 40, ..TcpSettings::default() };
            let pair = Pair::new(self.seed, &tcp, LinkConfig::default(), LinkConfig::default());
            // A server whose SYN-ACKs all get lost waits for ever, rightly: bad weather begins after the handshake.
            let (client, server) = pair.connected().await.map_err(|error| error.to_string())?;
            pair.net.set_link_both(pair.client, pair.server, self.link());
            for &(from, lasts, both) in &self.outages {
                let (net, there) = (pair.net.clone(), (pair.client, pair.server));
                tokio::spawn(async move {
                    clock::sleep(ms(from)).await;
                    let pairs = if both { vec![there, (there.1, there.0)] } else { vec![there] };
                    let fault = net.impair(pairs, Impairment::drop_all());
                    clock::sleep(ms(lasts)).await;
                    net.repair(fault);
                });
            }
            let (mut client_read, client_write) = tokio::io::split(client);
            let (mut server_read, server_write) = tokio::io::split(server);
            let (there, back, slow) = (self.there.clone(), self.back.clone(), self.slow_reader);
            let all = |sizes: &[usize]| sizes.iter().sum();
            let (a, b, c, d) = tokio::join!(
                write_all(client_write, there.clone()),
                write_all(server_write, back.clone()),
                read_all(&mut server_read, all(&there), slow),
                read_all(&mut client_read, all(&back), false),
            );
            a.and(b).and(c).and(d).map(|()| clock::now())
        });
        run.map_err(|stalled| stalled.to_string())?
    }
}

fn byte(position: usize) -> u8 {
    (position % 251) as u8
}

async fn write_all(mut to: tokio::io::WriteHalf<Stream>, sizes: Vec<usize>) -> Result<(), String> {
    let mut position = 0;
    for size in sizes {
        let bytes: Vec<u8> = (position..position + size).map(byte).collect();
        to.write_all(&bytes).await.map_err(|error| error.to_string())?;
        position += size;
        clock::sleep(ms(size as u64 % 40)).await;
    }
    to.shutdown().await.map_err(|error| error.to_string())
}

async fn read_all(from: &mut tokio::io::ReadHalf<Stream>, expected: usize, slow: bool) -> Result<(), String> {
    let mut position = 0;
    let mut bytes = [0; 3_000];
    loop {
        let count = from.read(&mut bytes).await.map_err(|error| error.to_string())?;
        if count == 0 {
            return if position == expected { Ok(()) } else { Err(format!("ended after {position} of {expected}")) };
        }
        for (offset, found) in bytes[..count].iter().enumerate() {
            if *found != byte(position + offset) {
                return Err(format!("byte {} is wrong", position + offset));
            }
        }
        position += count;
        if slow {
            clock::sleep(ms(7)).await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(debug_assertions) { 300 } else { 3_000 }, ..ProptestConfig::default() })]

    /// Whatever the losses, delays, windows and partitions: bytes arrive in order, once, unaltered, and nothing stalls.
    #[test]
    fn bytes_arrive_in_order_once_unaltered(weather in weather()) {
        let end = weather.exchange();
        prop_assert!(end.is_ok(), "{:?}", end);
        // Outages end within 5 s; what stalls for an hour will stall for ever.
        prop_assert!(end.clone().unwrap() < Instant::ORIGIN + Duration::from_secs(3600), "{:?}", end);
        prop_assert_eq!(end, weather.exchange(), "twice the same");
    }
}

/// Faults are counted: matched is what a fault looked at, fired what it changed.
#[test]
fn faults_count_what_they_do() {
    let counts = Simulation::new().run(async {
        let link = LinkConfig::with_latency(ms(1));
        let pair = Pair::new(1, &TcpSettings::default(), link.clone(), link);
        let (mut client, mut server) = pair.connected().await?;
        let slow = pair.net.impair(Pairs::All, Impairment::slow(Distribution::constant(ms(10))));
        let never = pair.net.impair(Pairs::All, Impairment::lossy(LossModel::independent(share(1e-9))));
        let elsewhere = pair.net.impair(vec![(pair.server, pair.server)], Impairment::drop_all());
        let took = transfer(&mut client, &mut server, 100).await?;
        assert_eq!(took, ms(11));
        io::Result::Ok([slow, never, elsewhere].map(|fault| pair.net.counts(fault)))
    });
    let [slow, never, elsewhere] = counts.unwrap().unwrap();
    assert!(slow.matched > 0 && slow.fired == slow.matched, "{slow:?}");
    assert!(never.matched > 0 && never.fired == 0, "{never:?}");
    assert_eq!(elsewhere.matched, 0);
}

/// Correlated jitter keeps the distribution that was asked for.
#[test]
fn jitter_has_its_distribution_and_its_correlation() {
    let latencies = Simulation::new().run(async {
        let latency = Distribution::uniform(ms(10), ms(30)).unwrap();
        let there = LinkConfig { latency, jitter_correlation: 0.8, ..LinkConfig::default() };
        let pair = Pair::new(3, &TcpSettings::default(), there, LinkConfig::with_latency(ms(1)));
        let (mut client, mut server) = pair.connected().await?;
        let mut latencies = Vec::new();
        for _ in 0..4_000 {
            latencies.push(transfer(&mut client, &mut server, 1).await?.as_secs_f64() * 1e3);
            clock::sleep(ms(100)).await;
        }
        io::Result::Ok(latencies)
    });
    let latencies = latencies.unwrap().unwrap();
    let n = latencies.len() as f64;
    let mean = latencies.iter().sum::<f64>() / n;
    let variance = latencies.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let lagged = latencies.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum::<f64>() / n / variance;
    assert!((mean - 20.0).abs() < 1.0, "mean {mean}");
    assert!((variance.sqrt() - 20.0 / 12_f64.sqrt()).abs() < 0.4, "sd {}", variance.sqrt());
    // The rank correlation of a Gaussian copula with 0.8 is 0.786.
    assert!((lagged - 0.786).abs() < 0.06, "correlation {lagged}");
}
