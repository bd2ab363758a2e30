//! A run of layers as one service: how a strategy known only at run time costs little more than one known to the compiler.
//!
//! A box around every layer costs a call two allocations a layer, for the future and for the response body, and a retry one
//! more for every layer inside it. Most strategies have one shape, though: bounds and gates, a retry, bounds and gates. So there
//! is one service of that shape, each of whose layers may be missing, and one box around it.
//!
//! Rule: the order is the strategy's. A layer that does not fit the shape where it stands ends the run, and the next begins
//! outside of it.

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::breaker::Breaker;
use super::client::{Stack, boxed};
use super::deadline::{AttemptTimeout, Bound, Bounded, Deadline};
use super::gate::Gated;
use super::gates::{AnyGate, Gates, ROW_MAX};
use super::limit::Limit;
use super::rate_limit::RateLimit;
use super::retry::{Retry, RetryService};
use super::throttle::Throttle;
use super::{Ambient, BoxError, InvalidConfig, LayerConfig};

/// The layers of one run; filled from the innermost outwards.
#[derive(Default)]
pub(crate) struct Run {
    innermost_bound: Option<Bound>,
    inner_gates: Vec<AnyGate>,
    inner_bound: Option<Bound>,
    retry: Option<Retry>,
    outer_gates: Vec<AnyGate>,
    outer_bound: Option<Bound>,
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
    OuterGates,
    OuterBound,
}

impl Run {
    /// Takes one more layer, outside of all it has; `false` if there is no place for it.
    pub(crate) fn take(&mut self, layer: &LayerConfig, ambient: &Ambient, name: &str) -> Result<bool, InvalidConfig> {
        let Some(place) = self.place(layer) else { return Ok(false) };
        match layer {
            LayerConfig::Deadline(timeout) => {
                self.bound(place, Deadline::new(*timeout)?.within(ambient).unstamped().into_bound());
            }
            LayerConfig::AttemptTimeout(timeout) => {
                self.bound(place, AttemptTimeout::new(*timeout)?.within(ambient).unstamped().into_bound());
            }
            LayerConfig::Retry(config) => self.retry = Some(Retry::build(config.clone(), ambient, name)?),
            LayerConfig::Breaker(config) => {
                self.gate(place, AnyGate::Breaker(Breaker::build(config.clone(), ambient, name)?));
            }
            LayerConfig::Limit(config) => {
                self.gate(place, AnyGate::Limit(Limit::build(config.clone(), ambient, name)?))
            }
            LayerConfig::Throttle(config) => {
                self.gate(place, AnyGate::Throttle(Throttle::build(config.clone(), ambient, name)?));
            }
            LayerConfig::RateLimit(config) => {
                self.gate(place, AnyGate::RateLimit(RateLimit::build(config.clone(), ambient, name)?));
            }
            _ => return Ok(false),
        }
        self.filled = place;
        Ok(true)
    }

    /// The innermost place outside of all that are filled where `layer` may stand.
    fn place(&self, layer: &LayerConfig) -> Option<Place> {
        use Place::{InnerBound, InnerGates, InnermostBound, OuterBound, OuterGates};
        let places: &[Place] = match layer {
            LayerConfig::Deadline(_) | LayerConfig::AttemptTimeout(_) => &[InnermostBound, InnerBound, OuterBound],
            LayerConfig::Retry(_) => &[Place::Retry],
            LayerConfig::Breaker(_) | LayerConfig::Limit(_) | LayerConfig::Throttle(_) | LayerConfig::RateLimit(_) => {
                &[InnerGates, OuterGates]
            }
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
            _ => self.outer_bound = Some(bound),
        }
    }

    fn gate(&mut self, place: Place, gate: AnyGate) {
        let row = if place == Place::InnerGates { &mut self.inner_gates } else { &mut self.outer_gates };
        row.insert(0, gate);
    }

    /// A run of a bound around a retry, either of which may be missing.
    pub(crate) fn of(deadline: Option<Deadline>, retry: Option<Retry>) -> Self {
        Self { outer_bound: deadline.map(Deadline::into_bound), retry, ..Self::default() }
    }

    /// The layers around `innermost`, in one box.
    pub(crate) fn around<S, B>(self, innermost: S, ambient: &Ambient) -> Stack
    where
        S: Service<Request<tonic::body::Body>, Response = Response<B>, Error: Into<BoxError>>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let inner = Bounded::maybe(innermost, self.innermost_bound);
        let inner = Gated::maybe(inner, Gates::in_a_row(self.inner_gates), ambient);
        let inner = Bounded::maybe(inner, self.inner_bound);
        let tried = RetryService::maybe(inner, self.retry.as_ref());
        let outer = Gated::maybe(tried, Gates::in_a_row(self.outer_gates), ambient);
        boxed(Bounded::maybe(outer, self.outer_bound))
    }
}
