//! Which strategy is best at what: the same answer in every report.

use super::units;
use crate::analysis::StrategyOutcome;
use crate::scenario::Metric;
use crate::scenario::metric::Better;

/// For each strategy, whether it is best in `metric`. Whoever reads the same figure has tied; if all do, none is best.
pub(super) fn best(strategies: &[StrategyOutcome], metric: Metric) -> Vec<bool> {
    let shown = |strategy: &StrategyOutcome| {
        strategy.metrics.get(&metric).map(|figure| units::figure(metric, figure.estimate.mean))
    };
    let means = strategies.iter().filter_map(|strategy| Some(strategy.metrics.get(&metric)?.estimate.mean));
    let best = match metric.better() {
        Better::Higher => means.max_by(f64::total_cmp),
        Better::Lower => means.min_by(f64::total_cmp).filter(|best| best.is_finite()),
        Better::Neither => None,
    };
    let best = best.map(|best| units::figure(metric, best));
    let marks: Vec<bool> = strategies.iter().map(|strategy| best.is_some() && shown(strategy) == best).collect();
    if marks.iter().all(|best| *best) { vec![false; marks.len()] } else { marks }
}
