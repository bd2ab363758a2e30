//! The running sums over the calls of one class, and what they amount to over a part of the run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calls::Reconciliation;
use super::errors::Errors;
use super::latency::{Latencies, Latency};
use super::worst::Worst;
use crate::scenario::{ErrorFilter, Metric};

/// Sums over the calls of one class.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) ok: u64,
    pub(super) attempts: u64,
    pub(super) executions: u64,
    pub(super) tier_attempts: u64,
    pub(super) collateral: u64,
    pub(super) busy_ns: u64,
    pub(super) wasted_ns: u64,
    pub(super) latencies: Latencies,
    pub(super) errors: Errors,
    pub(super) reconciliation: Reconciliation,
    pub(super) worst: Worst,
}

/// The figures of a part of one trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartMetrics {
    /// How long load was offered, in nanoseconds.
    pub span_ns: u64,
    /// Calls offered.
    pub calls: u64,
    /// Calls that came back OK.
    pub ok: u64,
    /// Attempts made for them.
    pub attempts: u64,
    /// Handlers run for them, in every tier.
    pub executions: u64,
    /// Attempts that servers made for them in the tiers behind.
    pub tier_attempts: u64,
    /// Those turned away by their client while somebody was there to serve them.
    pub collateral: u64,
    /// Jain's index of the clients' success; none if no call succeeded.
    pub fairness: Option<f64>,
    /// How long workers were busy with them.
    pub busy_ns: u64,
    /// How much of that was for callers already gone.
    pub wasted_ns: u64,
    /// From when they were due to when they ended.
    pub latency: Latency,
    /// Acknowledged, and in no log at the end.
    pub lost_acknowledged: u64,
    /// Entries of the logs beyond the first of an alert.
    pub duplicates: u64,
    /// In a log, and never acknowledged.
    pub unacknowledged_recorded: u64,
    /// Failed calls, under names such as `UNAVAILABLE/network`.
    pub errors: BTreeMap<String, u64>,
    /// The calls to look at.
    pub worst: Worst,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            calls: 0,
            ok: 0,
            attempts: 0,
            executions: 0,
            tier_attempts: 0,
            collateral: 0,
            busy_ns: 0,
            wasted_ns: 0,
            latencies: Latencies::new(),
            errors: Errors::new(),
            reconciliation: Reconciliation::default(),
            worst: Worst::default(),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.ok += other.ok;
        self.attempts += other.attempts;
        self.executions += other.executions;
        self.tier_attempts += other.tier_attempts;
        self.collateral += other.collateral;
        self.busy_ns += other.busy_ns;
        self.wasted_ns += other.wasted_ns;
        self.latencies.merge(&other.latencies);
        self.errors.merge(&other.errors);
        self.reconciliation.merge(&other.reconciliation);
        self.worst.merge(&other.worst);
    }

    pub(super) fn metrics(&self, span_ns: u64) -> PartMetrics {
        PartMetrics {
            span_ns,
            calls: self.calls,
            ok: self.ok,
            attempts: self.attempts,
            executions: self.executions,
            tier_attempts: self.tier_attempts,
            collateral: self.collateral,
            fairness: None,
            busy_ns: self.busy_ns,
            wasted_ns: self.wasted_ns,
            latency: self.latencies.summary(),
            lost_acknowledged: self.reconciliation.lost_acknowledged,
            duplicates: self.reconciliation.duplicates,
            unacknowledged_recorded: self.reconciliation.unacknowledged_recorded,
            errors: self.errors.named(),
            worst: self.worst.clone(),
        }
    }
}

impl PartMetrics {
    /// The figure of a metric, in its unit, counting only the `errors` of some kind where it counts errors; none where nothing
    /// was there to measure (no calls, no busy time), and none for recovery, which needs the control twin as well.
    #[must_use]
    pub fn value(&self, metric: Metric, errors: ErrorFilter) -> Option<f64> {
        let calls = self.calls as f64;
        Some(match metric {
            Metric::SuccessRate => share(self.ok as f64, calls)?,
            Metric::Goodput => share(self.ok as f64, self.span_ns as f64 / 1e9)?,
            Metric::Amplification => share(self.attempts as f64, calls)?,
            Metric::WorkAmplification => share(self.executions as f64, calls)?,
            Metric::TierAmplification => share(self.tier_attempts as f64, calls)?,
            Metric::Collateral => share(self.collateral as f64, calls)?,
            Metric::Fairness => self.fairness?,
            Metric::WastedWork => share(self.wasted_ns as f64, self.busy_ns as f64)?,
            Metric::MeanLatency => self.latency.mean_ns()? / 1e6,
            Metric::Recovery => return None,
            Metric::LostAcknowledged => self.lost_acknowledged as f64,
            Metric::Duplicates => self.duplicates as f64,
            Metric::UnacknowledgedRecorded => self.unacknowledged_recorded as f64,
            Metric::Calls => calls,
            Metric::Attempts => self.attempts as f64,
            Metric::Executions => self.executions as f64,
            Metric::Errors => self.errors_of(errors) as f64,
            Metric::ErrorRate => share(self.errors_of(errors) as f64, calls)?,
            quantile => self.latency.quantile_ns(quantile.quantile()?)? as f64 / 1e6,
        })
    }

    fn errors_of(&self, filter: ErrorFilter) -> u64 {
        if filter == ErrorFilter::ANY {
            return self.calls - self.ok;
        }
        let counted = self.errors.iter().filter(|(name, _)| filter.takes_name(name));
        counted.map(|(_, count)| count).sum()
    }
}

fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}
