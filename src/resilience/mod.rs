//! Resilience: tower layers and a gRPC channel that a client ships, and that the testbed tests as they are.
//!
//! Production code. It knows nothing of the simulator, only [`clock`](crate::clock) and [`random`](crate::random), so that a
//! trial runs exactly what production runs, and `--no-default-features --features resilience` builds it alone.
//!
//! Layers are generic over `http::Request<tonic::body::Body>` services, and stack in a `tower::ServiceBuilder`
//! over tonic's channel or over [`Channel`]; [`build`] stacks the same layers for a [`Strategy`] known only at run time.
//!
//! - outcome, failure: how a call ended, and who said so.
//! - call, ambient, observer: what layers know of the call and of their surroundings, and whom they tell.
//! - deadline, retry, backoff, budget, breaker, hedge, limit, throttle, rate_limit, adaptive_rate, fallback: the layers.
//! - tier, gate, gates, watch, moment: what they have in common, so that many of them cost little more than one.
//! - channel: connections, and the choice among endpoints.
//! - strategy, client, run: all of it as data.

mod adaptive_rate;
mod ambient;
mod backoff;
mod breaker;
mod budget;
mod call;
mod channel;
mod client;
mod deadline;
mod failure;
mod fallback;
mod gate;
mod gates;
mod hedge;
mod invalid;
mod limit;
mod moment;
mod observer;
mod outcome;
mod preset;
mod rate_limit;
mod retry;
mod run;
mod service_config;
mod strategy;
mod throttle;
mod tier;
mod tower_layers;
mod trace;
mod watch;
mod window;

pub use self::adaptive_rate::{AdaptivePass, AdaptiveQueue, AdaptiveRate, AdaptiveRateConfig};
pub use self::ambient::Ambient;
pub use self::backoff::{Backoff, BackoffConfig, Schedule};
pub use self::breaker::{Breaker, BreakerConfig, BreakerPass, BreakerWindow, SlowCalls, Trip};
pub use self::budget::{Budget, BudgetConfig, BudgetKind, Charge, Permit, Scope};
#[cfg(feature = "sim")]
pub(crate) use self::call::header;
pub use self::call::{Call, CallDeadline, CallId, Criticality, Idempotency};
#[cfg(feature = "sim")]
pub(crate) use self::channel::TRACEPARENT;
pub use self::channel::{
    Balance, Channel, ChannelBody, ChannelConfig, ChannelFuture, ConnectBackoff, ConnectionState, Connector, Endpoint,
    FailurePercentage, Keepalive, OutlierConfig, Resolver, SuccessRate, Target, Tcp, TonicChannel, Transport,
};
pub use self::client::{Client, build};
pub use self::deadline::{AttemptTimeout, Bounded, Bounds, Deadline, OneAttempt, TimeBound, WholeCall};
pub use self::failure::{BoxError, Failure, origin_of};
pub use self::fallback::{Fallback, FallbackBody, FallbackConfig, FallbackFuture, FallbackService};
pub use self::gate::{Admission, Caller, End, Gate, GateLayer, Gated, NoQueue, Open, Pass};
pub use self::gates::{Gates, GatesQueue, Passes};
pub use self::hedge::{Hedge, HedgeConfig, HedgeDelay, HedgeFuture, HedgeService};
pub use self::invalid::InvalidConfig;
pub use self::limit::{Discipline, Limit, LimitAlgorithm, LimitConfig, LimitPass, LimitQueue, Side};
pub use self::observer::{BreakerState, Event, EventKind, Observer, StopReason};
pub use self::outcome::{Codes, Origin, Outcome, code_from_name, code_name};
pub use self::preset::Preset;
pub use self::rate_limit::{RateLimit, RateLimitConfig, RatePass, RateQueue};
pub use self::retry::{Retry, RetryConfig, RetryFuture, RetryService, Settle, effective_attempts};
pub use self::run::Layers;
pub use self::service_config::{Exported, MethodConfig, MethodName, MethodPolicy, ServiceConfig, export};
pub use self::strategy::{LayerConfig, Strategy};
pub use self::throttle::{Throttle, ThrottleConfig, ThrottlePass, ThrottleRule};
pub use self::tier::{Tier, TierBody, TierFuture};
pub use self::tower_layers::{TowerConfig, TpsBudgetConfig};
pub use self::watch::Watch;
