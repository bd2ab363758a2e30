//! What breakers, limits and throttles have in common: a gate before the call, and a look at how it ended.
//!
//! Rule: a pass is taken before the call and given back exactly once: with the outcome, or, when the caller gives up, by
//! being dropped. So no slot and no probe can leak, wherever a future is cancelled.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::call::Context as CallContext;
use super::failure::outcome_of_error;
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
    /// How much the call matters.
    pub criticality: Criticality,
    /// The surroundings of the client.
    pub ambient: &'a Ambient,
}

/// What an attempt or a call holds while it runs. Dropping it without [`ended`](Pass::ended) means that the caller gave up.
pub trait Pass: Send + Unpin + 'static {
    /// The attempt ended.
    fn ended(self, outcome: Outcome);
}

/// For gates without a queue.
pub type NoQueue<P> = std::future::Pending<Result<P, Failure>>;

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
        Gated { inner, gate: self.gate.clone(), ambient: self.ambient.clone() }
    }
}

/// A service behind a gate.
#[derive(Clone, Debug)]
pub struct Gated<S, G> {
    inner: S,
    gate: G,
    ambient: Ambient,
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
        let context = CallContext::of(&mut request, &self.ambient);
        let caller = Caller {
            call: context.id,
            attempt: context.attempt,
            deadline: context.deadline,
            criticality: context.criticality,
            ambient: &self.ambient,
        };
        let state = match self.gate.admit(&caller) {
            Admission::Pass(pass) => GatedState::Calling { call: self.inner.call(request), pass: Some(pass) },
            Admission::Reject(failure) => GatedState::Rejected { failure: Some(failure) },
            Admission::Wait(queue) => {
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                GatedState::Waiting { queue, held: Some((inner, request)) }
            }
        };
        GatedFuture { state }
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
    }
}

pin_project_lite::pin_project! {
    #[project = GatedProjection]
    enum GatedState<S, F, Q, P, R> {
        Waiting { #[pin] queue: Q, held: Option<(S, R)> },
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
                    let (mut inner, request) = held.take().expect("a queue ends once");
                    let next = match pass {
                        Ok(pass) => GatedState::Calling { call: inner.call(request), pass: Some(pass) },
                        Err(failure) => GatedState::Rejected { failure: Some(failure) },
                    };
                    this.state.set(next);
                }
                GatedProjection::Calling { call, pass } => {
                    let result = std::task::ready!(call.poll(cx)).map_err(Into::into);
                    let pass = pass.take().expect("not polled after it was done");
                    return Poll::Ready(match result {
                        Ok(response) => Ok(Watch::response(response, pass)),
                        Err(error) => {
                            Pass::ended(pass, outcome_of_error(&*error));
                            Err(error)
                        }
                    });
                }
            }
        }
    }
}
