//! How long calls took: for every latency, the share of calls that took no longer. The tail is where strategies differ, so
//! the share is drawn by its number of nines.

use super::super::units;
use super::scale::Scale;
use super::svg::{Anchor, Svg, polyline};
use crate::analysis::{CURVE, ScenarioOutcome};

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const FOOT: f64 = 36.0;
/// The shares that get a label.
const SHARES: [(f64, &str); 5] = [(0.0, "0%"), (0.5, "50%"), (0.9, "90%"), (0.99, "99%"), (0.999, "99.9%")];

/// The drawing of all strategies of a scenario; none if none had a call.
pub(super) fn draw(outcome: &ScenarioOutcome) -> Option<String> {
    let curves = || outcome.strategies.iter().map(|strategy| &strategy.latency_ns).filter(|curve| !curve.is_empty());
    let low = curves().filter_map(|curve| curve.first()).min()?;
    let high = curves().filter_map(|curve| curve.last()).max()?;
    let ms = |ns: u64| ns as f64 / 1e6;
    let x = Scale::logarithmic(((ms(*low) * 0.9).max(0.01), ms(*high) * 1.1), (LEFT, WIDTH - RIGHT));
    let y = Scale::logarithmic((0.001, 1.0), (TOP, HEIGHT - FOOT));
    // 1 - share, so that each further nine is as far from the last.
    let place = |share: f64| y.at((1.0 - share).max(0.001));
    let mut svg =
        Svg::new(WIDTH, HEIGHT, "Share of calls by latency, a curve a strategy; the table of figures says the same");
    for (share, label) in SHARES {
        svg.line("grid", (LEFT, place(share)), (WIDTH - RIGHT, place(share)));
        svg.text("tick", Anchor::End, (LEFT - 6.0, place(share) + 3.5), label);
    }
    for tick in x.ticks(5) {
        svg.line("grid", (x.at(tick), TOP), (x.at(tick), HEIGHT - FOOT));
        svg.text("tick", Anchor::Middle, (x.at(tick), HEIGHT - FOOT + 15.0), &units::milliseconds(tick));
    }
    svg.text(
        "tick",
        Anchor::Middle,
        ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 4.0),
        "latency of calls, from when they were due",
    );
    for (number, strategy) in outcome.strategies.iter().enumerate() {
        let point = |(share, ns): (&f64, &u64)| Some((x.at(ms(*ns)), place(*share)));
        let points: Vec<_> = CURVE.iter().zip(&strategy.latency_ns).map(point).collect();
        svg.path(&format!("curve s{}", number % super::COLOURS), &polyline(&points), &strategy.name);
    }
    Some(svg.finish())
}
