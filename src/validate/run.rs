//! What one trial of a suite came to: the figures of every report, and what only a comparison with theory asks for.

use super::Bins;
use crate::analysis::{Latencies, TrialFold, TrialMetrics};
use crate::experiment::Fold;

/// What one trial came to: figures, all latencies, and success by the second.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) metrics: TrialMetrics,
    pub(super) latencies: Latencies,
    pub(super) bins: Bins,
}

impl Run {
    /// The latency that this share of all calls did not exceed, in seconds.
    pub(super) fn quantile_s(&self, quantile: f64) -> f64 {
        self.latencies.quantile_ns(quantile) as f64 / 1e9
    }
}

/// The latencies of all these runs together: the far quantiles of a short run are biased, those of many short ones are not.
pub(super) fn pooled(runs: &[Run]) -> Latencies {
    runs.iter().fold(Latencies::new(), |mut all, run| {
        all.merge(&run.latencies);
        all
    })
}

/// A figure of each trial.
pub(super) fn each(runs: &[Run], figure: impl Fn(&Run) -> f64) -> Vec<f64> {
    runs.iter().map(figure).collect()
}

impl Fold for (TrialFold, Bins) {
    type Output = Run;

    fn finish(self) -> Run {
        let (metrics, latencies) = self.0.finish_with_latencies();
        Run { metrics, latencies, bins: self.1 }
    }
}
