//! Where a connection begins, stands still and ends: who is patient for how long, and what is left of it afterwards. Expected
//! values follow from the kernel's code, which each test names.

use std::io::{self, ErrorKind};
use std::time::Duration;

use squall::clock::{self, Instant, Simulation};
use squall::net::tcp::Keepalive;
use squall::net::{
    Address, ConnectionEvent, ConnectionId, HostConfig, Impairment, ImpairmentId, Network, Observer, Packet, Pairs,
    Reorder, Side, Stream, TcpSettings,
};
use squall::random::{Distribution, Probability};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use wire::Wire;

mod wire;

const RTT: Duration = Duration::from_millis(10);

/// The usual wire, with this kernel at both ends.
fn scene(tcp: TcpSettings) -> Wire {
    Wire::new(RTT, tcp, 1)
}

/// Nothing gets back from the server.
fn mute(wire: &Wire) -> ImpairmentId {
    wire.net.impair(vec![(wire.server, wire.client)], Impairment::drop_all())
}

fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(value)
}

/// Fills the window of a peer that does not read, until no more is taken. How much was.
async fn fill(stream: &mut Stream) -> usize {
    let mut taken = 0;
    while let Ok(written) = clock::timeout(seconds(1.0), stream.write(&[7; 4096])).await {
        taken += written.expect("the connection stands");
    }
    taken
}

fn simulate<T>(scene: impl Future<Output = T>) -> T {
    Simulation::new().run(scene).expect("the simulation ends")
}

/// How `connect` into a black hole ends, and after how many seconds.
fn connect_into_black_hole(tcp: TcpSettings) -> (ErrorKind, f64) {
    simulate(async {
        let scene = scene(tcp);
        scene.black_hole();
        let kind = scene.connect().await.expect_err("nobody answers").kind();
        (kind, clock::now().as_secs_f64())
    })
}

/// `tcp_write_timeout` counts SYNs, `tcp_syn_retries` and `tcp_syn_linear_timeouts` together, but also looks at the clock
/// (`retransmits_timed_out`): what `tcp_syn_retries` doublings from 1 s take, 2^(n+1) - 1 seconds, is enough. With few retries
/// the clock comes first: the linear ones have used up the time.
#[test]
fn connecting_ends_by_count_or_by_time() {
    let check = |syn_retries, syn_linear_timeouts, expected: f64| {
        let (kind, at) =
            connect_into_black_hole(TcpSettings { syn_retries, syn_linear_timeouts, ..TcpSettings::default() });
        let about = (at / expected - 1.0).abs() < 0.02;
        assert!(kind == ErrorKind::TimedOut && about, "{syn_retries} and {syn_linear_timeouts}: {kind:?} after {at} s");
    };
    check(6, 0, 130.8);
    check(6, 4, 134.9);
    check(3, 0, 15.4);
    check(3, 4, 19.5);
    check(2, 4, 7.13);
    check(1, 4, 3.07);
}

/// TCP_USER_TIMEOUT holds in SYN-SENT, too, since 5.4: its end is the last timer (`tcp_clamp_rto_to_user_timeout`), but a SYN is
/// always repeated once.
#[test]
fn connecting_ends_with_the_user_timeout() {
    for (user_timeout, from, to) in [(10.0, 10.0, 10.3), (3.5, 3.5, 3.6), (0.5, 1.0, 1.04), (600.0, 131.0, 140.0)] {
        let tcp = TcpSettings { user_timeout: Some(seconds(user_timeout)), ..TcpSettings::default() };
        let (kind, at) = connect_into_black_hole(tcp);
        assert!(kind == ErrorKind::TimedOut && (from..=to).contains(&at), "{user_timeout} s: {kind:?} after {at} s");
    }
}

/// A client's SYNs that arrive again are answered again, and do not use up the server's patience (`num_timeout` in
/// `reqsk_timer_handler`); and a server that has lost it has forgotten the client, whose next SYN begins anew. So whenever the
/// way back heals, the connection comes about: it is never refused.
#[test]
fn a_handshake_survives_a_way_back_that_heals() {
    for heals in [2.5, 6.0, 10.0, 25.0, 65.0] {
        let (outcome, at) = simulate(async {
            let scene = scene(TcpSettings { synack_retries: 2, ..TcpSettings::default() });
            let _listener = scene.listen();
            let (fault, net) = (mute(&scene), scene.net.clone());
            tokio::spawn(async move {
                clock::sleep(seconds(heals)).await;
                net.repair(fault);
            });
            let outcome = scene.connect().await.map(|_| ()).map_err(|error| error.kind());
            (outcome, clock::now().as_secs_f64())
        });
        assert!(
            outcome == Ok(()) && at > heals && at < 2.0 * heals + 1.0,
            "healed at {heals} s: {outcome:?} at {at} s"
        );
    }
}

/// RFC 6298, 5.7: who had to repeat a SYN more than once begins with one segment; but not if the answer says that the first had
/// arrived (`tcp_try_undo_spurious_syn`).
#[test]
fn only_lost_syns_shrink_the_first_window() {
    let window = |fault: fn(&Wire) -> ImpairmentId| {
        simulate(async move {
            let scene = scene(TcpSettings::default());
            let _listener = scene.listen();
            let (fault, net) = (fault(&scene), scene.net.clone());
            tokio::spawn(async move {
                clock::sleep(seconds(4.0)).await;
                net.repair(fault);
            });
            scene.connect().await.expect("connects when it is repaired").tcp_info().1
        })
    };
    assert_eq!((window(Wire::black_hole), window(mute)), (1, 10));
}

/// A RST that meets a SYN means that nobody listens (`tcp_reset` in SYN-SENT), whoever sent it.
#[test]
fn a_middlebox_that_resets_a_syn_refuses_it() {
    let error = simulate(async {
        let scene = scene(TcpSettings::default());
        let (_listener, net) = (scene.listen(), scene.net.clone());
        tokio::spawn(async move {
            clock::sleep(RTT / 4).await;
            assert_eq!(net.reset_connections(Pairs::All), 1);
        });
        scene.connect().await.expect_err("reset")
    });
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

/// What was half open goes with the listener, or with the power; the next SYN meets the next process, which is well.
#[test]
fn a_handshake_goes_on_with_the_next_process() {
    for end in [Network::kill, Network::power_off] {
        let greeting = simulate(async move {
            let scene = scene(TcpSettings::default());
            let (listener, fault, again) = (scene.listen(), mute(&scene), scene.clone());
            let server = tokio::spawn(async move {
                clock::sleep(seconds(0.5)).await;
                end(&again.net, again.server);
                drop(listener);
                clock::sleep(seconds(0.1)).await;
                again.net.start(again.server);
                let listener = again.listen();
                again.net.repair(fault);
                let (mut stream, _) = listener.accept().await?;
                let mut greeting = String::new();
                stream.read_to_string(&mut greeting).await?;
                io::Result::Ok(greeting)
            });
            let mut client = scene.connect().await.expect("the next process listens");
            client.write_all(b"hello").await.expect("it reads");
            drop(client);
            server.await.expect("the server lives").map_err(|error| error.to_string())
        });
        assert_eq!(greeting, Ok("hello".to_owned()));
    }
}

/// `tcp_retries2` is reckoned from TCP_RTO_MIN, 200 ms, whatever `tcp_rto_min_us` says (`retransmits_timed_out`).
#[test]
fn patience_does_not_shrink_with_the_least_timeout() {
    for rto_min in [5, 200] {
        let took = simulate(async {
            let scene = scene(TcpSettings { rto_min: Duration::from_millis(rto_min), ..TcpSettings::default() });
            let (mut client, _server) = scene.connected().await;
            clock::sleep(seconds(1.0)).await;
            scene.black_hole();
            let began = clock::now();
            client.write_all(b"x").await.expect("goes into the buffer");
            client.read_u8().await.expect_err("nothing answers");
            (clock::now() - began).as_secs_f64()
        });
        assert!((924.6..1060.0).contains(&took), "{rto_min} ms: {took} s");
    }
}

/// RFC 1122, 4.2.2.17: a peer that answers probes may keep its window closed for ever. TCP_USER_TIMEOUT says otherwise, and runs
/// from the first probe, answered or not (`icsk_probes_tstamp`, since 5.11): 0.2 s after the window closed.
#[test]
fn a_closed_window_is_waited_for_until_the_user_timeout() {
    let outcome = |user_timeout: Option<f64>| {
        simulate(async {
            let user_timeout = user_timeout.map(seconds);
            let scene = scene(TcpSettings { user_timeout, ..TcpSettings::default() });
            let (mut client, _server) = scene.connected().await;
            fill(&mut client).await;
            let write = clock::timeout(seconds(7200.0), client.write(b"x")).await;
            (write.ok().map(|written| written.map_err(|error| error.kind())), clock::now().as_secs_f64())
        })
    };
    assert_eq!(outcome(None).0, None);
    let (write, at) = outcome(Some(20.0));
    assert!(write == Some(Err(ErrorKind::TimedOut)) && (20.2..21.6).contains(&at), "{write:?} at {at} s");
}

/// Probes without an answer are counted (`icsk_probes_out`), and only those: `tcp_retries2` is no time. After ten minutes of answers
/// they follow each other after 120 s, so that 3 and the timer that finds them too many take six minutes and what was left of a wait.
#[test]
fn probes_without_an_answer_are_counted() {
    let took = simulate(async {
        let scene = scene(TcpSettings { retries2: 3, ..TcpSettings::default() });
        let (mut client, _server) = scene.connected().await;
        fill(&mut client).await;
        clock::sleep(seconds(600.0)).await;
        scene.black_hole();
        let began = clock::now();
        assert_eq!(client.read_u8().await.expect_err("nothing answers").kind(), ErrorKind::TimedOut);
        (clock::now() - began).as_secs_f64()
    });
    assert!((360.0..540.0).contains(&took), "{took} s");
}

/// Room for less than a segment is not used at once (the sender's half of silly window avoidance), but the first probe is what fits
/// (`tcp_write_wakeup`); only then is the window closed, and probes space out: 0.2, 0.4, 0.8 s ...
#[test]
fn the_last_part_of_a_window_is_used_and_then_probed() {
    #[derive(Default)]
    struct Sent(std::sync::Mutex<Vec<(f64, u64)>>);
    impl Observer for Sent {
        fn connection(&self, _: Instant, _: ConnectionId, _: &ConnectionEvent) {}
        fn packet(&self, packet: &Packet) {
            if packet.sender == Side::Client {
                self.0.lock().unwrap().push((packet.sent_at.as_secs_f64(), packet.segment.payload()));
            }
        }
        fn wants_packets(&self) -> bool {
            true
        }
    }
    let sent = std::sync::Arc::new(Sent::default());
    let seen = sent.clone();
    simulate(async move {
        let scene = scene(TcpSettings::default());
        let (mut client, _server) = scene.connected().await;
        scene.net.observe(seen);
        fill(&mut client).await;
        clock::sleep(seconds(60.0)).await;
    });
    let sent = sent.0.lock().unwrap();
    let last = sent.iter().rposition(|(_, payload)| *payload > 0).expect("data was sent");
    let (at, payload) = sent[last];
    assert!(payload < 1448 && (0.2..0.4).contains(&(at - sent[last - 1].0)), "{:?}", &sent[last - 1..]);
    let waits: Vec<f64> = sent[last..].windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!((5..=9).contains(&waits.len()), "{waits:?}");
    assert!(waits.windows(2).all(|pair| (1.7..2.4).contains(&(pair[1] / pair[0]))), "{waits:?}");
}

/// A keepalive probe is answered after a round trip (RFC 9293, 3.8.4): on a link that is well no probe is missed, however few are
/// allowed, and one each `time` is enough.
#[test]
fn a_keepalive_probe_is_answered_at_once() {
    for user_timeout in [None, Some(seconds(14.0))] {
        let (read, probes) = simulate(async move {
            let keepalive = Keepalive { time: seconds(10.0), interval: seconds(5.0), probes: 1 };
            let tcp = TcpSettings { keepalive: Some(keepalive), user_timeout, ..TcpSettings::default() };
            let scene = scene(TcpSettings::default());
            let client = scene.net.add_host(HostConfig { name: "alive".into(), tcp });
            let listener = scene.listen();
            let address = Address::new(scene.server, wire::PORT);
            let (client, server) = tokio::join!(scene.net.connect(client, address), listener.accept());
            let (mut client, _server) = (client.expect("connects"), server.expect("accepts"));
            let all = scene.net.impair(Pairs::All, Impairment::default());
            let read = clock::timeout(seconds(1000.0), client.read_u8()).await;
            (read.map_err(|_| "still open"), scene.net.counts(all).matched)
        });
        assert_eq!(read.map(|read| read.map_err(|error| error.kind())), Err("still open"), "{user_timeout:?}");
        // Each probe and its answer; timers are up to an eighth late.
        assert!((170..=200).contains(&probes), "{probes}");
    }
}

/// A path that reorders a little is soon known to: after a hole that an original filled, not its retransmission
/// (`tcp_try_undo_partial`), RACK waits for a quarter of a round trip before it believes in a loss (RFC 8985, 6.2).
#[test]
fn reordering_is_learnt_from_what_was_repeated_for_nothing() {
    #[derive(Default)]
    struct Repeats(std::sync::atomic::AtomicU32);
    impl Observer for Repeats {
        fn connection(&self, _: Instant, _: ConnectionId, _: &ConnectionEvent) {}
        fn packet(&self, packet: &Packet) {
            self.0.fetch_add(u32::from(packet.segment.retransmission), std::sync::atomic::Ordering::Relaxed);
        }
        fn wants_packets(&self) -> bool {
            true
        }
    }
    for seed in 0..10 {
        let repeats = std::sync::Arc::new(Repeats::default());
        let seen = repeats.clone();
        let held = simulate(async move {
            let scene = Wire::new(Duration::from_millis(50), TcpSettings::default(), seed);
            let (mut client, mut server) = scene.connected().await;
            let rate = Probability::new(0.02).expect("a share");
            let reorder = Some(Reorder { rate, hold: Distribution::constant(Duration::from_millis(2)) });
            let there = vec![(scene.client, scene.server)];
            let fault = scene.net.impair(there, Impairment { reorder, ..Impairment::default() });
            scene.net.observe(seen);
            let (sent, mut arrived) = (vec![7; 3_000_000], vec![0; 3_000_000]);
            let (write, read) = tokio::join!(client.write_all(&sent), server.read_exact(&mut arrived));
            write.and(read.map(|_| ())).expect("all arrives");
            scene.net.counts(fault).fired
        });
        let repeats = repeats.0.load(std::sync::atomic::Ordering::Relaxed);
        assert!(held > 20 && repeats < 5, "seed {seed}: {held} held back, {repeats} sent again");
    }
}

/// A FIN takes a position: it waits for a closed window to open, and then leaves at once (`tcp_snd_wnd_test`), not when a timeout
/// that has doubled for an hour is over.
#[test]
fn a_fin_waits_for_the_window() {
    let took = |bytes: usize| {
        simulate(async move {
            let scene = scene(TcpSettings::default());
            let (mut client, mut server) = scene.connected().await;
            client.write_all(&vec![7; bytes]).await.expect("fits into the window");
            clock::sleep(seconds(1.0)).await;
            client.shutdown().await.expect("the kernel takes it");
            clock::sleep(seconds(3600.0)).await;
            let began = clock::now();
            let mut all = Vec::new();
            server.read_to_end(&mut all).await.expect("the client is patient");
            assert_eq!(all.len(), bytes);
            clock::now() - began
        })
    };
    // One of these is the whole window.
    let took: Vec<Duration> = (64_112..=64_240).map(took).collect();
    assert!(took.contains(&RTT) && took.iter().all(|took| *took <= RTT), "{took:?}");
}

/// After the peer's FIN `read` says so whatever follows (SOCK_DONE in `tcp_recvmsg`), and a RST means EPIPE, not ECONNRESET
/// (`tcp_reset` in CLOSE-WAIT).
#[test]
fn a_reset_after_the_end_is_a_broken_pipe() {
    simulate(async {
        let scene = scene(TcpSettings::default());
        let (mut client, server) = scene.connected().await;
        drop(server);
        clock::sleep(RTT).await;
        assert_eq!(client.write(b"x").await.expect("nobody has said that he does not read"), 1);
        clock::sleep(RTT).await;
        assert_eq!(client.read(&mut [0]).await.expect("the end"), 0);
        for _ in 0..2 {
            assert_eq!(client.write(b"x").await.expect_err("nobody reads").kind(), ErrorKind::BrokenPipe);
        }
    });
}
