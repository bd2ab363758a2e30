//! Outlier detection: endpoints that fail more than their peers leave the rotation for a while (gRFC A50).

use std::time::Duration;

use crate::resilience::InvalidConfig;
use crate::resilience::invalid::{ensure, ensure_positive};

/// When an endpoint is ejected, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct OutlierConfig {
    /// How often to look.
    pub interval: Duration,
    /// How long an ejection lasts, times how often the endpoint was ejected.
    pub base_ejection: Duration,
    /// The longest ejection, unless the base is longer.
    pub max_ejection: Duration,
    /// No further endpoint is ejected once this share of all is, in percent. At least one always may.
    pub max_ejection_percent: u32,
    /// Ejects whose success rate lies far below the mean.
    pub success_rate: Option<SuccessRate>,
    /// Ejects who fails more than a fixed share.
    pub failure_percentage: Option<FailurePercentage>,
}

/// Ejects whose success rate lies below the mean by more than so many standard deviations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessRate {
    /// How many, in thousandths: 1900 is 1.9.
    pub stdev_factor: u32,
    /// How likely an outlier is ejected, in percent.
    pub enforcement_percentage: u32,
    /// How many endpoints must have enough calls.
    pub minimum_hosts: u32,
    /// How many calls an interval are enough.
    pub request_volume: u32,
}

/// Ejects who fails more than a fixed share of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePercentage {
    /// The share, in percent; exceeding it is needed.
    pub threshold: u32,
    /// How likely an outlier is ejected, in percent.
    pub enforcement_percentage: u32,
    /// How many endpoints must have enough calls.
    pub minimum_hosts: u32,
    /// How many calls an interval are enough.
    pub request_volume: u32,
}

impl Default for OutlierConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            base_ejection: Duration::from_secs(30),
            max_ejection: Duration::from_secs(300),
            max_ejection_percent: 10,
            success_rate: Some(SuccessRate::default()),
            failure_percentage: None,
        }
    }
}

impl Default for SuccessRate {
    fn default() -> Self {
        Self { stdev_factor: 1900, enforcement_percentage: 100, minimum_hosts: 5, request_volume: 100 }
    }
}

impl Default for FailurePercentage {
    fn default() -> Self {
        Self { threshold: 85, enforcement_percentage: 100, minimum_hosts: 5, request_volume: 50 }
    }
}

impl OutlierConfig {
    pub(super) fn check(&self) -> Result<(), InvalidConfig> {
        ensure_positive(self.interval, "outlier.interval")?;
        ensure_positive(self.base_ejection, "outlier.base_ejection")?;
        ensure_positive(self.max_ejection, "outlier.max_ejection")?;
        let percent = |value: u32, field| ensure(value <= 100, field, "must be at most 100");
        percent(self.max_ejection_percent, "outlier.max_ejection_percent")?;
        if let Some(rule) = self.success_rate {
            percent(rule.enforcement_percentage, "outlier.success_rate.enforcement_percentage")?;
        }
        if let Some(rule) = self.failure_percentage {
            percent(rule.threshold, "outlier.failure_percentage.threshold")?;
            percent(rule.enforcement_percentage, "outlier.failure_percentage.enforcement_percentage")?;
        }
        Ok(())
    }
}
