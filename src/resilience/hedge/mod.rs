//! Hedging per gRFC A6: do not wait for the slow one, ask another.
//!
//! The first answer wins; the others are cancelled, yet the server may have worked on them. A hedge therefore costs load to
//! save latency, and pays only in the tail: the delay belongs near the 95th percentile, and a budget around it.
//!
//! Rule: a non-fatal failure starts the next attempt at once; a fatal one ends the call and all its attempts; a server that
//! pushes back stops new hedges, but not those under way, and so does a layer further in that turns one away. Only idempotent calls
//! are hedged.
//!
//! Sources: gRFC A6, "Hedging Policy"; J. Dean, "The Tail at Scale".

mod config;
mod course;
mod delay;
mod future;

pub use self::config::{HedgeConfig, HedgeDelay};
pub use self::future::HedgeFuture;

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use self::delay::Delay;
use super::budget::Budget;
use super::retry::Settle;
use super::watch::Watch;
use super::{Ambient, BoxError, InvalidConfig};

/// A layer that hedges.
///
/// ```
/// use squall::resilience::{Hedge, HedgeConfig};
/// let layer = Hedge::new(HedgeConfig::default())?;
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone)]
pub struct Hedge {
    shared: Arc<Shared>,
}

struct Shared {
    config: HedgeConfig,
    delay: Delay,
    budget: Option<Arc<dyn Budget>>,
    ambient: Ambient,
}

impl Hedge {
    /// Hedges as configured.
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense.
    pub fn new(config: HedgeConfig) -> Result<Self, InvalidConfig> {
        Self::build(config, &Ambient::default(), "hedge")
    }

    pub(crate) fn build(config: HedgeConfig, ambient: &Ambient, place: &str) -> Result<Self, InvalidConfig> {
        config.check()?;
        let budget = config.budget.as_ref().map(|budget| budget.build(ambient, place)).transpose()?;
        let delay = Delay::new(config.delay);
        Ok(Self { shared: Arc::new(Shared { config, delay, budget, ambient: ambient.clone() }) })
    }
}

impl<S> Layer<S> for Hedge {
    type Service = HedgeService<S>;

    fn layer(&self, inner: S) -> HedgeService<S> {
        HedgeService { inner, shared: Arc::clone(&self.shared) }
    }
}

/// The service of a [`Hedge`].
#[derive(Clone)]
pub struct HedgeService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, B> Service<Request<tonic::body::Body>> for HedgeService<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<Watch<B, Settle>>;
    type Error = BoxError;
    type Future = HedgeFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        HedgeFuture::start(ready, Arc::clone(&self.shared), request)
    }
}
