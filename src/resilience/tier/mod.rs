//! A tier: a bound, a gate, and a bound further in, any of which may be missing. What most layers are made of.
//!
//! A deadline, an attempt timeout, a breaker, a limit: each is a tier with one part. Layers that stand next to each other in a
//! strategy share one, so that a call passes through one future and its response through one body, sets one timer,
//! and has its end looked at once.
//!
//! Rule: exactly as if the parts were nested. The outer bound spans the wait before the gate, and what it cuts off is given up: a pass
//! knows the deadline it was taken under, and takes a drop from then on for a timeout. What the inner bound cuts off is an
//! attempt that timed out, and the gate is told so.

mod body;
mod future;
mod timers;

pub use self::body::TierBody;
pub use self::future::TierFuture;
pub(crate) use self::timers::Bound;

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use self::future::State;
use self::timers::Timers;
use super::call::Call;
use super::gate::{Admission, Caller, Gate};
use super::moment::WayIn;
use super::{Ambient, BoxError, CallId, Criticality};

/// A service behind a bound, a gate, and a bound.
#[derive(Debug)]
pub struct Tier<S, G> {
    inner: S,
    parts: Arc<Parts<G>>,
}

/// What a tier is made of.
#[derive(Debug)]
pub(crate) struct Parts<G> {
    pub(crate) outer: Option<Bound>,
    pub(crate) gate: Option<G>,
    pub(crate) inner: Option<Bound>,
    pub(crate) ambient: Ambient,
}

impl<S, G> Tier<S, G> {
    pub(crate) fn new(inner: S, parts: Arc<Parts<G>>) -> Self {
        Self { inner, parts }
    }
}

impl<S: Clone, G> Clone for Tier<S, G> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), parts: Arc::clone(&self.parts) }
    }
}

impl<S, G, ReqBody, ResBody> Service<Request<ReqBody>> for Tier<S, G>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error: Into<BoxError>> + Clone,
    G: Gate,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<TierBody<ResBody, G::Pass>>;
    type Error = BoxError;
    type Future = TierFuture<S, G, Request<ReqBody>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let parts = &self.parts;
        if parts.is_empty() {
            let state = State::Calling { call: self.inner.call(request), pass: None };
            return TierFuture::new(state, Timers::default(), CallId(0));
        }
        let way = WayIn::begin();
        let now = way.now();
        let mut timers = Timers::default();
        if let Some(bound) = &parts.outer {
            let timer = bound.begin(&mut request, &parts.ambient, now);
            timers.outer = Some(timer);
            if timer.is_over(now) {
                return TierFuture::new(State::failed(timer.failure()), timers, timer.call());
            }
        }
        let Some(gate) = &parts.gate else {
            let number = Call::of(&mut request, &parts.ambient).number();
            let state = enter(&mut self.inner, parts, request, None, &mut timers);
            return TierFuture::new(state, timers, number);
        };
        let criticality = if gate.heeds_criticality() { Criticality::of(&request) } else { Criticality::default() };
        let call = Call::of(&mut request, &parts.ambient);
        let number = call.number();
        let (attempt, deadline, ambient) = (call.attempt, call.deadline, &parts.ambient);
        let state = match gate.admit(&Caller { call: number, attempt, deadline, criticality, now, ambient }) {
            Admission::Pass(pass) => enter(&mut self.inner, parts, request, Some(pass), &mut timers),
            Admission::Reject(failure) => State::failed(Box::new(failure)),
            Admission::Wait(queue) => {
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                State::Waiting { queue, held: Some(Box::new((inner, request, Arc::clone(parts)))) }
            }
        };
        TierFuture::new(state, timers, number)
    }
}

impl<G> Parts<G> {
    fn is_empty(&self) -> bool {
        self.outer.is_none() && self.gate.is_none() && self.inner.is_none()
    }
}

/// Calls the service behind the gate, within the inner bound.
// Requests, responses and futures are large: inlined, they are moved less (`cargo bench --bench layers`).
#[inline(always)]
fn enter<S, G, B>(
    inner: &mut S,
    parts: &Parts<G>,
    mut request: Request<B>,
    pass: Option<G::Pass>,
    timers: &mut Timers,
) -> State<S, S::Future, G, Request<B>>
where
    S: Service<Request<B>>,
    G: Gate,
{
    if let Some(bound) = &parts.inner {
        let now = WayIn::begin().now();
        let timer = bound.begin(&mut request, &parts.ambient, now);
        timers.inner = Some(timer);
        if timer.is_over(now) {
            timer.tell(pass);
            return State::failed(timer.failure());
        }
    }
    State::Calling { call: inner.call(request), pass }
}
