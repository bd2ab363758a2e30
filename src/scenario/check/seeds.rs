//! Seeds: how many, from which on, and when there are enough.

use super::Checker;
use crate::scenario::amount::margin;
use crate::scenario::diagnostics::Mistake;
use crate::scenario::metric::Metric;
use crate::scenario::plan::{Enough, Seeds};
use crate::scenario::raw::{self, Entries, Field, ScalarOr};

const SEEDS: u32 = 5;
const ENOUGH: u32 = 100;
const MOST_SEEDS: u32 = 100_000;

impl Checker<'_> {
    pub(super) fn seeds(&mut self, field: &Field<ScalarOr<u32, raw::Seeds>>) -> (Seeds, Enough) {
        let (first, count, span) = match field.with_span() {
            None => (1, SEEDS, None),
            Some((ScalarOr::Scalar(count), span)) => (1, *count, Some(span)),
            Some((ScalarOr::Full(seeds), span)) => (seeds.first.or(1), seeds.count.or(SEEDS), Some(span)),
        };
        if let Some(span) = span.filter(|_| count == 0 || count > MOST_SEEDS) {
            self.wrong(span, format!("the number of seeds is between 1 and {MOST_SEEDS}, not {count}"));
        }
        let enough = match field.get() {
            Some(ScalarOr::Full(seeds)) => self.enough(seeds, count),
            _ => Enough { until: Vec::new(), most: count },
        };
        (Seeds { first, count: count.max(1) }, enough)
    }

    fn enough(&mut self, seeds: &raw::Seeds, count: u32) -> Enough {
        let until = seeds.until.get().map_or_else(Vec::new, |metrics| self.until(metrics));
        if let Some(span) = seeds.most.span().filter(|_| seeds.until.is_absent()) {
            let mistake = Mistake::at(span, "`most` limits nothing: the number of seeds is fixed");
            self.push(mistake.help("add `until: { p99: 10% }`, or leave it out"));
        }
        let most = seeds.most.or(ENOUGH.max(count));
        if let Some(span) = seeds.most.span().filter(|_| most < count || most > MOST_SEEDS) {
            self.wrong(span, format!("`most` is between the {count} seeds of `count` and {MOST_SEEDS}, not {most}"));
        }
        if let Some(span) = seeds.until.span().filter(|_| count < 2) {
            self.wrong(span, "one seed has no interval: `count` must be at least 2 with `until`");
        }
        Enough { until, most }
    }

    fn until(&mut self, metrics: &Entries<String>) -> Vec<(Metric, crate::scenario::Margin)> {
        let mut until = Vec::new();
        for (named, field) in &metrics.0 {
            let Ok(metric) = named.name.parse::<Metric>() else {
                let mistake = Mistake::at(named.span, format!("no metric is named `{}`", named.name));
                self.push(mistake.suggest(&named.name, "metrics", Metric::ALL.map(Metric::name)));
                continue;
            };
            let Some((text, span)) = field.with_span() else { continue };
            match margin(text, metric) {
                Ok(margin) if margin.around(1.0) > 0.0 => until.push((metric, margin)),
                Ok(_) => self.wrong(span, "no number of seeds makes an interval a point"),
                Err(why) => self.wrong(span, why.lines().next().unwrap_or_default()),
            }
        }
        until
    }
}
