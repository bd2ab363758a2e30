//! Every layer alone, poll by poll: it is ready when the service inside is, no sooner; and wherever its call is dropped, nothing stays
//! behind: no attempt, no place, no probe, no token.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{
    AdaptiveRateConfig, Ambient, BackoffConfig, BreakerConfig, BudgetConfig, BudgetKind, Client, Codes, Discipline,
    FallbackConfig, HedgeConfig, HedgeDelay, LayerConfig, LimitAlgorithm, LimitConfig, RateLimitConfig, RetryConfig,
    Scope, Strategy, ThrottleConfig, TowerConfig, Trip,
};
use tonic::body::Body;
use tower::Service;
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

/// A call is dropped after each number of polls in turn; the next finds all as if it had never been.
#[test]
fn wherever_a_call_is_dropped_nothing_stays_behind() {
    // What a throttle has counted stays counted: that calls are given up is what it goes by.
    for (name, layer) in each().into_iter().filter(|(name, _)| *name != "throttle") {
        for fails in [false, true] {
            for polls in 0..24 {
                let layer = layer.clone();
                let run = Simulation::new().run(async move {
                    let under_way = Arc::new(AtomicU32::new(0));
                    let ambient = Ambient::new(Key::from_seed(1));
                    let inside = Slow { under_way: under_way.clone(), fails };
                    let mut client = Client::around(&strategy(&layer), inside, &ambient).unwrap();
                    let mut cx = Context::from_waker(Waker::noop());
                    for _ in 0..3 {
                        assert!(Service::poll_ready(&mut client, &mut cx).is_ready(), "{name} lost a permit");
                        let mut call = pin!(client.call(Request::new(Body::empty())));
                        for _ in 0..polls {
                            if call.as_mut().poll(&mut cx).is_ready() {
                                break;
                            }
                            clock::sleep(MS / 2).await;
                        }
                        // Here it is dropped.
                    }
                    clock::sleep(100 * MS).await;
                    assert_eq!(under_way.load(Ordering::Relaxed), 0, "{name}: an attempt goes on after {polls} polls");
                    let mut last = client.clone();
                    assert!(Service::poll_ready(&mut last, &mut cx).is_ready(), "{name} lost a permit");
                    let answer = last.call(Request::new(Body::empty())).await;
                    assert!(answer.is_ok(), "{name} after {polls} polls: {:?}", answer.err());
                });
                run.unwrap();
            }
        }
    }
}
