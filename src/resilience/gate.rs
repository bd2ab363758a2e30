//! What breakers, limits and throttles have in common: a gate before the call, and a look at how it ended.
//!
//! Rule: a pass is taken before the call and given back exactly once: with the outcome, or, when the caller gives up, by
//! being dropped. So no slot and no probe can leak, wherever a future is cancelled. A drop at the call's deadline or later is the
//! deadline's doing, and counts as what it is, a timeout; an earlier one is the caller's change of mind.

use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_layer::Layer;

use super::moment::WayOut;
use super::tier::{Parts, Tier};
use super::{Ambient, CallId, Criticality, Failure, Outcome};
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
        let (gate, ambient) = (Some(self.gate.clone()), self.ambient.clone());
        Tier::new(inner, Arc::new(Parts { outer: None, gate, inner: None, ambient }))
    }
}

/// A service behind a gate.
pub type Gated<S, G> = Tier<S, G>;

/// The gate that is not there: nobody passes it, as nobody asks it.
#[derive(Clone, Copy, Debug)]
pub enum Open {}

impl Gate for Open {
    type Pass = Infallible;
    type Queue = NoQueue<Infallible>;

    fn admit(&self, _: &Caller<'_>) -> Admission<Infallible, Self::Queue> {
        match *self {}
    }
}

impl Pass for Infallible {
    fn ended(self, _: End) {
        match self {}
    }
}
