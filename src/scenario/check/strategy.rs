//! Strategies: looked up or defined, and told apart by name.

use super::Checker;
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::plan::StrategyPlan;
use crate::scenario::raw::{self, List, ScalarOr};

/// Strategies that scenarios share, nearest file first; the presets come last.
#[derive(Debug, Default)]
pub(crate) struct Shelf(pub(crate) Vec<raw::Shared>);

impl Shelf {
    fn find(&self, name: &str) -> Option<(&raw::Strategy, Span)> {
        let mut all = self.0.iter().flat_map(|shared| shared.strategies.items());
        all.find(|(strategy, _)| strategy.name.get().is_some_and(|known| known == name))
    }

    fn names(&self) -> Vec<&str> {
        let all = self.0.iter().flat_map(|shared| shared.strategies.items());
        all.filter_map(|(strategy, _)| strategy.name.get()).map(String::as_str).collect()
    }
}

impl Checker<'_> {
    pub(super) fn strategies(
        &mut self,
        list: &List<ScalarOr<String, raw::Strategy>>,
        head: Span,
        shelf: &Shelf,
    ) -> Vec<StrategyPlan> {
        self.required(list, "strategies", head);
        if let Some((_, span)) = list.with_span().filter(|(entries, _)| entries.is_empty()) {
            let mistake = Mistake::at(span, "`strategies` is empty: there is nothing to compare");
            self.push(mistake.help("name some: `strategies: [none, deadline, full-jitter]`"));
        }
        let mut strategies: Vec<StrategyPlan> = Vec::new();
        for (entry, span) in list.items() {
            let Some(strategy) = self.strategy(entry, span, shelf) else { continue };
            if let Some(first) = strategies.iter().find(|known| known.name == strategy.name) {
                let (name, line) = (&strategy.name, first.line);
                let place = match entry {
                    ScalarOr::Scalar(_) => span,
                    ScalarOr::Full(full) => full.name.span().unwrap_or(span),
                };
                let mistake = Mistake::at(place, format!("two strategies are named `{name}`"));
                self.push(mistake.label(format!("the first is on line {line}")));
            }
            strategies.push(strategy);
        }
        strategies
    }

    /// One strategy, by name or as it stands.
    pub(super) fn strategy(
        &mut self,
        entry: &ScalarOr<String, raw::Strategy>,
        span: Span,
        shelf: &Shelf,
    ) -> Option<StrategyPlan> {
        let (strategy, place) = match entry {
            ScalarOr::Full(strategy) => (strategy, span),
            ScalarOr::Scalar(name) => match shelf.find(name) {
                Some(found) => found,
                None => {
                    let shown = crate::scenario::yaml::shorten(name);
                    let mistake = Mistake::at(span, format!("no strategy is named `{shown}`"));
                    self.push(mistake.suggest(name, "strategies known here", shelf.names()));
                    return None;
                }
            },
        };
        let name = self.required(&strategy.name, "name", place)?.clone();
        if let Some((name, at)) = strategy.name.with_span() {
            self.valid_name(name, at, "a strategy");
            if name == "all" {
                self.push(
                    Mistake::at(at, "`all` cannot name a strategy").help("in expectations it means every strategy"),
                );
            }
        }
        let about = strategy.about.get().map(|about| about.trim().to_owned()).unwrap_or_default();
        Some(StrategyPlan { line: self.line(span), about, strategy: self.stack(&name, strategy), name })
    }
}
