//! Every layer alone, poll by poll: it is ready when the service inside is, no sooner; and wherever its call is dropped, nothing stays
//! behind: no attempt, no place, no probe, no token.

mod peer;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use peer::{Heard, Reply, Server, call, target};
use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{
    AdaptiveRateConfig, Ambient, BackoffConfig, Balance, BreakerConfig, BudgetConfig, BudgetKind, ChannelConfig,
    Client, Codes, Discipline, EventKind, FallbackConfig, HedgeConfig, HedgeDelay, LayerConfig, LimitAlgorithm,
    LimitConfig, RateLimitConfig, RetryConfig, Scope, Strategy, ThrottleConfig, TowerConfig, Trip, build,
};
use tonic::body::Body;
use tower::{Service, ServiceExt};
use tower_test::mock;

const MS: Duration = Duration::from_millis(1);

/// One of each, so tight that whatever one call keeps, the next one misses.
fn each() -> Vec<(&'static str, LayerConfig)> {
    let budget = Some(BudgetConfig::per_client(BudgetKind::Envoy { percent: 0.0, min: 1 }));
    let backoff = BackoffConfig::Constant { pause: 2 * MS };
    let limit = LimitConfig::new(LimitAlgorithm::Fixed { max: 1 });
    let discipline = Discipline::Fifo { max_wait: Some(50 * MS) };
    vec![
        ("deadline", LayerConfig::Deadline(100 * MS)),
        ("attempt_timeout", LayerConfig::AttemptTimeout(100 * MS)),
        ("retry", LayerConfig::Retry(RetryConfig { backoff, budget: budget.clone(), ..RetryConfig::default() })),
        (
            "hedge",
            LayerConfig::Hedge(HedgeConfig { delay: HedgeDelay::Fixed(2 * MS), budget, ..HedgeConfig::default() }),
        ),
        (
            "breaker",
            LayerConfig::Breaker(BreakerConfig {
                trip: Trip::Consecutive { failures: 1 },
                open: MS,
                probes: 1,
                ..BreakerConfig::default()
            }),
        ),
        ("limit", LayerConfig::Limit(LimitConfig { queue: 1, discipline, ..limit })),
        ("throttle", LayerConfig::Throttle(ThrottleConfig::sre())),
        (
            "rate_limit",
            LayerConfig::RateLimit(RateLimitConfig {
                per_second: 100.0,
                burst: 1,
                max_wait: 10 * MS,
                scope: Scope::Client,
            }),
        ),
        ("adaptive_rate", LayerConfig::AdaptiveRate(AdaptiveRateConfig::default())),
        ("fallback", LayerConfig::Fallback(FallbackConfig { on: Codes::UNAVAILABLE, message: Bytes::new() })),
        ("tower timeout", LayerConfig::Tower(TowerConfig::Timeout(100 * MS))),
        ("tower limit", LayerConfig::Tower(TowerConfig::ConcurrencyLimit { max: 1 })),
    ]
}

fn strategy(layer: &LayerConfig) -> Strategy {
    Strategy { name: "one".to_owned(), layers: vec![layer.clone()], ..Strategy::default() }
}

#[test]
fn a_layer_is_ready_when_the_service_inside_is() {
    for (name, layer) in each() {
        Simulation::new()
            .run(async move {
                type Handle = mock::Handle<Request<Body>, Response<Body>>;
                let (inside, mut handle): (mock::Mock<_, _>, Handle) = mock::pair();
                let ambient = Ambient::new(Key::from_seed(1));
                let client = Client::around(&strategy(&layer), inside, &ambient).unwrap();
                let mut client = tokio_test::task::spawn(client);
                handle.allow(0);
                let ready = |client: &mut tokio_test::task::Spawn<Client>| {
                    client.enter(|cx, mut client| Service::poll_ready(&mut *client, cx).is_ready())
                };
                assert!(!ready(&mut client), "{name} is ready before what is inside");
                handle.allow(1);
                assert!(ready(&mut client), "{name} is not ready though what is inside is");
                let call = client.enter(|_, mut client| client.call(Request::new(Body::empty())));
                let mut call = tokio_test::task::spawn(call);
                let _ = call.poll();
                let mut ok = Response::new(Body::empty());
                ok.headers_mut().insert("grpc-status", HeaderValue::from_static("0"));
                handle.next_request().await.unwrap().1.send_response(ok);
                clock::sleep(MS).await;
                assert!(matches!(call.poll(), Poll::Ready(Ok(_))), "{name} kept an answer to itself");
            })
            .unwrap();
    }
}

/// Takes three polls, and then fails or not; counts attempts under way.
#[derive(Clone)]
struct Slow {
    under_way: Arc<AtomicU32>,
    fails: bool,
}

struct Guard(Arc<AtomicU32>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Service<Request<Body>> for Slow {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let guard = Guard(self.under_way.clone());
        let status = HeaderValue::from_static(if self.fails { "14" } else { "0" });
        Box::pin(async move {
            let _guard = guard;
            for _ in 0..3 {
                clock::sleep(MS).await;
            }
            let mut response = Response::new(Body::empty());
            response.headers_mut().insert("grpc-status", status);
            Ok(response)
        })
    }
}

/// Polls `call` so many times, half a millisecond apart; whether it ended. What is left of it is dropped here.
async fn poll_and_drop(call: impl Future, polls: usize) -> bool {
    let mut call = pin!(call);
    for _ in 0..polls {
        if poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await {
            return true;
        }
        clock::sleep(MS / 2).await;
    }
    false
}

fn ready(client: &mut Client, name: &str) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Service::poll_ready(client, &mut cx).is_ready(), "{name} lost a permit");
}

fn request() -> Request<Body> {
    Request::new(Body::empty())
}

/// More than any of these calls takes.
const POLLS: usize = 40;

/// A call is dropped after each number of polls in turn, until one number is enough for it to end: that is every await point. The
/// next call finds all as if it had never been.
#[test]
fn wherever_a_call_is_dropped_nothing_stays_behind() {
    // What a throttle has counted stays counted: that calls are given up is what it goes by.
    for (name, layer) in each().into_iter().filter(|(name, _)| *name != "throttle") {
        for fails in [false, true] {
            let ended = (0..POLLS).any(|polls| {
                let run = Simulation::new().run(async {
                    let under_way = Arc::new(AtomicU32::new(0));
                    let ambient = Ambient::new(Key::from_seed(1));
                    let inside = Slow { under_way: under_way.clone(), fails };
                    let mut client = Client::around(&strategy(&layer), inside, &ambient).unwrap();
                    let mut ended = true;
                    for _ in 0..3 {
                        ready(&mut client, name);
                        ended &= poll_and_drop(client.call(request()), polls).await;
                    }
                    clock::sleep(100 * MS).await;
                    assert_eq!(under_way.load(Ordering::Relaxed), 0, "{name}: an attempt goes on after {polls} polls");
                    ready(&mut client, name);
                    let answer = client.call(request()).await;
                    assert!(answer.is_ok(), "{name} after {polls} polls: {:?}", answer.err());
                    ended
                });
                run.unwrap()
            });
            assert!(ended, "{name}: {POLLS} polls are not all there are");
        }
    }
}

/// The same for a call that waits behind another, in a queue or for a turn: the one before it keeps what it has, the one after it
/// gets what is free.
#[test]
fn wherever_a_waiting_call_is_dropped_its_place_is_free() {
    let waits = |name: &str| matches!(name, "limit" | "rate_limit" | "adaptive_rate" | "tower limit" | "breaker");
    for (name, layer) in each().into_iter().filter(|(name, _)| waits(name)) {
        let ended = (0..POLLS).any(|polls| {
            let run = Simulation::new().run(async {
                let ambient = Ambient::new(Key::from_seed(1));
                let under_way = Arc::new(AtomicU32::new(0));
                let inside = Slow { under_way: under_way.clone(), fails: false };
                let client = Client::around(&strategy(&layer), inside, &ambient).unwrap();
                let mut first = client.clone();
                ready(&mut first, name);
                let first = tokio::spawn(first.call(request()));
                clock::sleep(MS / 4).await;
                // As callers have it: ready first, whatever that waits for, and then the call.
                let waiting = client.clone();
                let ended = poll_and_drop(waiting.oneshot(request()), polls).await;
                let mut next = client.clone();
                let next = tokio::spawn(async move { next.ready().await?.call(request()).await });
                assert!(first.await.unwrap().is_ok(), "{name}: the first call suffered from the second");
                assert!(
                    next.await.unwrap().is_ok(),
                    "{name}: the second kept what the third needs, after {polls} polls"
                );
                clock::sleep(100 * MS).await;
                assert_eq!(under_way.load(Ordering::Relaxed), 0, "{name}");
                ended
            });
            run.unwrap()
        });
        assert!(ended, "{name}: {POLLS} polls are not all there are");
    }
}

/// The same over the whole channel, real HTTP/2 below: while it connects, waits, sends, and reads. The endpoint's one probe, its
/// count of calls and the one stream that the server allows are free again.
#[test]
fn wherever_a_call_on_a_channel_is_dropped_nothing_stays_behind() {
    let breaker =
        BreakerConfig { trip: Trip::Consecutive { failures: 1 }, open: 5 * MS, probes: 1, ..BreakerConfig::default() };
    for balance in [Balance::RoundRobin, Balance::LeastOutstanding, Balance::PeakEwma { decay: 100 * MS }] {
        let channel = ChannelConfig { balance, endpoint_breaker: Some(breaker.clone()), ..ChannelConfig::default() };
        let ended = (0..POLLS).any(|polls| {
            let heard = Arc::new(Heard::default());
            let run = Simulation::new().run(async {
                // The first call fails, and opens the breaker; from then on each waits a little.
                let server = Server::new(|n| match n {
                    0 => Reply::Status(tonic::Code::Unavailable),
                    _ => Reply::After(2 * MS, Box::new(Reply::Ok)),
                });
                let ambient = Ambient::new(Key::from_seed(1)).observed_by(heard.clone());
                let strategy = Strategy { channel: channel.clone(), ..Strategy::default() };
                let client = build(&strategy, target(1), server, &ambient).unwrap();
                let mut ended = true;
                for _ in 0..3 {
                    ended &= poll_and_drop(call(client.clone()), polls).await;
                    clock::sleep(6 * MS).await;
                }
                clock::sleep(100 * MS).await;
                // Two, as the first call of all may not have reached the server before.
                let _ = call(client.clone()).await;
                clock::sleep(6 * MS).await;
                let answer = call(client).await;
                assert!(answer.is_ok(), "{balance:?} after {polls} polls: {answer:?}");
                ended
            });
            let ended = run.unwrap();
            let count = |pick: fn(&EventKind) -> bool| heard.count(pick);
            let (begun, over) = (
                count(|kind| matches!(kind, EventKind::AttemptStarted { .. })),
                count(|kind| matches!(kind, EventKind::AttemptEnded { .. })),
            );
            assert_eq!(begun, over, "{balance:?}: every attempt that began has ended, after {polls} polls");
            ended
        });
        assert!(ended, "{balance:?}: {POLLS} polls are not all there are");
    }
}
