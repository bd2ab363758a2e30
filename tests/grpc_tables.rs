//! The tables of the gRFCs and of their reference implementations, as data.

mod peer;

use std::sync::Arc;
use std::time::Duration;

use peer::{Door, Heard, Reply, Server, call, target};
use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{
    Ambient, BackoffConfig, Balance, BudgetConfig, BudgetKind, ChannelConfig, LayerConfig, RetryConfig, ServiceConfig,
    StopReason, Strategy, build,
};
use tonic::Code;

fn retry_with(tokens: u32, ratio: f64) -> Strategy {
    let budget = Some(BudgetConfig::per_client(BudgetKind::Grpc { tokens, ratio }));
    let retry = RetryConfig { attempts: 4, budget, ..RetryConfig::default() };
    Strategy { layers: vec![LayerConfig::Retry(retry)], ..Strategy::default() }
}

/// Makes `calls` one after the other: code of each, and the server's counter after it.
fn sequence(strategy: Strategy, server: Server, calls: usize) -> Vec<(Code, usize)> {
    let run = Simulation::new().run(async move {
        let client = build(&strategy, target(1), server.clone(), &Ambient::new(Key::from_seed(1))).unwrap();
        let mut results = Vec::new();
        for _ in 0..calls {
            let code = call(client.clone()).await.map_or_else(|status| status.code(), |_| Code::Ok);
            results.push((code, server.served()));
        }
        results
    });
    run.unwrap()
}

/// grpc-go, `TestRetryThrottling`.
#[test]
fn retry_throttling_follows_grpc_go() {
    const OK: [usize; 10] = [0, 3, 6, 10, 11, 12, 13, 14, 16, 18];
    let server = Server::new(|n| if OK.contains(&n) { Reply::Ok } else { Reply::Status(Code::Unavailable) });
    let found = sequence(retry_with(10, 0.5), server, 12);
    let (ok, bad) = (Code::Ok, Code::Unavailable);
    // The server counts from 1 after its first reply; the published counter is the number of the last.
    let expected = [
        (ok, 0),
        (ok, 3),
        (ok, 6),
        (bad, 8),
        (bad, 9),
        (ok, 10),
        (ok, 11),
        (ok, 12),
        (ok, 13),
        (ok, 14),
        (ok, 16),
        (bad, 17),
    ];
    assert_eq!(found, expected.map(|(code, last)| (code, last + 1)));
}

/// A server that always fails: four attempts, then one a call. The fifth failure leaves exactly half, which stops retries.
#[test]
fn a_failing_server_sees_one_attempt_a_call_once_throttled() {
    let found = sequence(retry_with(10, 0.1), Server::sequence([Reply::Status(Code::Unavailable)]), 5);
    assert_eq!(found.iter().map(|(_, served)| *served).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
}

/// With ratio r throttling engages once the failing share of attempts exceeds r/(1+r), within a point: 9.09 % at 0.1. The more
/// chance moves the tokens, the more of them it takes to see it.
#[test]
fn throttling_engages_at_r_over_one_plus_r() {
    let throttled = |ratio: f64, tokens: u32, calls: usize, failing: f64| {
        let key = Key::from_seed(3);
        let server = Server::new(move |n| {
            if key.with(n as u64).draw().value() < failing { Reply::Status(Code::Unavailable) } else { Reply::Ok }
        });
        let strategy = retry_with(tokens, ratio);
        let heard = Arc::new(Heard::default());
        let run = Simulation::new().run(async {
            let ambient = Ambient::new(Key::from_seed(1)).observed_by(heard.clone());
            let client = build(&strategy, target(1), server, &ambient).unwrap();
            for _ in 0..calls {
                let _ = call(client.clone()).await;
            }
        });
        run.unwrap();
        heard.stops().contains(&StopReason::Budget)
    };
    for (ratio, tokens, calls) in [(0.1, 100, 20_000), (0.2, 100, 20_000), (0.5, 1000, 40_000)] {
        let share = ratio / (1.0 + ratio);
        assert!(!throttled(ratio, tokens, calls, share - 0.01), "{ratio}: too early");
        assert!(throttled(ratio, tokens, calls, share + 0.01), "{ratio}: too late");
    }
}

/// grpc-go, `TestMaxCallAttempts`: what the config says, and the channel's own cap, against a server that always fails.
#[test]
fn attempts_are_capped_as_in_grpc_go() {
    for (configured, cap, attempts) in [(9, 4, 4), (9, 7, 7), (3, 10, 3), (8, -1, 5), (3, 0, 3), (2, 1, 2), (5, 5, 5)] {
        let json = format!(
            r#"{{"methodConfig": [{{"name": [{{}}], "retryPolicy": {{"maxAttempts": {configured}, "initialBackoff": "0.01s",
                "maxBackoff": "0.1s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}}}]}}"#
        );
        let strategy = ServiceConfig::parse_capped(&json, cap).unwrap().into_strategy("capped");
        let found = sequence(strategy, Server::sequence([Reply::Status(Code::Unavailable)]), 1);
        assert_eq!(found, [(Code::Unavailable, attempts)], "{configured}, {cap}");
    }
}

/// SRE book, "Addressing Cascading Failures": what retries make of one call, and of the load, when every attempt fails.
#[test]
fn retries_amplify_as_the_book_says() {
    let layers = |attempts: u32, budget: Option<BudgetConfig>, layers: usize| {
        let retry = RetryConfig { attempts, budget, ..RetryConfig::default() };
        Strategy { layers: vec![LayerConfig::Retry(retry); layers], ..Strategy::default() }
    };
    let amplification = |strategy: Strategy, calls: usize| {
        sequence(strategy, Server::sequence([Reply::Status(Code::Unavailable)]), calls)[calls - 1].1 as f64
            / calls as f64
    };
    assert_eq!(amplification(layers(4, None, 3), 1), 64.0);
    assert_eq!(amplification(layers(3, None, 5), 1), 243.0);
    assert_eq!(amplification(layers(3, None, 1), 100), 3.0);
    let tenth = BudgetKind::Sre { percent: 0.1, window: Duration::from_secs(10) };
    let bounded = amplification(layers(3, Some(BudgetConfig::per_client(tenth)), 1), 2000);
    assert!((bounded - 1.1).abs() <= 0.01, "{bounded}");
}

/// gRFC A6, "Pushback", on the wire: what the header says of the attempts that follow, and of the pause before them.
#[test]
fn pushback_is_obeyed_to_the_letter() {
    let ms = Duration::from_millis;
    let check = |said: &'static str, pauses: &[Duration]| {
        let retry = RetryConfig { backoff: BackoffConfig::Constant { pause: ms(10) }, ..RetryConfig::default() };
        let server = Server::sequence([Reply::Pushback(Code::Unavailable, said), Reply::Ok]);
        let heard = Arc::new(Heard::default());
        let run = Simulation::new().run(async {
            let strategy = Strategy { layers: vec![LayerConfig::Retry(retry)], ..Strategy::default() };
            let ambient = Ambient::new(Key::from_seed(1)).observed_by(heard.clone());
            let _ = call(build(&strategy, target(1), server.clone(), &ambient).unwrap()).await;
        });
        run.unwrap();
        assert_eq!((heard.pauses(), server.served()), (pauses.to_vec(), pauses.len() + 1), "{said:?}");
    };
    check("0", &[ms(0)]);
    check("1", &[ms(1)]);
    check("10000", &[ms(10_000)]);
    for never in ["-1", "-2147483648", "2147483648", "1.5", "1s", "", "soon"] {
        check(never, &[]);
    }
    // What is not retryable is not retried because the server names a time; what may not be retried is not asked for.
    let fatal = Server::sequence([Reply::Pushback(Code::InvalidArgument, "5"), Reply::Ok]);
    assert_eq!(sequence(retry_with(10, 0.1), fatal, 1), [(Code::InvalidArgument, 1)]);
}

/// "Don't retry" takes a token, whatever the code: gRFC A6, "Throttling". Of four tokens two such answers leave half, and a
/// third call that would be retried is not.
#[test]
fn pushback_that_ends_retries_is_charged() {
    for code in [Code::Unavailable, Code::InvalidArgument] {
        let server = Server::new(move |n| match n {
            0 | 1 => Reply::Pushback(code, "-1"),
            _ => Reply::Status(Code::Unavailable),
        });
        let found = sequence(retry_with(6, 0.1), server, 3);
        assert_eq!(found.iter().map(|(_, served)| *served).collect::<Vec<_>>(), [1, 2, 3], "{code:?}");
    }
}

/// Pushback says exactly how long, without jitter, and the schedule then starts over (gRFC A6, "Pushback").
#[test]
fn pushback_is_exact_and_restarts_the_backoff() {
    let ms = Duration::from_millis;
    let backoff = BackoffConfig::Exponential { base: ms(10), cap: ms(1000), multiplier: 2.0 };
    let retry = RetryConfig { attempts: 5, backoff, ..RetryConfig::default() };
    let unavailable = || Reply::Status(Code::Unavailable);
    let server = Server::sequence([
        unavailable(),
        unavailable(),
        Reply::Pushback(Code::Unavailable, "77"),
        unavailable(),
        Reply::Ok,
    ]);
    let heard = Arc::new(Heard::default());
    let listener = heard.clone();
    Simulation::new()
        .run(async move {
            let strategy = Strategy { layers: vec![LayerConfig::Retry(retry)], ..Strategy::default() };
            let ambient = Ambient::new(Key::from_seed(1)).observed_by(listener);
            call(build(&strategy, target(1), server.clone(), &ambient).unwrap()).await.unwrap();
            let previous = |n: usize| {
                server.headers(n).get("grpc-previous-rpc-attempts").map(|value| value.to_str().unwrap().to_owned())
            };
            assert_eq!([previous(0), previous(1), previous(4)], [None, Some("1".to_owned()), Some("4".to_owned())]);
        })
        .unwrap();
    assert_eq!(heard.pauses(), [ms(10), ms(20), ms(77), ms(10)]);
}

/// The published verifier of `connection-backoff.md`: against a server that accepts and closes, each gap lies within 20 % of the
/// nominal one, give or take 100 ms.
#[test]
fn connection_backoff_passes_the_published_verifier() {
    const STARTS_S: [f64; 14] = [0.0, 1.0, 2.6, 5.16, 9.26, 15.8, 26.3, 43.1, 69.9, 112.9, 181.6, 291.5, 411.5, 531.5];
    for balance in [Balance::PickFirst, Balance::RoundRobin] {
        for seed in 0..20 {
            let server = Server::sequence([Reply::Ok]).with_door(|_| Door::Slammed);
            let peer = server.clone();
            let channel = ChannelConfig { balance, ..ChannelConfig::default() };
            Simulation::new()
                .run(async move {
                    let strategy = Strategy { channel, ..Strategy::default() };
                    let client = build(&strategy, target(1), peer, &Ambient::new(Key::from_seed(seed))).unwrap();
                    assert_eq!(call(client.clone()).await.unwrap_err().code(), Code::Unavailable);
                    clock::sleep(Duration::from_secs(700)).await;
                })
                .unwrap();
            let knocks: Vec<f64> = server.knocks().iter().map(|at| at.as_secs_f64()).collect();
            assert!(knocks.len() >= STARTS_S.len(), "{knocks:?}");
            for (found, nominal) in knocks.windows(2).zip(STARTS_S.windows(2)) {
                let (gap, expected) = (found[1] - found[0], nominal[1] - nominal[0]);
                assert!(
                    gap >= 0.8 * expected - 0.1 && gap <= 1.2 * expected + 0.1,
                    "{balance:?}: {gap} for {expected}"
                );
            }
        }
    }
}

/// A black hole: the attempt lasts its deadline of 20 s, and counts from its start, so that the next follows at once.
#[test]
fn a_connection_attempt_lasts_at_least_twenty_seconds() {
    let server = Server::sequence([Reply::Ok]).with_door(|_| Door::BlackHole);
    let peer = server.clone();
    Simulation::new()
        .run(async move {
            let client = build(&Strategy::default(), target(1), peer, &Ambient::new(Key::from_seed(1))).unwrap();
            let _ = call(client.clone()).await;
            clock::sleep(Duration::from_secs(45)).await;
        })
        .unwrap();
    let knocks: Vec<u64> = server.knocks().iter().map(|at| at.as_nanos() / 1_000_000_000).collect();
    assert_eq!(knocks[..3], [0, 20, 40]);
}

/// Each method has the policy of its most specific name; all of a channel share one bucket.
#[test]
fn a_service_config_rules_by_method() {
    let config = |service: &str| {
        let json = format!(
            r#"{{"methodConfig": [
                {{"name": [{{"service": "{service}"}}], "timeout": "1s", "retryPolicy": {{"maxAttempts": 3,
                  "initialBackoff": "0.01s", "maxBackoff": "0.1s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}}}]}}"#
        );
        ServiceConfig::parse(&json).unwrap().into_strategy("config")
    };
    let served =
        |service: &str| sequence(config(service), Server::sequence([Reply::Status(Code::Unavailable)]), 1)[0].1;
    assert_eq!(served("test.Echo"), 3);
    assert_eq!(served("other.Service"), 1);
    let silent = sequence(config("test.Echo"), Server::sequence([Reply::Silence]), 1);
    assert_eq!(silent, [(Code::DeadlineExceeded, 1)]);
}

/// The most specific name rules, wherever it stands; a caller's own deadline holds beside the method's, the shorter of the two.
#[test]
fn the_most_specific_name_rules() {
    let config = ServiceConfig::parse(
        r#"{"methodConfig": [
            {"name": [{}], "timeout": "1s"},
            {"name": [{"service": "a.B", "method": "C"}, {"service": "x.Y"}], "timeout": "2s"},
            {"name": [{"service": "a.B"}], "timeout": "3s"}]}"#,
    )
    .unwrap();
    for (path, seconds) in [
        ("/a.B/C", 2),
        ("/a.B/D", 3),
        ("/a.B/c", 3),
        ("/x.Y/C", 2),
        ("/a.BB/C", 1),
        ("/a/C", 1),
        ("/B/C", 1),
        ("/z.Z/C", 1),
    ] {
        let found = config.of(path).and_then(|method| method.timeout);
        assert_eq!(found, Some(Duration::from_secs(seconds)), "{path}");
    }
    let nobody = ServiceConfig::parse(r#"{"methodConfig": [{"name": [{"service": "a.B"}]}]}"#).unwrap();
    assert!(nobody.of("/z.Z/C").is_none());

    let ended = |own: Option<u64>| {
        let strategy = ServiceConfig::parse(r#"{"methodConfig": [{"name": [{}], "timeout": "2s"}]}"#).unwrap();
        let run = Simulation::new().run(async {
            let ambient = Ambient::new(Key::from_seed(1));
            let silent = Server::sequence([Reply::Silence]);
            let client = build(&strategy.into_strategy("timeouts"), target(1), silent, &ambient).unwrap();
            let mut request = tonic::Request::new(vec![]);
            if let Some(own) = own {
                request.set_timeout(Duration::from_secs(own));
            }
            assert_eq!(peer::request(client, request).await.unwrap_err().code(), Code::DeadlineExceeded);
            clock::now().as_secs_f64().round() as u64
        });
        run.unwrap()
    };
    assert_eq!([ended(None), ended(Some(1)), ended(Some(5))], [2, 1, 2]);
}

/// All methods of a client draw on one bucket: failures of one method stop the retries of another.
#[test]
fn methods_share_their_throttle() {
    let policy = r#"{"maxAttempts": 2, "initialBackoff": "0.01s", "maxBackoff": "0.1s", "backoffMultiplier": 1,
        "retryableStatusCodes": ["UNAVAILABLE"]}"#;
    let json = format!(
        r#"{{"methodConfig": [{{"name": [{{}}], "retryPolicy": {policy}}},
            {{"name": [{{"service": "test.Other"}}], "retryPolicy": {policy}}}],
            "retryThrottling": {{"maxTokens": 4, "tokenRatio": 0.1}}}}"#
    );
    let strategy = ServiceConfig::parse(&json).unwrap().into_strategy("shared");
    let server = Server::sequence([Reply::Status(Code::Unavailable)]);
    let run = Simulation::new().run(async {
        let client = build(&strategy, target(1), server.clone(), &Ambient::new(Key::from_seed(1))).unwrap();
        let _ = call(client.clone()).await;
        let mut seen = vec![server.served()];
        let other = http::uri::PathAndQuery::from_static("/test.Other/Say");
        let mut grpc = tonic::client::Grpc::new(client);
        grpc.ready().await.unwrap();
        let _ = grpc.unary(tonic::Request::new(vec![]), other, peer::Raw).await;
        seen.push(server.served());
        seen
    });
    assert_eq!(run.unwrap(), [2, 3], "two failures leave two of four tokens: the other method has no retry");
}

/// gRFC A6, "Transparent Retries": once a call if the server has refused the stream, and then the policy decides; what counts for the
/// policy, the throttle and the header are only attempts.
#[test]
fn a_refused_stream_is_sent_again_once_and_then_the_policy_decides() {
    let refused = || Reply::Reset(h2::Reason::REFUSED_STREAM);
    let check = |replies: Vec<Reply>, attempts: u32, code: Code, said: &[Option<&str>]| {
        let retry = RetryConfig { attempts, ..RetryConfig::default() };
        let layers = if attempts == 1 { vec![] } else { vec![LayerConfig::Retry(retry)] };
        let server = Server::sequence(replies.clone());
        let found = sequence(Strategy { layers, ..Strategy::default() }, server.clone(), 1);
        assert_eq!(found, [(code, said.len())], "{replies:?}");
        for (n, expected) in said.iter().enumerate() {
            let headers = server.headers(n);
            let previous = headers.get("grpc-previous-rpc-attempts").map(|count| count.to_str().unwrap());
            assert_eq!(previous, *expected, "{replies:?}, request {n}");
        }
    };
    check(vec![refused(), Reply::Ok], 1, Code::Ok, &[None, None]);
    check(vec![refused(), refused(), Reply::Ok], 1, Code::Unavailable, &[None, None]);
    check(vec![refused(), refused(), Reply::Ok], 3, Code::Ok, &[None, None, Some("1")]);
    // Once a call, not once an attempt.
    check(vec![refused(); 9], 3, Code::Unavailable, &[None, None, Some("1"), Some("2")]);
    check(vec![Reply::Status(Code::Unavailable), refused(), Reply::Ok], 2, Code::Unavailable, &[None, Some("1")]);
    // Somebody has worked on it: no second time.
    check(vec![Reply::Reset(h2::Reason::INTERNAL_ERROR), Reply::Ok], 1, Code::Internal, &[None]);
    check(vec![Reply::Disconnect, Reply::Ok], 1, Code::Unavailable, &[None]);
}

/// wait_for_ready: without it a call fails once connecting has failed, with it the call waits (gRPC's `wait-for-ready.md`).
#[test]
fn calls_wait_for_ready_only_if_they_are_told_to() {
    let run = |wait_for_ready: bool| {
        let server = Server::sequence([Reply::Ok]).with_door(|n| if n < 3 { Door::Refused } else { Door::Open });
        let channel = ChannelConfig { wait_for_ready, ..ChannelConfig::default() };
        let strategy = Strategy { channel, ..Strategy::default() };
        sequence(strategy, server, 1)[0]
    };
    assert_eq!(run(false), (Code::Unavailable, 0));
    assert_eq!(run(true), (Code::Ok, 1));
}

/// gRFC A6, "Throttling": every call changes the tokens, whatever its method. Here only one method is retried; the successes of
/// another give it back what it may spend, and a server that pushes the other back takes from it.
#[test]
fn every_method_changes_the_tokens_of_the_client() {
    const RETRIED: &str = "/a.Retried/Say";
    const PLAIN: &str = "/a.Plain/Say";
    let json = r#"{"methodConfig": [
            {"name": [{"service": "a.Plain"}], "waitForReady": true},
            {"name": [{"service": "a.Retried"}], "retryPolicy": {"maxAttempts": 2, "initialBackoff": "0.001s",
             "maxBackoff": "0.001s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}],
        "retryThrottling": {"maxTokens": 4, "tokenRatio": 1}}"#;
    for plain in [PLAIN, "/b.NotConfigured/Say"] {
        let reply = Arc::new(std::sync::Mutex::new(Reply::Ok));
        let script = reply.clone();
        let server = Server::new(move |_| script.lock().unwrap().clone());
        let strategy = ServiceConfig::parse(json).unwrap().into_strategy("tokens");
        let run = Simulation::new().run(async {
            let client = build(&strategy, target(1), server.clone(), &Ambient::new(Key::from_seed(1))).unwrap();
            let attempts = async |path: &'static str, answer: Reply| {
                *reply.lock().unwrap() = answer;
                let before = server.served();
                let _ = peer::ask(client.clone(), path, tonic::Request::new(Vec::new())).await;
                server.served() - before
            };
            let unavailable = || Reply::Status(Code::Unavailable);
            // 4, 3, 2: the second failure leaves half, and then nothing is retried.
            assert_eq!(attempts(RETRIED, unavailable()).await, 2);
            assert_eq!(attempts(RETRIED, unavailable()).await, 1);
            // 1, and three successes of the other make it 4; a plain failure of the other changes nothing.
            for _ in 0..3 {
                assert_eq!(attempts(plain, Reply::Ok).await, 1);
            }
            assert_eq!(attempts(plain, unavailable()).await, 1);
            assert_eq!(attempts(RETRIED, unavailable()).await, 2);
            // 2, 4, and then 3 and 2 for being pushed back: with one more failure nothing is retried.
            for _ in 0..2 {
                attempts(plain, Reply::Ok).await;
            }
            for _ in 0..2 {
                attempts(plain, Reply::Pushback(Code::Internal, "-1")).await;
            }
            assert_eq!(attempts(RETRIED, unavailable()).await, 1);
        });
        run.unwrap();
    }
}
