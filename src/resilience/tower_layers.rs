//! tower's own layers as part of a strategy, so that they can be compared with on the same storm.
//!
//! They are used as they are. What they need around them to work with gRPC at all is here: a request that can be cloned, since
//! tower clones requests to repeat them, and a look at `grpc-status`, since a gRPC error is an `Ok` response to tower.

use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tower::ServiceExt;
use tower::retry::budget::{Budget, TpsBudget};
use tower_layer::Layer;
use tower_service::Service;

use super::client::{Stack, boxed};
use super::failure::outcome_of_error;
use super::invalid::{ensure, ensure_between, ensure_positive};
use super::retry::Replay;
use super::{BoxError, Codes, InvalidConfig, Outcome};

/// One of tower's layers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TowerConfig {
    /// `tower::timeout`: its error has no code, so that the application sees UNKNOWN.
    Timeout(Duration),
    /// `tower::limit::ConcurrencyLimit`: who finds it full waits for ever.
    ConcurrencyLimit {
        /// The limit.
        max: usize,
    },
    /// `tower::retry` with its `TpsBudget`, without backoff.
    Retry {
        /// Attempts in all, the first included.
        attempts: u32,
        /// Which codes to retry.
        on: Codes,
        /// The budget, if any.
        budget: Option<TpsBudgetConfig>,
    },
    /// `tower::hedge`: a second attempt after a percentile of the latencies of the last `period`.
    Hedge {
        /// No hedges before so many calls were measured.
        min_data_points: u64,
        /// The percentile, such as 0.95.
        percentile: f32,
        /// How often the histogram is renewed.
        period: Duration,
    },
}

/// The parameters of tower's `TpsBudget`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TpsBudgetConfig {
    /// How long a deposit lasts, 1 to 60 s.
    pub ttl: Duration,
    /// Retries a second that are always allowed.
    pub min_per_s: u32,
    /// Retries a call.
    pub percent: f32,
}

impl TowerConfig {
    pub(super) fn check(&self) -> Result<(), InvalidConfig> {
        match self {
            Self::Timeout(timeout) => ensure_positive(*timeout, "tower.timeout"),
            Self::ConcurrencyLimit { max } => ensure(*max >= 1, "tower.concurrency_limit", "must be at least 1"),
            Self::Retry { attempts, budget, .. } => {
                ensure(*attempts >= 1, "tower.retry.attempts", "must be at least 1")?;
                let Some(budget) = budget else { return Ok(()) };
                let seconds = Duration::from_secs(1)..=Duration::from_secs(60);
                ensure(seconds.contains(&budget.ttl), "tower.retry.budget.ttl", "must be 1 to 60 s")?;
                ensure_between(budget.percent.into(), 0.0, 1000.0, "tower.retry.budget.percent")?;
                ensure(budget.min_per_s < 1 << 20, "tower.retry.budget.min_per_s", "must be below 1048576")
            }
            Self::Hedge { percentile, period, .. } => {
                ensure_between((*percentile).into(), 0.0, 1.0, "tower.hedge.percentile")?;
                ensure_positive(*period, "tower.hedge.period")
            }
        }
    }

    pub(super) fn layer(&self, stack: Stack) -> Stack {
        match *self {
            Self::Timeout(timeout) => boxed(tower::timeout::TimeoutLayer::new(timeout).layer(stack)),
            Self::ConcurrencyLimit { max } => boxed(tower::limit::ConcurrencyLimitLayer::new(max).layer(stack)),
            Self::Retry { attempts, on, budget } => {
                let budget =
                    budget.map(|config| Arc::new(TpsBudget::new(config.ttl, config.min_per_s, config.percent)));
                let policy = Policy { on, left: attempts - 1, budget };
                boxed(repeatable(tower::retry::Retry::new(policy, sendable(stack))))
            }
            Self::Hedge { min_data_points, percentile, period } => {
                let policy = Policy { on: Codes::NONE, left: 0, budget: None };
                let hedge = tower::hedge::Hedge::new(sendable(stack), policy, min_data_points, percentile, period);
                boxed(repeatable(Shared(Arc::new(Mutex::new(hedge)))))
            }
        }
    }
}

/// How much of a request tower may keep: as much as a gRPC client.
const BUFFER_BYTES: usize = 256 * 1024;

/// Takes the body of each request into a replay buffer, so that tower can clone the request.
fn repeatable<S>(
    service: S,
) -> impl Service<Request<tonic::body::Body>, Response = S::Response, Error = S::Error, Future: Send + 'static>
+ Clone
+ Send
+ Sync
+ 'static
where
    S: Service<Request<Replay>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    service.map_request(|request: Request<tonic::body::Body>| {
        let (replay, parts) = Replay::keep(request, BUFFER_BYTES, 1);
        Request::from_parts(parts, replay)
    })
}

type Sendable = tower::util::MapRequest<Stack, fn(Request<Replay>) -> Request<tonic::body::Body>>;

/// Reads a request out of its replay buffer.
fn sendable(stack: Stack) -> Sendable {
    stack.map_request(|request| request.map(|replay| replay.body(1)))
}

/// What tower asks: whether to go on, and for a copy.
#[derive(Clone)]
struct Policy {
    on: Codes,
    left: u32,
    budget: Option<Arc<TpsBudget>>,
}

impl tower::retry::Policy<Request<Replay>, Response<tonic::body::Body>, BoxError> for Policy {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        request: &mut Request<Replay>,
        result: &mut Result<Response<tonic::body::Body>, BoxError>,
    ) -> Option<Ready<()>> {
        let outcome = match result {
            Ok(response) => Outcome::of_headers(response.headers()).unwrap_or(Outcome::OK),
            Err(error) => outcome_of_error(&**error),
        };
        if !self.on.contains(outcome.code) {
            if let Some(budget) = &self.budget {
                budget.deposit();
            }
            return None;
        }
        let allowed = self.left > 0
            && request.body().is_complete()
            && self.budget.as_ref().is_none_or(|budget| budget.withdraw());
        self.left = self.left.saturating_sub(1);
        allowed.then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<Replay>) -> Option<Request<Replay>> {
        Some(request.clone())
    }
}

impl tower::hedge::Policy<Request<Replay>> for Policy {
    fn clone_request(&self, request: &Request<Replay>) -> Option<Request<Replay>> {
        Some(request.clone())
    }

    fn can_retry(&self, request: &Request<Replay>) -> bool {
        request.body().is_complete()
    }
}

/// tower's hedge cannot be cloned; its histogram is meant to be one anyway.
struct Shared<S>(Arc<Mutex<S>>);

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Service<R>, R> Service<R> for Shared<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.lock().expect("nothing panics while holding it").poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.lock().expect("nothing panics while holding it").call(request)
    }
}
