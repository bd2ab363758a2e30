//! What breakers, limits and throttles have in common: a gate before the call, and a look at how it ended.
//!
//! Rule: a pass is taken before the call and given back exactly once: with the outcome, or, when the caller gives up, by
//! being dropped. So no slot and no probe can leak, wherever a future is cancelled.

use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::call::Call;
use super::failure::outcome_of_error;
use super::moment::{WayIn, WayOut};
use super::watch::Watch;
use super::{Ambient, BoxError, CallId, Criticality, Failure, Outcome};
use crate::clock::Instant;

/// A gate: says whether an attempt may pass.
pub trait Gate: Clone + Send + Sync + 'static {
    /// What an attempt holds while it runs. Dropping it means that the attempt was given up.
    type Pass: Pass;
    /// A place in the queue before the gate.
    type Queue: Future<Output = Result<Self::Pass, Failure>> + Send;

    /// Lets an attempt pass, makes it wait, or turns it away.
    fn admit(&self, caller: &Caller<'_>) -> Admission<Self::Pass, Self::Queue>;

    /// Whether it asks how much a call matters: a gate that does not spares every call a look at its headers.
    fn heeds_criticality(&self) -> bool {
        true
    }
}

/// What a gate says.
#[derive(Debug)]
pub enum Admission<P, Q> {
    /// Go ahead.
    Pass(P),
    /// Wait in this queue.
    Wait(Q),
    /// Not now.
    Reject(Failure),
}

/// Who stands before the gate.
#[derive(Debug)]
pub struct Caller<'a> {
    /// The call.
    pub call: CallId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// When the call must have ended.
    pub deadline: Option<Instant>,
    /// How much the call matters, if the gate heeds it.
    pub criticality: Criticality,
    /// When it came.
    pub now: Instant,
    /// The surroundings of the client.
    pub ambient: &'a Ambient,
}

/// What an attempt or a call holds while it runs. Dropping it without [`ended`](Pass::ended) means that the caller gave up.
pub trait Pass: Send + Unpin + 'static {
    /// The attempt ended.
    fn ended(self, end: End);
}

/// The end of an attempt or a call.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// How it ended.
    pub outcome: Outcome,
    call: CallId,
    way: WayOut,
}

impl End {
    pub(crate) fn new(outcome: Outcome, call: CallId, way: WayOut) -> Self {
        Self { outcome, call, way }
    }

    /// An end that nobody has seen before.
    pub(crate) fn here(outcome: Outcome, call: CallId) -> Self {
        Self::new(outcome, call, WayOut::begin())
    }

    /// When: one reading of the clock serves all layers that the end passes by.
    #[must_use]
    pub fn at(self) -> Instant {
        self.way.now(self.call)
    }
}

/// For gates without a queue: nobody can stand in it.
#[derive(Debug)]
pub struct NoQueue<P> {
    pub(crate) nobody: Infallible,
    pass: PhantomData<fn() -> P>,
}

impl<P> Future for NoQueue<P> {
    type Output = Result<P, Failure>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        match self.nobody {}
    }
}

/// A layer that puts a gate before a service.
#[derive(Clone, Debug)]
pub struct GateLayer<G> {
    gate: G,
    ambient: Ambient,
}

impl<G: Gate> GateLayer<G> {
    /// Puts `gate` before services.
    #[must_use]
    pub fn new(gate: G, ambient: &Ambient) -> Self {
        Self { gate, ambient: ambient.clone() }
    }
}

impl<G: Gate, S> Layer<S> for GateLayer<G> {
    type Service = Gated<S, G>;

    fn layer(&self, inner: S) -> Gated<S, G> {
        Gated { inner, gate: Some(self.gate.clone()), ambient: self.ambient.clone() }
    }
}

/// A service behind a gate.
#[derive(Clone, Debug)]
pub struct Gated<S, G> {
    inner: S,
    /// `None` lets everything pass: a gate that a strategy may have in this place, and this one has not.
    gate: Option<G>,
    ambient: Ambient,
}

impl<S, G> Gated<S, G> {
    /// Puts a gate that may not be there before `inner`.
    pub(crate) fn maybe(inner: S, gate: Option<G>, ambient: &Ambient) -> Self {
        Self { inner, gate, ambient: ambient.clone() }
    }
}

impl<S, G, ReqBody, ResBody> Service<Request<ReqBody>> for Gated<S, G>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error: Into<BoxError>> + Clone,
    G: Gate,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<Watch<ResBody, G::Pass>>;
    type Error = BoxError;
    type Future = GatedFuture<S, G, Request<ReqBody>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let Some(gate) = &self.gate else {
            let state = GatedState::Calling { call: self.inner.call(request), pass: None };
            return GatedFuture { state, call: CallId(0) };
        };
        let way = WayIn::begin();
        let criticality = if gate.heeds_criticality() { Criticality::of(&request) } else { Criticality::default() };
        let call = Call::of(&mut request, &self.ambient);
        let number = call.number();
        let caller = Caller {
            call: number,
            attempt: call.attempt,
            deadline: call.deadline,
            criticality,
            now: way.now(),
            ambient: &self.ambient,
        };
        let state = match gate.admit(&caller) {
            Admission::Pass(pass) => GatedState::Calling { call: self.inner.call(request), pass: Some(pass) },
            Admission::Reject(failure) => GatedState::Rejected { failure: Some(failure) },
            Admission::Wait(queue) => {
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                GatedState::Waiting { queue, held: Some(Box::new((inner, request))) }
            }
        };
        GatedFuture { state, call: number }
    }
}

pin_project_lite::pin_project! {
    /// The future of a call through a gate.
    pub struct GatedFuture<S, G, R>
    where
        S: Service<R>,
        G: Gate,
    {
        #[pin]
        state: GatedState<S, S::Future, G::Queue, G::Pass, R>,
        call: CallId,
    }
}

pin_project_lite::pin_project! {
    #[project = GatedProjection]
    enum GatedState<S, F, Q, P, R> {
        // Who has to wait can afford a box; who passes should not move a request's worth of nothing.
        Waiting { #[pin] queue: Q, held: Option<Box<(S, R)>> },
        Calling { #[pin] call: F, pass: Option<P> },
        Rejected { failure: Option<Failure> },
    }
}

impl<S, G, R, B> Future for GatedFuture<S, G, R>
where
    S: Service<R, Response = Response<B>, Error: Into<BoxError>>,
    G: Gate,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<Watch<B, G::Pass>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                GatedProjection::Rejected { failure } => {
                    return Poll::Ready(Err(Box::new(failure.take().expect("not polled after it was done"))));
                }
                GatedProjection::Waiting { queue, held } => {
                    let pass = std::task::ready!(queue.poll(cx));
                    let (mut inner, request) = *held.take().expect("a queue ends once");
                    let next = match pass {
                        Ok(pass) => GatedState::Calling { call: inner.call(request), pass: Some(pass) },
                        Err(failure) => GatedState::Rejected { failure: Some(failure) },
                    };
                    this.state.set(next);
                }
                GatedProjection::Calling { call, pass } => {
                    let way = WayOut::begin();
                    let result = std::task::ready!(call.poll(cx)).map_err(Into::into);
                    return Poll::Ready(match (result, pass.take()) {
                        (Ok(response), Some(pass)) => Ok(Watch::response(response, pass, *this.call, way)),
                        (Ok(response), None) => Ok(Watch::unwatched(response)),
                        (Err(error), pass) => {
                            if let Some(pass) = pass {
                                pass.ended(End::new(outcome_of_error(&*error), *this.call, way));
                            }
                            Err(error)
                        }
                    });
                }
            }
        }
    }
}
