//! The tables of the gRFCs and of their reference implementations, as data.

mod peer;

use std::sync::Arc;
use std::time::Duration;

use peer::{Door, Heard, Reply, Server, call, target};
use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{
    Ambient, BackoffConfig, Balance, BudgetConfig, BudgetKind, ChannelConfig, LayerConfig, RetryConfig, ServiceConfig,
    Strategy, build,
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

/// With ratio r throttling engages once the failing share of attempts exceeds r/(1+r): 9.09 % at 0.1.
#[test]
fn throttling_engages_at_r_over_one_plus_r() {
    let amplified = |failing: f64| {
        let key = Key::from_seed(3);
        let server = Server::new(move |n| {
            if key.with(n as u64).draw().value() < failing { Reply::Status(Code::Unavailable) } else { Reply::Ok }
        });
        let calls = 20_000;
        let served = sequence(retry_with(10, 0.1), server, calls)[calls - 1].1;
        // Never throttled, every failure is followed by an attempt.
        (served as f64 / calls as f64) / (1.0 / (1.0 - failing))
    };
    assert!(amplified(0.06) > 0.99, "{}", amplified(0.06));
    assert!(amplified(0.0809) > amplified(0.1009), "{} {}", amplified(0.0809), amplified(0.1009));
    assert!(amplified(0.20) < 0.9, "{}", amplified(0.20));
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
