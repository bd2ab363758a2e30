//! Metrics: what can be measured, asked for and compared. The names are a contract with scenario files, JSON and baselines.
//!
//! This file says what a metric is called, what its unit is and which way is better; `analysis` computes them.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A figure that a trial yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// OK calls / offered calls.
    SuccessRate,
    /// OK calls a second.
    Goodput,
    /// Attempts / calls.
    Amplification,
    /// Handler executions / calls.
    WorkAmplification,
    /// Attempts that servers make in the tiers behind them / calls.
    TierAmplification,
    /// Server busy time spent for callers already gone / all busy time.
    WastedWork,
    /// Calls that their client turned away while some replica did everything well / calls.
    Collateral,
    /// Jain's index of the clients' success: 1 when all fare alike.
    Fairness,
    /// Mean latency of all calls, from their scheduled arrival to their end, however they ended.
    MeanLatency,
    /// The median latency.
    P50,
    /// The 90th percentile of latency.
    P90,
    /// The 95th percentile of latency.
    P95,
    /// The 99th percentile of latency.
    P99,
    /// The 99.9th percentile of latency.
    P999,
    /// The longest latency.
    MaxLatency,
    /// From a fault's end until windowed success is back at the control twin's level and stays; infinite: metastable.
    Recovery,
    /// Alerts that were acknowledged and are not in the log at the end.
    LostAcknowledged,
    /// Alerts that the log holds more than once, each surplus entry counted.
    Duplicates,
    /// Alerts that the log holds though their client was never told so.
    UnacknowledgedRecorded,
    /// Calls offered.
    Calls,
    /// Attempts made.
    Attempts,
    /// Handlers run.
    Executions,
    /// Calls that ended with an error.
    Errors,
    /// Calls that ended with an error / calls.
    ErrorRate,
}

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share in [0, 1]; written as a percentage.
    Share,
    /// A plain ratio, at least 0.
    Ratio,
    /// So many a second.
    PerSecond,
    /// Milliseconds; written with a unit, as in `800ms`.
    Milliseconds,
    /// A whole number.
    Count,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither: the figure describes.
    Neither,
}

/// No metric has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no metric is named `{0}`")]
pub struct UnknownMetric(pub String);

impl Metric {
    /// Every metric, in the order of reports.
    pub const ALL: [Self; 24] = [
        Self::SuccessRate,
        Self::Goodput,
        Self::Amplification,
        Self::WorkAmplification,
        Self::TierAmplification,
        Self::WastedWork,
        Self::Collateral,
        Self::Fairness,
        Self::MeanLatency,
        Self::P50,
        Self::P90,
        Self::P95,
        Self::P99,
        Self::P999,
        Self::MaxLatency,
        Self::Recovery,
        Self::LostAcknowledged,
        Self::Duplicates,
        Self::UnacknowledgedRecorded,
        Self::Calls,
        Self::Attempts,
        Self::Executions,
        Self::Errors,
        Self::ErrorRate,
    ];

    /// Its name in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SuccessRate => "success_rate",
            Self::Goodput => "goodput",
            Self::Amplification => "amplification",
            Self::WorkAmplification => "work_amplification",
            Self::TierAmplification => "tier_amplification",
            Self::WastedWork => "wasted_work",
            Self::Collateral => "collateral",
            Self::Fairness => "fairness",
            Self::MeanLatency => "mean",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
            Self::MaxLatency => "max",
            Self::Recovery => "recovery",
            Self::LostAcknowledged => "lost_acknowledged",
            Self::Duplicates => "duplicates",
            Self::UnacknowledgedRecorded => "unacknowledged_recorded",
            Self::Calls => "calls",
            Self::Attempts => "attempts",
            Self::Executions => "executions",
            Self::Errors => "errors",
            Self::ErrorRate => "error_rate",
        }
    }

    /// What it says, in a sentence.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::SuccessRate => "OK calls / offered calls.",
            Self::Goodput => "OK calls a second.",
            Self::Amplification => "Attempts / calls.",
            Self::WorkAmplification => "Handler executions / calls, over all tiers.",
            Self::TierAmplification => "Attempts that servers make in the tiers behind them / calls.",
            Self::Collateral => "Calls that their client turned away while some replica did everything well / calls.",
            Self::Fairness => "Jain's index of the clients' success: 1 when all fare alike, 1/n when one has all.",
            Self::WastedWork => "Server busy time spent for callers already gone / all busy time.",
            Self::MeanLatency => "Mean latency of all calls, from when they were due to when they ended.",
            Self::P50 => "Median latency.",
            Self::P90 => "90th percentile of latency.",
            Self::P95 => "95th percentile of latency.",
            Self::P99 => "99th percentile of latency.",
            Self::P999 => "99.9th percentile of latency.",
            Self::MaxLatency => "The longest latency.",
            Self::Recovery => {
                "From a fault's end until success is back at the level of the same trial without faults, and stays."
            }
            Self::LostAcknowledged => "Alerts that were acknowledged and are in no log at the end.",
            Self::Duplicates => "Entries of the logs beyond the first of an alert.",
            Self::UnacknowledgedRecorded => "Alerts in a log whose client was never told so.",
            Self::Calls => "Calls offered.",
            Self::Attempts => "Attempts made.",
            Self::Executions => "Handlers run.",
            Self::Errors => "Calls that did not end OK, all or those `from` one origin or code.",
            Self::ErrorRate => "Calls that did not end OK / calls, all or those `from` one origin or code.",
        }
    }

    /// What it is measured in.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::SuccessRate | Self::WastedWork | Self::Collateral | Self::ErrorRate => Unit::Share,
            Self::Goodput => Unit::PerSecond,
            Self::Amplification | Self::WorkAmplification | Self::TierAmplification | Self::Fairness => Unit::Ratio,
            Self::MeanLatency | Self::P50 | Self::P90 | Self::P95 | Self::P99 | Self::P999 => Unit::Milliseconds,
            Self::MaxLatency | Self::Recovery => Unit::Milliseconds,
            Self::LostAcknowledged | Self::Duplicates | Self::UnacknowledgedRecorded => Unit::Count,
            Self::Calls | Self::Attempts | Self::Executions | Self::Errors => Unit::Count,
        }
    }

    /// Which figures it can have at all.
    #[must_use]
    pub const fn range(self) -> RangeInclusive<f64> {
        match self.unit() {
            Unit::Share => 0.0..=1.0,
            _ => 0.0..=f64::INFINITY,
        }
    }

    /// Which way is better.
    #[must_use]
    pub const fn better(self) -> Better {
        match self {
            Self::SuccessRate | Self::Goodput | Self::Fairness => Better::Higher,
            Self::Calls => Better::Neither,
            _ => Better::Lower,
        }
    }

    /// The quantile of latency it stands for, if it is one.
    #[must_use]
    pub const fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P90 => Some(0.9),
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
            Self::P999 => Some(0.999),
            Self::MaxLatency => Some(1.0),
            _ => None,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, UnknownMetric> {
        Self::ALL.into_iter().find(|metric| metric.name() == text).ok_or_else(|| UnknownMetric(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for metric in Metric::ALL {
            assert_eq!(metric.name().parse(), Ok(metric));
        }
        assert!("succes_rate".parse::<Metric>().is_err());
    }
}
