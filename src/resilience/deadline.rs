//! Deadlines: how long a whole call may take, and how long one attempt may.
//!
//! A [`Deadline`] spans everything inside it: attempts, pauses, waiting for a connection, and the body of the response. It is
//! final: nobody retries after it. It travels as `grpc-timeout`, so that the server can stop working for a caller
//! who has left, and an earlier deadline set by a caller or an outer tier stays.
//!
//! An [`AttemptTimeout`] bounds one attempt, and belongs inside a retry: what it cuts off may be tried again.
//! gRFC A6 knows no such thing; without it one silent server eats the whole deadline.
//!
//! Rule: when both the answer and the deadline are there, the answer wins, and a CANCELLED that a server sends at or after
//! the deadline is the deadline's doing (as in grpc-go: its timer may have been faster than ours).

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use super::call::format_timeout;
use super::gate::Open;
use super::invalid::ensure_positive;
use super::tier::{Bound, Parts, Tier};
use super::{Ambient, InvalidConfig, Origin};

/// A layer that bounds whole calls.
///
/// ```
/// use squall::resilience::Deadline;
/// use std::time::Duration;
/// let layer = Deadline::new(Duration::from_secs(2))?;
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
pub type Deadline = TimeBound<WholeCall>;

/// A layer that bounds single attempts.
pub type AttemptTimeout = TimeBound<OneAttempt>;

/// What a [`TimeBound`] bounds.
pub trait Bounds {
    /// Who ended the call when it was too long.
    const ORIGIN: Origin;
    /// The option's name, in errors.
    const FIELD: &'static str;
}

/// A call with all its attempts and pauses.
#[derive(Clone, Copy, Debug)]
pub struct WholeCall;

/// One attempt of a call.
#[derive(Clone, Copy, Debug)]
pub struct OneAttempt;

impl Bounds for WholeCall {
    const ORIGIN: Origin = Origin::ClientDeadline;
    const FIELD: &'static str = "deadline";
}

impl Bounds for OneAttempt {
    const ORIGIN: Origin = Origin::AttemptTimeout;
    const FIELD: &'static str = "attempt_timeout";
}

/// A layer that bounds how long something takes: a [`Deadline`] or an [`AttemptTimeout`].
#[derive(Clone, Debug)]
pub struct TimeBound<K> {
    bound: Bound,
    ambient: Ambient,
    kind: PhantomData<K>,
}

impl<K: Bounds> TimeBound<K> {
    /// It may take `timeout`.
    ///
    /// # Errors
    ///
    /// When it is zero or more than a year.
    pub fn new(timeout: Duration) -> Result<Self, InvalidConfig> {
        ensure_positive(timeout, K::FIELD)?;
        let bound = Bound { timeout, origin: K::ORIGIN, stamp: Some(format_timeout(timeout)) };
        Ok(Self { bound, ambient: Ambient::default(), kind: PhantomData })
    }

    /// In these surroundings.
    #[must_use]
    pub fn within(mut self, ambient: &Ambient) -> Self {
        self.ambient = ambient.clone();
        self
    }

    /// Leaves `grpc-timeout` to whoever is further in: [`Channel`](super::Channel) writes it as the request leaves, and an
    /// attempt timeout writes it, too.
    #[must_use]
    pub fn unstamped(mut self) -> Self {
        self.bound.stamp = None;
        self
    }

    /// The bound alone, for a tier with other parts.
    pub(crate) fn into_bound(self, stamps: bool) -> Bound {
        if stamps { self.bound } else { self.unstamped().bound }
    }
}

impl<K, S> Layer<S> for TimeBound<K> {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        let parts = Parts { outer: Some(self.bound.clone()), gate: None, inner: None, ambient: self.ambient.clone() };
        Tier::new(inner, Arc::new(parts))
    }
}

/// The service of a [`TimeBound`].
pub type Bounded<S> = Tier<S, Open>;
