//! The budgets by name, with their parameters.

use std::sync::Arc;
use std::time::Duration;

use super::Budget;
use super::kinds::{AwsSdk, Cumulative, Envoy, GrpcThrottle, Ratio, TokenBucket};
use crate::resilience::invalid::{ensure, ensure_between, ensure_positive};
use crate::resilience::{Ambient, InvalidConfig};

/// Who shares a piece of state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Every client has its own.
    #[default]
    Client,
    /// All clients of a group share it.
    Shared,
}

/// A retry budget: which, and who shares it.
///
/// ```
/// use squall::resilience::{BudgetConfig, BudgetKind, Scope};
/// use std::time::Duration;
/// // One retry for ten calls, over the last minute, of all clients of a group together.
/// let kind = BudgetKind::Sre { percent: 0.1, window: Duration::from_secs(60) };
/// BudgetConfig { kind, scope: Scope::Shared }.check()?;
/// let empty = BudgetConfig::per_client(BudgetKind::Grpc { tokens: 0, ratio: 0.1 });
/// assert_eq!(empty.check().unwrap_err().field(), "budget.tokens");
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetConfig {
    /// Which budget.
    pub kind: BudgetKind,
    /// Who shares it.
    pub scope: Scope,
}

/// Which budget, with its parameters. What each deposits and when is the whole difference; sources: gRFC A6; Finagle,
/// `RetryBudget.scala`; smithy-rs, `token_bucket.rs`; Envoy, `circuit_breaker.proto`; SRE book, "Handling Overload".
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum BudgetKind {
    /// gRFC A6: `tokens` at first; a failure takes 1, a success gives `ratio`; retries only while more than half is left.
    Grpc {
        /// The largest and first count, in (0, 1000].
        tokens: u32,
        /// What a success gives, kept to three decimals.
        ratio: f64,
    },
    /// Finagle: over the last `ttl`, retries may be `percent` of the calls, plus `min_per_s` a second.
    Finagle {
        /// How long a deposit lasts.
        ttl: Duration,
        /// Retries a second that are always allowed.
        min_per_s: f64,
        /// Retries a call, such as 0.2.
        percent: f64,
    },
    /// AWS SDKs: a bucket of `capacity`; a retry takes `cost` (after a transient failure `timeout_cost`), and gets it back if it
    /// succeeds; a call that needs no retry gives 1. Transient is a timeout, a lost connection, UNAVAILABLE, INTERNAL or
    /// DEADLINE_EXCEEDED; throttling is not.
    AwsSdk {
        /// The size of the bucket, 500 in the SDKs.
        capacity: u32,
        /// What a retry costs, 5 in the SDKs.
        cost: u32,
        /// What a retry costs after a transient failure, 10 in the SDKs.
        timeout_cost: u32,
    },
    /// Envoy: retries under way may be `percent` of the calls under way, but at least `min`.
    Envoy {
        /// The share, such as 0.2.
        percent: f64,
        /// Retries that are always allowed at once.
        min: u32,
    },
    /// SRE book: over `window`, retries may be `percent` of the calls.
    Sre {
        /// The share, 0.1 in the book.
        percent: f64,
        /// How far back it looks.
        window: Duration,
    },
    /// A token bucket filled by calls: a call gives `per_call`, up to `size`; a retry costs 1, and needs more than 1 in the
    /// bucket. Source: M. Brooker, "Fixing retries with token buckets and circuit breakers".
    TokenBucket {
        /// What a call gives, such as 0.1.
        per_call: f64,
        /// The size of the bucket, such as 5.
        size: f64,
    },
    /// A breaker for retries only: none while more attempts have failed so far than `failure_rate` of all calls. Same source;
    /// it never forgets, which is its weakness.
    CumulativeBreaker {
        /// Failed attempts a call above which no retry starts.
        failure_rate: f64,
    },
}

impl BudgetConfig {
    /// A budget that every client has for itself.
    #[must_use]
    pub const fn per_client(kind: BudgetKind) -> Self {
        Self { kind, scope: Scope::Client }
    }

    /// Makes sure that the parameters make sense.
    ///
    /// # Errors
    ///
    /// When they do not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        match self.kind {
            BudgetKind::Grpc { tokens, ratio } => {
                ensure((1..=1000).contains(&tokens), "budget.tokens", format_args!("must be 1 to 1000, not {tokens}"))?;
                ensure(
                    (0.001..=1000.0).contains(&ratio),
                    "budget.ratio",
                    format_args!("must be 0.001 to 1000, not {ratio}"),
                )
            }
            BudgetKind::Finagle { ttl, min_per_s, percent } => {
                ensure_positive(ttl, "budget.ttl")?;
                ensure_between(min_per_s, 0.0, 1e9, "budget.min_per_s")?;
                ensure_between(percent, 0.0, 1000.0, "budget.percent")
            }
            BudgetKind::AwsSdk { capacity, cost, timeout_cost } => {
                ensure(capacity > 0, "budget.capacity", "must be at least 1")?;
                ensure(cost > 0 && timeout_cost > 0, "budget.cost", "must be at least 1")
            }
            BudgetKind::Envoy { percent, .. } => ensure_between(percent, 0.0, 1.0, "budget.percent"),
            BudgetKind::Sre { percent, window } => {
                ensure_between(percent, 0.0, 1.0, "budget.percent")?;
                ensure_positive(window, "budget.window")
            }
            BudgetKind::TokenBucket { per_call, size } => {
                ensure_between(per_call, 0.0, 1e6, "budget.per_call")?;
                ensure_between(size, 1.0, 1e9, "budget.size")
            }
            BudgetKind::CumulativeBreaker { failure_rate } => {
                ensure_between(failure_rate, 0.0, 1.0, "budget.failure_rate")
            }
        }
    }

    /// The budget itself. `place` tells budgets of one strategy apart when clients share them.
    pub(crate) fn build(&self, ambient: &Ambient, place: &str) -> Result<Arc<dyn Budget>, InvalidConfig> {
        self.check()?;
        Ok(match self.scope {
            Scope::Client => make(self.kind),
            Scope::Shared => {
                Arc::clone(&ambient.shared(&format!("budget {place}"), || Arc::new(Held(make(self.kind)))).0)
            }
        })
    }
}

/// A sized type for the registry of shared state.
struct Held(Arc<dyn Budget>);

fn make(kind: BudgetKind) -> Arc<dyn Budget> {
    match kind {
        BudgetKind::Grpc { tokens, ratio } => Arc::new(GrpcThrottle::new(tokens, ratio)),
        BudgetKind::Finagle { ttl, min_per_s, percent } => Arc::new(Ratio::new(ttl, min_per_s, percent)),
        BudgetKind::AwsSdk { capacity, cost, timeout_cost } => Arc::new(AwsSdk::new(capacity, cost, timeout_cost)),
        BudgetKind::Envoy { percent, min } => Arc::new(Envoy::new(percent, min)),
        BudgetKind::Sre { percent, window } => Arc::new(Ratio::new(window, 0.0, percent)),
        BudgetKind::TokenBucket { per_call, size } => Arc::new(TokenBucket::new(per_call, size)),
        BudgetKind::CumulativeBreaker { failure_rate } => Arc::new(Cumulative::new(failure_rate)),
    }
}
