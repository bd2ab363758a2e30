//! What each failure looks like from the client: to one that waits in `read`, to one in the middle of a call, to one that
//! connects; and after how long. One row a failure; every row says why Linux does so.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use squall::clock::{self, Simulation};
use squall::net::{Address, HostConfig, HostId, Impairment, LinkConfig, Network, Pairs, Stream, TcpSettings};
use squall::random::Key;
use squall::sim::Host;
use squall::telemetry::proto::telemetry_service_client::TelemetryServiceClient;
use squall::telemetry::proto::telemetry_service_server::{TelemetryService, TelemetryServiceServer};
use squall::telemetry::proto::{AlertRequest, AlertResponse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};

const RTT: Duration = Duration::from_millis(10);
const PORT: u16 = 80;
/// Longer than any kernel waits by itself.
const FOREVER: Duration = Duration::from_secs(3 * 3600);

/// What someone sees, in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Success,
    /// `read` returns 0.
    EndOfFile,
    Refused,
    Reset,
    TimedOut,
    /// Nothing, for ever.
    Nothing,
}

use Seen::{EndOfFile, Nothing, Refused, Reset, Success, TimedOut};

/// What, and when: in seconds after the failure, between the two.
type Expected = (Seen, f64, f64);

struct Row {
    failure: &'static str,
    linux: &'static str,
    strike: fn(Scene) -> Pin<Box<dyn Future<Output = ()> + Send>>,
    tcp: fn() -> TcpSettings,
    /// A client that waits in `read` on a connection on which nothing is under way.
    idle_read: Expected,
    /// A client that sends a request at the moment of the failure and reads the answer.
    open_call: Expected,
    /// A client that connects at that moment.
    connect: Expected,
    /// One that connects and makes a call.
    new_call: Expected,
}

const NEVER: Expected = (Nothing, 0.0, 0.0);
/// `tcp_retries2` 15: 924.6 s of retransmitting, seen by the first timer after that.
const GIVES_UP: Expected = (TimedOut, 924.6, 1060.0);
/// `tcp_syn_retries` 6 and `tcp_syn_linear_timeouts` 4: 134.9 s measured; which tick the first timer met moves it.
const SYN_GIVES_UP: Expected = (TimedOut, 131.0, 140.0);

#[derive(Clone)]
struct Scene {
    net: Network,
    client: HostId,
    server: HostId,
}

impl Scene {
    fn new(tcp: TcpSettings) -> Self {
        let net = Network::new(Key::from_seed(5));
        let client = net.add_host(HostConfig { name: "client".into(), tcp });
        let server = net.add_host(HostConfig::named("server"));
        net.set_default_link(LinkConfig::with_latency(RTT / 2));
        let again = net.clone();
        let echo = move |server: HostId| {
            let listener = again.listen(server, PORT, 128).expect("the port is free");
            let net = again.clone();
            again.spawn_on(server, async move {
                while let Ok((stream, _)) = listener.accept().await {
                    net.spawn_on(server, echo(stream));
                }
            });
        };
        echo(server);
        net.on_start(server, echo);
        Self { net, client, server }
    }

    async fn connect(&self) -> io::Result<Stream> {
        self.net.connect(self.client, Address::new(self.server, PORT)).await
    }

    fn both_ways(&self) -> Pairs {
        Pairs::between(&[self.client], &[self.server])
    }
}

async fn echo(mut stream: Stream) {
    let mut bytes = [0; 64];
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        if stream.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

async fn call(stream: &mut Stream) -> io::Result<usize> {
    stream.write_all(b"ping").await?;
    stream.read(&mut [0; 4]).await
}

fn seen(outcome: io::Result<usize>) -> Seen {
    match outcome.map_err(|error| error.kind()) {
        Ok(0) => EndOfFile,
        Ok(_) => Success,
        Err(io::ErrorKind::ConnectionRefused) => Refused,
        Err(io::ErrorKind::ConnectionReset) => Reset,
        Err(io::ErrorKind::TimedOut) => TimedOut,
        Err(other) => panic!("no kernel answers so: {other}"),
    }
}

async fn watch(what: impl Future<Output = io::Result<usize>>) -> (Seen, f64) {
    let began = clock::now();
    let outcome = clock::timeout(FOREVER, what).await;
    let seen = outcome.map_or(Nothing, seen);
    (seen, (clock::now() - began).as_secs_f64())
}

impl Row {
    fn check(&self) -> Vec<String> {
        let (strike, tcp) = (self.strike, (self.tcp)());
        let seen = Simulation::new().run(async move {
            let scene = Scene::new(tcp);
            let (mut idle, mut busy) = (scene.connect().await.unwrap(), scene.connect().await.unwrap());
            call(&mut idle).await.unwrap();
            call(&mut busy).await.unwrap();
            clock::sleep(Duration::from_secs(1)).await;
            tokio::spawn(strike(scene.clone()));
            tokio::task::yield_now().await;
            let connecting = scene.clone();
            tokio::join!(
                watch(async { idle.read(&mut [0; 1]).await }),
                watch(call(&mut busy)),
                watch(async { scene.connect().await.map(|_| 1) }),
                watch(async move { call(&mut connecting.connect().await?).await }),
            )
        });
        let (idle, open, connect, new) = seen.expect("the scene ends");
        [("idle read", self.idle_read, idle), ("open call", self.open_call, open)]
            .into_iter()
            .chain([("connect", self.connect, connect), ("new call", self.new_call, new)])
            .filter(|(_, (expected, from, to), (seen, at))| {
                seen != expected || (*seen != Nothing && !(*from..=*to).contains(at))
            })
            .map(|(who, expected, seen)| {
                format!("{}: {who} sees {seen:?}, not {expected:?} (Linux: {})", self.failure, self.linux)
            })
            .collect()
    }
}

const TABLE: &[Row] = &[
    Row {
        failure: "nobody listens",
        linux: "RST in answer to the SYN: ECONNREFUSED after a round trip (tcp_v4_send_reset)",
        strike: |scene| {
            Box::pin(async move {
                scene.net.refuse(scene.server, Some(PORT));
            })
        },
        tcp: TcpSettings::default,
        idle_read: NEVER,
        open_call: (Success, 0.010, 0.011),
        connect: (Refused, 0.010, 0.010),
        new_call: (Refused, 0.010, 0.010),
    },
    Row {
        failure: "host down",
        linux: "silence: retransmission until tcp_retries2; an idle reader without keepalive never learns (tcp(7))",
        strike: |scene| Box::pin(async move { scene.net.power_off(scene.server) }),
        tcp: TcpSettings::default,
        idle_read: NEVER,
        open_call: GIVES_UP,
        connect: SYN_GIVES_UP,
        new_call: SYN_GIVES_UP,
    },
    Row {
        failure: "black hole, both ways",
        linux: "as a host that is down: nothing distinguishes them (measured: retries2_15_gives_up_after_s)",
        strike: |scene| {
            Box::pin(async move {
                scene.net.impair(scene.both_ways(), Impairment::drop_all());
            })
        },
        tcp: TcpSettings::default,
        idle_read: NEVER,
        open_call: GIVES_UP,
        connect: SYN_GIVES_UP,
        new_call: SYN_GIVES_UP,
    },
    Row {
        failure: "black hole, one way back",
        linux: "the request arrives and is answered into the void; the SYN is answered into the void",
        strike: |scene| {
            Box::pin(async move {
                scene.net.impair(vec![(scene.server, scene.client)], Impairment::drop_all());
            })
        },
        tcp: TcpSettings::default,
        idle_read: NEVER,
        open_call: GIVES_UP,
        connect: SYN_GIVES_UP,
        new_call: SYN_GIVES_UP,
    },
    Row {
        failure: "black hole of 5 s",
        linux: "healing lags: the next retransmission comes when its doubled timer fires (measured: black-hole-5s)",
        strike: |scene| {
            Box::pin(async move {
                let fault = scene.net.impair(scene.both_ways(), Impairment::drop_all());
                clock::sleep(Duration::from_secs(5)).await;
                scene.net.repair(fault);
            })
        },
        tcp: TcpSettings::default,
        idle_read: NEVER,
        open_call: (Success, 5.0, 8.0),
        connect: (Success, 5.0, 5.3),
        new_call: (Success, 5.0, 5.4),
    },
    Row {
        failure: "TCP_USER_TIMEOUT 10 s in a black hole",
        linux: "the connection ends at the timer that first finds 10 s without acknowledgement, a SYN's included (tcp(7))",
        strike: |scene| {
            Box::pin(async move {
                scene.net.impair(scene.both_ways(), Impairment::drop_all());
            })
        },
        tcp: || TcpSettings { user_timeout: Some(Duration::from_secs(10)), ..TcpSettings::default() },
        idle_read: NEVER,
        open_call: (TimedOut, 10.0, 11.5),
        connect: (TimedOut, 10.0, 10.3),
        new_call: (TimedOut, 10.0, 10.3),
    },
    Row {
        failure: "keepalive 10 s / 1 s / 3 in a black hole",
        linux: "an idle reader learns after the probes; data under way has its own timer (tcp_keepalive_timer)",
        strike: |scene| {
            Box::pin(async move {
                scene.net.impair(scene.both_ways(), Impairment::drop_all());
            })
        },
        tcp: || {
            let (time, interval) = (Duration::from_secs(10), Duration::from_secs(1));
            let keepalive = squall::net::tcp::Keepalive { time, interval, probes: 3 };
            TcpSettings { keepalive: Some(keepalive), ..TcpSettings::default() }
        },
        idle_read: (TimedOut, 11.0, 14.0),
        open_call: GIVES_UP,
        connect: SYN_GIVES_UP,
        new_call: SYN_GIVES_UP,
    },
    Row {
        failure: "process killed",
        linux: "the kernel sends FIN for what was open and refuses what is new (do_exit, tcp_close)",
        strike: |scene| Box::pin(async move { scene.net.kill(scene.server) }),
        tcp: TcpSettings::default,
        idle_read: (EndOfFile, 0.005, 0.005),
        open_call: (EndOfFile, 0.005, 0.005),
        connect: (Refused, 0.010, 0.010),
        new_call: (Refused, 0.010, 0.010),
    },
    Row {
        failure: "process killed with a request unread",
        linux: "unread data makes close() send RST (tcp_close; RFC 2525, 2.17)",
        strike: |scene| {
            Box::pin(async move {
                scene.net.pause(scene.server);
                clock::sleep(Duration::from_millis(100)).await;
                scene.net.kill(scene.server);
            })
        },
        tcp: TcpSettings::default,
        idle_read: (EndOfFile, 0.105, 0.105),
        open_call: (Reset, 0.105, 0.105),
        // The kernel had completed the handshake for a process that was stopped.
        connect: (Success, 0.010, 0.010),
        new_call: (Reset, 0.105, 0.105),
    },
    Row {
        failure: "power lost, back after 10 s",
        linux: "the next incarnation knows nothing: RST in answer to the retransmission (RFC 9293, 3.10.7.1)",
        strike: |scene| {
            Box::pin(async move {
                scene.net.power_off(scene.server);
                clock::sleep(Duration::from_secs(10)).await;
                scene.net.start(scene.server);
            })
        },
        tcp: TcpSettings::default,
        idle_read: NEVER,
        open_call: (Reset, 10.0, 16.0),
        connect: (Success, 11.0, 11.6),
        new_call: (Success, 11.0, 11.7),
    },
    Row {
        failure: "reset by a middlebox",
        linux: "ECONNRESET at once; a new connection is another matter (tcp_reset)",
        strike: |scene| {
            Box::pin(async move {
                let pairs = scene.both_ways();
                assert!(scene.net.reset_connections(pairs) >= 2);
            })
        },
        tcp: TcpSettings::default,
        idle_read: (Reset, 0.0, 0.0),
        open_call: (Reset, 0.0, 0.0),
        connect: (Success, 0.010, 0.010),
        new_call: (Success, 0.020, 0.021),
    },
    Row {
        failure: "half-open: forgotten by the server",
        linux: "silence until the client sends; then RST after a round trip (RFC 9293, 3.5.1)",
        strike: |scene| {
            Box::pin(async move {
                assert_eq!(scene.net.forget(scene.server, Pairs::All), 2);
            })
        },
        tcp: TcpSettings::default,
        idle_read: NEVER,
        open_call: (Reset, 0.010, 0.010),
        connect: (Success, 0.010, 0.010),
        new_call: (Success, 0.020, 0.021),
    },
    Row {
        failure: "backlog full",
        linux: "SYNs are dropped without a word (tcp_conn_request, tcp_abort_on_overflow 0)",
        strike: |scene| {
            Box::pin(async move {
                scene.net.fill_backlog(scene.server, None);
            })
        },
        tcp: TcpSettings::default,
        idle_read: NEVER,
        open_call: (Success, 0.010, 0.011),
        connect: SYN_GIVES_UP,
        new_call: SYN_GIVES_UP,
    },
    Row {
        failure: "process paused for 3 s",
        linux: "its kernel acknowledges and accepts; only the answer waits (SIGSTOP stops no softirq)",
        strike: |scene| {
            Box::pin(async move {
                scene.net.pause(scene.server);
                clock::sleep(Duration::from_secs(3)).await;
                scene.net.resume(scene.server);
            })
        },
        tcp: TcpSettings::default,
        idle_read: NEVER,
        open_call: (Success, 3.0, 3.01),
        connect: (Success, 0.010, 0.010),
        new_call: (Success, 3.0, 3.01),
    },
    Row {
        failure: "NAT entry expired",
        linux: "conntrack forgets an idle connection; what follows is dropped, both ways (nf_conntrack_tcp)",
        strike: |scene| {
            Box::pin(async move {
                let nat_idle = Some(Duration::from_millis(500));
                let link = LinkConfig { nat_idle, ..LinkConfig::with_latency(RTT / 2) };
                scene.net.set_default_link(link);
            })
        },
        tcp: TcpSettings::default,
        idle_read: NEVER,
        open_call: GIVES_UP,
        connect: (Success, 0.010, 0.010),
        new_call: (Success, 0.020, 0.021),
    },
];

#[test]
fn every_failure_has_its_shape() {
    let wrong: Vec<String> = TABLE.iter().flat_map(Row::check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Answers after 100 ms.
struct Slow;

const WORK: Duration = Duration::from_millis(100);

#[tonic::async_trait]
impl TelemetryService for Slow {
    async fn report_alert(&self, _: Request<AlertRequest>) -> Result<Response<AlertResponse>, Status> {
        clock::sleep(WORK).await;
        Ok(Response::new(AlertResponse { acknowledged: true, tracking_id: "1".to_owned() }))
    }
}

/// The code of a call on `channel`, and when it ended, in seconds of the simulation.
async fn report(channel: Channel) -> (Code, f64) {
    let answer = TelemetryServiceClient::new(channel).report_alert(AlertRequest::default()).await;
    (answer.map_or_else(|status| status.code(), |_| Code::Ok), clock::now().as_secs_f64())
}

/// The row that needs HTTP/2: GOAWAY tells the client to start nothing more, what is open ends as if nothing had happened,
/// and then the connection closes. RFC 9113, 6.8. A call that comes too late fails at once, and after the
/// process is gone Linux refuses the connection: nobody listens.
#[test]
fn a_graceful_drain_ends_what_is_open_and_starts_nothing_new() {
    let (open, late, after) = Simulation::new()
        .run(async {
            let net = Network::new(Key::from_seed(1));
            let host = |name: &str| Host::new(net.clone(), net.add_host(HostConfig::named(name.to_owned())));
            let (client, server) = (host("client"), host("server"));
            net.set_default_link(LinkConfig::with_latency(RTT / 2));
            let listener = server.listen(50_051).expect("the port is free");
            let (drain, told) = tokio::sync::oneshot::channel::<()>();
            server.spawn(async move {
                let stop = async { told.await.unwrap_or_default() };
                let service = Server::builder().add_service(TelemetryServiceServer::new(Slow));
                service.serve_with_incoming_shutdown(listener, stop).await.expect("the server runs");
            });
            let endpoint = Endpoint::from_static("http://server:50051");
            let channel = endpoint.connect_with_connector(client.connector()).await.expect("connects");
            let began = clock::now().as_secs_f64();
            let open = tokio::spawn(report(channel.clone()));
            clock::sleep(RTT * 2).await;
            drain.send(()).expect("the server listens for it");
            clock::sleep(RTT * 2).await;
            let late = tokio::spawn(report(channel.clone()));
            let (open, late) = (open.await.unwrap(), late.await.unwrap());
            let gone = clock::now().as_secs_f64();
            let after = report(channel).await;
            ((open.0, open.1 - began), (late.0, late.1 - began), (after.0, after.1 - gone))
        })
        .expect("the simulation ends");
    assert_eq!(open.0, Code::Ok);
    assert!((open.1 - 0.11).abs() < 0.001, "an open call takes its service time and a round trip: {open:?}");
    // tonic's word for a request handed to a connection that has been told to go away: nothing of it was sent.
    assert_eq!(late.0, Code::Cancelled);
    assert!((late.1 - 0.04).abs() < 0.001, "at once: {late:?}");
    assert_eq!(after.0, Code::Unavailable);
    assert!((after.1 - 0.01).abs() < 0.001, "and then is refused, after a round trip: {after:?}");
}
