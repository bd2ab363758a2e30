//! What is retried, how often and after which pause: the decision of gRFC A6, apart from the futures that carry it out.

use std::num::NonZeroU32;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tonic::Code;

use super::RetryConfig;
use crate::clock::Instant;
use crate::random::Draw;
use crate::resilience::backoff::{Backoff, Schedule};
use crate::resilience::budget::{Account, Budget, Charge};
use crate::resilience::{Idempotency, Origin, Outcome, StopReason};

/// The server's word on retries, in milliseconds.
pub(crate) const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// What a server said about trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushback {
    /// Nothing.
    Unsaid,
    /// Try again after exactly this long.
    After(Duration),
    /// Do not try again: negative, not a number, or said twice.
    Never,
}

impl Pushback {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(PUSHBACK).iter();
        let Some(first) = values.next() else { return Self::Unsaid };
        let millis = first.to_str().ok().and_then(|text| text.trim().parse::<i32>().ok());
        match millis.map(u64::try_from) {
            Some(Ok(millis)) if values.next().is_none() => Self::After(Duration::from_millis(millis)),
            _ => Self::Never,
        }
    }
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    pub(crate) outcome: Outcome,
    pub(crate) pushback: Pushback,
    /// No application on the server can have seen the request.
    pub(crate) unprocessed: bool,
}

/// The course of one call.
#[derive(Debug)]
pub(crate) struct Course {
    /// Attempts started so far.
    pub(crate) attempts: u32,
    pub(crate) schedule: Schedule,
    pub(crate) account: Option<Account<dyn Budget>>,
    pub(crate) idempotency: Idempotency,
    pub(crate) deadline: Option<Instant>,
}

impl std::fmt::Debug for dyn Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Budget")
    }
}

impl Course {
    /// The pause before one more attempt, or why there is none.
    ///
    /// The order matters: a failure is charged, and the budget tested, before the cap on attempts and before the backoff.
    /// Otherwise the failures of last attempts would never count, and a client of one attempt would never throttle.
    pub(crate) fn after(
        &mut self,
        failed: Failed,
        config: &RetryConfig,
        now: Instant,
        draw: impl FnOnce() -> Draw,
    ) -> Result<Duration, StopReason> {
        if failed.pushback == Pushback::Never {
            self.charge_failure(now);
            return Err(StopReason::Pushback);
        }
        retryable(failed.outcome, config)?;
        self.charge_failure(now);
        let repeatable = match self.idempotency {
            Idempotency::Idempotent => true,
            Idempotency::Unmarked => config.unmarked_is_idempotent,
            Idempotency::NotIdempotent => false,
        };
        if !repeatable && !failed.unprocessed {
            return Err(StopReason::NotIdempotent);
        }
        // What the budget is charged for a retry that never starts, it gets back.
        let why = if is_transient(failed.outcome) { Charge::Transient } else { Charge::Failure };
        if self.account.as_mut().is_some_and(|account| !account.charge(now, why)) {
            return Err(StopReason::Budget);
        }
        if self.attempts >= config.attempts {
            return self.stop(now, StopReason::Attempts);
        }
        let pause = match failed.pushback {
            Pushback::After(pause) => {
                self.schedule.restart();
                pause
            }
            _ => self.schedule.next(draw()),
        };
        if self.deadline.is_some_and(|deadline| now + pause >= deadline) {
            return self.stop(now, StopReason::Deadline);
        }
        Ok(pause)
    }

    /// No retry after all, though the budget has paid for one.
    pub(crate) fn stop(&mut self, now: Instant, reason: StopReason) -> Result<Duration, StopReason> {
        if let Some(account) = &mut self.account {
            account.refund(now);
        }
        Err(reason)
    }

    /// The retry that was paid for starts.
    pub(crate) fn begin(&mut self) {
        self.attempts += 1;
        if let Some(account) = &mut self.account {
            account.begin();
        }
    }

    fn charge_failure(&mut self, now: Instant) {
        if let Some(account) = &mut self.account {
            account.failed(now);
        }
    }
}

/// What the AWS SDKs take for a passing failure, as opposed to throttling: timeouts, lost connections, and the HTTP statuses 500,
/// 502, 503 and 504, which are these codes.
fn is_transient(outcome: Outcome) -> bool {
    match outcome.origin {
        Origin::AttemptTimeout | Origin::Network => true,
        _ => matches!(outcome.code, Code::Internal | Code::Unavailable | Code::DeadlineExceeded),
    }
}

/// Whether an outcome is one to retry at all.
fn retryable(outcome: Outcome, config: &RetryConfig) -> Result<(), StopReason> {
    let yes = match outcome.origin {
        Origin::Server | Origin::Network => config.on.contains(outcome.code),
        Origin::AttemptTimeout => config.on_attempt_timeout,
        Origin::ClientDeadline => return Err(StopReason::Deadline),
        origin if origin.is_local_rejection() => {
            return if config.on_rejection && config.on.contains(outcome.code) {
                Ok(())
            } else {
                Err(StopReason::Rejected)
            };
        }
        _ => false,
    };
    if yes { Ok(()) } else { Err(StopReason::NotRetryable) }
}

/// How many attempts gRPC makes of a configured number: a channel's own cap holds, 5 unless it is at least 2.
///
/// Source: gRFC A6, `maxAttempts`; grpc-go's `WithMaxCallAttempts`.
#[must_use]
pub fn effective_attempts(configured: u32, channel_cap: i64) -> NonZeroU32 {
    let cap = if channel_cap < 2 { 5 } else { u32::try_from(channel_cap).unwrap_or(u32::MAX) };
    NonZeroU32::new(configured.min(cap)).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// The table of grpc-go's `TestMaxCallAttempts`.
    #[test]
    fn max_attempts_are_capped_as_in_grpc_go() {
        for (configured, cap, attempts) in [(9, 4, 4), (9, 7, 7), (3, 10, 3), (8, -1, 5), (3, 0, 3)] {
            assert_eq!(effective_attempts(configured, cap).get(), attempts, "{configured}, {cap}");
        }
    }

    #[test]
    fn pushback_is_read_to_the_letter() {
        let check = |values: &[&str], expected: Pushback| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(PUSHBACK, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(Pushback::of(&headers), expected, "{values:?}");
        };
        check(&[], Pushback::Unsaid);
        check(&["0"], Pushback::After(Duration::ZERO));
        check(&["150"], Pushback::After(Duration::from_millis(150)));
        check(&["2147483647"], Pushback::After(Duration::from_millis(2_147_483_647)));
        check(&["2147483648"], Pushback::Never);
        check(&["-1"], Pushback::Never);
        check(&["soon"], Pushback::Never);
        check(&[""], Pushback::Never);
        check(&["1", "1"], Pushback::Never);
    }
}
