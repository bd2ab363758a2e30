//! How a strategy fared over time: one drawing a strategy, strips above each other on one time axis, faults shaded through all
//! of them. The strips of all strategies of a scenario have the same scales, so that drawings can be compared by eye.

use super::super::units;
use super::scale::Scale;
use super::svg::{Anchor, Svg, polyline};
use crate::analysis::{ScenarioOutcome, Series, StrategyOutcome, Stretch};

const WIDTH: f64 = 420.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 14.0;
/// The height of a strip, and of the line above it that says what it shows.
const STRIP: f64 = 54.0;
const TITLE: f64 = 24.0;
const FOOT: f64 = 18.0;
/// Latencies below this are all the same to a reader.
const LATENCY_LOW_MS: f64 = 1.0;

/// The highest figures over all strategies of a scenario.
pub(super) struct Extent {
    rate: f64,
    latency_ms: f64,
    queued: f64,
    connections: f64,
    breakers: f64,
    seeds: f64,
}

/// A figure of a stretch; none where there was nothing to measure.
type Value<'a> = Box<dyn Fn(&Stretch) -> Option<f64> + 'a>;

/// A line of a strip: what it is called, its class, and its figure in a stretch.
struct Line<'a> {
    name: &'a str,
    class: &'a str,
    value: Value<'a>,
}

/// What shares a scale.
struct Strip<'a> {
    title: &'a str,
    scale: Scale,
    ticks: usize,
    label: fn(f64) -> String,
    lines: Vec<Line<'a>>,
}

impl Extent {
    pub(super) fn of(outcome: &ScenarioOutcome) -> Self {
        let seeds = outcome.seeds.len().max(1) as f64;
        let all = || outcome.strategies.iter().map(|strategy| &strategy.series);
        let most = |value: &dyn Fn(&Series, &Stretch) -> f64| {
            let values = all().flat_map(|series| series.stretches.iter().map(move |stretch| value(series, stretch)));
            values.fold(0.0, f64::max)
        };
        let a_second = |series: &Series, count: u32| f64::from(count) / seeds / (series.width_ns as f64 / 1e9);
        Self {
            rate: most(&|series, stretch| a_second(series, stretch.offered.max(stretch.attempts).max(stretch.ok))),
            latency_ms: most(&|_, stretch| f64::from(stretch.p99_us) / 1e3),
            queued: most(&|_, stretch| f64::from(stretch.queued)),
            connections: most(&|_, stretch| f64::from(stretch.connections)),
            breakers: most(&|_, stretch| f64::from(stretch.breakers)),
            seeds,
        }
    }
}

/// The drawing of one strategy.
pub(super) fn draw(outcome: &ScenarioOutcome, strategy: &StrategyOutcome, extent: &Extent) -> String {
    let strips = strips(&strategy.series, extent);
    let bottom = (TITLE + STRIP) * strips.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + FOOT, &summary(strategy));
    let time = Scale::linear((0.0, outcome.duration_ns as f64), (LEFT, WIDTH - RIGHT));
    for window in &outcome.fault_windows {
        let (from, to) = (time.at(window.start_ns as f64), time.at(window.end_ns as f64));
        let id = outcome.faults.get(window.fault as usize).map_or("", |fault| fault.id.as_str());
        let end = units::nanoseconds(window.end_ns.min(outcome.duration_ns));
        let title = format!("{id}: {} to {end}", units::nanoseconds(window.start_ns));
        svg.rect("fault", (from, TITLE), ((to - from).max(1.5), bottom - TITLE), &title);
    }
    for (place, strip) in strips.iter().enumerate() {
        draw_strip(&mut svg, strip, &strategy.series, &time, (TITLE + STRIP) * place as f64);
    }
    for tick in time.ticks(4) {
        svg.text("tick", Anchor::Middle, (time.at(tick), bottom + 13.0), &units::nanoseconds(tick as u64));
    }
    svg.finish()
}

fn draw_strip(svg: &mut Svg, strip: &Strip<'_>, series: &Series, time: &Scale, top: f64) {
    let (from, to) = (top + TITLE, top + TITLE + STRIP);
    svg.text("strip", Anchor::Start, (LEFT, top + 16.0), strip.title);
    let mut x = WIDTH - RIGHT;
    for line in strip.lines.iter().rev().filter(|line| !line.name.is_empty()) {
        svg.text("key", Anchor::End, (x, top + 16.0), line.name);
        x -= line.name.chars().count() as f64 * 6.3 + 4.0;
        svg.line(line.class, (x - 14.0, top + 12.5), (x, top + 12.5));
        x -= 24.0;
    }
    let place = |value: f64| strip.scale.at(value) * STRIP + from;
    for tick in strip.scale.ticks(strip.ticks) {
        svg.line("grid", (LEFT, place(tick)), (WIDTH - RIGHT, place(tick)));
        svg.text(
            "tick",
            Anchor::End,
            (LEFT - 5.0, (place(tick) + 3.5).clamp(from + 6.0, to + 2.0)),
            &(strip.label)(tick),
        );
    }
    svg.line("axis", (LEFT, to), (WIDTH - RIGHT, to));
    for line in &strip.lines {
        let middle = |place: usize| time.at((place as f64 + 0.5) * series.width_ns as f64);
        let points: Vec<_> = series
            .stretches
            .iter()
            .enumerate()
            .map(|(at, stretch)| Some((middle(at), place((line.value)(stretch)?))))
            .collect();
        svg.path(line.class, &polyline(&points), "");
    }
}

fn strips<'a>(series: &'a Series, extent: &'a Extent) -> Vec<Strip<'a>> {
    let rate = |pick: fn(&Stretch) -> u32| -> Value<'a> {
        let seconds = series.width_ns as f64 / 1e9;
        Box::new(move |stretch| Some(f64::from(pick(stretch)) / extent.seeds / seconds))
    };
    // Upside down: the highest figure stands at the top.
    let upright = |high: f64| Scale::linear((0.0, high), (1.0, 0.0));
    let mut strips = vec![
        Strip {
            title: "Success",
            scale: upright(1.0),
            ticks: 2,
            label: |share| format!("{:.0}%", share * 100.0),
            lines: vec![line("", "l-good", |stretch| {
                (stretch.offered > 0).then(|| f64::from(stretch.ok) / f64::from(stretch.offered))
            })],
        },
        Strip {
            title: "Calls a second",
            scale: upright(extent.rate * 1.05),
            ticks: 2,
            label: units::digits,
            lines: vec![
                Line { name: "attempts", class: "l-warn", value: rate(|stretch| stretch.attempts) },
                Line { name: "offered", class: "l-mute", value: rate(|stretch| stretch.offered) },
                Line { name: "goodput", class: "l-good", value: rate(|stretch| stretch.ok) },
            ],
        },
        Strip {
            title: "Latency",
            scale: Scale::logarithmic((LATENCY_LOW_MS, extent.latency_ms.max(10.0)), (1.0, 0.0)),
            ticks: 4,
            label: units::milliseconds,
            lines: vec![
                line("p99", "l-warn", |stretch| (stretch.offered > 0).then(|| f64::from(stretch.p99_us) / 1e3)),
                line("p50", "l-main", |stretch| (stretch.offered > 0).then(|| f64::from(stretch.p50_us) / 1e3)),
            ],
        },
        Strip {
            title: "Deepest queue",
            scale: upright(extent.queued.max(2.0)),
            ticks: 2,
            label: units::digits,
            lines: vec![line("", "l-main", |stretch| Some(f64::from(stretch.queued)))],
        },
        Strip {
            title: "Connections ready",
            scale: upright(extent.connections.max(2.0) * 1.05),
            ticks: 2,
            label: units::digits,
            lines: vec![line("", "l-main", |stretch| Some(f64::from(stretch.connections)))],
        },
    ];
    // Most scenarios have no strategy with a breaker.
    if extent.breakers > 0.0 {
        strips.push(Strip {
            title: "Clients with a breaker open",
            scale: upright(extent.breakers.max(2.0) * 1.05),
            ticks: 2,
            label: units::digits,
            lines: vec![line("", "l-warn", |stretch| Some(f64::from(stretch.breakers)))],
        });
    }
    strips
}

fn line<'a>(name: &'a str, class: &'a str, value: impl Fn(&Stretch) -> Option<f64> + 'a) -> Line<'a> {
    Line { name, class, value: Box::new(value) }
}

/// The rows that a table of the same has.
const ROWS: usize = 20;

/// The same in figures, a row a twentieth of the run: when it began; success; attempts and OK calls a second; the highest median
/// and 99th percentile; the deepest queue; the fewest connections; the most breakers.
pub(super) fn rows(strategy: &StrategyOutcome, extent: &Extent) -> Vec<[String; 9]> {
    let series = &strategy.series;
    let length = series.stretches.len().div_ceil(ROWS).max(1);
    let row = |(place, part): (usize, &[Stretch])| {
        let sum = |pick: fn(&Stretch) -> u32| part.iter().map(|stretch| f64::from(pick(stretch))).sum::<f64>();
        let most = |pick: fn(&Stretch) -> u32| part.iter().map(pick).max().unwrap_or_default();
        let seconds = part.len() as f64 * series.width_ns as f64 / 1e9;
        let rate = |pick| units::digits((sum(pick) / extent.seeds / seconds * 10.0).round() / 10.0);
        let latency = |us: u32| units::milliseconds(f64::from(us) / 1e3);
        let success = match sum(|stretch| stretch.offered) {
            0.0 => "–".to_owned(),
            offered => format!("{:.0}%", sum(|stretch| stretch.ok) / offered * 100.0),
        };
        [
            units::nanoseconds((place * length) as u64 * series.width_ns),
            success,
            rate(|stretch| stretch.attempts),
            rate(|stretch| stretch.ok),
            latency(most(|stretch| stretch.p50_us)),
            latency(most(|stretch| stretch.p99_us)),
            most(|stretch| stretch.queued).to_string(),
            part.iter().map(|stretch| stretch.connections).min().unwrap_or_default().to_string(),
            most(|stretch| stretch.breakers).to_string(),
        ]
    };
    series.stretches.chunks(length).enumerate().map(row).collect()
}

/// What the drawing shows, in a sentence.
fn summary(strategy: &StrategyOutcome) -> String {
    let series = &strategy.series;
    let share = |stretch: &Stretch| f64::from(stretch.ok) / f64::from(stretch.offered.max(1));
    let worst = series.stretches.iter().enumerate().filter(|(_, stretch)| stretch.offered > 0);
    let worst = worst.min_by(|(_, one), (_, other)| share(one).total_cmp(&share(other)));
    let low = worst.map_or_else(String::new, |(place, stretch)| {
        let at = units::nanoseconds(place as u64 * series.width_ns);
        format!("; success is lowest at {at}, with {:.0}%", share(stretch) * 100.0)
    });
    format!("{} over time: success, calls a second, latency, queue, connections{low}", strategy.name)
}
