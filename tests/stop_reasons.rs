//! Why a call was not tried again: one row for each reason, the order in which they are asked, and who pays for a retry that never
//! starts.

mod peer;

use std::sync::Arc;
use std::time::Duration;

use peer::{Heard, Reply, Server, request, target};
use squall::clock::Simulation;
use squall::random::Key;
use squall::resilience::{
    Ambient, BackoffConfig, BudgetConfig, BudgetKind, Call, Codes, Idempotency, LayerConfig, RateLimitConfig,
    RetryConfig, Scope, StopReason, Strategy, build,
};
use tonic::Code;

const MS: Duration = Duration::from_millis(1);

fn plain() -> RetryConfig {
    RetryConfig { attempts: 3, ..RetryConfig::default() }
}

fn budget(kind: BudgetKind) -> Option<BudgetConfig> {
    Some(BudgetConfig::per_client(kind))
}

/// Why `calls` calls stopped, and how many requests the server saw.
fn stops(layers: Vec<LayerConfig>, server: &Server, calls: usize, mark: Idempotency) -> (Vec<StopReason>, usize) {
    let heard = Arc::new(Heard::default());
    let (peer, listener) = (server.clone(), heard.clone());
    Simulation::new()
        .run(async move {
            let ambient = Ambient::new(Key::from_seed(3)).observed_by(listener);
            let strategy = Strategy { name: "stop".to_owned(), layers, ..Strategy::default() };
            let client = build(&strategy, target(1), peer, &ambient).unwrap();
            for _ in 0..calls {
                let mut message = tonic::Request::new(vec![0; 64]);
                message.extensions_mut().insert(Call::new().idempotency(mark));
                let _ = request(client.clone(), message).await;
            }
        })
        .unwrap();
    (heard.stops(), server.served())
}

fn check(config: RetryConfig, reply: Reply, reason: StopReason, served: usize) {
    let server = Server::sequence([reply]);
    let found = stops(vec![LayerConfig::Retry(config)], &server, 1, Idempotency::Unmarked);
    assert_eq!(found, (vec![reason], served));
}

#[test]
fn every_reason_has_a_row() {
    let unavailable = || Reply::Status(Code::Unavailable);
    let none_left = BudgetKind::Envoy { percent: 0.0, min: 0 };
    check(plain(), unavailable(), StopReason::Attempts, 3);
    check(RetryConfig { budget: budget(none_left), ..plain() }, unavailable(), StopReason::Budget, 1);
    check(plain(), Reply::Pushback(Code::Unavailable, "-1"), StopReason::Pushback, 1);
    check(RetryConfig { buffer_bytes: 8, ..plain() }, unavailable(), StopReason::Committed, 1);
    check(plain(), Reply::Status(Code::InvalidArgument), StopReason::NotRetryable, 1);

    let backoff = BackoffConfig::Constant { pause: 200 * MS };
    let late = vec![LayerConfig::Deadline(100 * MS), LayerConfig::Retry(RetryConfig { backoff, ..plain() })];
    let failing = Server::sequence([unavailable()]);
    assert_eq!(stops(late, &failing, 1, Idempotency::Unmarked), (vec![StopReason::Deadline], 1));

    // A deadline inside of it is the client's own all the same, and final.
    let on = Codes::of(&[Code::DeadlineExceeded]);
    let inside = vec![LayerConfig::Retry(RetryConfig { on, ..plain() }), LayerConfig::Deadline(100 * MS)];
    let silent = Server::sequence([Reply::Silence]);
    assert_eq!(stops(inside, &silent, 1, Idempotency::Unmarked), (vec![StopReason::Deadline], 1));

    let failing = Server::sequence([unavailable()]);
    let once = stops(vec![LayerConfig::Retry(plain())], &failing, 1, Idempotency::NotIdempotent);
    assert_eq!(once, (vec![StopReason::NotIdempotent], 1));

    let rate = RateLimitConfig { per_second: 0.001, burst: 1, max_wait: Duration::ZERO, scope: Scope::Client };
    let idle = Server::sequence([Reply::Ok]);
    let layers = vec![LayerConfig::Retry(plain()), LayerConfig::RateLimit(rate)];
    assert_eq!(stops(layers, &idle, 2, Idempotency::Unmarked), (vec![StopReason::Rejected], 1));
}

/// gRFC A6: the throttle is charged and asked before the attempts are counted, so that a call whose last attempt fails while the
/// tokens are gone stopped for want of tokens.
#[test]
fn the_budget_is_asked_before_the_attempts_are_counted() {
    let kind = BudgetKind::Grpc { tokens: 2, ratio: 0.1 };
    let config = RetryConfig { attempts: 1, budget: budget(kind), ..RetryConfig::default() };
    let failing = Server::sequence([Reply::Status(Code::Unavailable)]);
    let found = stops(vec![LayerConfig::Retry(config)], &failing, 1, Idempotency::Unmarked);
    assert_eq!(found, (vec![StopReason::Budget], 1), "one of two tokens is left, and that is not more than half");
}

/// A budget for one retry pays for none that the deadline or the number of attempts prevents.
#[test]
fn a_retry_that_never_starts_is_paid_back() {
    let one = || budget(BudgetKind::AwsSdk { capacity: 5, cost: 5, timeout_cost: 5 });
    let failing = || Server::sequence([Reply::Status(Code::Unavailable)]);
    // Each call finds the budget full: its retry was stopped by the deadline, and paid back.
    let backoff = BackoffConfig::Constant { pause: 200 * MS };
    let late = RetryConfig { backoff, budget: one(), ..plain() };
    let layers = vec![LayerConfig::Deadline(100 * MS), LayerConfig::Retry(late)];
    assert_eq!(stops(layers, &failing(), 3, Idempotency::Unmarked), (vec![StopReason::Deadline; 3], 3));
    // The same with the number of attempts.
    let last = RetryConfig { attempts: 1, budget: one(), ..plain() };
    let found = stops(vec![LayerConfig::Retry(last)], &failing(), 3, Idempotency::Unmarked);
    assert_eq!(found, (vec![StopReason::Attempts; 3], 3));
    // One that started and failed is not paid back.
    let spent = RetryConfig { attempts: 2, budget: one(), ..plain() };
    let found = stops(vec![LayerConfig::Retry(spent)], &failing(), 2, Idempotency::Unmarked);
    assert_eq!(found, (vec![StopReason::Budget; 2], 3));
}

/// The scope says who shares a budget: ten clients of a group have one bucket together.
#[test]
fn a_shared_budget_is_one_budget() {
    let served = |scope: Scope| {
        let budget = Some(BudgetConfig { kind: BudgetKind::AwsSdk { capacity: 10, cost: 5, timeout_cost: 5 }, scope });
        let layers = vec![LayerConfig::Retry(RetryConfig { budget, attempts: 2, ..plain() })];
        let strategy = Strategy { name: "group".to_owned(), layers, ..Strategy::default() };
        let server = Server::sequence([Reply::Status(Code::Unavailable)]);
        let run = Simulation::new().run(async {
            let group = Ambient::new(Key::from_seed(7));
            for n in 0..10 {
                let ambient = group.child(Key::from_seed(n));
                let client = build(&strategy, target(1), server.clone(), &ambient).unwrap();
                let _ = request(client, tonic::Request::new(vec![])).await;
            }
        });
        run.unwrap();
        server.served()
    };
    assert_eq!((served(Scope::Client), served(Scope::Shared)), (20, 12));
}

/// smithy-rs, `token_bucket.rs`: a transient failure costs 10, throttling 5. Of ten tokens one retry is left for the one, two for the
/// other.
#[test]
fn the_aws_sdks_charge_more_for_what_is_transient() {
    let kind = BudgetKind::AwsSdk { capacity: 10, cost: 5, timeout_cost: 10 };
    let on = Codes::of(&[Code::Unavailable, Code::Internal, Code::DeadlineExceeded, Code::ResourceExhausted]);
    let config = || RetryConfig { on, budget: budget(kind), ..plain() };
    for code in [Code::Unavailable, Code::Internal, Code::DeadlineExceeded] {
        check(config(), Reply::Status(code), StopReason::Budget, 2);
    }
    check(config(), Reply::Disconnect, StopReason::Budget, 2);
    check(config(), Reply::Status(Code::ResourceExhausted), StopReason::Budget, 3);
}
