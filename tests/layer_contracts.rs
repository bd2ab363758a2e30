//! The contract of every layer, at the level of polls: readiness is passed on, and whoever is dropped, wherever, gives back what it
//! held.

mod peer;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use proptest::prelude::*;
use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{
    Ambient, AttemptTimeout, Breaker, BreakerConfig, BreakerState, BudgetConfig, BudgetKind, Deadline, Discipline,
    Hedge, HedgeConfig, HedgeDelay, Limit, LimitAlgorithm, LimitConfig, Retry, RetryConfig, Trip,
};
use tonic::body::Body;
use tower::{Layer, Service, ServiceBuilder};

const MS: Duration = Duration::from_millis(1);

/// A service whose n-th attempt takes a while, and then fails or not.
#[derive(Clone)]
struct Script(std::sync::Arc<std::sync::Mutex<std::vec::IntoIter<(u32, bool)>>>);

impl Script {
    fn new(steps: Vec<(u32, bool)>) -> Self {
        Self(std::sync::Arc::new(std::sync::Mutex::new(steps.into_iter())))
    }
}

impl Service<Request<Body>> for Script {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let (pause, fails) = self.0.lock().unwrap().next().unwrap_or((0, false));
        Box::pin(async move {
            clock::sleep(pause * MS / 4).await;
            let mut response = Response::new(Body::empty());
            response.headers_mut().insert("grpc-status", HeaderValue::from_static(if fails { "14" } else { "0" }));
            Ok(response)
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Calls through everything at once, each dropped after a random time: no place, probe or token stays taken.
    #[test]
    fn whoever_is_dropped_gives_back_what_it_held(
        steps in proptest::collection::vec((0_u32..40, any::<bool>()), 1..60),
        drops in proptest::collection::vec(0_u64..60, 1..12),
    ) {
        Simulation::new().run(async move {
            let ambient = Ambient::new(Key::from_seed(1));
            let queue = Discipline::Fifo { max_wait: Some(10 * MS) };
            let limit = Limit::new(LimitConfig { queue: 3, discipline: queue, ..LimitConfig::new(LimitAlgorithm::Fixed { max: 2 }) }).unwrap();
            let breaker = Breaker::new(BreakerConfig { trip: Trip::Consecutive { failures: 3 }, open: 5 * MS, probes: 1, ..BreakerConfig::default() }).unwrap();
            let budget = Some(BudgetConfig::per_client(BudgetKind::Envoy { percent: 0.5, min: 1 }));
            let stack = ServiceBuilder::new()
                .layer(Deadline::new(30 * MS).unwrap())
                .layer(Retry::new(RetryConfig { budget: budget.clone(), on_rejection: true, ..RetryConfig::default() }).unwrap())
                .layer(Hedge::new(HedgeConfig { delay: HedgeDelay::Fixed(3 * MS), budget, ..HedgeConfig::default() }).unwrap())
                .layer(breaker.layer(&ambient))
                .layer(limit.layer(&ambient))
                .layer(AttemptTimeout::new(8 * MS).unwrap())
                .service(Script::new(steps));
            let calls: Vec<_> = drops.into_iter().enumerate().map(|(n, after)| {
                let mut stack = stack.clone();
                tokio::spawn(async move {
                    clock::sleep(n as u32 * MS).await;
                    let _ = clock::timeout(after as u32 * MS / 2, stack.call(Request::new(Body::empty()))).await;
                })
            }).collect();
            for call in calls {
                call.await.unwrap();
            }
            assert_eq!(limit.usage().0, 0, "a place is still taken");
            // A free probe closes the breaker, whatever happened to the ones before.
            clock::sleep(10 * MS).await;
            let mut last = ServiceBuilder::new().layer(breaker.layer(&ambient)).service(Script::new(vec![]));
            let _ = last.call(Request::new(Body::empty())).await.unwrap();
            assert_eq!(breaker.state(), BreakerState::Closed, "a probe is still taken");
        }).unwrap();
    }
}

/// Every poll of a call but the last is followed by a drop, in turn: the place comes back each time.
#[test]
fn cancellation_at_every_await_point_gives_the_place_back() {
    Simulation::new()
        .run(async {
            let ambient = Ambient::new(Key::from_seed(1));
            let limit = Limit::new(LimitConfig::new(LimitAlgorithm::Fixed { max: 1 })).unwrap();
            for polls in 0..12 {
                let inner = Script::new(vec![(4, true), (4, true), (4, false)]);
                let mut stack = ServiceBuilder::new()
                    .layer(limit.layer(&ambient))
                    .layer(Retry::new(RetryConfig::default()).unwrap())
                    .service(inner);
                {
                    let mut call = pin!(stack.call(Request::new(Body::empty())));
                    assert_eq!(limit.usage().0, 1);
                    let mut cx = Context::from_waker(Waker::noop());
                    for _ in 0..polls {
                        if call.as_mut().poll(&mut cx).is_ready() {
                            break;
                        }
                        clock::sleep(MS / 2).await;
                    }
                }
                assert_eq!(limit.usage().0, 0, "after {polls} polls");
            }
        })
        .unwrap();
}

/// No layer calls a service that has not said that it is ready, not for later attempts either.
#[test]
fn every_attempt_waits_until_the_service_is_ready() {
    Simulation::new()
        .run(async {
            type Handle = tower_test::mock::Handle<Request<Body>, Response<Body>>;
            let (mock, mut handle): (tower_test::mock::Mock<_, _>, Handle) = tower_test::mock::pair();
            let retry = Retry::new(RetryConfig::default()).unwrap();
            let mut service = tokio_test::task::spawn(retry.layer(mock));
            handle.allow(0);
            let ready = service.enter(|cx, mut service| Service::poll_ready(&mut *service, cx).is_ready());
            assert!(!ready, "the layer is not readier than what is inside");
            handle.allow(1);
            assert!(service.enter(|cx, mut service| Service::poll_ready(&mut *service, cx).is_ready()));
            let mut call =
                tokio_test::task::spawn(service.enter(|_, mut service| service.call(Request::new(Body::empty()))));
            assert!(call.poll().is_pending());
            let mut failed = Response::new(Body::empty());
            failed.headers_mut().insert("grpc-status", HeaderValue::from_static("14"));
            handle.next_request().await.unwrap().1.send_response(failed);
            assert!(call.poll().is_pending(), "the second attempt waits for readiness");
            let mut next = tokio_test::task::spawn(handle.next_request());
            assert!(next.poll().is_pending());
            drop(next);
            handle.allow(1);
            clock::sleep(MS).await;
            assert!(call.poll().is_pending());
            handle.next_request().await.unwrap().1.send_response(Response::new(Body::empty()));
            assert!(call.poll().is_ready());
        })
        .unwrap();
}

/// Who waits in a queue is served in the order its discipline says.
#[test]
fn queues_serve_in_the_order_of_their_discipline() {
    let order = |discipline: Discipline| {
        let run = Simulation::new().run(async move {
            let ambient = Ambient::new(Key::from_seed(1));
            let limit =
                Limit::new(LimitConfig { queue: 10, discipline, ..LimitConfig::new(LimitAlgorithm::Fixed { max: 1 }) })
                    .unwrap();
            let done = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
            let stack = limit.layer(&ambient).layer(Script::new(vec![(400, false); 4]));
            for n in 0..4 {
                let (mut stack, done) = (stack.clone(), done.clone());
                tokio::spawn(async move {
                    clock::sleep(n * MS).await;
                    if stack.call(Request::new(Body::empty())).await.is_ok() {
                        done.lock().unwrap().push(n);
                    }
                });
            }
            clock::sleep(1000 * MS).await;
            assert_eq!(limit.usage().0, 0);
            std::mem::take(&mut *done.lock().unwrap())
        });
        run.unwrap()
    };
    assert_eq!(order(Discipline::Fifo { max_wait: None }), [0, 1, 2, 3]);
    assert_eq!(order(Discipline::Lifo { max_wait: None }), [0, 3, 2, 1]);
    assert_eq!(order(Discipline::Fifo { max_wait: Some(150 * MS) }), [0, 1]);
    // Not empty for 100 ms: from then on 5 ms are all one may wait.
    assert_eq!(order(Discipline::CoDel { target: 5 * MS, interval: 250 * MS }), [0, 1, 2]);
}
