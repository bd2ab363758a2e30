//! What a concurrency limit can be told.

use std::time::Duration;

use crate::resilience::InvalidConfig;
use crate::resilience::budget::Scope;
use crate::resilience::invalid::{ensure, ensure_between, ensure_positive};

/// How many calls may be under way at once, and what becomes of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitConfig {
    /// How the limit is found.
    pub algorithm: LimitAlgorithm,
    /// How many calls may wait for a place; 0 turns them away at once.
    pub queue: usize,
    /// Who waits for how long.
    pub discipline: Discipline,
    /// Whether less critical calls may use only a part of the limit: sheddable half, sheddable_plus three quarters.
    pub by_criticality: bool,
    /// Whose load this is: a client protecting itself, or a server shedding load.
    pub side: Side,
    /// Who shares it.
    pub scope: Scope,
}

/// How a limit is found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum LimitAlgorithm {
    /// It is given: a bulkhead.
    Fixed {
        /// The limit.
        max: u32,
    },
    /// One more after a success at half use or more; a share less after a drop or a timeout.
    Aimd {
        /// The first limit.
        initial: u32,
        /// The lowest.
        min: u32,
        /// The highest.
        max: u32,
        /// What is left after a drop, such as 0.9.
        backoff: f64,
        /// A call that takes longer counts as dropped.
        timeout: Duration,
    },
    /// After TCP Vegas: estimates the queue from the latency above the unloaded one.
    Vegas {
        /// The first limit.
        initial: u32,
        /// The highest.
        max: u32,
    },
    /// Follows the ratio of long-term to present latency.
    Gradient2 {
        /// The first limit.
        initial: u32,
        /// The lowest.
        min: u32,
        /// The highest.
        max: u32,
        /// How many calls may queue.
        queue: u32,
        /// How much slower than usual is not slow yet.
        tolerance: f64,
        /// The weight of a new estimate.
        smoothing: f64,
        /// Over how many calls the long-term latency is averaged.
        long_window: u32,
    },
    /// Envoy's adaptive concurrency: measures the unloaded latency now and then by letting only few calls pass.
    EnvoyAdaptive {
        /// How few.
        min_concurrency: u32,
        /// The highest limit.
        max: u32,
        /// How many calls measure it.
        requests: u32,
        /// How often.
        interval: Duration,
        /// How often the limit is updated in between.
        window: Duration,
        /// How much slower than unloaded is not slow yet, such as 0.25.
        buffer: f64,
    },
}

impl LimitAlgorithm {
    /// Netflix's defaults.
    pub const AIMD: Self = Self::Aimd { initial: 20, min: 20, max: 200, backoff: 0.9, timeout: Duration::from_secs(5) };
    /// Netflix's defaults.
    pub const VEGAS: Self = Self::Vegas { initial: 20, max: 1000 };
    /// Netflix's defaults.
    pub const GRADIENT2: Self =
        Self::Gradient2 { initial: 20, min: 20, max: 200, queue: 4, tolerance: 1.5, smoothing: 0.2, long_window: 600 };
    /// Envoy's defaults; the intervals have none, these are from its documentation's example.
    pub const ENVOY: Self = Self::EnvoyAdaptive {
        min_concurrency: 3,
        max: 1000,
        requests: 50,
        interval: Duration::from_secs(60),
        window: Duration::from_millis(100),
        buffer: 0.25,
    };
}

/// Who of those waiting gets a place, and how long they wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// Who came first; each waits for so long at most.
    Fifo {
        /// The longest wait; `None` as long as the deadline allows.
        max_wait: Option<Duration>,
    },
    /// Who came last: under overload the first have given up already.
    Lifo {
        /// The longest wait; `None` as long as the deadline allows.
        max_wait: Option<Duration>,
    },
    /// Controlled delay: a wait of up to `interval` while the queue drains now and then, of only `target` once it has not
    /// been empty for an `interval`.
    ///
    /// Source: B. Maurer, "Fail at Scale", ACM Queue 2015, after Nichols and Jacobson's CoDel.
    CoDel {
        /// The wait under standing overload, such as 5 ms.
        target: Duration,
        /// How long a burst may last, such as 100 ms.
        interval: Duration,
    },
}

/// Whose load it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// A client's: excess calls fail with RESOURCE_EXHAUSTED, from the limiter.
    #[default]
    Client,
    /// A server's: excess calls fail with UNAVAILABLE, from the shedder.
    Server,
}

impl LimitConfig {
    /// A limit without a queue.
    #[must_use]
    pub const fn new(algorithm: LimitAlgorithm) -> Self {
        Self {
            algorithm,
            queue: 0,
            discipline: Discipline::Fifo { max_wait: None },
            by_criticality: false,
            side: Side::Client,
            scope: Scope::Client,
        }
    }

    /// Makes sure that it makes sense.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let bounds = |initial: u32, min: u32, max: u32| {
            ensure(min >= 1, "limit.min", "must be at least 1")?;
            ensure(min <= initial && initial <= max, "limit.initial", "must lie between the minimum and the maximum")
        };
        match self.algorithm {
            LimitAlgorithm::Fixed { max } => ensure(max >= 1, "limit.max", "must be at least 1")?,
            LimitAlgorithm::Aimd { initial, min, max, backoff, timeout } => {
                bounds(initial, min, max)?;
                ensure_between(backoff, 0.01, 0.999, "limit.backoff")?;
                ensure_positive(timeout, "limit.timeout")?;
            }
            LimitAlgorithm::Vegas { initial, max } => bounds(initial, 1, max)?,
            LimitAlgorithm::Gradient2 { initial, min, max, tolerance, smoothing, long_window, .. } => {
                bounds(initial, min, max)?;
                ensure_between(tolerance, 1.0, 100.0, "limit.tolerance")?;
                ensure_between(smoothing, 0.001, 1.0, "limit.smoothing")?;
                ensure(long_window >= 1, "limit.long_window", "must be at least 1")?;
            }
            LimitAlgorithm::EnvoyAdaptive { min_concurrency, max, requests, interval, window, buffer } => {
                bounds(min_concurrency, 1, max)?;
                ensure(requests >= 1, "limit.requests", "must be at least 1")?;
                ensure_positive(interval, "limit.interval")?;
                ensure_positive(window, "limit.window")?;
                ensure_between(buffer, 0.0, 10.0, "limit.buffer")?;
            }
        }
        match self.discipline {
            Discipline::Fifo { max_wait } | Discipline::Lifo { max_wait } => {
                max_wait.map_or(Ok(()), |wait| ensure_positive(wait, "limit.max_wait"))
            }
            Discipline::CoDel { target, interval } => {
                ensure_positive(target, "limit.target")?;
                ensure(target <= interval, "limit.target", "must be at most the interval")?;
                ensure_positive(interval, "limit.interval")
            }
        }
    }
}
