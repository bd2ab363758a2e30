//! What a retry can be told.

use crate::resilience::backoff::BackoffConfig;
use crate::resilience::budget::BudgetConfig;
use crate::resilience::invalid::ensure;
use crate::resilience::{Codes, InvalidConfig};

/// How to retry: the policy of gRFC A6, and what it lacks (an attempt timeout's failures, budgets of other kinds, idempotency).
///
/// ```
/// use squall::resilience::{BackoffConfig, BudgetConfig, BudgetKind, Codes, RetryConfig};
/// use std::time::Duration;
/// use tonic::Code;
/// let config = RetryConfig {
///     attempts: 4,
///     on: Codes::of(&[Code::Unavailable, Code::ResourceExhausted]),
///     backoff: BackoffConfig::grpc(Duration::from_millis(100), Duration::from_secs(1), 1.6),
///     budget: Some(BudgetConfig::per_client(BudgetKind::Grpc { tokens: 10, ratio: 0.1 })),
///     ..RetryConfig::default()
/// };
/// config.check()?;
/// let none = RetryConfig { attempts: 0, ..config };
/// assert_eq!(none.check().unwrap_err().to_string(), "retry.attempts: must be at least 1");
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RetryConfig {
    /// Attempts in all, the first included; at least 1. Service config caps them at 5, code does not.
    pub attempts: u32,
    /// Which codes of the server or the network to retry.
    pub on: Codes,
    /// The pauses in between.
    pub backoff: BackoffConfig,
    /// What bounds the retries of all calls together.
    pub budget: Option<BudgetConfig>,
    /// Whether to retry attempts that an attempt timeout inside cut off.
    pub on_attempt_timeout: bool,
    /// Whether to retry what a layer inside (a breaker, a limit) turned away with one of the codes.
    pub on_rejection: bool,
    /// Whether calls that say nothing about it may run twice. Configuring retries is saying so, in gRFC A6.
    pub unmarked_is_idempotent: bool,
    /// How large a request may be and still be sent again, in bytes, gRPC's prefix of five bytes a message included. Beyond it the
    /// call is committed to the attempt under way.
    pub buffer_bytes: usize,
}

/// Three attempts on UNAVAILABLE, without pause or budget: a base to build on, not a recommendation.
impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            attempts: 3,
            on: Codes::UNAVAILABLE,
            backoff: BackoffConfig::None,
            budget: None,
            on_attempt_timeout: true,
            on_rejection: false,
            unmarked_is_idempotent: true,
            buffer_bytes: 256 * 1024,
        }
    }
}

impl RetryConfig {
    /// Makes sure that it makes sense.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        ensure(self.attempts >= 1, "retry.attempts", "must be at least 1")?;
        ensure(!self.on.contains(tonic::Code::Ok), "retry.on", "OK is not a failure")?;
        self.backoff.check()?;
        self.budget.as_ref().map_or(Ok(()), BudgetConfig::check)
    }
}
