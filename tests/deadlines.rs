//! Whose deadline holds, and for how long: the caller's own, whatever layers there are; the outermost, whatever is nested in it; and
//! what remains of it, wherever the call has waited.
#![cfg(feature = "sim")]

mod peer;

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use peer::{Door, Reply, Server, ask, call, request, target};
use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{
    Ambient, Call, CallDeadline, ChannelConfig, Client, Discipline, HedgeConfig, HedgeDelay, LayerConfig,
    LimitAlgorithm, LimitConfig, Origin, RetryConfig, ServiceConfig, Strategy, build, origin_of,
};
use tonic::Code;
use tonic::body::Body;
use tower::Service;

const MS: Duration = Duration::from_millis(1);

/// How a caller sets a deadline.
#[derive(Clone, Copy, Debug)]
enum By {
    /// As a layer further out or a handler hands it on.
    Extension,
    /// As tonic has it.
    SetTimeout,
}

/// A call that may take 50 ms: its code, who produced it, and after how long.
fn bounded(strategy: &Strategy, server: &Server, by: By) -> (Code, Origin, u128) {
    let run = Simulation::new().run(async {
        let client = build(strategy, target(1), server.clone(), &Ambient::new(Key::from_seed(1))).unwrap();
        let mut message = tonic::Request::new(b"alert".to_vec());
        let began = clock::now();
        match by {
            By::Extension => {
                message.extensions_mut().insert(Call::new().deadline(CallDeadline(began + 50 * MS)));
            }
            By::SetTimeout => message.set_timeout(50 * MS),
        }
        let answer = clock::timeout(10_000 * MS, request(client, message)).await.expect("the call ends by itself");
        let status = answer.expect_err("the server never answers");
        (status.code(), origin_of(&status), (clock::now() - began).as_millis())
    });
    run.unwrap()
}

/// No layer bounds these calls; the channel does, wherever they are: connecting, waiting for ready, sent, answered by half.
#[test]
fn a_callers_own_deadline_holds_without_any_layer() {
    let silent = || Server::sequence([Reply::Silence]);
    let unreachable = |door: Door| silent().with_door(move |_| door);
    let patient = ChannelConfig { wait_for_ready: true, ..ChannelConfig::default() };
    let patient = Strategy { channel: patient, ..Strategy::default() };
    let retry = Strategy { layers: vec![LayerConfig::Retry(RetryConfig::default())], ..Strategy::default() };
    let json = r#"{"methodConfig": [{"name": [{}], "waitForReady": true}]}"#;
    let untimed = ServiceConfig::parse(json).unwrap().into_strategy("untimed");
    let plain = Strategy::default();
    for (strategy, server) in [
        (&plain, silent()),
        (&plain, Server::sequence([Reply::LateSilence])),
        (&plain, unreachable(Door::BlackHole)),
        (&patient, unreachable(Door::Refused)),
        (&retry, silent()),
        (&untimed, silent()),
    ] {
        for by in [By::Extension, By::SetTimeout] {
            let found = bounded(strategy, &server, by);
            assert_eq!(found, (Code::DeadlineExceeded, Origin::ClientDeadline, 50), "{strategy:?} {by:?}");
        }
    }
}

/// A deadline that only the headers know spans all attempts, as any other: the second attempt does not get the time of the first again.
#[test]
fn a_deadline_in_the_headers_spans_all_attempts() {
    let retry = LayerConfig::Retry(RetryConfig { attempts: 9, ..RetryConfig::default() });
    let hedge = HedgeConfig { attempts: 9, delay: HedgeDelay::Fixed(1000 * MS), ..HedgeConfig::default() };
    for layer in [retry, LayerConfig::Hedge(hedge)] {
        let server = Server::sequence([Reply::After(20 * MS, Box::new(Reply::Status(Code::Unavailable)))]);
        let strategy = Strategy { layers: vec![layer], ..Strategy::default() };
        let (code, origin, ended_ms) = bounded(&strategy, &server, By::SetTimeout);
        assert_eq!((code, origin, ended_ms), (Code::DeadlineExceeded, Origin::ClientDeadline, 50), "{strategy:?}");
        assert_eq!(server.served(), 3, "{strategy:?}");
        // The first call waited 1 ms for its connection, and attempts took 20 ms each.
        let said = |n: usize| server.headers(n).get("grpc-timeout").unwrap().to_str().unwrap().to_owned();
        assert_eq!([said(0), said(1), said(2)], ["49000000n", "29000000n", "9000000n"]);
    }
}

/// Nothing is sent for a caller whose time is up already.
#[test]
fn a_deadline_that_has_passed_sends_nothing() {
    let server = Server::sequence([Reply::Ok]);
    let run = Simulation::new().run(async {
        let client = build(&Strategy::default(), target(1), server.clone(), &Ambient::new(Key::from_seed(1))).unwrap();
        call(client.clone()).await.unwrap();
        for timeout in ["0n", "0S"] {
            let mut message = tonic::Request::new(Vec::new());
            message.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
            let status = request(client.clone(), message).await.unwrap_err();
            assert_eq!((status.code(), origin_of(&status)), (Code::DeadlineExceeded, Origin::ClientDeadline));
        }
    });
    run.unwrap();
    assert_eq!(server.served(), 1);
}

/// A method's timeout and the caller's: the earlier holds, and the server is told of it.
#[test]
fn the_earlier_of_two_deadlines_holds() {
    let json =
        r#"{"methodConfig": [{"name": [{}], "timeout": "1s"}, {"name": [{"service": "b.C"}], "timeout": "0.02s"}]}"#;
    let strategy = ServiceConfig::parse(json).unwrap().into_strategy("two");
    for (path, ended_ms, told) in [("/a.B/C", 50, "50000u"), ("/b.C/D", 20, "20000u")] {
        let server = Server::new(|n| if n == 0 { Reply::Ok } else { Reply::Silence });
        let run = Simulation::new().run(async {
            let client = build(&strategy, target(1), server.clone(), &Ambient::new(Key::from_seed(1))).unwrap();
            call(client.clone()).await.unwrap();
            let began = clock::now();
            let mut message = tonic::Request::new(Vec::new());
            message.set_timeout(50 * MS);
            let status = ask(client, path, message).await.unwrap_err();
            (status.code(), (clock::now() - began).as_millis())
        });
        assert_eq!(run.unwrap(), (Code::DeadlineExceeded, ended_ms), "{path}");
        let header = server.headers(1).get("grpc-timeout").unwrap().to_str().unwrap().to_owned();
        let nanos = |text: &str| match text.split_at(text.len() - 1) {
            (count, "n") => count.parse::<u64>().unwrap(),
            (count, "u") => count.parse::<u64>().unwrap() * 1000,
            other => panic!("{other:?}"),
        };
        assert_eq!(nanos(&header), nanos(told), "{path}: {header}");
    }
}

/// The timeout of an attempt that contains attempts is that attempt's, also where the layer further in sees it first: the outer
/// retry goes on.
#[test]
fn an_attempt_cut_off_by_an_outer_attempts_timeout_is_retried_there() {
    let retry = || LayerConfig::Retry(RetryConfig { attempts: 2, ..RetryConfig::default() });
    let timeout = |ms: u32| LayerConfig::AttemptTimeout(ms * MS);
    let layers = vec![LayerConfig::Deadline(1000 * MS), retry(), timeout(50), retry(), timeout(30)];
    let strategy = Strategy { layers, ..Strategy::default() };
    let server = Server::sequence([Reply::Silence]);
    let run = Simulation::new().run(async {
        let client = build(&strategy, target(1), server.clone(), &Ambient::new(Key::from_seed(1))).unwrap();
        let began = clock::now();
        let status = call(client).await.unwrap_err();
        (status.code(), origin_of(&status), (clock::now() - began).as_millis())
    });
    // From 0 to 30 and to 50, and the same again.
    assert_eq!(run.unwrap(), (Code::DeadlineExceeded, Origin::AttemptTimeout, 100));
    assert_eq!(server.served(), 4);
}

/// Notes the `grpc-timeout` of every request, and answers after 400 ms.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<HeaderValue>>>);

impl Service<Request<Body>> for Notes {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.lock().unwrap().extend(request.headers().get("grpc-timeout").cloned());
        Box::pin(async {
            clock::sleep(400 * MS).await;
            let mut response = Response::new(Body::empty());
            response.headers_mut().insert("grpc-status", HeaderValue::from_static("0"));
            Ok(response)
        })
    }
}

/// The second call waits for the first; what the server hears is what is left then.
#[test]
fn a_server_hears_what_is_left_after_a_wait_in_a_queue() {
    let discipline = Discipline::Fifo { max_wait: None };
    let limit = LimitConfig { queue: 1, discipline, ..LimitConfig::new(LimitAlgorithm::Fixed { max: 1 }) };
    let layers = vec![LayerConfig::Deadline(1000 * MS), LayerConfig::Limit(limit)];
    let strategy = Strategy { layers, ..Strategy::default() };
    let notes = Notes::default();
    let run = Simulation::new().run(async {
        let ambient = Ambient::new(Key::from_seed(1));
        let mut client = Client::around(&strategy, notes.clone(), &ambient).unwrap();
        let calls = [client.call(Request::new(Body::empty())), client.call(Request::new(Body::empty()))];
        futures_util::future::join_all(calls).await
    });
    assert!(run.unwrap().iter().all(Result::is_ok));
    assert_eq!(*notes.0.lock().unwrap(), ["1000000u", "600000u"]);
}
