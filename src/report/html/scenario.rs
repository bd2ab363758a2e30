//! One scenario's part of the page, ready for the template.

use super::difference::{self, signed};
use super::{Badge, cdf, course, marks, pareto, units};
use crate::analysis::{FaultOutcome, Judgement, ScenarioOutcome, StrategyOutcome, Verdict};
use crate::report::{Run, best, front, ranking, reproduce, why};
use crate::scenario::Metric;

/// The columns of the table of figures.
const COLUMNS: [(Metric, &str); 11] = [
    (Metric::SuccessRate, "Success"),
    (Metric::Goodput, "Goodput"),
    (Metric::P50, "p50"),
    (Metric::P99, "p99"),
    (Metric::P999, "p99.9"),
    (Metric::Amplification, "Amplification"),
    (Metric::WorkAmplification, "Work"),
    (Metric::WastedWork, "Wasted work"),
    (Metric::Recovery, "Recovery"),
    (Metric::LostAcknowledged, "Lost"),
    (Metric::Duplicates, "Duplicates"),
];

/// The metrics in which strategies are compared on the page.
const COMPARED: [(Metric, &str); 8] = [
    (Metric::SuccessRate, "Success"),
    (Metric::P50, "Median latency"),
    (Metric::P99, "99th percentile of latency"),
    (Metric::Amplification, "Amplification"),
    (Metric::WastedWork, "Wasted work"),
    (Metric::Recovery, "Recovery"),
    (Metric::LostAcknowledged, "Lost acknowledged alerts"),
    (Metric::Duplicates, "Duplicates"),
];

pub(super) struct Scenario<'a> {
    pub(super) id: String,
    pub(super) name: &'a str,
    pub(super) about: &'a str,
    pub(super) file: &'a str,
    pub(super) verdict: Badge,
    pub(super) facts: String,
    pub(super) held: String,
    pub(super) faults: Vec<Fault<'a>>,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Row<'a>>,
    pub(super) courses: Vec<Course<'a>>,
    pub(super) cdf: Option<String>,
    pub(super) legend: Vec<Drawing<'a>>,
    pub(super) paretos: Vec<Drawing<'static>>,
    /// Those on the Pareto front of success, tail and price.
    pub(super) front: Vec<&'a str>,
    pub(super) against: &'a str,
    pub(super) differences: Vec<Differences>,
    pub(super) error_kinds: Vec<String>,
    pub(super) errors: Vec<Errors<'a>>,
    pub(super) expectations: Vec<Expectation<'a>>,
    /// Who is first, for the index.
    pub(super) first: String,
    /// Place, name, and how it stands to the next.
    pub(super) ranking: Vec<[String; 3]>,
    pub(super) source: Vec<(usize, &'a str)>,
    pub(super) reproduce: String,
}

pub(super) struct Fault<'a> {
    pub(super) outcome: &'a FaultOutcome,
    pub(super) windows: String,
    pub(super) verdict: Option<Badge>,
}

pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    pub(super) legend: String,
    pub(super) cells: Vec<Cell>,
}

pub(super) struct Cell {
    pub(super) mean: String,
    pub(super) interval: Option<String>,
    pub(super) best: bool,
}

/// A drawing and what it is called.
pub(super) struct Drawing<'a> {
    pub(super) name: &'a str,
    pub(super) svg: String,
}

/// A strategy over time, drawn and as a table.
pub(super) struct Course<'a> {
    pub(super) name: &'a str,
    pub(super) svg: String,
    pub(super) rows: Vec<[String; 9]>,
}

pub(super) struct Differences {
    pub(super) title: &'static str,
    pub(super) svg: String,
    /// Name, mean, low, high, word.
    pub(super) rows: Vec<[String; 5]>,
}

pub(super) struct Errors<'a> {
    pub(super) name: &'a str,
    /// A count, and its share of the highest count, in percent.
    pub(super) counts: Vec<(u64, u64)>,
}

pub(super) struct Expectation<'a> {
    pub(super) strategy: &'a str,
    pub(super) judgement: &'a Judgement,
    pub(super) verdict: Badge,
    pub(super) observed: String,
    pub(super) bound: String,
    /// Why it is not a pass.
    pub(super) why: Vec<String>,
    /// What shows it again, if the run failed for it.
    pub(super) commands: Vec<String>,
}

impl<'a> Scenario<'a> {
    pub(super) fn of(run: &Run, outcome: &'a ScenarioOutcome, text: &'a str, number: usize) -> Self {
        let strategies = &outcome.strategies;
        let extent = course::Extent::of(outcome);
        let expectations: Vec<Expectation<'_>> = strategies
            .iter()
            .flat_map(|strategy| strategy.expectations.iter().map(move |one| (strategy, one)))
            .map(|(strategy, judgement)| expectation(run, outcome, strategy, judgement))
            .collect();
        let (error_kinds, errors) = errors(strategies);
        let paretos = [(Metric::Amplification, "amplification"), (Metric::P99, "p99 latency")];
        Self {
            id: format!("s{number}"),
            name: &outcome.name,
            about: outcome.about.trim(),
            file: &outcome.file,
            verdict: Badge::of(outcome.verdict(run.policy)),
            facts: facts(outcome),
            held: held(&expectations),
            faults: outcome
                .faults
                .iter()
                .enumerate()
                .map(|(place, fault)| self::fault(outcome, place, fault))
                .collect(),
            columns: columns(strategies).map(|(_, title)| title).collect(),
            rows: rows(strategies),
            courses: strategies
                .iter()
                .map(|strategy| Course {
                    name: &strategy.name,
                    svg: course::draw(outcome, strategy, &extent),
                    rows: course::rows(strategy, &extent),
                })
                .collect(),
            cdf: cdf::draw(outcome),
            legend: strategies
                .iter()
                .enumerate()
                .map(|(place, strategy)| Drawing { name: &strategy.name, svg: marks::legend(place) })
                .collect(),
            paretos: paretos
                .into_iter()
                .filter_map(|(metric, name)| Some(Drawing { name, svg: pareto::draw(outcome, metric, name)? }))
                .collect(),
            front: front::names(outcome),
            against: strategies.first().map_or("", |strategy| &strategy.name),
            differences: COMPARED.iter().filter_map(|(metric, title)| differences(outcome, *metric, title)).collect(),
            error_kinds,
            errors,
            expectations,
            first: first(outcome),
            ranking: ranking::rows(outcome),
            source: text.lines().enumerate().map(|(place, line)| (place + 1, line)).collect(),
            reproduce: reproduce::scenario(outcome),
        }
    }
}

impl Scenario<'_> {
    /// How many of the declared faults changed anything.
    pub(super) fn fired(&self) -> String {
        let fired = self.faults.iter().filter(|fault| fault.outcome.fired > 0).count();
        format!("{fired} of {}", self.faults.len())
    }
}

/// Who shares the first place, as long as they are few.
fn first(outcome: &ScenarioOutcome) -> String {
    let names: Vec<&str> =
        outcome.ranking.iter().filter(|rank| rank.place == 1).map(|rank| rank.strategy.as_str()).collect();
    match names.len() {
        0 => "–".to_owned(),
        1 | 2 => names.join(", "),
        count => format!("{count} that tie"),
    }
}

fn facts(outcome: &ScenarioOutcome) -> String {
    let seeds = match outcome.seeds[..] {
        [seed] => format!("seed {seed}"),
        ref seeds => format!("{} seeds", seeds.len()),
    };
    let strategies = match outcome.strategies.len() {
        1 => "1 strategy".to_owned(),
        count => format!("{count} strategies"),
    };
    format!("{} of load, {strategies}, {seeds}", units::nanoseconds(outcome.duration_ns))
}

fn held(expectations: &[Expectation<'_>]) -> String {
    let held = expectations.iter().filter(|one| one.verdict.class == "good").count();
    format!("{held} of {}", expectations.len())
}

fn fault<'a>(outcome: &ScenarioOutcome, place: usize, fault: &'a FaultOutcome) -> Fault<'a> {
    let own = outcome.fault_windows.iter().filter(|window| window.fault as usize == place);
    let windows: Vec<String> = own
        .map(|window| {
            let start = units::nanoseconds(window.start_ns);
            match window.end_ns {
                u64::MAX => format!("from {start} on"),
                end if end == window.start_ns => format!("at {start}"),
                end => format!("{start} to {}", units::nanoseconds(end)),
            }
        })
        .collect();
    let verdict = fault.never_fired().then(|| Badge { word: "never fired", ..Badge::of(Verdict::Fail) });
    Fault { outcome: fault, windows: windows.join(", "), verdict }
}

fn columns(strategies: &[StrategyOutcome]) -> impl Iterator<Item = (Metric, &'static str)> + '_ {
    let measured = move |metric: &Metric| strategies.iter().any(|strategy| strategy.metrics.contains_key(metric));
    COLUMNS.into_iter().filter(move |(metric, _)| measured(metric))
}

fn rows(strategies: &[StrategyOutcome]) -> Vec<Row<'_>> {
    let marks: Vec<(Metric, Vec<bool>)> =
        columns(strategies).map(|(metric, _)| (metric, best::best(strategies, metric))).collect();
    let cell = |place: usize, metric: Metric, best: bool| {
        let Some(figure) = strategies[place].metrics.get(&metric) else {
            return Cell { mean: "–".to_owned(), interval: None, best: false };
        };
        let text = units::with_interval(metric, figure);
        let (mean, interval) = match text.split_once(" [") {
            Some((mean, interval)) => (mean.to_owned(), Some(interval.trim_end_matches(']').replace(", ", " – "))),
            None => (text, None),
        };
        Cell { mean, interval, best }
    };
    let cells = |place: usize| marks.iter().map(|(metric, best)| cell(place, *metric, best[place])).collect();
    strategies
        .iter()
        .enumerate()
        .map(|(place, strategy)| Row { name: &strategy.name, legend: marks::legend(place), cells: cells(place) })
        .collect()
}

fn differences(outcome: &ScenarioOutcome, metric: Metric, title: &'static str) -> Option<Differences> {
    let rows = difference::rows(outcome, metric);
    let first = outcome.strategies.first()?;
    if rows.is_empty() || difference::are_equal(&rows) {
        return None;
    }
    let told = |row: &difference::Row| {
        let difference = row.comparison.difference;
        let [mean, low, high] = [difference.mean, difference.low, difference.high].map(|end| signed(metric, end));
        [row.name.clone(), mean, low, high, difference::word(row).to_owned()]
    };
    Some(Differences {
        title,
        svg: difference::draw(metric, &first.name, &rows),
        rows: rows.iter().map(told).collect(),
    })
}

fn errors(strategies: &[StrategyOutcome]) -> (Vec<String>, Vec<Errors<'_>>) {
    let mut kinds: Vec<String> = strategies.iter().flat_map(|strategy| strategy.errors.keys().cloned()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let most = strategies.iter().flat_map(|strategy| strategy.errors.values()).max().copied().unwrap_or(1).max(1);
    let count = |strategy: &StrategyOutcome, kind: &String| strategy.errors.get(kind).copied().unwrap_or_default();
    let rows = strategies.iter().map(|strategy| Errors {
        name: &strategy.name,
        counts: kinds
            .iter()
            .map(|kind| count(strategy, kind))
            .map(|count| (count, (count * 100).div_ceil(most)))
            .collect(),
    });
    let rows = rows.collect();
    (kinds, rows)
}

fn expectation<'a>(
    run: &Run,
    outcome: &ScenarioOutcome,
    strategy: &'a StrategyOutcome,
    judgement: &'a Judgement,
) -> Expectation<'a> {
    let show = |value: f64| units::figure(judgement.metric, value);
    let told = judgement.observed.zip(judgement.bound);
    let told = told.map(|(one, bound)| (one, units::held_against(judgement.metric, one.mean, bound)));
    let observed = told.as_ref().map_or_else(
        || "nothing to measure".to_owned(),
        |(one, [mean, _])| match (show(one.low), show(one.high)) {
            (low, high) if low == high => mean.clone(),
            (low, high) => format!("{mean} [{low}, {high}]"),
        },
    );
    Expectation {
        strategy: &strategy.name,
        judgement,
        verdict: Badge::of(judgement.verdict),
        observed,
        bound: told.map(|(_, [_, bound])| format!("{} {bound}", judgement.op.symbol())).unwrap_or_default(),
        why: if judgement.verdict == Verdict::Pass { Vec::new() } else { why::lines(outcome, judgement) },
        commands: match judgement.fails(run.policy) {
            true => why::commands(outcome, &strategy.name, judgement),
            false => Vec::new(),
        },
    }
}
