//! The channel over raw HTTP/2 servers that misbehave, in virtual time.

mod peer;

use std::sync::Arc;
use std::time::Duration;

use peer::{Door, Heard, Reply, Server, call, target};
use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{
    Ambient, Balance, BreakerConfig, Channel, ChannelConfig, Connector, Endpoint, EventKind, Keepalive, Origin,
    Strategy, Transport, Trip, build, origin_of,
};
use tonic::Code;

fn ambient(heard: &Arc<Heard>) -> Ambient {
    Ambient::new(Key::from_seed(1)).observed_by(heard.clone())
}

#[test]
fn a_call_takes_one_connection_and_one_stream() {
    for transport in [Transport::Own, Transport::Tonic] {
        let server = Server::sequence([Reply::Ok]);
        let heard = Arc::new(Heard::default());
        let strategy = Strategy { channel: ChannelConfig { transport, ..Default::default() }, ..Default::default() };
        let answers = {
            let (server, heard) = (server.clone(), heard.clone());
            Simulation::new().run(async move {
                let client = build(&strategy, target(1), server, &ambient(&heard)).unwrap();
                [call(client.clone()).await.unwrap(), call(client).await.unwrap()]
            })
        };
        assert_eq!(answers.unwrap(), [b"ok", b"ok"]);
        assert_eq!((server.connections(), server.served()), (1, 2));
        assert_eq!(heard.count(|kind| matches!(kind, EventKind::AttemptStarted { .. })), 2);
        assert_eq!(
            heard.count(|kind| matches!(kind, EventKind::AttemptEnded { code: Code::Ok, committed: true, .. })),
            2
        );
    }
}

/// What the application sees of every way to fail: code and origin.
#[test]
fn failures_have_the_codes_and_origins_of_the_specification() {
    use h2::Reason;
    let check = |reply: Reply, code: Code, origin: Origin| {
        let server = Server::sequence([reply.clone()]);
        let status = Simulation::new().run(async move {
            let channel =
                Channel::new(target(1), server, ChannelConfig::default(), &Ambient::new(Key::from_seed(1))).unwrap();
            call(channel).await.unwrap_err()
        });
        let status = status.unwrap();
        assert_eq!((status.code(), origin_of(&status)), (code, origin), "{reply:?}: {status}");
    };
    check(Reply::Status(Code::NotFound), Code::NotFound, Origin::Server);
    check(Reply::Late(Code::DataLoss), Code::DataLoss, Origin::Server);
    check(Reply::Disconnect, Code::Unavailable, Origin::Network);
    check(Reply::Reset(Reason::REFUSED_STREAM), Code::Unavailable, Origin::Server);
    check(Reply::Reset(Reason::CANCEL), Code::Cancelled, Origin::Server);
    check(Reply::Reset(Reason::ENHANCE_YOUR_CALM), Code::ResourceExhausted, Origin::Server);
    check(Reply::Reset(Reason::INTERNAL_ERROR), Code::Internal, Origin::Server);
    check(Reply::LateReset(Reason::INADEQUATE_SECURITY), Code::PermissionDenied, Origin::Server);
    check(Reply::LateReset(Reason::HTTP_1_1_REQUIRED), Code::Unknown, Origin::Server);
}

/// A refused stream was never processed: it is sent again, once, without counting as an attempt.
#[test]
fn refused_streams_and_goaway_are_retried_transparently_once() {
    let refused = Server::sequence([Reply::Reset(h2::Reason::REFUSED_STREAM), Reply::Ok]);
    let turned_away = Server::sequence([Reply::Ok]).with_door(|n| if n == 0 { Door::TurnsAway } else { Door::Open });
    for (server, served) in [(refused, 2), (turned_away, 1)] {
        let heard = Arc::new(Heard::default());
        let answer = {
            let (server, heard) = (server.clone(), heard.clone());
            Simulation::new().run(async move {
                let channel = Channel::new(target(1), server, ChannelConfig::default(), &ambient(&heard)).unwrap();
                call(channel).await
            })
        };
        assert_eq!(answer.unwrap().unwrap(), b"ok");
        assert_eq!(server.served(), served);
        assert_eq!(heard.count(|kind| matches!(kind, EventKind::TransparentRetry { .. })), 1);
        assert_eq!(heard.count(|kind| matches!(kind, EventKind::AttemptStarted { .. })), 1);
        assert!(!server.headers(served - 1).contains_key("grpc-previous-rpc-attempts"));
    }
}

#[test]
fn a_large_request_flows_through_the_windows() {
    let server = Server::sequence([Reply::Ok]);
    let answer = Simulation::new().run(async move {
        let channel =
            Channel::new(target(1), server, ChannelConfig::default(), &Ambient::new(Key::from_seed(1))).unwrap();
        peer::request(channel, tonic::Request::new(vec![7; 3_000_000])).await
    });
    assert_eq!(answer.unwrap().unwrap(), b"ok");
}

/// `cargo test` must not hang: a channel that nobody holds lets go of its tasks.
#[test]
fn dropping_the_channel_ends_its_tasks() {
    let server = Server::sequence([Reply::Ok]);
    let stalled = Simulation::new().run(async move {
        let channel =
            Channel::new(target(1), server, ChannelConfig::default(), &Ambient::new(Key::from_seed(1))).unwrap();
        call(channel).await.unwrap();
        clock::sleep(Duration::from_secs(1)).await;
        std::future::pending::<()>().await;
    });
    assert!(stalled.is_err());
}

/// A connection that is replaced for its age loses no call: the old one finishes what it has.
#[test]
fn connections_are_replaced_at_their_maximum_age() {
    let server = Server::new(|_| Reply::After(Duration::from_secs(3), Box::new(Reply::Ok)));
    let peer = server.clone();
    let oks = Simulation::new().run(async move {
        let config = ChannelConfig { max_age: Some(Duration::from_secs(10)), ..ChannelConfig::default() };
        let channel = Channel::new(target(1), peer, config, &Ambient::new(Key::from_seed(1))).unwrap();
        let mut calls = Vec::new();
        for _ in 0..40 {
            calls.push(tokio::spawn(call(channel.clone())));
            clock::sleep(Duration::from_secs(1)).await;
        }
        let mut oks = 0;
        for call in calls {
            oks += usize::from(call.await.unwrap().is_ok());
        }
        oks
    });
    assert_eq!(oks.unwrap(), 40);
    assert!((4..=5).contains(&server.connections()), "40 s at 9 to 11 s each: {}", server.connections());
}

/// gRFC A17: a server without a health service is healthy, and a call waits until the first answer.
#[test]
fn a_server_without_health_service_is_healthy() {
    let server = Server::sequence([Reply::Status(Code::Unimplemented), Reply::Ok]);
    let peer = server.clone();
    let answer = Simulation::new().run(async move {
        let config =
            ChannelConfig { balance: Balance::RoundRobin, health: Some("test".to_owned()), ..ChannelConfig::default() };
        call(Channel::new(target(1), peer, config, &Ambient::new(Key::from_seed(1))).unwrap()).await
    });
    assert_eq!(answer.unwrap().unwrap(), b"ok");
    assert_eq!(server.served(), 2, "the watch, and the call");
}

/// Each balance but pick_first uses all endpoints; pick_first sticks to one.
#[test]
fn balances_spread_calls_as_they_say() {
    let served = |balance: Balance| {
        let pair = peer::Pair { first: Server::sequence([Reply::Ok]), others: Server::sequence([Reply::Ok]) };
        let peers = pair.clone();
        Simulation::new()
            .run(async move {
                let config = ChannelConfig { balance, ..ChannelConfig::default() };
                let channel = Channel::new(target(3), peers, config, &Ambient::new(Key::from_seed(1))).unwrap();
                for _ in 0..300 {
                    call(channel.clone()).await.unwrap();
                    clock::sleep(Duration::from_millis(10)).await;
                }
            })
            .unwrap();
        (pair.first.served(), pair.others.served())
    };
    assert_eq!(served(Balance::PickFirst), (300, 0));
    let (first, others) = served(Balance::RoundRobin);
    assert!((98..=102).contains(&first) && first + others == 300, "{first}");
    for balance in [Balance::LeastOutstanding, Balance::PeakEwma { decay: Duration::from_secs(10) }] {
        let (first, _) = served(balance);
        assert!((60..=140).contains(&first), "{balance:?}: {first}");
    }
}

/// gRFC A8: "the client doubles its keepalive time"; each connection waits twice as long before it pings.
#[test]
fn too_many_pings_double_the_keepalive_time() {
    let server = Server::sequence([Reply::Ok]).with_door(|_| Door::TooManyPings);
    let peer = server.clone();
    Simulation::new()
        .run(async move {
            let (time, timeout) = (Duration::from_secs(10), Duration::from_secs(5));
            let config = ChannelConfig {
                balance: Balance::RoundRobin,
                keepalive: Some(Keepalive { time, timeout, without_calls: true }),
                ..ChannelConfig::default()
            };
            let ambient = Ambient::new(Key::from_seed(1));
            let channel = Channel::new(target(1), peer, config, &ambient).unwrap();
            let _ = call(channel.clone()).await;
            clock::sleep(Duration::from_secs(90)).await;
        })
        .unwrap();
    let seconds: Vec<u64> = server.knocks().iter().map(|at| at.as_nanos() / 1_000_000_000).collect();
    assert_eq!(seconds, [0, 10, 30, 70]);
}

/// To wait for ready is to wait for a connection: a call that only a breaker keeps away fails at once, as what gRFC A32's circuit
/// breakers drop does, and is not forgotten until its deadline.
#[test]
fn a_call_that_waits_for_ready_does_not_wait_for_a_breaker() {
    let breaker = BreakerConfig { trip: Trip::Consecutive { failures: 1 }, ..BreakerConfig::default() };
    let config = ChannelConfig {
        balance: Balance::RoundRobin,
        wait_for_ready: true,
        endpoint_breaker: Some(breaker),
        ..ChannelConfig::default()
    };
    let server = Server::sequence([Reply::Status(Code::Unavailable), Reply::Ok]);
    let run = Simulation::new().run(async {
        let channel = Channel::new(target(1), server.clone(), config, &Ambient::new(Key::from_seed(1))).unwrap();
        call(channel.clone()).await.unwrap_err();
        let barred = clock::timeout(Duration::from_secs(60), call(channel.clone())).await.expect("it does not wait");
        assert_eq!(origin_of(&barred.unwrap_err()), Origin::Breaker);
        // Half-open after 5 s.
        clock::sleep(Duration::from_secs(5)).await;
        call(channel).await
    });
    assert_eq!(run.unwrap().unwrap(), b"ok");
}

/// A server whose connector notes after how long streams are to be given up.
#[derive(Clone)]
struct Noted(Server, Arc<std::sync::Mutex<Vec<Duration>>>);

impl Connector for Noted {
    type Io = tokio::io::DuplexStream;

    async fn connect(&self, endpoint: &Endpoint) -> std::io::Result<Self::Io> {
        self.0.connect(endpoint).await
    }

    fn give_up_after(&self, _: &Self::Io, timeout: Duration) -> std::io::Result<()> {
        self.1.lock().unwrap().push(timeout);
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// gRFC A18: the keepalive timeout bounds what stays unacknowledged as well, with keepalive only; a system that cannot do it is no
/// reason to fail.
#[test]
fn streams_are_given_up_after_the_keepalive_timeout() {
    let seconds = Duration::from_secs;
    let keepalive = Keepalive { time: seconds(10), timeout: seconds(20), without_calls: false };
    for (keepalive, expected) in [(None, vec![]), (Some(keepalive), vec![seconds(20)])] {
        let noted = Noted(Server::sequence([Reply::Ok]), Arc::default());
        let config = ChannelConfig { keepalive, ..ChannelConfig::default() };
        let run = Simulation::new().run(async {
            let channel = Channel::new(target(1), noted.clone(), config, &Ambient::new(Key::from_seed(1))).unwrap();
            call(channel).await
        });
        assert_eq!(run.unwrap().unwrap(), b"ok");
        assert_eq!(*noted.1.lock().unwrap(), expected);
    }
}
