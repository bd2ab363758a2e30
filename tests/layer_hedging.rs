//! Hedging to the letter of gRFC A6: when each attempt starts, what it says of those before, and how the call ends.
#![cfg(feature = "sim")]

mod peer;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use peer::{Heard, Reply, Server, call, request, target};
use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{
    Ambient, BudgetConfig, BudgetKind, Call, Client, Codes, HedgeConfig, HedgeDelay, Idempotency, LayerConfig,
    LimitAlgorithm, LimitConfig, RateLimitConfig, Scope, StopReason, Strategy, build,
};
use tonic::Code;

const MS: Duration = Duration::from_millis(1);

/// What became of one call: its code, when each attempt reached the server (in ms), when it ended, and why hedging stopped.
#[derive(Debug, PartialEq)]
struct Seen {
    code: Code,
    attempts_ms: Vec<u64>,
    ended_ms: u64,
    stops: Vec<StopReason>,
}

fn seen(code: Code, attempts_ms: &[u64], ended_ms: u64, stops: &[StopReason]) -> Seen {
    Seen { code, attempts_ms: attempts_ms.to_vec(), ended_ms, stops: stops.to_vec() }
}

/// One hedged call, on a connection that is there.
fn hedge(config: HedgeConfig, script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> (Seen, Server) {
    within(&[LayerConfig::Hedge(config)], Call::new(), script)
}

/// The same, under these layers, of a caller that says this of it.
fn within(
    layers: &[LayerConfig],
    said: Call,
    script: impl Fn(usize) -> Reply + Send + Sync + 'static,
) -> (Seen, Server) {
    let heard = Arc::new(Heard::default());
    let times = Arc::new(Mutex::new(None));
    let clocked = times.clone();
    // The first call only opens the connection.
    let server = Server::new(move |_| match &mut *clocked.lock().unwrap() {
        None => Reply::Ok,
        Some(times) => {
            let times: &mut Vec<clock::Instant> = times;
            times.push(clock::now());
            script(times.len() - 1)
        }
    });
    let (code, began, ended) = Simulation::new()
        .run(async {
            let ambient = Ambient::new(Key::from_seed(1)).observed_by(heard.clone());
            let channel = build(&Strategy::default(), target(1), server.clone(), &ambient).unwrap();
            call(channel.clone()).await.unwrap();
            *times.lock().unwrap() = Some(Vec::new());
            let strategy = Strategy { name: "hedge".to_owned(), layers: layers.to_vec(), ..Strategy::default() };
            let client = Client::around(&strategy, channel, &ambient).unwrap();
            let began = clock::now();
            let mut message = tonic::Request::new(b"alert".to_vec());
            message.extensions_mut().insert(said);
            let answer = clock::timeout(Duration::from_secs(60), request(client, message)).await.expect("it ends");
            (answer.map_or_else(|status| status.code(), |_| Code::Ok), began, clock::now())
        })
        .unwrap();
    let ms = |at: clock::Instant| (at - began).as_millis() as u64;
    let attempts_ms = times.lock().unwrap().iter().flatten().map(|at| ms(*at)).collect();
    (Seen { code, attempts_ms, ended_ms: ms(ended), stops: heard.stops() }, server)
}

fn plain(attempts: u32, delay_ms: u32) -> HedgeConfig {
    HedgeConfig { attempts, delay: HedgeDelay::Fixed(delay_ms * MS), ..HedgeConfig::default() }
}

fn after(ms: u32, reply: Reply) -> Reply {
    Reply::After(ms * MS, Box::new(reply))
}

fn unavailable() -> Reply {
    Reply::Status(Code::Unavailable)
}

#[test]
fn attempts_start_when_the_grfc_says() {
    use StopReason::{Attempts, NotRetryable, Pushback};
    let check = |config: HedgeConfig, script: fn(usize) -> Reply, expected: Seen| {
        let (found, _) = hedge(config.clone(), script);
        assert_eq!(found, expected, "{config:?}");
    };
    // One every 10 ms, and the first answer ends it.
    check(plain(4, 10), |_| after(35, Reply::Ok), seen(Code::Ok, &[0, 10, 20, 30], 35, &[]));
    check(plain(4, 10), |_| after(15, Reply::Ok), seen(Code::Ok, &[0, 10], 15, &[]));
    // No delay: all at once.
    check(plain(3, 0), |_| after(5, Reply::Ok), seen(Code::Ok, &[0, 0, 0], 5, &[]));
    // A non-fatal failure starts the next at once, and the delay counts from there.
    check(
        plain(3, 10),
        |n| if n == 0 { after(4, unavailable()) } else { after(12, Reply::Ok) },
        seen(Code::Ok, &[0, 4, 14], 16, &[]),
    );
    // All fail: the last failure is the call's.
    check(plain(3, 10), |_| unavailable(), seen(Code::Unavailable, &[0, 0, 0], 0, &[Attempts]));
    // The same when the last of them fails long after the last hedge could have started: there is one reason, and it is told.
    check(plain(2, 10), |_| after(40, unavailable()), seen(Code::Unavailable, &[0, 10], 50, &[Attempts]));
    // A fatal failure ends the call, whatever is under way.
    let fatal = |n| if n == 1 { Reply::Status(Code::InvalidArgument) } else { after(50, Reply::Ok) };
    check(plain(4, 10), fatal, seen(Code::InvalidArgument, &[0, 10], 10, &[NotRetryable]));
    // Pushback sets the time of the next attempt, exactly; the delay counts from there.
    check(
        plain(3, 10),
        |n| if n == 0 { Reply::Pushback(Code::Unavailable, "33") } else { after(15, Reply::Ok) },
        seen(Code::Ok, &[0, 33, 43], 48, &[]),
    );
    // Negative pushback: no further attempt, and those under way decide.
    check(
        plain(4, 10),
        |n| if n == 1 { Reply::Pushback(Code::Unavailable, "-1") } else { after(50, Reply::Ok) },
        seen(Code::Ok, &[0, 10], 50, &[Pushback]),
    );
    check(plain(4, 10), |_| Reply::Pushback(Code::Unavailable, "never"), seen(Code::Unavailable, &[0], 0, &[Pushback]));
    // Pushback with a fatal code changes nothing.
    check(plain(4, 10), |_| Reply::Pushback(Code::Internal, "5"), seen(Code::Internal, &[0], 0, &[NotRetryable]));
    // Which codes are not fatal is the user's to say.
    let config = HedgeConfig { non_fatal: Codes::of(&[Code::Internal]), ..plain(2, 10) };
    check(
        config.clone(),
        |n| if n == 0 { Reply::Status(Code::Internal) } else { Reply::Ok },
        seen(Code::Ok, &[0, 0], 0, &[]),
    );
    check(config, |_| unavailable(), seen(Code::Unavailable, &[0], 0, &[NotRetryable]));
}

/// Each attempt says how many came before it; the first says nothing.
#[test]
fn every_attempt_says_how_many_came_before() {
    let (_, server) = hedge(plain(4, 10), |_| after(35, Reply::Ok));
    let said =
        |n: usize| server.headers(n).get("grpc-previous-rpc-attempts").map(|count| count.to_str().unwrap().to_owned());
    assert_eq!([1, 2, 3, 4].map(said), [None, Some("1".into()), Some("2".into()), Some("3".into())]);
}

/// A budget that is used up stops hedges, not the call: what is under way decides, and with nothing under way the last failure.
#[test]
fn a_budget_stops_hedges_and_the_call_ends_as_it_stands() {
    let with = |kind: BudgetKind| HedgeConfig { budget: Some(BudgetConfig::per_client(kind)), ..plain(4, 10) };
    let none = || with(BudgetKind::Envoy { percent: 0.0, min: 0 });
    let (found, _) = hedge(none(), |_| unavailable());
    assert_eq!(found, seen(Code::Unavailable, &[0], 0, &[StopReason::Budget]));
    let (found, _) = hedge(none(), |_| after(50, Reply::Ok));
    assert_eq!(found, seen(Code::Ok, &[0], 50, &[StopReason::Budget]));
    let (found, _) = hedge(none(), |_| Reply::Pushback(Code::Unavailable, "20"));
    assert_eq!(found, seen(Code::Unavailable, &[0], 20, &[StopReason::Budget]));
    // gRPC's throttle: of 4 tokens two failures leave 2, which is not more than half.
    let (found, _) = hedge(with(BudgetKind::Grpc { tokens: 4, ratio: 0.1 }), |_| unavailable());
    assert_eq!(found, seen(Code::Unavailable, &[0, 0], 0, &[StopReason::Budget]));
}

/// Envoy's budget counts what is under way: a second hedge is charged while the first still runs, and may start once it has failed.
#[test]
fn every_hedge_is_charged_for_as_long_as_it_runs() {
    let one = || HedgeConfig {
        budget: Some(BudgetConfig::per_client(BudgetKind::Envoy { percent: 0.0, min: 1 })),
        ..plain(4, 10)
    };
    let (found, _) = hedge(one(), |_| after(100, Reply::Ok));
    assert_eq!(found, seen(Code::Ok, &[0, 10], 100, &[StopReason::Budget]));
    let (found, _) = hedge(one(), |n| if n == 1 { unavailable() } else { after(100, Reply::Ok) });
    assert_eq!(found, seen(Code::Ok, &[0, 10, 10], 100, &[StopReason::Budget]));
    // The first attempt's failure gives nothing back: it was not charged.
    let (found, _) = hedge(one(), |n| if n == 0 { after(15, unavailable()) } else { after(100, Reply::Ok) });
    assert_eq!(found, seen(Code::Ok, &[0, 10], 110, &[StopReason::Budget]));
}

/// What a layer further in turns away never reached the server: it ends hedging, and leaves those under way alone.
#[test]
fn a_hedge_that_is_turned_away_on_this_side_does_not_end_the_call() {
    let limit = LayerConfig::Limit(LimitConfig::new(LimitAlgorithm::Fixed { max: 1 }));
    let (found, _) = within(&[LayerConfig::Hedge(plain(4, 10)), limit], Call::new(), |_| after(35, Reply::Ok));
    assert_eq!(found, seen(Code::Ok, &[0], 35, &[StopReason::Rejected]));
    let rate = RateLimitConfig { per_second: 0.001, burst: 1, max_wait: Duration::ZERO, scope: Scope::Client };
    let layers = [LayerConfig::Hedge(plain(4, 10)), LayerConfig::RateLimit(rate)];
    let (found, _) = within(&layers, Call::new(), |_| unavailable());
    assert_eq!(found, seen(Code::ResourceExhausted, &[0], 0, &[StopReason::Rejected]), "nothing is under way");
}

/// A call that must not run twice has one attempt, and the reason is told if that fails.
#[test]
fn what_must_not_run_twice_is_not_hedged() {
    let once = || Call::new().idempotency(Idempotency::NotIdempotent);
    let hedge = [LayerConfig::Hedge(plain(4, 10))];
    let (found, _) = within(&hedge, once(), |_| after(35, Reply::Ok));
    assert_eq!(found, seen(Code::Ok, &[0], 35, &[]));
    let (found, _) = within(&hedge, once(), |_| after(35, unavailable()));
    assert_eq!(found, seen(Code::Unavailable, &[0], 35, &[StopReason::NotIdempotent]));
}

/// What the server asks to be sent after the deadline is not waited for; the deadline itself is its own reason.
#[test]
fn nothing_is_waited_for_that_comes_after_the_deadline() {
    let layers = [LayerConfig::Deadline(100 * MS), LayerConfig::Hedge(plain(4, 10))];
    let (found, _) = within(&layers, Call::new(), |_| Reply::Pushback(Code::Unavailable, "200"));
    assert_eq!(found, seen(Code::Unavailable, &[0], 0, &[StopReason::Deadline]));
    let layers = [LayerConfig::Hedge(plain(4, 1000)), LayerConfig::Deadline(100 * MS)];
    let (found, _) = within(&layers, Call::new(), |_| Reply::Silence);
    assert_eq!(found, seen(Code::DeadlineExceeded, &[0], 100, &[StopReason::Deadline]));
}

/// A request that outgrows the buffer with its first frame has one attempt, which decides; the reason why there is no other is told.
/// (What becomes of two that are under way by then: `tests/streams.rs`.)
#[test]
fn a_request_that_outgrows_the_buffer_commits_the_call_to_one_attempt() {
    let config = || HedgeConfig { buffer_bytes: 3, ..plain(2, 0) };
    let (found, server) = hedge(config(), |_| after(5, Reply::Ok));
    assert_eq!(found, seen(Code::Ok, &[0], 5, &[StopReason::Committed]));
    assert_eq!(server.served(), 2, "with the call that opened the connection");
    let (found, _) = hedge(config(), |_| after(5, unavailable()));
    assert_eq!(found, seen(Code::Unavailable, &[0], 5, &[StopReason::Committed]));
}
