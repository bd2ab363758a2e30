//! The comparison, for people and for programs.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::fidelity::case::Quantile;

const OUTSIDE: &str = "  OUTSIDE";

pub(crate) struct Table {
    text: String,
    figures: String,
    failures: usize,
    at_cliffs: usize,
}

impl Table {
    pub(crate) fn new() -> Self {
        let mut text = String::new();
        let head = ("case", "figure", "Linux", "Squall", "difference", "tolerance");
        let (case, figure, linux, squall, difference, tolerance) = head;
        writeln!(text, "{case:<32} {figure:>8} {linux:>10} {squall:>10} {difference:>11} {tolerance:>10}").unwrap();
        Self { text, figures: String::new(), failures: 0, at_cliffs: 0 }
    }

    pub(crate) fn row(&mut self, case: &str, figure: &str, unit: &str, linux: f64, squall: f64, tolerance: f64) {
        let good = (squall - linux).abs() <= tolerance;
        self.line(case, figure, unit, [linux, squall, tolerance], if good { "" } else { OUTSIDE });
    }

    /// A quantile, at a cliff if the measured sample itself spans a `range` there.
    pub(crate) fn quantile(&mut self, case: &str, quantile: &Quantile, squall: f64, range: Option<(f64, f64)>) {
        let Quantile { name, linux, tolerance } = quantile;
        let good = (squall - linux).abs() <= *tolerance;
        let mark = match range {
            _ if good => String::new(),
            Some((low, high)) if squall >= low - tolerance && squall <= high + tolerance => {
                self.at_cliffs += 1;
                format!("  at a cliff: {low:.1} to {high:.1} on Linux")
            }
            _ => OUTSIDE.into(),
        };
        self.line(case, name, "ms", [*linux, squall, *tolerance], &mark);
    }

    fn line(&mut self, case: &str, figure: &str, unit: &str, [linux, squall, tolerance]: [f64; 3], mark: &str) {
        self.failures += usize::from(mark == OUTSIDE);
        let difference = squall - linux;
        writeln!(
            self.text,
            "{case:<32} {figure:>8} {linux:>10.2} {squall:>10.2} {difference:>+11.2} {tolerance:>10.2} {unit}{mark}"
        )
        .unwrap();
        writeln!(self.figures, "figure fidelity.{case}.{figure} = {squall:.3} {unit}").unwrap();
    }

    /// Prints everything; gives the exit code.
    pub(crate) fn finish(self) -> i32 {
        let (failures, at_cliffs) = (self.failures, self.at_cliffs);
        let mut out = std::io::stdout().lock();
        write!(
            out,
            "{}\n{}\n{failures} outside their tolerance, {at_cliffs} more at cliffs of the measured sample\n",
            self.text, self.figures
        )
        .expect("standard output is open");
        i32::from(failures > 0)
    }
}
