//! Traps about what is remembered from one call to the next: 8 to 11.

use squall::clock;
use squall::resilience::{
    Ambient, BreakerConfig, BreakerWindow, BudgetConfig, BudgetKind, Client, Codes, LayerConfig, Origin, RetryConfig,
    ThrottleConfig, Trip, origin_of,
};
use tonic::Code;

use super::peer::{Reply, Server, call};
use super::rig::{MS, Make, S, Verdict, alike, ambient, answered, client, ensure, retry, run, simulate};

fn unavailable() -> Reply {
    Reply::Status(Code::Unavailable)
}

/// One failure opens it for a second, one probe decides.
pub(crate) fn broken(server: Server, ambient: &Ambient) -> Client {
    let breaker =
        BreakerConfig { trip: Trip::Consecutive { failures: 1 }, open: S, probes: 1, ..BreakerConfig::default() };
    client(vec![LayerConfig::Breaker(breaker)], server, ambient)
}

/// It opens; its probe is given up; the next call is the probe.
pub(crate) fn probe(make: Make<'_>) -> Verdict {
    let server = Server::sequence([unavailable(), Reply::Silence, Reply::Ok]);
    let after = simulate(|| async {
        let client = make(server, &ambient());
        let _ = call(client.clone()).await;
        clock::sleep(1100 * MS).await;
        let given_up = answered(&client, 100 * MS).await;
        assert!(given_up.is_none(), "the server says nothing to the probe: {given_up:?}");
        answered(&client, S).await
    });
    match after {
        Some(Ok(())) => Ok(()),
        other => Err(format!("the breaker turned away the call after the probe that was given up: {other:?}")),
    }
}

/// A call from before the breaker opened succeeds while it is open: that says nothing about the server now.
pub(crate) fn late_result(make: Make<'_>) -> Verdict {
    let server = Server::new(|n| match n {
        0 => Reply::After(500 * MS, Box::new(Reply::Ok)),
        1 => unavailable(),
        _ => Reply::Ok,
    });
    let (late, next) = simulate(|| async {
        let client = make(server, &ambient());
        let late = tokio::spawn(call(client.clone()));
        clock::sleep(10 * MS).await;
        let _ = call(client.clone()).await;
        (late.await.expect("it does not panic"), call(client).await)
    });
    ensure(late.is_ok(), "the late call failed")?;
    let Err(turned_away) = next else { return Err("a call passed the open breaker".to_owned()) };
    alike("it was turned away by", origin_of(&turned_away), Origin::Breaker)
}

/// Half of at least five calls within ten seconds.
pub(crate) fn windowed(server: Server, ambient: &Ambient) -> Client {
    let trip = Trip::FailureRate { rate: 0.5, window: BreakerWindow::Time(10 * S), min_calls: 5 };
    client(vec![LayerConfig::Breaker(BreakerConfig { trip, ..BreakerConfig::default() })], server, ambient)
}

/// A thousand seconds of success must not outweigh five of failure.
pub(crate) fn window(make: Make<'_>) -> Verdict {
    let server = Server::new(|n| if n < 1000 { Reply::Ok } else { unavailable() });
    simulate(|| async {
        let client = make(server.clone(), &ambient());
        for _ in 0..1020 {
            let _ = call(client.clone()).await;
            clock::sleep(S).await;
        }
    });
    let failed = server.served() - 1000;
    // Open for five of the twenty seconds at a time, it lets a probe through now and then.
    ensure(failed < 12, format_args!("{failed} calls in a row failed before it opened"))
}

/// Makes a client whose retries a budget of this kind bounds.
pub(crate) type Budgeted<'m> = &'m dyn Fn(BudgetKind, Server, &Ambient) -> Client;

pub(crate) fn budgeted(kind: BudgetKind, server: Server, ambient: &Ambient) -> Client {
    let budget = Some(BudgetConfig::per_client(kind));
    let on = Codes::of(&[Code::Unavailable, Code::ResourceExhausted]);
    client(vec![LayerConfig::Retry(RetryConfig { on, budget, ..retry(2) })], server, ambient)
}

/// Two attempts a call, so many calls: how often each kind allows a retry.
pub(crate) fn budgets(make: Budgeted<'_>) -> Verdict {
    let failing: fn(usize) -> Reply = |_| unavailable();
    let throttling: fn(usize) -> Reply = |_| Reply::Status(Code::ResourceExhausted);
    let every_other: fn(usize) -> Reply = |n| if n % 2 == 0 { unavailable() } else { Reply::Ok };
    let aws = BudgetKind::AwsSdk { capacity: 20, cost: 5, timeout_cost: 10 };
    let rows = [
        // A call gives, whether it succeeds or not: a tenth of a hundred.
        (BudgetKind::Sre { percent: 0.1, window: 10 * S }, failing, 100, 10),
        // A success gives: 20 tokens pay for four retries at 5, or for two of transient failures at 10, and never come back.
        (aws, throttling, 100, 4),
        (aws, failing, 100, 2),
        // A retry that succeeds gives back what it cost, so it may go on for ever.
        (aws, every_other, 100, 100),
        // A fifth of the calls of the last ten seconds, and ten a second on top of it.
        (BudgetKind::Finagle { ttl: 10 * S, min_per_s: 10.0, percent: 0.2 }, failing, 200, 140),
        // What is under way, one call at a time: the minimum.
        (BudgetKind::Envoy { percent: 0.2, min: 1 }, failing, 100, 100),
        (BudgetKind::Envoy { percent: 0.2, min: 0 }, failing, 100, 0),
        // More than half of the tokens must be left after each failure: two calls with both attempts, and never again.
        (BudgetKind::Grpc { tokens: 10, ratio: 0.1 }, failing, 100, 2),
        // A call gives a tenth, a retry costs one and needs more than one.
        (BudgetKind::TokenBucket { per_call: 0.1, size: 5.0 }, failing, 100, 14),
    ];
    for (kind, replies, calls, retries) in rows {
        let server = Server::new(replies);
        run(&|server, ambient| make(kind, server, ambient), &server, calls);
        alike(format_args!("{kind:?}: {calls} calls made"), server.served() - calls, retries)?;
    }
    Ok(())
}

/// A budget of 60% of something.
pub(crate) struct Share {
    pub(crate) make: fn(Server, &Ambient) -> Client,
    /// How many times that happens in a hundred calls that succeed and then two hundred that fail.
    pub(crate) deposits: usize,
}

/// Of all calls.
pub(crate) const SIXTY_PERCENT: Share = Share { make: sixty_percent, deposits: 300 };

fn sixty_percent(server: Server, ambient: &Ambient) -> Client {
    budgeted(BudgetKind::Finagle { ttl: 10 * S, min_per_s: 0.0, percent: 0.6 }, server, ambient)
}

pub(crate) fn share(budget: &Share) -> Verdict {
    let server = Server::new(|n| if n < 100 { Reply::Ok } else { unavailable() });
    run(&budget.make, &server, 300);
    let (retries, expected) = (server.served() - 300, budget.deposits * 6 / 10);
    ensure(retries == expected, format_args!("{retries} retries for {} deposits, not {expected}", budget.deposits))
}

pub(crate) fn throttled(server: Server, ambient: &Ambient) -> Client {
    client(vec![LayerConfig::Throttle(ThrottleConfig::sre())], server, ambient)
}

/// Everything is rejected. p = n/(n+1): one request is sent for every doubling of n, about ln 2000 = 7.6 in all. Counting only what
/// was sent, p stays low, and about sqrt(2·2000) = 63 would be.
pub(crate) fn throttling(make: Make<'_>) -> Verdict {
    let server = Server::sequence([unavailable()]);
    run(make, &server, 2000);
    let sent = server.served();
    ensure((2..=20).contains(&sent), format_args!("{sent} calls of 2000 were sent, not about 8"))
}
