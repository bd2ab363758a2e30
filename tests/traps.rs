//! The sixteen things that toy implementations of resilience policies get wrong, one test each.
//!
//! Every test fails on the obvious, simple version of what it tests; the comment says which one that is.

mod peer;

use std::sync::Arc;
use std::time::Duration;

use peer::{Door, Heard, Reply, Server, call, target};
use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{
    Ambient, BackoffConfig, Balance, Breaker, BreakerConfig, BreakerState, BreakerWindow, BudgetConfig, BudgetKind,
    Call, ChannelConfig, Client, Codes, EventKind, FailurePercentage, HedgeConfig, HedgeDelay, Idempotency,
    LayerConfig, Limit, LimitAlgorithm, LimitConfig, Origin, OutlierConfig, RetryConfig, Scope, StopReason, Strategy,
    ThrottleConfig, Transport, Trip, build, origin_of,
};
use tonic::{Code, Status};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

fn retry(attempts: u32) -> RetryConfig {
    RetryConfig { attempts, ..RetryConfig::default() }
}

fn strategy(layers: Vec<LayerConfig>) -> Strategy {
    Strategy { name: "test".to_owned(), layers, channel: ChannelConfig::default() }
}

/// Runs `calls` in sequence through `strategy`; how each ended, and what was heard.
fn run(strategy: Strategy, server: &Server, calls: usize) -> (Vec<Result<(), Status>>, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let (server, listener) = (server.clone(), heard.clone());
    let results = Simulation::new().run(async move {
        let ambient = Ambient::new(Key::from_seed(7)).observed_by(listener);
        let client = build(&strategy, target(1), server, &ambient).unwrap();
        let mut results = Vec::new();
        for _ in 0..calls {
            results.push(call(client.clone()).await.map(drop));
        }
        results
    });
    (results.unwrap(), heard)
}

fn ended(result: &Result<(), Status>) -> (Code, Origin) {
    result.as_ref().map_or_else(|status| (status.code(), origin_of(status)), |()| (Code::Ok, Origin::Server))
}

/// Toy: the timeout is per try, and DEADLINE_EXCEEDED is retried whoever said it.
#[test]
fn trap_01_the_deadline_spans_all_attempts_and_is_final() {
    let slow = Reply::After(400 * MS, Box::new(Reply::Status(Code::Unavailable)));
    let layers = vec![LayerConfig::Deadline(S), LayerConfig::Retry(retry(10))];
    let start = Server::sequence([slow]);
    let (results, heard) = run(strategy(layers), &start, 1);
    assert_eq!(ended(&results[0]), (Code::DeadlineExceeded, Origin::ClientDeadline));
    assert_eq!(start.served(), 3, "attempts start at 0, 0.4 and 0.8 s; the deadline cuts the third off");
    let end = heard.events().last().unwrap().at;
    assert!((end.as_secs_f64() - 1.0).abs() < 0.01, "{end}");

    // The same code from the server may be retried, where the strategy says so.
    let server = Server::sequence([Reply::Status(Code::DeadlineExceeded), Reply::Ok]);
    let on = Codes::of(&[Code::DeadlineExceeded]);
    let layers = vec![LayerConfig::Deadline(S), LayerConfig::Retry(RetryConfig { on, ..retry(2) })];
    assert_eq!(ended(&run(strategy(layers), &server, 1).0[0]), (Code::Ok, Origin::Server));

    // And a retry outside a deadline does not retry what the deadline ended.
    let server = Server::sequence([Reply::Silence]);
    let layers = vec![LayerConfig::Retry(RetryConfig { on, ..retry(5) }), LayerConfig::Deadline(S)];
    let (results, heard) = run(strategy(layers), &server, 1);
    assert_eq!(ended(&results[0]), (Code::DeadlineExceeded, Origin::ClientDeadline));
    assert_eq!((server.served(), heard.stops()), (1, vec![StopReason::Deadline]));
}

/// Toy: counts codes, not who produced them; a lost connection is UNKNOWN, a late CANCELLED is the caller's.
#[test]
fn trap_02_codes_are_counted_by_who_produced_them() {
    let check = |reply: Reply, transport: Transport, expected: (Code, Origin)| {
        let mut strategy = strategy(vec![LayerConfig::Deadline(S)]);
        strategy.channel.transport = transport;
        let (results, heard) = run(strategy, &Server::sequence([reply.clone()]), 1);
        assert_eq!(ended(&results[0]), expected, "{reply:?}");
        let told = heard.count(|kind| matches!(kind, EventKind::AttemptEnded { .. }));
        assert_eq!(told, 1, "{reply:?}");
    };
    check(Reply::Status(Code::Unavailable), Transport::Own, (Code::Unavailable, Origin::Server));
    check(Reply::Disconnect, Transport::Own, (Code::Unavailable, Origin::Network));
    check(Reply::Silence, Transport::Own, (Code::DeadlineExceeded, Origin::ClientDeadline));
    check(Reply::LateSilence, Transport::Own, (Code::DeadlineExceeded, Origin::ClientDeadline));
    // The server's deadline fires a moment before ours hears of it: still the deadline.
    let reset = Reply::After(S, Box::new(Reply::Reset(h2::Reason::CANCEL)));
    check(reset, Transport::Own, (Code::DeadlineExceeded, Origin::ClientDeadline));
    check(Reply::Reset(h2::Reason::CANCEL), Transport::Own, (Code::Cancelled, Origin::Server));
    check(Reply::Status(Code::Unavailable), Transport::Tonic, (Code::Unavailable, Origin::Server));
}

/// A connection on which nothing comes back is UNAVAILABLE, from the network, once keepalive has found out.
#[test]
fn trap_02_an_unanswered_ping_is_unavailable() {
    let mut strategy = strategy(vec![]);
    strategy.channel.keepalive =
        Some(squall::resilience::Keepalive { time: S, timeout: 500 * MS, without_calls: false });
    let server = Server::sequence([Reply::Silence]).with_door(|_| Door::GoesSilent);
    let (results, heard) = run(strategy, &server, 1);
    assert_eq!(ended(&results[0]), (Code::Unavailable, Origin::Network));
    let end = heard.events().last().unwrap().at.as_secs_f64();
    assert!((1.5..1.6).contains(&end), "one second of silence, half a second for the answer: {end}");
}

/// Toy: a policy that looks at `Err` alone sees no gRPC error at all.
#[test]
fn trap_03_a_grpc_error_is_an_ok_response() {
    let server = Server::sequence([Reply::Status(Code::Unavailable), Reply::Status(Code::Unavailable), Reply::Ok]);
    let (results, _) = run(strategy(vec![LayerConfig::Retry(retry(3))]), &server, 1);
    assert_eq!(ended(&results[0]), (Code::Ok, Origin::Server));

    // A breaker outside sees trailers, too.
    let breaker = BreakerConfig { trip: Trip::Consecutive { failures: 2 }, ..BreakerConfig::default() };
    let server = Server::sequence([Reply::Late(Code::Unavailable), Reply::Status(Code::Internal), Reply::Ok]);
    let (results, _) = run(strategy(vec![LayerConfig::Breaker(breaker)]), &server, 3);
    assert_eq!(
        results.iter().map(|one| ended(one).1).collect::<Vec<_>>(),
        [Origin::Server, Origin::Server, Origin::Breaker]
    );
}

/// Toy: retries after headers have reached the application, or keeps requests of any size.
#[test]
fn trap_04_headers_or_a_full_buffer_commit_the_call() {
    let server = Server::sequence([Reply::Late(Code::Unavailable), Reply::Ok]);
    let (results, _) = run(strategy(vec![LayerConfig::Retry(retry(3))]), &server, 1);
    assert_eq!((ended(&results[0]), server.served()), ((Code::Unavailable, Origin::Server), 1));

    let sent = |bytes: usize| {
        let server = Server::sequence([Reply::Status(Code::Unavailable), Reply::Ok]);
        let heard = Arc::new(Heard::default());
        let (peer, listener) = (server.clone(), heard.clone());
        let result = Simulation::new().run(async move {
            let ambient = Ambient::new(Key::from_seed(7)).observed_by(listener);
            let client = build(&strategy(vec![LayerConfig::Retry(retry(3))]), target(1), peer, &ambient).unwrap();
            peer::request(client, tonic::Request::new(vec![1; bytes])).await.map(drop)
        });
        (ended(&result.unwrap()).0, heard.stops())
    };
    // Five bytes of framing belong to the request.
    assert_eq!(sent(256 * 1024 - 5), (Code::Ok, vec![]));
    assert_eq!(sent(256 * 1024 - 4), (Code::Unavailable, vec![StopReason::Committed]));
}

/// Toy: charges only retries that start, or compares with `>=`.
#[test]
fn trap_05_the_throttle_charges_first_and_needs_more_than_half() {
    let budget = Some(BudgetConfig::per_client(BudgetKind::Grpc { tokens: 10, ratio: 0.5 }));
    // Without a second attempt to make, failures still drain the bucket.
    let server = Server::sequence([Reply::Status(Code::Unavailable)]);
    let (_, heard) =
        run(strategy(vec![LayerConfig::Retry(RetryConfig { budget: budget.clone(), ..retry(2) })]), &server, 4);
    // 10 tokens: two calls take four; the fifth failure leaves five, which is not more than half.
    assert_eq!(heard.stops(), [StopReason::Attempts, StopReason::Attempts, StopReason::Budget, StopReason::Budget]);
    assert_eq!(server.served(), 6);
}

/// Toy: reads a negative pushback as zero, or cancels the hedges under way.
#[test]
fn trap_06_negative_pushback_ends_retries_but_not_hedges_under_way() {
    let server = Server::sequence([Reply::Pushback(Code::Unavailable, "-1"), Reply::Ok]);
    let (results, heard) = run(strategy(vec![LayerConfig::Retry(retry(3))]), &server, 1);
    assert_eq!((ended(&results[0]).0, heard.stops()), (Code::Unavailable, vec![StopReason::Pushback]));

    let server = Server::new(|n| match n {
        0 => Reply::After(100 * MS, Box::new(Reply::Ok)),
        _ => Reply::Pushback(Code::Unavailable, "-1"),
    });
    let hedge = HedgeConfig { attempts: 4, delay: HedgeDelay::Fixed(10 * MS), ..HedgeConfig::default() };
    let (results, _) = run(strategy(vec![LayerConfig::Hedge(hedge)]), &server, 1);
    assert_eq!((ended(&results[0]).0, server.served()), (Code::Ok, 2), "no third attempt, and the first goes on");
}

/// Toy: waits out the delay after a failure, forgets the load of the losers, learns from winners alone.
#[test]
fn trap_07_hedges_follow_failures_at_once_and_losers_count() {
    let server = Server::sequence([Reply::Status(Code::Unavailable), Reply::Ok]);
    let hedge = HedgeConfig { delay: HedgeDelay::Fixed(10 * S), ..HedgeConfig::default() };
    let (results, heard) = run(strategy(vec![LayerConfig::Hedge(hedge.clone())]), &server, 1);
    assert_eq!(ended(&results[0]).0, Code::Ok);
    assert!(heard.events().last().unwrap().at.as_secs_f64() < 0.1, "a non-fatal failure skips the delay");

    let server = Server::new(|n| if n == 0 { Reply::Silence } else { Reply::Ok });
    let hedge = HedgeConfig { delay: HedgeDelay::Fixed(10 * MS), ..hedge };
    let (results, heard) = run(strategy(vec![LayerConfig::Hedge(hedge)]), &server, 1);
    assert_eq!((ended(&results[0]).0, server.served()), (Code::Ok, 2));
    let cancelled = |kind: &EventKind| matches!(kind, EventKind::AttemptEnded { origin: Origin::Cancelled, .. });
    assert_eq!(heard.count(cancelled), 1, "the loser is cancelled, and is an attempt all the same");
    // That losers are learned from is tested where the delay is: `a_censored_delay_finds_the_quantile`.
}

/// Toy: a probe that is cancelled keeps the breaker half-open for ever; a late success from before closes it.
#[test]
fn trap_08_probes_are_given_back_and_late_results_dropped() {
    let config =
        BreakerConfig { trip: Trip::Consecutive { failures: 1 }, open: S, probes: 1, ..BreakerConfig::default() };
    let breaker = Breaker::new(config).unwrap();
    let watched = breaker.clone();
    let server = Server::new(|n| match n {
        // The first call ends long after the breaker has opened.
        0 => Reply::After(1500 * MS, Box::new(Reply::Ok)),
        1 => Reply::Status(Code::Unavailable),
        2 => Reply::Silence,
        _ => Reply::Ok,
    });
    let outcome = Simulation::new().run(async move {
        let ambient = Ambient::new(Key::from_seed(7));
        let channel = build(&strategy(vec![]), target(1), server, &ambient).unwrap();
        let client = tower::Layer::layer(&breaker.layer(&ambient), channel);
        let late = tokio::spawn(call(client.clone()));
        clock::sleep(10 * MS).await;
        let _ = call(client.clone()).await;
        assert_eq!(breaker.state(), BreakerState::Open);
        clock::sleep(S).await;
        // The probe is given up, half way.
        let _ = clock::timeout(100 * MS, call(client.clone())).await;
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        late.await.unwrap().unwrap();
        assert_eq!(breaker.state(), BreakerState::HalfOpen, "a result from before says nothing");
        call(client).await
    });
    assert!(outcome.unwrap().is_ok(), "the probe was free again");
    assert_eq!(watched.state(), BreakerState::Closed);
}

/// Toy: counters that never forget. An hour of success must not outweigh ten seconds of failure, nor the other way round.
#[test]
fn trap_09_a_sliding_window_slides() {
    let trip = Trip::FailureRate { rate: 0.5, window: BreakerWindow::Time(10 * S), min_calls: 5 };
    let breaker = Breaker::new(BreakerConfig { trip, ..BreakerConfig::default() }).unwrap();
    let watched = breaker.clone();
    let server = Server::new(|n| if n < 1000 { Reply::Ok } else { Reply::Status(Code::Unavailable) });
    let states = Simulation::new().run(async move {
        let ambient = Ambient::new(Key::from_seed(7));
        let channel = build(&strategy(vec![]), target(1), server, &ambient).unwrap();
        let client = tower::Layer::layer(&breaker.layer(&ambient), channel);
        for _ in 0..1000 {
            let _ = call(client.clone()).await;
            clock::sleep(S).await;
        }
        let mut opened_after = None;
        for n in 0..20 {
            let _ = call(client.clone()).await;
            if breaker.state() == BreakerState::Open {
                opened_after = opened_after.or(Some(n + 1));
            }
            clock::sleep(S).await;
        }
        opened_after
    });
    let failures = states.unwrap().expect("a cumulative rate would need a thousand failures");
    assert!((5..=6).contains(&failures), "half of ten: {failures}");
    assert_ne!(watched.state(), BreakerState::Closed);
}

/// Toy: "20 % retries" without saying of what. Each kind deposits at its own moment, in its own unit.
#[test]
fn trap_10_budgets_say_when_they_deposit_and_in_what_unit() {
    let retries = |kind: BudgetKind, replies: fn(usize) -> Reply, calls: usize| {
        let budget = Some(BudgetConfig::per_client(kind));
        let server = Server::new(replies);
        run(strategy(vec![LayerConfig::Retry(RetryConfig { budget, ..retry(2) })]), &server, calls);
        server.served() - calls
    };
    let failing: fn(usize) -> Reply = |_| Reply::Status(Code::Unavailable);
    // Per call, whether it succeeds or not, over a window: a tenth of a hundred.
    assert_eq!(retries(BudgetKind::Sre { percent: 0.1, window: 10 * S }, failing, 100), 10);
    // The same, and ten a second that are always allowed, over ten seconds.
    let finagle = BudgetKind::Finagle { ttl: 10 * S, min_per_s: 10.0, percent: 0.2 };
    assert_eq!(retries(finagle, failing, 200), 140);
    // Per success: a bucket of 20 pays for four retries at 5, and never fills again.
    let aws = BudgetKind::AwsSdk { capacity: 20, cost: 5, timeout_cost: 10 };
    assert_eq!(retries(aws, failing, 100), 4);
    // A retry that succeeds gives back what it cost, so it may go on for ever.
    assert_eq!(retries(aws, |n| if n % 2 == 0 { Reply::Status(Code::Unavailable) } else { Reply::Ok }, 100), 100);
    // By what is under way: one call at a time, and the minimum of one.
    assert_eq!(retries(BudgetKind::Envoy { percent: 0.2, min: 1 }, failing, 100), 100);
    assert_eq!(retries(BudgetKind::Envoy { percent: 0.2, min: 0 }, failing, 100), 0);
}

/// Toy: counts only what it sent. With everything rejected, a share of all requests must go on being turned away.
#[test]
fn trap_11_throttling_counts_what_it_turns_away() {
    let server = Server::sequence([Reply::Status(Code::Unavailable)]);
    let (results, heard) = run(strategy(vec![LayerConfig::Throttle(ThrottleConfig::sre())]), &server, 2000);
    let rejected = heard.count(|kind| matches!(kind, EventKind::ThrottleRejected));
    // p = n/(n+1): one request is sent for every doubling of n, about ln 2000 = 7.6 in all. Counting only what was
    // sent, p stays low and dozens would be.
    assert_eq!(results.len() - rejected, server.served());
    assert!((2..=20).contains(&server.served()), "{}", server.served());
}

/// Toy: one generator a configuration: clients made from one factory back off in step.
#[test]
fn trap_12_callers_of_one_factory_draw_different_jitter() {
    let backoff = BackoffConfig::FullJitter { base: 100 * MS, cap: 10 * S };
    let config = strategy(vec![LayerConfig::Retry(RetryConfig { backoff, ..retry(2) })]);
    let heard = Arc::new(Heard::default());
    let listener = heard.clone();
    Simulation::new()
        .run(async move {
            let server = Server::sequence([Reply::Status(Code::Unavailable)]);
            let group = Ambient::new(Key::from_seed(7)).observed_by(listener);
            for n in 0..100 {
                let ambient = group.child(Key::from_seed(7).with(n));
                let client = build(&config, target(1), server.clone(), &ambient).unwrap();
                let _ = call(client).await;
            }
        })
        .unwrap();
    let mut pauses = heard.pauses();
    assert_eq!(pauses.len(), 100);
    pauses.sort_unstable();
    pauses.dedup();
    assert_eq!(pauses.len(), 100, "a hundred clients, a hundred pauses");
}

/// Toy: sheds when the service is not ready at once, which tokio's cooperative scheduling makes happen to ready ones.
#[test]
fn trap_13_a_pending_poll_is_not_overload() {
    use std::task::{Context, Poll};

    /// Ready, but only the second time, as after an exhausted budget of tokio's.
    #[derive(Clone)]
    struct Coy<S>(S, bool);

    impl<S: tower::Service<R>, R> tower::Service<R> for Coy<S> {
        type Response = S::Response;
        type Error = S::Error;
        type Future = S::Future;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
            self.1 = !self.1;
            if self.1 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.0.poll_ready(cx)
        }

        fn call(&mut self, request: R) -> S::Future {
            self.0.call(request)
        }
    }

    let results = Simulation::new().run(async move {
        let ambient = Ambient::new(Key::from_seed(7));
        let channel = build(&strategy(vec![]), target(1), Server::sequence([Reply::Ok]), &ambient).unwrap();
        let limit = Limit::new(LimitConfig::new(LimitAlgorithm::Fixed { max: 1 })).unwrap();
        let client = tower::Layer::layer(&limit.layer(&ambient), Coy(channel, false));
        let mut oks = 0;
        for _ in 0..1000 {
            oks += usize::from(call(client.clone()).await.is_ok());
        }
        oks
    });
    assert_eq!(results.unwrap(), 1000);
}

/// Toy: takes UNAVAILABLE as proof that nothing ran.
#[test]
fn trap_14_what_is_not_idempotent_is_not_repeated_after_it_may_have_run() {
    let sent = |mark: Option<Idempotency>, server: Server| {
        let heard = Arc::new(Heard::default());
        let (peer, listener) = (server.clone(), heard.clone());
        Simulation::new()
            .run(async move {
                let ambient = Ambient::new(Key::from_seed(7)).observed_by(listener);
                let client = build(&strategy(vec![LayerConfig::Retry(retry(3))]), target(1), peer, &ambient).unwrap();
                let mut request = tonic::Request::new(vec![]);
                if let Some(mark) = mark {
                    request.extensions_mut().insert(Call::new().idempotency(mark));
                }
                let _ = peer::request(client, request).await;
            })
            .unwrap();
        (server.served(), heard.stops())
    };
    let maybe_ran = || Server::sequence([Reply::Disconnect]);
    assert_eq!(sent(Some(Idempotency::NotIdempotent), maybe_ran()), (1, vec![StopReason::NotIdempotent]));
    assert_eq!(sent(Some(Idempotency::Idempotent), maybe_ran()).0, 3);
    // What certainly never reached an application may be repeated all the same.
    let refused = Server::sequence([Reply::Ok]).with_door(|n| if n < 2 { Door::Refused } else { Door::Open });
    let config = RetryConfig { backoff: BackoffConfig::Constant { pause: 2 * S }, ..retry(3) };
    let (results, _) = run(strategy(vec![LayerConfig::Retry(config)]), &refused, 1);
    assert_eq!(ended(&results[0]).0, Code::Ok);
}

/// Toy: treats the order of layers as a matter of taste.
#[test]
fn trap_15_the_order_of_layers_matters() {
    // k layers of n attempts make n^k executions of one call.
    for (layers, attempts, executions) in [(1, 4, 4), (3, 4, 64), (5, 3, 243)] {
        let server = Server::sequence([Reply::Status(Code::Unavailable)]);
        run(strategy(vec![LayerConfig::Retry(retry(attempts)); layers]), &server, 1);
        assert_eq!(server.served(), executions, "{layers} layers of {attempts}");
    }
    // A timeout outside a retry bounds the call, inside it bounds attempts.
    let timeout = LayerConfig::AttemptTimeout(100 * MS);
    let server = Server::sequence([Reply::Silence]);
    run(strategy(vec![timeout.clone(), LayerConfig::Retry(retry(3))]), &server, 1);
    assert_eq!(server.served(), 1);
    let server = Server::sequence([Reply::Silence]);
    let (results, _) = run(strategy(vec![LayerConfig::Retry(retry(3)), timeout]), &server, 1);
    assert_eq!((server.served(), ended(&results[0])), (3, (Code::DeadlineExceeded, Origin::AttemptTimeout)));
    // A breaker inside a retry counts attempts, outside it counts calls.
    let breaker =
        LayerConfig::Breaker(BreakerConfig { trip: Trip::Consecutive { failures: 3 }, ..BreakerConfig::default() });
    for (layers, served) in
        [(vec![LayerConfig::Retry(retry(3)), breaker.clone()], 3), (vec![breaker, LayerConfig::Retry(retry(3))], 9)]
    {
        let server = Server::sequence([Reply::Status(Code::Unavailable)]);
        run(strategy(layers), &server, 10);
        assert_eq!(server.served(), served);
    }
}

/// Toy: ejects in the middle of an interval, or closes the connection of whom it ejects.
#[test]
fn trap_16_outliers_are_ejected_at_sweeps_and_keep_their_connection() {
    let outlier = OutlierConfig {
        interval: 10 * S,
        base_ejection: 30 * S,
        success_rate: None,
        failure_percentage: Some(FailurePercentage {
            threshold: 85,
            enforcement_percentage: 100,
            minimum_hosts: 3,
            request_volume: 5,
        }),
        ..OutlierConfig::default()
    };
    let heard = Arc::new(Heard::default());
    let listener = heard.clone();
    let bad = Server::sequence([Reply::Status(Code::Unavailable)]);
    let good = Server::sequence([Reply::Ok]);
    let (before, during, after) = Simulation::new()
        .run(async move {
            let ambient = Ambient::new(Key::from_seed(7)).observed_by(listener);
            let channel =
                ChannelConfig { balance: Balance::RoundRobin, outlier: Some(outlier), ..ChannelConfig::default() };
            let config = Strategy { channel, ..strategy(vec![]) };
            let pair = peer::Pair { first: bad.clone(), others: good };
            let client: Client = build(&config, target(3), pair, &ambient).unwrap();
            let spend = async |calls: usize| {
                let earlier = bad.served();
                for _ in 0..calls {
                    let _ = call(client.clone()).await;
                    clock::sleep(100 * MS).await;
                }
                bad.served() - earlier
            };
            // 9 s: the sweep has not come yet. 11 s to 31 s: ejected at 10 s. 45 s: back since the sweep at 40 s.
            let before = spend(90).await;
            clock::sleep(2 * S).await;
            let during = spend(200).await;
            clock::sleep(14 * S).await;
            let after = spend(30).await;
            assert_eq!(bad.connections(), 1, "an ejected endpoint keeps its connection");
            (before, during, after)
        })
        .unwrap();
    assert!(before >= 25, "{before}");
    assert_eq!(during, 0);
    assert!(after > 0, "{after}");
    let ejections = heard.events().into_iter().filter(|event| matches!(event.kind, EventKind::Ejected { .. }));
    assert_eq!(ejections.map(|event| event.at.as_secs_f64()).next(), Some(10.0), "at the sweep");
}

/// The scope says who shares a budget: ten clients of a group have one bucket together.
#[test]
fn a_shared_budget_is_one_budget() {
    let served = |scope: Scope| {
        let budget = Some(BudgetConfig { kind: BudgetKind::AwsSdk { capacity: 10, cost: 5, timeout_cost: 5 }, scope });
        let config = strategy(vec![LayerConfig::Retry(RetryConfig { budget, ..retry(2) })]);
        let server = Server::sequence([Reply::Status(Code::Unavailable)]);
        let peer = server.clone();
        Simulation::new()
            .run(async move {
                let group = Ambient::new(Key::from_seed(7));
                for n in 0..10 {
                    let client = build(&config, target(1), peer.clone(), &group.child(Key::from_seed(n))).unwrap();
                    let _ = call(client).await;
                }
            })
            .unwrap();
        server.served()
    };
    assert_eq!((served(Scope::Client), served(Scope::Shared)), (20, 12));
}
