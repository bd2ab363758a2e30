//! What the layers did and why: one hook that metrics and Squall's recorder both use.
//!
//! Rule: an event is built only when somebody listens, and is told after the state it speaks of has changed, with no lock
//! held.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tonic::Code;

use super::channel::{ConnectionState, Endpoint};
use super::{CallId, Origin};
use crate::clock::Instant;

/// Hears what the layers do.
///
/// ```
/// use squall::random::Key;
/// use squall::resilience::{Ambient, Event, EventKind, Observer};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// /// Counts retries, as a metric would.
/// #[derive(Default)]
/// struct Retries(AtomicU64);
///
/// impl Observer for Retries {
///     fn on(&self, event: &Event) {
///         if let EventKind::RetryScheduled { .. } = event.kind {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let ambient = Ambient::new(Key::from_seed(1)).observed_by(Arc::new(Retries::default()));
/// ```
pub trait Observer: Send + Sync {
    /// Something happened. Called synchronously: be quick.
    fn on(&self, event: &Event);
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// To which call; `None` for connections and endpoints, which belong to no call.
    pub call: Option<CallId>,
    /// To which attempt of the call, from 1; 0 when to none in particular.
    pub attempt: u32,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// An attempt was handed to a connection.
    AttemptStarted {
        /// Where it went.
        endpoint: Endpoint,
    },
    /// An attempt ended.
    AttemptEnded {
        /// Where it went.
        endpoint: Endpoint,
        /// Its code.
        code: Code,
        /// Who produced the code.
        origin: Origin,
        /// From being handed to the connection until now.
        latency: Duration,
        /// Whether response headers other than Trailers-Only had arrived.
        committed: bool,
    },
    /// An attempt never reached a connection: none was there, and the call does not wait.
    NotSent {
        /// Its code.
        code: Code,
        /// Who produced the code.
        origin: Origin,
    },
    /// An attempt that no application on the server can have seen is sent again, at no cost to anyone.
    TransparentRetry {
        /// Where it went the first time.
        endpoint: Endpoint,
    },
    /// One more attempt will start.
    RetryScheduled {
        /// After this pause.
        after: Duration,
        /// The code that calls for it.
        code: Code,
        /// Who produced the code.
        origin: Origin,
    },
    /// A failed call will not be tried again.
    RetryStopped {
        /// Why.
        reason: StopReason,
        /// The code that remains.
        code: Code,
    },
    /// A second attempt started while the first was still running.
    Hedged,
    /// A breaker changed its state.
    BreakerTransition {
        /// Which breaker.
        name: Arc<str>,
        /// The state before.
        from: BreakerState,
        /// The state after.
        to: BreakerState,
    },
    /// An open breaker turned an attempt away.
    BreakerRejected,
    /// Load was shed.
    Shed,
    /// A concurrency limit turned an attempt away.
    LimitRejected,
    /// Adaptive throttling turned an attempt away.
    ThrottleRejected,
    /// A rate limit turned an attempt away.
    RateLimited,
    /// A fallback answered.
    FallbackUsed {
        /// Instead of this code.
        code: Code,
    },
    /// A connection attempt starts.
    ConnectAttempt {
        /// Where to.
        endpoint: Endpoint,
    },
    /// A subchannel changed its state.
    ConnectionState {
        /// Which.
        endpoint: Endpoint,
        /// The state it is in now.
        state: ConnectionState,
        /// Why, for people.
        reason: Arc<str>,
    },
    /// Outlier detection took an endpoint out of rotation.
    Ejected {
        /// Which.
        endpoint: Endpoint,
    },
    /// Outlier detection put an endpoint back.
    Unejected {
        /// Which.
        endpoint: Endpoint,
    },
}

/// Why a failed call was not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// All attempts were used.
    Attempts,
    /// The budget for retries is spent.
    Budget,
    /// The next attempt could not start before the deadline, or the deadline has passed.
    Deadline,
    /// The server said not to.
    Pushback,
    /// Response headers had arrived, or the request did not fit the replay buffer.
    Committed,
    /// The code is not one to retry.
    NotRetryable,
    /// It may have run, and must not run twice.
    NotIdempotent,
    /// A layer of this client had turned it away.
    Rejected,
}

impl StopReason {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
            Self::Budget => "budget",
            Self::Deadline => "deadline",
            Self::Pushback => "pushback",
            Self::Committed => "committed",
            Self::NotRetryable => "not_retryable",
            Self::NotIdempotent => "not_idempotent",
            Self::Rejected => "rejected",
        }
    }
}

/// The state of a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are turned away.
    Open,
    /// A few probes pass, to find out.
    HalfOpen,
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        })
    }
}
