//! What every benchmark prints: text for people, and a line a figure, for programs that compare runs.

use std::io::Write as _;

/// One measured figure: `figure NAME = VALUE UNIT`.
pub(crate) fn figure(name: &str, value: f64, unit: &str) {
    say(&format!("figure {name} = {value:.3} {unit}"));
}

/// A line. A closed pipe ends the benchmark's usefulness, not its correctness.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
