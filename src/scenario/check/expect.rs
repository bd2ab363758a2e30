//! Expectations: `strategy: [worst|best] metric [from ORIGIN] op bound [when] [in 90% of seeds]`.

use std::time::Duration;

use super::Checker;
use crate::random::Probability;
use crate::record::{Code, Origin};
use crate::scenario::amount::figure;
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::metric::{Metric, Unit};
use crate::scenario::plan::{
    Aggregate, Bound, ErrorFilter, Expectation, FaultPlan, Op, Scope, Strategies, StrategyPlan,
};
use crate::scenario::raw;
use crate::scenario::units;
use crate::scenario::yaml::shorten;

/// Longer operators first: `>=` begins with `>`.
const OPS: [(&str, Op); 6] = [
    (">=", Op::AtLeast),
    ("<=", Op::AtMost),
    ("==", Op::Equal),
    ("!=", Op::NotEqual),
    (">", Op::Above),
    ("<", Op::Below),
];
const GRAMMAR: &str = "an expectation reads `success_rate >= 99.9%`, `worst p99 <= 800ms`, `amplification < 0.5 * naive` \
                       `success_rate >= 95% during crash-1`, `errors from network <= 10` or `p99 <= 1s in 90% of seeds`";

/// What an expectation may refer to.
struct Around<'a> {
    strategies: &'a [StrategyPlan],
    faults: &'a [FaultPlan],
    span: Span,
    /// What the file says there, quotes included.
    written: &'a str,
}

impl Around<'_> {
    /// Where a word of the expectation stands.
    fn at(&self, word: &str) -> Span {
        let found = self.written.find(word.trim()).filter(|_| !word.trim().is_empty());
        found.map_or(self.span, |at| {
            let start = self.span.start + at as u32;
            Span { start, end: start + word.trim().len() as u32, ..self.span }
        })
    }
}

/// What an expectation calls those whose figures it is about.
fn spoken(strategies: Strategies, all: &[StrategyPlan]) -> &str {
    match strategies {
        Strategies::All => "all",
        Strategies::One(place) => &all[place].name,
    }
}

impl Checker<'_> {
    pub(super) fn expectations(
        &mut self,
        scenario: &raw::Scenario,
        strategies: &[StrategyPlan],
        faults: &[FaultPlan],
    ) -> Vec<Expectation> {
        let mut checked: Vec<Expectation> = Vec::new();
        // Where a strategy could not be read, an expectation may well mean that one.
        let complete = scenario.strategies.get().is_some_and(|all| all.len() <= strategies.len());
        for (entries, _) in scenario.expect.items() {
            for (named, field) in &entries.0 {
                let whose = self.whose(&named.name, named.span, strategies, complete);
                let Some((text, span)) = field.with_span() else { continue };
                let written = self.sources[span.source as usize].text.get(span.start as usize..span.end as usize);
                let around = Around { strategies, faults, span, written: written.unwrap_or_default() };
                let Some(read) = self.expectation(text, &around) else { continue };
                let (line, words) = (self.line(named.span), text.split_whitespace().collect::<Vec<_>>().join(" "));
                for strategies in whose {
                    let text = format!("{}: {words}", spoken(strategies, around.strategies));
                    if checked.iter().any(|known| known.text == text) {
                        self.wrong(span, "this is expected twice");
                    }
                    checked.push(Expectation { line, text, strategies, ..read.clone() });
                }
            }
        }
        checked
    }

    /// Whose an expectation is: of all together, of one, or of each in a sweep.
    fn whose(&mut self, name: &str, span: Span, strategies: &[StrategyPlan], complete: bool) -> Vec<Strategies> {
        if name == "all" {
            return vec![Strategies::All];
        }
        let own = strategies.iter().position(|strategy| strategy.name == name);
        // A name that two have is a mistake already told.
        let is_new = |place: usize| strategies[..place].iter().all(|before| before.name != strategies[place].name);
        let of_sweep =
            strategies.iter().enumerate().filter(|(place, strategy)| strategy.is_called(name) && is_new(*place));
        let found: Vec<Strategies> = match own {
            Some(place) => vec![Strategies::One(place)],
            None => of_sweep.map(|(place, _)| Strategies::One(place)).collect(),
        };
        if found.is_empty() && complete && !strategies.is_empty() {
            let mistake = Mistake::at(span, format!("no strategy of this scenario is named `{}`", shorten(name)));
            let known = strategies.iter().map(|strategy| strategy.name.as_str()).chain(["all"]);
            self.push(mistake.suggest(name, "strategies here", known));
        }
        found
    }

    /// Everything but whose it is and where it stands.
    fn expectation(&mut self, text: &str, around: &Around<'_>) -> Option<Expectation> {
        let Some((at, (symbol, op))) =
            OPS.iter().filter_map(|it| text.find(it.0).map(|at| (at, it))).min_by_key(|it| it.0)
        else {
            let mistake = Mistake::at(around.span, format!("`{}` compares nothing", shorten(text)));
            self.push(mistake.help(GRAMMAR));
            return None;
        };
        let (left, right) = (&text[..at], &text[at + symbol.len()..]);
        let words: Vec<&str> = left.split_whitespace().collect();
        let (aggregate, words) = match &words[..] {
            ["worst", rest @ ..] => (Aggregate::Worst, rest),
            ["best", rest @ ..] => (Aggregate::Best, rest),
            rest => (Aggregate::Mean, rest),
        };
        let (metric, from) = match words {
            [metric] => (*metric, None),
            [metric, "from", from] => (*metric, Some(*from)),
            _ => {
                let mistake = Mistake::at(around.at(left), format!("`{}` is no metric", shorten(left.trim())));
                self.push(mistake.help(GRAMMAR));
                return None;
            }
        };
        let Ok(metric) = metric.parse::<Metric>() else {
            let mistake = Mistake::at(around.at(metric), format!("no metric is named `{}`", shorten(metric)));
            self.push(mistake.suggest(metric, "metrics", Metric::ALL.map(Metric::name)));
            return None;
        };
        let errors = from.map_or(Some(ErrorFilter::ANY), |from| self.errors(from, metric, around))?;
        let (right, share) = self.cut_share(right, around)?;
        let aggregate = match share {
            None => aggregate,
            Some(share) if aggregate == Aggregate::Mean && !matches!(op, Op::Equal | Op::NotEqual) => {
                Aggregate::Share(share)
            }
            Some(_) => {
                let message =
                    "a share of the seeds is asked with `>=`, `>`, `<=` or `<`, and without `worst` or `best`";
                self.wrong(around.span, message);
                return None;
            }
        };
        let (bound, scope) = cut_scope(right);
        let bound = self.bound(bound.trim(), metric, around);
        let scope = self.scope(scope, around);
        let (strategies, line, text) = (Strategies::All, 0, String::new());
        let (scope, bound) = (scope?, bound?);
        Some(Expectation { line, text, strategies, metric, errors, aggregate, scope, op: *op, bound })
    }

    /// `network`, `UNAVAILABLE` or `UNAVAILABLE/network`.
    fn errors(&mut self, from: &str, metric: Metric, around: &Around<'_>) -> Option<ErrorFilter> {
        if !matches!(metric, Metric::Errors | Metric::ErrorRate) {
            let mistake = Mistake::at(around.at(from), format!("`{metric}` counts no errors"));
            self.push(mistake.help("`errors` and `error_rate` may be asked `from` an origin or a code"));
            return None;
        }
        let code = |name: &str| Code::all().find(|code| code.name() == name);
        let origin = |name: &str| Origin::all().find(|origin| origin.name() == name);
        let filter = match from.split_once('/') {
            Some((one, other)) => code(one).zip(origin(other)).map(|(code, origin)| (Some(code), Some(origin))),
            None => {
                code(from).map(|code| (Some(code), None)).or_else(|| origin(from).map(|origin| (None, Some(origin))))
            }
        };
        let Some((code, origin)) = filter else {
            let mistake = Mistake::at(around.at(from), format!("no errors come from `{}`", shorten(from)));
            self.push(mistake.suggest(from, "origins", Origin::all().map(Origin::name)));
            return None;
        };
        Some(ErrorFilter { code, origin })
    }

    /// What stands before `in 90% of seeds`, and the share.
    fn cut_share<'t>(&mut self, text: &'t str, around: &Around<'_>) -> Option<(&'t str, Option<f64>)> {
        let Some(cut) = text.trim_end().strip_suffix("of seeds") else { return Some((text, None)) };
        let Some((rest, share)) = cut.rsplit_once(" in ") else {
            self.push(Mistake::at(around.at("of seeds"), "of how many seeds?").help(GRAMMAR));
            return None;
        };
        match units::percent(share.trim()).map(Probability::value) {
            Ok(share) if share > 0.0 => Some((rest, Some(share))),
            _ => {
                let message = format!("`{}` is no share of the seeds", shorten(share.trim()));
                self.push(Mistake::at(around.at(share), message).help("write `in 90% of seeds`"));
                None
            }
        }
    }

    fn bound(&mut self, text: &str, metric: Metric, around: &Around<'_>) -> Option<Bound> {
        if text.is_empty() {
            self.push(Mistake::at(around.span, "nothing to compare with").help(GRAMMAR));
            return None;
        }
        let (times, name) = match text.split_once('*') {
            Some((times, name)) => {
                (times.trim().parse::<f64>().ok().filter(|times| *times > 0.0 && times.is_finite()), name.trim())
            }
            None => (Some(1.0), text),
        };
        if let Some(strategy) = around.strategies.iter().position(|strategy| strategy.name == name) {
            let Some(times) = times else {
                self.push(Mistake::at(around.at(text), format!("`{}` is no factor", shorten(text))).help(GRAMMAR));
                return None;
            };
            return Some(Bound::Strategy { strategy, times });
        }
        if name.starts_with(|c: char| c.is_ascii_alphabetic()) && name != "never" {
            let mistake =
                Mistake::at(around.at(name), format!("`{}` is neither a figure nor a strategy", shorten(name)));
            let known = around.strategies.iter().map(|strategy| strategy.name.as_str());
            self.push(mistake.suggest(name, "strategies here", known));
            return None;
        }
        match figure(text, metric) {
            Ok(value) => Some(Bound::Value(value)),
            Err(why) => {
                let mut lines = why.lines();
                let mut mistake = Mistake::at(around.at(text), lines.next().unwrap_or_default());
                mistake = lines.fold(mistake, Mistake::help);
                self.push(mistake.help(format!("`{metric}` is {}", unit(metric))));
                None
            }
        }
    }

    fn scope(&mut self, text: &str, around: &Around<'_>) -> Option<Scope> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            [] => Some(Scope::Whole),
            ["during", id] => self.fault_named(id, around).map(Scope::During),
            ["before", id] => self.fault_named(id, around).map(Scope::Before),
            ["after", id] => self.fault_named(id, around).map(|fault| Scope::After(fault, Duration::ZERO)),
            ["after", id, "+", pause] => {
                let fault = self.fault_named(id, around);
                let pause = self.moment(pause, around);
                Some(Scope::After(fault?, pause?))
            }
            ["between", from, "and", to] => {
                let (from, to) = (self.moment(from, around), self.moment(to, around));
                let (from, to) = (from?, to?);
                if from >= to || from >= self.duration {
                    self.wrong(around.span, "no call is due in this time");
                }
                Some(Scope::Between(from, to))
            }
            _ => {
                let mistake = Mistake::at(around.at(text), format!("`{}` says not when", shorten(text.trim())));
                let help = "write `during crash-1`, `before crash-1`, `after crash-1`, `after crash-1 + 5s` or `between 10s and 20s`";
                self.push(mistake.help(help));
                None
            }
        }
    }

    fn fault_named(&mut self, id: &str, around: &Around<'_>) -> Option<usize> {
        let place = around.faults.iter().position(|fault| fault.id == id);
        if place.is_none() {
            let mistake = Mistake::at(around.at(id), format!("no fault is named `{}`", shorten(id)));
            self.push(mistake.suggest(id, "faults here", around.faults.iter().map(|fault| fault.id.as_str())));
        }
        place
    }

    fn moment(&mut self, text: &str, around: &Around<'_>) -> Option<Duration> {
        let read = units::duration(text).map_err(|why| why.to_string());
        read.map_err(|why| self.wrong(around.at(text), why.lines().next().unwrap_or_default())).ok()
    }
}

/// The bound, one word or `factor * strategy`, and the scope after it.
fn cut_scope(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let word = |text: &str| text.find(char::is_whitespace).unwrap_or(text.len());
    let mut end = word(text);
    let (mut rest, mut joined) = (&text[end..], text[..end].ends_with('*'));
    while joined || rest.trim_start().starts_with('*') {
        let blank = rest.len() - rest.trim_start().len();
        let next = blank + word(&rest[blank..]);
        if next == 0 {
            break;
        }
        joined = rest[..next].ends_with('*');
        end += next;
        rest = &text[end..];
    }
    text.split_at(end)
}

fn unit(metric: Metric) -> &'static str {
    match metric.unit() {
        Unit::Share => "a share, such as `99.9%`",
        Unit::Ratio => "a ratio, such as `1.3`",
        Unit::PerSecond => "a rate, such as `150/s`",
        Unit::Milliseconds => "a time, such as `800ms`",
        Unit::Count => "a whole number, such as `0`",
    }
}
