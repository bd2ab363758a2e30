//! By how much strategies differ from one of them, metric by metric: the mean difference and its interval, seed by seed.

use super::scale::Scale;
use super::svg::{Anchor, Px, Svg};
use crate::analysis::{Comparison, ScenarioOutcome};
use crate::report::units;
use crate::scenario::Metric;
use crate::scenario::metric::{Better, Unit};

const WIDTH: f64 = 420.0;
const ROW: f64 = 22.0;
const LEFT: f64 = 128.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 8.0;
const FOOT: f64 = 34.0;

/// Names longer than this are cut in the drawing; the table beside it has them whole.
const NAME_MAX: usize = 20;

/// How a strategy differs from the one it is compared with.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) comparison: Comparison,
}

/// Every strategy's difference from the first one in `metric`.
pub(super) fn rows(outcome: &ScenarioOutcome, metric: Metric) -> Vec<Row> {
    let Some(first) = outcome.strategies.first() else { return Vec::new() };
    let ours = outcome.comparisons.iter().filter(|one| one.metric == metric && one.a == first.name);
    // Comparisons are `a - b`, and the first strategy is always `a`.
    ours.map(|one| Row {
        name: one.b.clone(),
        comparison: Comparison { difference: one.difference.negated(), ..one.clone() },
    })
    .collect()
}

/// Whether there is nothing to see.
pub(super) fn are_equal(rows: &[Row]) -> bool {
    rows.iter().all(|row| row.comparison.difference.low == 0.0 && row.comparison.difference.high == 0.0)
}

/// In words: `better`, `worse`, or `tie` if the interval holds zero.
pub(super) fn word(row: &Row) -> &'static str {
    let difference = row.comparison.difference;
    if difference.low <= 0.0 && difference.high >= 0.0 {
        return "tie";
    }
    let higher = row.comparison.metric.better() == Better::Higher;
    if higher == (difference.mean > 0.0) { "better" } else { "worse" }
}

/// A difference with its sign.
pub(super) fn signed(metric: Metric, value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    match metric.unit() {
        // A difference of shares is in points.
        Unit::Share => format!("{sign}{} pts", units::digits((value * 1e4).round() / 1e2)),
        _ => format!("{sign}{}", units::figure(metric, value)),
    }
}

/// The drawing.
pub(super) fn draw(metric: Metric, against: &str, rows: &[Row]) -> String {
    let height = TOP + ROW * rows.len() as f64 + FOOT;
    let ends = || rows.iter().flat_map(|row| [row.comparison.difference.low, row.comparison.difference.high]);
    let (low, high) = (ends().fold(0.0, f64::min), ends().fold(0.0, f64::max));
    let margin = ((high - low) * 0.06).max(1e-9);
    let x = Scale::linear((low - margin, high + margin), (LEFT, WIDTH - RIGHT));
    let title = format!("Difference in {metric} from {against}, with intervals; the table says the same");
    let mut svg = Svg::new(WIDTH, height, &title);
    let bottom = height - FOOT;
    for tick in x.ticks(3) {
        svg.line("grid", (x.at(tick), TOP), (x.at(tick), bottom));
        let label = if tick.abs() < 1e-12 { "0".to_owned() } else { signed(metric, tick) };
        svg.text("tick", Anchor::Middle, (x.at(tick).clamp(LEFT, WIDTH - 28.0), bottom + 14.0), &label);
    }
    svg.line("zero", (x.at(0.0), TOP), (x.at(0.0), bottom));
    let higher = metric.better() == Better::Higher;
    let (side, anchor, at) =
        if higher { ("better →", Anchor::End, WIDTH - RIGHT) } else { ("← better", Anchor::Start, LEFT) };
    svg.text("tick", anchor, (at, bottom + 29.0), side);
    for (place, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (place as f64 + 0.5);
        let difference = row.comparison.difference;
        let class = match word(row) {
            "better" => "d-good",
            "worse" => "d-bad",
            _ => "d-tie",
        };
        svg.text("name", Anchor::End, (LEFT - 8.0, y + 4.0), &cut(&row.name));
        svg.line(&format!("range {class}"), (x.at(difference.low), y), (x.at(difference.high), y));
        let (left, centre) = (Px(x.at(difference.mean) - 4.5), Px(y));
        let dot = format!("M{left} {centre}a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z");
        let [mean, low, high] = [difference.mean, difference.low, difference.high].map(|end| signed(metric, end));
        svg.path(&format!("dot {class}"), &dot, &format!("{}: {mean} [{low}, {high}], {}", row.name, word(row)));
    }
    svg.finish()
}

fn cut(name: &str) -> String {
    if name.chars().count() <= NAME_MAX {
        name.to_owned()
    } else {
        name.chars().take(NAME_MAX - 1).chain(['…']).collect()
    }
}
