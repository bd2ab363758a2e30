//! Strategies: looked up or defined, and told apart by name.

use super::Checker;
use crate::resilience::{Preset, ServiceConfig, Strategy};
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::load::Resolver;
use crate::scenario::name::made_of;
use crate::scenario::plan::StrategyPlan;
use crate::scenario::raw::{self, List, ScalarOr};
use crate::scenario::sweep::suffix;
use crate::scenario::yaml::shorten;

/// Strategies that scenarios share, nearest file first; the presets come last.
pub(crate) struct Shelf<'r> {
    /// What the shared files hold.
    pub(crate) shared: Vec<raw::Shared>,
    /// Where service configs are read from.
    pub(crate) resolver: &'r dyn Resolver,
}

impl Shelf<'_> {
    /// The strategies of this name in the nearest file that has any: one, or all of a sweep.
    fn find(&self, name: &str) -> Vec<(&raw::Strategy, Span)> {
        let called = |strategy: &raw::Strategy| {
            let own = strategy.name.get();
            own.is_some_and(|own| own == name || format!("{own}{}", combination(strategy)) == name)
        };
        let found = |shared: &'_ raw::Shared| shared.strategies.items().filter(|(one, _)| called(one)).count();
        let file = self.shared.iter().find(|shared| found(shared) > 0);
        file.into_iter().flat_map(|shared| shared.strategies.items().filter(|(one, _)| called(one))).collect()
    }

    fn names(&self) -> Vec<&str> {
        let all = self.shared.iter().flat_map(|shared| shared.strategies.items());
        let defined = all.filter_map(|(strategy, _)| strategy.name.get()).map(String::as_str);
        defined.chain(Preset::ALL.iter().map(|preset| preset.name)).collect()
    }
}

/// What its place in a sweep adds to a strategy's name; nothing without one.
fn combination(strategy: &raw::Strategy) -> String {
    let Some(options) = strategy.sweep.get() else { return String::new() };
    let one = |field: &'_ raw::Field<Vec<raw::Field<raw::Swept>>>| Some(field.get()?.first()?.get()?.0.clone());
    let values: Vec<(&str, String)> =
        options.0.iter().filter_map(|(named, field)| Some((named.name.as_str(), one(field)?))).collect();
    suffix(values.iter().map(|(name, value)| (*name, value.as_str())))
}

impl Checker<'_> {
    pub(super) fn strategies(
        &mut self,
        list: &List<ScalarOr<String, raw::Strategy>>,
        head: Span,
        shelf: &Shelf<'_>,
    ) -> Vec<StrategyPlan> {
        self.required(list, "strategies", head);
        if let Some((_, span)) = list.with_span().filter(|(entries, _)| entries.is_empty()) {
            let mistake = Mistake::at(span, "`strategies` is empty: there is nothing to compare");
            self.push(mistake.help("name some: `strategies: [none, deadline, full-jitter]`"));
        }
        let mut strategies: Vec<StrategyPlan> = Vec::new();
        for (entry, span) in list.items() {
            for strategy in self.entry(entry, span, shelf) {
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
        }
        strategies
    }

    /// The one strategy that a tier calls the next one with, by name or as it stands.
    pub(super) fn strategy(
        &mut self,
        entry: &ScalarOr<String, raw::Strategy>,
        span: Span,
        shelf: &Shelf<'_>,
    ) -> Option<StrategyPlan> {
        let swept = match entry {
            ScalarOr::Full(strategy) => strategy.sweep.span(),
            ScalarOr::Scalar(_) => None,
        };
        let mut found = self.entry(entry, span, shelf);
        if let Some(at) = swept.or((found.len() > 1).then_some(span)) {
            let mistake = Mistake::at(at, "a tier calls with one strategy, and this is a sweep");
            self.push(
                mistake.help("only the strategies under test are swept; name one of them, as in `name[base=10ms]`"),
            );
        }
        found.pop()
    }

    /// What one entry of a list stands for: by name or as it stands; a name may be that of a sweep.
    fn entry(&mut self, entry: &ScalarOr<String, raw::Strategy>, span: Span, shelf: &Shelf<'_>) -> Vec<StrategyPlan> {
        let found = match entry {
            ScalarOr::Full(strategy) => vec![(strategy, span)],
            ScalarOr::Scalar(name) => match (shelf.find(name), Preset::named(name)) {
                (found, Some(preset)) if found.is_empty() => return vec![self.preset(preset, None, span)],
                (found, None) if found.is_empty() => {
                    let mistake = Mistake::at(span, format!("no strategy is named `{}`", shorten(name)));
                    self.push(mistake.suggest(name, "strategies known here", shelf.names()));
                    return Vec::new();
                }
                (found, _) => found,
            },
        };
        found.into_iter().filter_map(|(strategy, place)| self.defined(strategy, span, place, shelf)).collect()
    }

    /// A strategy as it stands at `place`, listed at `span`.
    fn defined(
        &mut self,
        strategy: &raw::Strategy,
        span: Span,
        place: Span,
        shelf: &Shelf<'_>,
    ) -> Option<StrategyPlan> {
        if let Some((name, at)) = strategy.name.with_span() {
            self.valid_name(name, at, "a strategy");
            if name == "all" {
                self.push(
                    Mistake::at(at, "`all` cannot name a strategy").help("in expectations it means every strategy"),
                );
            }
        }
        self.one_source(strategy);
        let mut plan = if let Some((name, at)) = strategy.preset.with_span() {
            let Some(preset) = Preset::named(name) else {
                let mistake = Mistake::at(at, format!("no preset is named `{}`", shorten(name)));
                self.push(mistake.suggest(name, "presets", Preset::ALL.iter().map(|preset| preset.name)));
                return None;
            };
            self.preset(preset, strategy.name.get(), span)
        } else if let Some((file, at)) = strategy.service_config.with_span() {
            let cap = strategy.max_call_attempts.or(0).into();
            self.service_config(file, at, strategy.name.get(), cap, shelf)?
        } else {
            let name = format!("{}{}", self.required(&strategy.name, "name", place)?, combination(strategy));
            let stack = self.stack(&name, strategy);
            StrategyPlan { name, about: String::new(), line: 0, strategy: stack }
        };
        if let Some(about) = strategy.about.get() {
            plan.about = about.trim().to_owned();
        }
        plan.line = self.line(span);
        Some(plan)
    }

    /// Layers and channel, or a preset, or a service config.
    fn one_source(&mut self, strategy: &raw::Strategy) {
        let given = [
            ("layers", strategy.layers.span()),
            ("channel", strategy.channel.span()),
            ("preset", strategy.preset.span()),
            ("service_config", strategy.service_config.span()),
        ];
        let given: Vec<(&str, Span)> = given.into_iter().filter_map(|(name, at)| Some((name, at?))).collect();
        if let [(first, _), .., (last, at)] = given[..]
            && matches!(last, "preset" | "service_config")
        {
            let mistake = Mistake::at(at, format!("`{first}` and `{last}` in one strategy"));
            self.push(mistake.help("a strategy is made of layers and a channel, or is a preset, or a service config"));
        }
        if let Some(at) = strategy.max_call_attempts.span().filter(|_| strategy.service_config.is_absent()) {
            self.wrong(at, "`max_call_attempts` goes with `service_config`: a retry has `attempts` of its own");
        }
    }

    fn preset(&self, preset: &Preset, name: Option<&String>, span: Span) -> StrategyPlan {
        let name = name.map_or_else(|| preset.name.to_owned(), Clone::clone);
        let strategy = Strategy { name: name.clone(), ..preset.strategy() };
        StrategyPlan { name, about: preset.about.to_owned(), line: self.line(span), strategy }
    }

    fn service_config(
        &mut self,
        file: &str,
        span: Span,
        name: Option<&String>,
        attempts_cap: i64,
        shelf: &Shelf<'_>,
    ) -> Option<StrategyPlan> {
        // A file may be called what no strategy may.
        let stem = std::path::Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
        let name = name.cloned().unwrap_or_else(|| made_of(&stem, "service-config"));
        let json = match shelf.resolver.read(file) {
            Ok(json) => json,
            Err(why) => {
                self.wrong(span, format!("`{}`: {why}", shorten(file)));
                return None;
            }
        };
        match ServiceConfig::parse_capped(&json, attempts_cap) {
            Ok(config) => {
                let strategy = config.into_strategy(&name);
                let about = format!("the gRPC service config {file}");
                Some(StrategyPlan { name, about, line: self.line(span), strategy })
            }
            Err(why) => {
                self.wrong(span, format!("`{}`: {why}", shorten(file)));
                None
            }
        }
    }
}
