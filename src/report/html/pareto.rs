//! What success costs: each strategy as a point, and the line of those that no other beats in both.

use super::scale::Scale;
use super::svg::{Anchor, Svg, polyline};
use crate::analysis::{Figure, ScenarioOutcome, StrategyOutcome};
use crate::report::units;
use crate::scenario::Metric;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const FOOT: f64 = 38.0;

struct Point<'a> {
    number: usize,
    name: &'a str,
    price: Figure,
    success: Figure,
}

/// The drawing of success against `price`, of which less is better; none if fewer than two strategies have both.
pub(super) fn draw(outcome: &ScenarioOutcome, price: Metric, title: &str) -> Option<String> {
    let point = |(number, strategy): (usize, &'_ StrategyOutcome)| {
        let figure = |metric: Metric| {
            strategy.metrics.get(&metric).copied().filter(|figure: &Figure| figure.estimate.mean.is_finite())
        };
        Some((number, figure(price)?, figure(Metric::SuccessRate)?))
    };
    let points: Vec<Point<'_>> = outcome
        .strategies
        .iter()
        .enumerate()
        .filter_map(point)
        .map(|(number, price, success)| Point { number, name: &outcome.strategies[number].name, price, success })
        .collect();
    if points.len() < 2 {
        return None;
    }
    let x = x_scale(price, &points);
    let y = y_scale(&points);
    let heading = format!("Success against {title}, a point a strategy; the table of figures says the same");
    let mut svg = Svg::new(WIDTH, HEIGHT, &heading);
    for tick in x.ticks(5) {
        svg.line("grid", (x.at(tick), TOP), (x.at(tick), HEIGHT - FOOT));
        svg.text("tick", Anchor::Middle, (x.at(tick), HEIGHT - FOOT + 15.0), &units::figure(price, tick));
    }
    for tick in y.ticks(4) {
        svg.line("grid", (LEFT, y.at(tick)), (WIDTH - RIGHT, y.at(tick)));
        let label = format!("{}%", units::digits((tick * 1e4).round() / 1e2));
        svg.text("tick", Anchor::End, (LEFT - 6.0, y.at(tick) + 3.5), &label);
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    svg.text("tick", Anchor::Middle, (middle, HEIGHT - 5.0), &format!("{title} (less is better)"));
    let front: Vec<_> = front(&points).iter().map(|(price, success)| Some((x.at(*price), y.at(*success)))).collect();
    svg.path("front", &polyline(&front), "no other strategy is better in both");
    for point in &points {
        draw_point(&mut svg, point, price, &x, &y);
    }
    Some(svg.finish())
}

fn draw_point(svg: &mut Svg, point: &Point<'_>, price: Metric, x: &Scale, y: &Scale) {
    let (across, up) = (point.price.estimate, point.success.estimate);
    let (at_x, at_y) = (x.at(across.mean), y.at(up.mean));
    let colour = point.number % super::COLOURS;
    svg.line(&format!("whisker s{colour}"), (x.at(across.low), at_y), (x.at(across.high), at_y));
    svg.line(&format!("whisker s{colour}"), (at_x, y.at(up.low)), (at_x, y.at(up.high)));
    let success = units::with_interval(Metric::SuccessRate, &point.success);
    let title = format!("{}: success {success}, {price} {}", point.name, units::with_interval(price, &point.price));
    svg.path(&format!("mark s{colour}"), &super::marks::mark(point.number, at_x, at_y), &title);
}

fn x_scale(price: Metric, points: &[Point<'_>]) -> Scale {
    let ends = || points.iter().flat_map(|point| [point.price.estimate.low, point.price.estimate.high]);
    let (low, high) = (ends().fold(f64::INFINITY, f64::min), ends().fold(0.0, f64::max));
    let room = (LEFT + 12.0, WIDTH - RIGHT - 12.0);
    if price.quantile().is_some() && low > 0.0 {
        Scale::logarithmic((low * 0.9, high * 1.1), room)
    } else {
        let margin = (high - low).max(0.02) * 0.08;
        Scale::linear(((low - margin).max(0.0), high + margin), room)
    }
}

fn y_scale(points: &[Point<'_>]) -> Scale {
    let low = points.iter().map(|point| point.success.estimate.low).fold(1.0, f64::min);
    let high = points.iter().map(|point| point.success.estimate.high).fold(0.0, f64::max);
    let margin = (high - low).max(0.002) * 0.1;
    Scale::linear(((low - margin).max(0.0), (high + margin).min(1.0)), (HEIGHT - FOOT - 8.0, TOP + 8.0))
}

/// The points that no other beats in both, by rising price: a step from each to the next, as nothing lies between.
fn front(points: &[Point<'_>]) -> Vec<(f64, f64)> {
    let mut sorted: Vec<(f64, f64)> =
        points.iter().map(|point| (point.price.estimate.mean, point.success.estimate.mean)).collect();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0).then(other.1.total_cmp(&one.1)));
    let mut front: Vec<(f64, f64)> = Vec::new();
    for (price, success) in sorted {
        match front.last().copied() {
            Some((_, best)) if success <= best => {}
            Some((_, best)) => front.extend([(price, best), (price, success)]),
            None => front.push((price, success)),
        }
    }
    front
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::stats::Estimate;

    #[test]
    fn the_front_holds_what_no_other_beats() {
        let figure = |value: f64| Figure { estimate: Estimate::point(value), never: 0 };
        let point = |(price, success): &(f64, f64)| Point {
            number: 0,
            name: "",
            price: figure(*price),
            success: figure(*success),
        };
        let points: Vec<Point<'_>> = [(1.0, 0.8), (1.2, 0.7), (1.5, 0.9), (1.1, 0.8)].iter().map(point).collect();
        assert_eq!(front(&points), [(1.0, 0.8), (1.5, 0.8), (1.5, 0.9)]);
    }
}
