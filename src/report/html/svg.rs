//! Writing SVG: escaped, with short numbers, named for those who cannot see it.
//!
//! Rule: shapes carry classes and no colours, so that the page's style decides what they look like in the light, in the dark
//! and on paper.

use std::fmt::{Display, Write};

/// A drawing under way.
pub(super) struct Svg {
    text: String,
}

/// A number with at most one decimal: a tenth of a pixel is finer than any screen.
pub(super) struct Px(pub(super) f64);

impl Display for Px {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Tenths(tenths(self.0)).fmt(f)
    }
}

/// The same, in tenths.
struct Tenths(i64);

impl Display for Tenths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        match (self.0.abs() / 10, self.0.abs() % 10) {
            (whole, 0) => write!(f, "{sign}{whole}"),
            (0, tenth) => write!(f, "{sign}.{tenth}"),
            (whole, tenth) => write!(f, "{sign}{whole}.{tenth}"),
        }
    }
}

fn tenths(pixels: f64) -> i64 {
    (pixels * 10.0).round() as i64
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// A drawing of so many units, as wide as its place on the page. `title` says what it shows.
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut text = String::new();
        let (width, height, title) = (Px(width), Px(height), escape(title));
        // Writing to a string cannot fail.
        let _ = write!(text, r#"<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}">"#);
        Self { text }
    }

    pub(super) fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), title: &str) {
        let (x, y, width, height) = (Px(x), Px(y), Px(width.max(0.0)), Px(height.max(0.0)));
        let _ = write!(self.text, r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}""#);
        self.end("rect", title);
    }

    pub(super) fn line(&mut self, class: &str, (x, y): (f64, f64), (to_x, to_y): (f64, f64)) {
        let (x, y, to_x, to_y) = (Px(x), Px(y), Px(to_x), Px(to_y));
        let _ = write!(self.text, r#"<line class="{class}" x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}"/>"#);
    }

    /// A path; nothing if it is empty.
    pub(super) fn path(&mut self, class: &str, d: &str, title: &str) {
        if !d.is_empty() {
            let _ = write!(self.text, r#"<path class="{class}" d="{d}""#);
            self.end("path", title);
        }
    }

    pub(super) fn text(&mut self, class: &str, anchor: Anchor, (x, y): (f64, f64), text: &str) {
        let (x, y, text) = (Px(x), Px(y), escape(text));
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let _ = write!(self.text, r#"<text class="{class}" x="{x}" y="{y}"{anchor}>{text}</text>"#);
    }

    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</svg>");
        self.text
    }

    /// Closes a shape, with what a pointer that rests on it shows.
    fn end(&mut self, name: &str, title: &str) {
        let _ = match title {
            "" => write!(self.text, "/>"),
            title => write!(self.text, "><title>{}</title></{name}>", escape(title)),
        };
    }
}

/// A line through points; a missing one breaks it. Points in the middle of a level stretch are left out. Every point but the first
/// of a stretch is written as its distance from the one before, which is shorter; distances are between rounded places, so that
/// errors do not add up.
pub(super) fn polyline(points: &[Option<(f64, f64)>]) -> String {
    let mut d = String::new();
    let place = |at: usize| points.get(at).copied().flatten().map(|(x, y)| (tenths(x), tenths(y)));
    let mut last = (0, 0);
    for at in 0..points.len() {
        let (Some((x, y)), before, after) = (place(at), at.checked_sub(1).and_then(place), place(at + 1)) else {
            continue;
        };
        let level = |point: Option<(i64, i64)>| point.is_some_and(|(_, height)| height == y);
        if level(before) && level(after) {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = match before {
            None => write!(d, "M{} {}", Tenths(x), Tenths(y)),
            Some(_) => write!(d, "l{}{}{}", Tenths(x - last.0), if y < last.1 { "" } else { " " }, Tenths(y - last.1)),
        };
        last = (x, y);
        if before.is_none() && after.is_none() {
            // A lone point would not be seen.
            d.push_str("h1");
        }
    }
    d
}

/// Text inside an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let table =
            [(1.0, "1"), (1.25, "1.3"), (-0.04, "0"), (-0.3, "-.3"), (0.04, "0"), (-12.34, "-12.3"), (99.96, "100")];
        for (value, expected) in table {
            assert_eq!(Px(value).to_string(), expected);
        }
    }

    #[test]
    fn lines_break_where_points_are_missing_and_leave_out_what_is_level() {
        let points = [Some((0.0, 1.0)), Some((1.0, 1.0)), Some((2.0, 1.0)), None, Some((4.0, 3.0)), None];
        assert_eq!(polyline(&points), "M0 1l2 0M4 3h1");
        let falling = [Some((0.0, 1.0)), Some((0.3, 0.5)), Some((1.0, 2.0))];
        assert_eq!(polyline(&falling), "M0 1l.3-.5l.7 1.5");
        assert_eq!(polyline(&[None]), "");
    }

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(escape(r#"a"b<c>&"#), "a&quot;b&lt;c&gt;&amp;");
    }
}
