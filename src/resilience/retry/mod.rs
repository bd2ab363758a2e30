//! Retries per gRFC A6.
//!
//! What makes retries hard is not the loop. It is to know when one may still retry: only until response headers arrive
//! (a gRPC error without them is *Trailers-Only*: an HTTP 200 whose headers hold `grpc-status`), only while the request fits the replay
//! buffer, only when the server has not asked to be left alone, only while the budget allows, and only before the deadline.
//!
//! Rule: every stop has one reason, told to the observer: it is the first thing anybody asks.
//!
//! Source: gRFC A6, `A6-client-retries.md`.

mod config;
mod future;
mod policy;
mod replay;

pub use self::config::RetryConfig;
pub use self::future::{RetryFuture, Settle};
pub(crate) use self::future::{again, failed, settle};
pub use self::policy::effective_attempts;
pub(crate) use self::policy::{Failed, Pushback};
pub(crate) use self::replay::{Numbers, Replay};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::budget::Budget;
use super::watch::Watch;
use super::{Ambient, BoxError, InvalidConfig};
use crate::random::Key;

/// A layer that retries.
///
/// ```
/// use squall::resilience::{Retry, RetryConfig};
/// let layer = Retry::new(RetryConfig { attempts: 4, ..RetryConfig::default() })?;
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone)]
pub struct Retry {
    shared: Arc<Shared>,
}

struct Shared {
    config: RetryConfig,
    budget: Option<Arc<dyn Budget>>,
    ambient: Ambient,
    /// How many services it has been put around.
    services: AtomicU64,
}

impl Retry {
    /// Retries as configured.
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense.
    pub fn new(config: RetryConfig) -> Result<Self, InvalidConfig> {
        Self::build(config, &Ambient::default(), "retry")
    }

    /// The same in given surroundings; `place` tells it from other retries that share budgets.
    pub(crate) fn build(config: RetryConfig, ambient: &Ambient, place: &str) -> Result<Self, InvalidConfig> {
        config.check()?;
        let budget = config.budget.as_ref().map(|budget| budget.build(ambient, place)).transpose()?;
        Ok(Self { shared: Arc::new(Shared { config, budget, ambient: ambient.clone(), services: AtomicU64::new(0) }) })
    }

    /// In these surroundings.
    ///
    /// # Errors
    ///
    /// Never, for a layer that could be made.
    pub fn within(self, ambient: &Ambient) -> Result<Self, InvalidConfig> {
        Self::build(self.shared.config.clone(), ambient, "retry")
    }
}

impl<S: Clone> Layer<S> for Retry {
    type Service = RetryService<S>;

    fn layer(&self, inner: S) -> RetryService<S> {
        RetryService::maybe(inner, Some(self))
    }
}

/// The service of a [`Retry`].
#[derive(Clone)]
pub struct RetryService<S> {
    inner: S,
    /// `None` lets everything pass: a layer that a strategy may have in this place, and this one has not.
    common: Option<Arc<Common<S>>>,
}

/// What all calls share.
struct Common<S> {
    shared: Arc<Shared>,
    /// Where second attempts take their service from, so that first ones need not clone it.
    prototype: Mutex<S>,
    /// The root of the draws for its pauses.
    key: Key,
}

impl Shared {
    /// Calls of two services may have the same numbers, if somebody further out numbers them: each service draws from a key of its own.
    fn next_key(&self) -> Key {
        let key = self.ambient.key().named("retry");
        match self.services.fetch_add(1, Ordering::Relaxed) {
            0 => key,
            further => key.with(further),
        }
    }
}

impl<S: Clone> Common<S> {
    fn spare(&self) -> S {
        self.prototype.lock().expect("nothing panics while holding it").clone()
    }
}

impl<S: Clone> RetryService<S> {
    /// Retries calls to `inner` by a layer that may not be there.
    pub(crate) fn maybe(inner: S, retry: Option<&Retry>) -> Self {
        let common = retry.map(|retry| {
            let (shared, prototype) = (Arc::clone(&retry.shared), Mutex::new(inner.clone()));
            Arc::new(Common { key: shared.next_key(), shared, prototype })
        });
        Self { inner, common }
    }
}

impl<S, B> Service<Request<tonic::body::Body>> for RetryService<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<Watch<B, Settle>>;
    type Error = BoxError;
    type Future = RetryFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    /// The instance that was polled ready makes the first attempt.
    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        match &self.common {
            Some(common) => RetryFuture::start(&mut self.inner, common, request),
            None => RetryFuture::once(&mut self.inner, request),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One layer around two services, whose calls some layer further out numbers from 0 each: their pauses differ all the same.
    #[test]
    fn every_service_of_a_layer_draws_its_own_pauses() {
        let retry = Retry::new(RetryConfig::default()).unwrap();
        let first_pause = || {
            let key = retry.layer(()).common.unwrap().key;
            key.with(0).with(1).draw().value().to_bits()
        };
        let pauses: std::collections::BTreeSet<u64> = (0..100).map(|_| first_pause()).collect();
        assert_eq!(pauses.len(), 100);
    }
}
