//! The budgets, each a small state machine behind a lock that nobody holds for longer than an addition.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::{Budget, Charge, Permit};
use crate::clock::Instant;
use crate::resilience::window::Window;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while holding it")
}

/// gRFC A6, "Throttling Retry Attempts and Hedged RPCs": counted in thousandths, as the ratio has three decimals.
pub(super) struct GrpcThrottle {
    max_milli: u64,
    ratio_milli: u64,
    tokens_milli: Mutex<u64>,
}

impl GrpcThrottle {
    pub(super) fn new(tokens: u32, ratio: f64) -> Self {
        let max_milli = u64::from(tokens) * 1000;
        // Decimals beyond the third are ignored, but for those that binary fractions make up.
        Self { max_milli, ratio_milli: (ratio * 1000.0 + 1e-6) as u64, tokens_milli: Mutex::new(max_milli) }
    }
}

impl Budget for GrpcThrottle {
    fn failed(&self, _: Instant) {
        let mut tokens = lock(&self.tokens_milli);
        *tokens = tokens.saturating_sub(1000);
    }

    /// Strictly more than half must be left, after the failure was charged.
    fn charge(&self, _: Instant, _: Charge) -> Option<Permit> {
        (*lock(&self.tokens_milli) > self.max_milli / 2).then_some(Permit { cost: 0.0 })
    }

    fn succeeded(&self, _: Instant, _: Option<Permit>) {
        let mut tokens = lock(&self.tokens_milli);
        *tokens = (*tokens + self.ratio_milli).min(self.max_milli);
    }
}

/// Finagle's and the SRE book's: withdrawals over a window in proportion to deposits over the same window.
pub(super) struct Ratio {
    reserve: f64,
    percent: f64,
    /// Deposits and withdrawals.
    window: Mutex<Window<2>>,
}

impl Ratio {
    pub(super) fn new(length: Duration, min_per_s: f64, percent: f64) -> Self {
        let window = Mutex::new(Window::new(length));
        Self { reserve: min_per_s * length.as_secs_f64(), percent, window }
    }
}

impl Budget for Ratio {
    fn begun(&self, now: Instant) {
        lock(&self.window).add(now, [1.0, 0.0]);
    }

    fn charge(&self, now: Instant, _: Charge) -> Option<Permit> {
        let mut window = lock(&self.window);
        let [calls, retries] = window.sums(now);
        // A hair of slack: ten calls at 10 % pay for one retry, whatever 0.1 * 10 rounds to.
        if retries + 1.0 > self.reserve + self.percent * calls + 1e-9 {
            return None;
        }
        window.add(now, [0.0, 1.0]);
        Some(Permit { cost: 1.0 })
    }

    fn refunded(&self, now: Instant, _: Permit) {
        lock(&self.window).add(now, [0.0, -1.0]);
    }
}

/// smithy-rs `token_bucket.rs`.
pub(super) struct AwsSdk {
    capacity: f64,
    cost: f64,
    timeout_cost: f64,
    tokens: Mutex<f64>,
}

impl AwsSdk {
    pub(super) fn new(capacity: u32, cost: u32, timeout_cost: u32) -> Self {
        let capacity = f64::from(capacity);
        Self { capacity, cost: f64::from(cost), timeout_cost: f64::from(timeout_cost), tokens: Mutex::new(capacity) }
    }

    fn put(&self, tokens: f64) {
        let mut held = lock(&self.tokens);
        *held = (*held + tokens).min(self.capacity);
    }
}

impl Budget for AwsSdk {
    fn charge(&self, _: Instant, why: Charge) -> Option<Permit> {
        let cost = if why == Charge::Transient { self.timeout_cost } else { self.cost };
        let mut tokens = lock(&self.tokens);
        if *tokens < cost {
            return None;
        }
        *tokens -= cost;
        Some(Permit { cost })
    }

    fn succeeded(&self, _: Instant, permit: Option<Permit>) {
        self.put(permit.map_or(1.0, |permit| permit.cost));
    }

    fn refunded(&self, _: Instant, permit: Permit) {
        self.put(permit.cost);
    }
}

/// Envoy's: counts what is under way, so it needs no window and no time.
pub(super) struct Envoy {
    percent: f64,
    min: u32,
    /// Calls and retries under way.
    active: Mutex<(u32, u32)>,
}

impl Envoy {
    pub(super) fn new(percent: f64, min: u32) -> Self {
        Self { percent, min, active: Mutex::new((0, 0)) }
    }
}

impl Budget for Envoy {
    fn begun(&self, _: Instant) {
        lock(&self.active).0 += 1;
    }

    fn charge(&self, _: Instant, _: Charge) -> Option<Permit> {
        let (calls, retries) = &mut *lock(&self.active);
        let allowed = (self.percent * f64::from(*calls) + 1e-9).max(f64::from(self.min)) as u32;
        if *retries >= allowed {
            return None;
        }
        *retries += 1;
        Some(Permit { cost: 1.0 })
    }

    fn released(&self, _: Instant, _: Permit) {
        lock(&self.active).1 -= 1;
    }

    fn ended(&self, _: Instant) {
        lock(&self.active).0 -= 1;
    }
}

/// M. Brooker's: filled by calls, not by successes.
pub(super) struct TokenBucket {
    per_call: f64,
    size: f64,
    tokens: Mutex<f64>,
}

impl TokenBucket {
    pub(super) fn new(per_call: f64, size: f64) -> Self {
        Self { per_call, size, tokens: Mutex::new(size) }
    }

    fn put(&self, tokens: f64) {
        let mut held = lock(&self.tokens);
        *held = (*held + tokens).min(self.size);
    }
}

impl Budget for TokenBucket {
    fn begun(&self, _: Instant) {
        self.put(self.per_call);
    }

    fn charge(&self, _: Instant, _: Charge) -> Option<Permit> {
        let mut tokens = lock(&self.tokens);
        if *tokens <= 1.0 {
            return None;
        }
        *tokens -= 1.0;
        Some(Permit { cost: 1.0 })
    }

    fn refunded(&self, _: Instant, permit: Permit) {
        self.put(permit.cost);
    }
}

/// M. Brooker's breaker for retries, cumulative as in his simulator: failed attempts, retries among them, over calls.
pub(super) struct Cumulative {
    failure_rate: f64,
    /// Calls, and attempts that failed.
    counts: Mutex<(f64, f64)>,
}

impl Cumulative {
    pub(super) fn new(failure_rate: f64) -> Self {
        Self { failure_rate, counts: Mutex::new((0.0, 0.0)) }
    }
}

impl Budget for Cumulative {
    fn begun(&self, _: Instant) {
        lock(&self.counts).0 += 1.0;
    }

    fn failed(&self, _: Instant) {
        lock(&self.counts).1 += 1.0;
    }

    fn charge(&self, _: Instant, _: Charge) -> Option<Permit> {
        let (calls, bad) = *lock(&self.counts);
        (bad <= self.failure_rate * calls).then_some(Permit { cost: 0.0 })
    }
}
