//! A run of layers as one service: how a strategy known only at run time costs little more than one known to the compiler.
//!
//! A box around every layer costs a call two allocations a layer, for the future and for the response body, and a retry one
//! more for every layer inside it. Most strategies have one shape, though: bounds and gates, a retry, bounds and gates. So there
//! is one service of that shape, each of whose layers may be missing, and one box around it.
//!
//! Rule: the order is the strategy's. A layer that does not fit the shape where it stands ends the run, and the next begins
//! outside of it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::adaptive_rate::AdaptiveRate;
use super::breaker::Breaker;
use super::client::{Stack, boxed};
use super::deadline::{AttemptTimeout, Deadline};
use super::gates::{AnyGate, Gates, ROW_MAX};
use super::limit::Limit;
use super::rate_limit::RateLimit;
use super::retry::{Retry, RetryService};
use super::throttle::Throttle;
use super::tier::{Bound, Parts, Tier};
use super::{Ambient, BoxError, InvalidConfig, LayerConfig};

/// The layers of one run; filled from the innermost outwards.
#[derive(Default)]
pub(crate) struct Run {
    innermost_bound: Option<Bound>,
    inner_gates: Vec<AnyGate>,
    inner_bound: Option<Bound>,
    retry: Option<Retry>,
    outer_bound: Option<Bound>,
    outer_gates: Vec<AnyGate>,
    outermost_bound: Option<Bound>,
    filled: Place,
}

/// The places of a run, from the innermost outwards.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    #[default]
    Nothing,
    InnermostBound,
    InnerGates,
    InnerBound,
    Retry,
    OuterBound,
    OuterGates,
    OutermostBound,
}

impl Run {
    /// Takes one more layer, outside of all it has; `false` if there is no place for it. The innermost bound of a strategy
    /// `stamps` the requests with `grpc-timeout`, unless the channel does.
    pub(crate) fn take(
        &mut self,
        layer: &LayerConfig,
        stamps: &mut bool,
        ambient: &Ambient,
        name: &str,
    ) -> Result<bool, InvalidConfig> {
        let Some(place) = self.place(layer) else { return Ok(false) };
        match layer {
            LayerConfig::Deadline(timeout) => {
                self.bound(place, Deadline::new(*timeout)?.into_bound(std::mem::take(stamps)));
            }
            LayerConfig::AttemptTimeout(timeout) => {
                self.bound(place, AttemptTimeout::new(*timeout)?.into_bound(std::mem::take(stamps)));
            }
            LayerConfig::Retry(config) => self.retry = Some(Retry::build(config.clone(), ambient, name)?),
            LayerConfig::Breaker(config) => {
                self.gate(place, AnyGate::Breaker(Breaker::build(config.clone(), ambient, name)?));
            }
            LayerConfig::Limit(config) => {
                self.gate(place, AnyGate::Limit(Limit::build(config.clone(), ambient, name)?));
            }
            LayerConfig::Throttle(config) => {
                self.gate(place, AnyGate::Throttle(Throttle::build(config.clone(), ambient, name)?));
            }
            LayerConfig::RateLimit(config) => {
                self.gate(place, AnyGate::RateLimit(RateLimit::build(config.clone(), ambient, name)?));
            }
            LayerConfig::AdaptiveRate(config) => {
                self.gate(place, AnyGate::AdaptiveRate(AdaptiveRate::build(config.clone(), ambient, name)?));
            }
            _ => return Ok(false),
        }
        self.filled = place;
        Ok(true)
    }

    /// The innermost place outside of all that are filled where `layer` may stand.
    fn place(&self, layer: &LayerConfig) -> Option<Place> {
        use Place::{InnerBound, InnerGates, InnermostBound, OuterBound, OuterGates, OutermostBound};
        let places: &[Place] = match layer {
            LayerConfig::Deadline(_) | LayerConfig::AttemptTimeout(_) => {
                &[InnermostBound, InnerBound, OuterBound, OutermostBound]
            }
            LayerConfig::Retry(_) => &[Place::Retry],
            LayerConfig::Breaker(_)
            | LayerConfig::Limit(_)
            | LayerConfig::Throttle(_)
            | LayerConfig::RateLimit(_)
            | LayerConfig::AdaptiveRate(_) => &[InnerGates, OuterGates],
            _ => &[],
        };
        places.iter().copied().find(|place| match place {
            // A row of gates has room for several.
            InnerGates => self.filled <= InnerGates && self.inner_gates.len() < ROW_MAX,
            OuterGates => self.filled <= OuterGates && self.outer_gates.len() < ROW_MAX,
            place => self.filled < *place,
        })
    }

    fn bound(&mut self, place: Place, bound: Bound) {
        match place {
            Place::InnermostBound => self.innermost_bound = Some(bound),
            Place::InnerBound => self.inner_bound = Some(bound),
            Place::OuterBound => self.outer_bound = Some(bound),
            _ => self.outermost_bound = Some(bound),
        }
    }

    fn gate(&mut self, place: Place, gate: AnyGate) {
        let row = if place == Place::InnerGates { &mut self.inner_gates } else { &mut self.outer_gates };
        row.insert(0, gate);
    }

    /// A run of a bound around a retry, either of which may be missing.
    pub(crate) fn of(deadline: Option<Deadline>, retry: Option<Retry>) -> Self {
        Self { outermost_bound: deadline.map(|deadline| deadline.into_bound(false)), retry, ..Self::default() }
    }

    /// The layers around `innermost`, in one box.
    pub(crate) fn around<S, B>(self, innermost: S, ambient: &Ambient) -> Stack
    where
        S: Service<Request<tonic::body::Body>, Response = Response<B>, Error: Into<BoxError>>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        boxed(self.close(ambient).layer(innermost))
    }

    fn close(self, ambient: &Ambient) -> Layers {
        let gate = Gates::in_a_row(self.inner_gates);
        let inner = Parts { outer: self.inner_bound, gate, inner: self.innermost_bound, ambient: ambient.clone() };
        let gate = Gates::in_a_row(self.outer_gates);
        let outer = Parts { outer: self.outermost_bound, gate, inner: self.outer_bound, ambient: ambient.clone() };
        Layers { inner: Arc::new(inner), retry: self.retry, outer: Arc::new(outer) }
    }
}

/// Several layers as one: what they cost together is little more than what one of them costs.
///
/// The order is that of a [`Strategy`](super::Strategy), outermost first, and its shape is given: deadlines and gates, a retry, attempt
/// timeouts and gates, any of which may be missing.
///
/// ```
/// use squall::resilience::{Ambient, BreakerConfig, LayerConfig, Layers, RetryConfig};
/// use std::time::Duration;
/// let layers = [
///     LayerConfig::Deadline(Duration::from_secs(2)),
///     LayerConfig::Retry(RetryConfig::default()),
///     LayerConfig::AttemptTimeout(Duration::from_millis(500)),
///     LayerConfig::Breaker(BreakerConfig::default()),
/// ];
/// let layer = Layers::new(&layers, &Ambient::default())?;
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone)]
pub struct Layers {
    inner: Arc<Parts<Gates>>,
    retry: Option<Retry>,
    outer: Arc<Parts<Gates>>,
}

impl Layers {
    /// These layers, outermost first.
    ///
    /// # Errors
    ///
    /// When a configuration makes no sense, or a layer does not fit where it stands: [`Client::around`](super::Client::around)
    /// takes layers in any order.
    pub fn new(layers: &[LayerConfig], ambient: &Ambient) -> Result<Self, InvalidConfig> {
        let (mut run, mut stamps) = (Run::default(), true);
        for (depth, layer) in layers.iter().enumerate().rev() {
            layer.check()?;
            if !run.take(layer, &mut stamps, ambient, &depth.to_string())? {
                return Err(InvalidConfig::new(
                    "layers",
                    format_args!(
                        "layer {depth} does not fit: deadlines and gates, a retry, attempt timeouts and gates"
                    ),
                ));
            }
        }
        Ok(run.close(ambient))
    }
}

impl<S: Clone> Layer<S> for Layers {
    type Service = Tier<RetryService<Tier<S, Gates>>, Gates>;

    fn layer(&self, innermost: S) -> Self::Service {
        let tried = Tier::new(innermost, Arc::clone(&self.inner));
        Tier::new(RetryService::maybe(tried, self.retry.as_ref()), Arc::clone(&self.outer))
    }
}

impl std::fmt::Debug for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layers").field("inner", &self.inner).field("outer", &self.outer).finish_non_exhaustive()
    }
}
