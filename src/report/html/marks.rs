//! Marks: a shape a strategy, so that colour is never all that tells them apart.

use super::svg::Px;

const RADIUS: f64 = 5.5;

/// The outline of the shape of the strategy with this number, around a point.
pub(super) fn mark(number: usize, x: f64, y: f64) -> String {
    let corners = |corners: &[(f64, f64)]| {
        let place = |(across, down): &(f64, f64)| format!("{} {}", Px(x + across * RADIUS), Px(y + down * RADIUS));
        format!("M{}Z", corners.iter().map(place).collect::<Vec<_>>().join("L"))
    };
    match number % 6 {
        0 => {
            let (left, r, d) = (Px(x - RADIUS), Px(RADIUS), Px(RADIUS * 2.0));
            format!("M{left} {}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0Z", Px(y))
        }
        1 => corners(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
        2 => corners(&[(0.0, -1.15), (1.1, 0.9), (-1.1, 0.9)]),
        3 => corners(&[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)]),
        4 => corners(&[(0.0, 1.15), (1.1, -0.9), (-1.1, -0.9)]),
        _ => corners(&[
            (-0.35, -1.1),
            (0.35, -1.1),
            (0.35, -0.35),
            (1.1, -0.35),
            (1.1, 0.35),
            (0.35, 0.35),
            (0.35, 1.1),
            (-0.35, 1.1),
            (-0.35, 0.35),
            (-1.1, 0.35),
            (-1.1, -0.35),
            (-0.35, -0.35),
        ]),
    }
}

/// A drawing of the shape alone, for a legend.
pub(super) fn legend(number: usize) -> String {
    let colour = number % super::COLOURS;
    let mark = mark(number, 8.0, 8.0);
    format!(
        r#"<svg class="legend" viewBox="0 0 30 16" aria-hidden="true"><path class="curve s{colour}" d="M0 8h30"/><path class="mark s{colour}" transform="translate(7)" d="{mark}"/></svg>"#
    )
}
