//! What hedging can be told.

use std::time::Duration;

use crate::resilience::budget::BudgetConfig;
use crate::resilience::invalid::{ensure, ensure_between, ensure_positive};
use crate::resilience::{Codes, InvalidConfig};

/// When to start further attempts while the first is still running.
///
/// ```
/// use squall::resilience::{HedgeConfig, HedgeDelay};
/// use std::time::Duration;
/// let ms = Duration::from_millis;
/// let delay = HedgeDelay::Learned { quantile: 0.95, initial: ms(50), min: ms(5), max: ms(500) };
/// HedgeConfig { delay, ..HedgeConfig::default() }.check()?;
/// assert!(HedgeConfig { attempts: 1, ..HedgeConfig::default() }.check().is_err());
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HedgeConfig {
    /// Attempts in all, the first included; at least 2.
    pub attempts: u32,
    /// How long to wait between them.
    pub delay: HedgeDelay,
    /// Codes after which the next attempt starts at once, and the others go on. Any other failure ends the call.
    pub non_fatal: Codes,
    /// What bounds the hedges of all calls together.
    pub budget: Option<BudgetConfig>,
    /// How large a request may be and still be sent again, in bytes.
    pub buffer_bytes: usize,
}

/// How long to wait before a hedge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HedgeDelay {
    /// Always the same; zero sends all at once.
    Fixed(Duration),
    /// A quantile of the latencies seen lately, so that only the slowest calls are hedged.
    Learned {
        /// The quantile, such as 0.95; 0.01 to 0.9999.
        quantile: f64,
        /// The delay before anything was learned.
        initial: Duration,
        /// The shortest delay.
        min: Duration,
        /// The longest delay.
        max: Duration,
    },
}

/// Two attempts, the second after one second, on UNAVAILABLE.
impl Default for HedgeConfig {
    fn default() -> Self {
        Self {
            attempts: 2,
            delay: HedgeDelay::Fixed(Duration::from_secs(1)),
            non_fatal: Codes::UNAVAILABLE,
            budget: None,
            buffer_bytes: 256 * 1024,
        }
    }
}

impl HedgeConfig {
    /// Makes sure that it makes sense.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        ensure(self.attempts >= 2, "hedge.attempts", "must be at least 2: one is not a hedge")?;
        ensure(!self.non_fatal.contains(tonic::Code::Ok), "hedge.non_fatal", "OK is not a failure")?;
        match self.delay {
            HedgeDelay::Fixed(delay) if delay.is_zero() => {}
            HedgeDelay::Fixed(delay) => ensure_positive(delay, "hedge.delay")?,
            HedgeDelay::Learned { quantile, initial, min, max } => {
                ensure_between(quantile, 0.01, 0.9999, "hedge.quantile")?;
                ensure_positive(min, "hedge.min")?;
                ensure_positive(max, "hedge.max")?;
                ensure(
                    min <= initial && initial <= max,
                    "hedge.initial",
                    "must lie between the minimum and the maximum",
                )?;
            }
        }
        self.budget.as_ref().map_or(Ok(()), BudgetConfig::check)
    }
}
