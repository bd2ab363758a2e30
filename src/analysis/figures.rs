//! The figures of one strategy over its seeds.

use std::ops::Range;

use super::recovery::recovery_ns;
use super::scopes::Scopes;
use super::series::Series;
use super::tally::PartMetrics;
use super::trial::TrialMetrics;
use super::worst::Worst;
use crate::scenario::{ErrorFilter, Metric, Scope};

/// What one strategy did, seed by seed.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    scopes: Scopes,
    seeds: Vec<SeedFigures>,
}

#[derive(Clone, Debug)]
struct SeedFigures {
    seed: u64,
    parts: Vec<PartMetrics>,
    recovery_ms: Option<f64>,
}

impl Figures {
    pub(super) fn new(scopes: Scopes) -> Self {
        Self { scopes, seeds: Vec::new() }
    }

    /// Adds a seed's trial, with its control twin if that was run.
    pub(super) fn push(&mut self, seed: u64, trial: &TrialMetrics, control: Option<&TrialMetrics>) {
        let recovery_ms = control.and_then(|control| recovery_ms(trial, &control.series));
        self.seeds.push(SeedFigures { seed, parts: trial.parts.clone(), recovery_ms });
    }

    pub(super) fn seeds(&self) -> impl Iterator<Item = u64> {
        self.seeds.iter().map(|figures| figures.seed)
    }

    /// A metric's figure over the whole run for each seed, in the metric's unit; none where there was nothing to measure.
    pub(super) fn values(&self, metric: Metric) -> Vec<Option<f64>> {
        self.values_in(metric, ErrorFilter::ANY, &Scope::Whole)
    }

    /// The same over a part of the run, and of `errors` alone where errors are counted.
    pub(super) fn values_in(&self, metric: Metric, errors: ErrorFilter, scope: &Scope) -> Vec<Option<f64>> {
        let part = self.scopes.part(scope);
        let value = |figures: &SeedFigures| match metric {
            Metric::Recovery => figures.recovery_ms,
            _ => figures.parts.get(part?)?.value(metric, errors),
        };
        self.seeds.iter().map(value).collect()
    }

    /// The calls to look at in a part of a seed's run.
    pub(super) fn worst(&self, seed: u64, scope: &Scope) -> Option<&Worst> {
        let part = self.scopes.part(scope)?;
        let figures = self.seeds.iter().find(|figures| figures.seed == seed)?;
        figures.parts.get(part).map(|part| &part.worst)
    }

    /// When calls are due that a scope counts; none for the whole run.
    pub(super) fn window(&self, scope: &Scope) -> Option<&[Range<u64>]> {
        self.scopes.window(scope)
    }
}

fn recovery_ms(trial: &TrialMetrics, control: &Series) -> Option<f64> {
    let windows: Vec<(u64, u64)> = trial.fault_windows.iter().map(|window| (window.start_ns, window.end_ns)).collect();
    recovery_ns(&trial.series, control, &windows).map(|ns| ns / 1e6)
}

#[cfg(test)]
impl Figures {
    /// Figures of the whole run, for seeds 1, 2, 3 ...
    pub(super) fn by_hand(parts: Vec<PartMetrics>) -> Self {
        let scopes = Scopes::whole();
        let seeds = parts.into_iter().zip(1..);
        let seeds = seeds.map(|(part, seed)| SeedFigures { seed, parts: vec![part], recovery_ms: None }).collect();
        Self { scopes, seeds }
    }
}
