//! The comparison, for people and for programs.

use std::fmt::Write as _;
use std::io::Write as _;

pub(crate) struct Table {
    text: String,
    figures: String,
    failures: usize,
}

impl Table {
    pub(crate) fn new() -> Self {
        let mut text = String::new();
        let head = ("case", "figure", "Linux", "Squall", "difference", "tolerance");
        let (case, figure, linux, squall, difference, tolerance) = head;
        writeln!(text, "{case:<32} {figure:>8} {linux:>10} {squall:>10} {difference:>11} {tolerance:>10}").unwrap();
        Self { text, figures: String::new(), failures: 0 }
    }

    pub(crate) fn row(&mut self, case: &str, figure: &str, unit: &str, linux: f64, squall: f64, tolerance: f64) {
        let difference = squall - linux;
        let good = difference.abs() <= tolerance;
        let mark = if good { "" } else { "  OUTSIDE" };
        self.failures += usize::from(!good);
        writeln!(
            self.text,
            "{case:<32} {figure:>8} {linux:>10.2} {squall:>10.2} {difference:>+11.2} {tolerance:>10.2} {unit}{mark}"
        )
        .unwrap();
        writeln!(self.figures, "figure fidelity.{case}.{figure} = {squall:.3} {unit}").unwrap();
    }

    /// Prints everything; gives the exit code.
    pub(crate) fn finish(self) -> i32 {
        let failures = self.failures;
        let mut out = std::io::stdout().lock();
        write!(out, "{}\n{}\n{failures} outside their tolerance\n", self.text, self.figures)
            .expect("standard output is open");
        i32::from(failures > 0)
    }
}
