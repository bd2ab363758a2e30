//! The comparison, for people and for programs.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::fidelity::case::Figure;

const OUTSIDE: &str = "  OUTSIDE";

pub(crate) struct Table {
    text: String,
    figures: String,
    failures: usize,
    settled: usize,
}

impl Table {
    pub(crate) fn new() -> Self {
        let mut text = String::new();
        let head = ("case", "figure", "Linux", "Squall", "difference", "tolerance");
        let (case, figure, linux, squall, difference, tolerance) = head;
        writeln!(text, "{case:<32} {figure:>8} {linux:>10} {squall:>10} {difference:>11} {tolerance:>10}").unwrap();
        Self { text, figures: String::new(), failures: 0, settled: 0 }
    }

    pub(crate) fn row(&mut self, case: &str, figure: &str, unit: &str, linux: f64, squall: f64, tolerance: f64) {
        let good = (squall - linux).abs() <= tolerance;
        self.line(case, figure, unit, [linux, squall, tolerance], if good { "" } else { OUTSIDE });
    }

    /// A figure of a distribution; where it is outside its tolerance, a longer sample settles it by the same tolerance.
    pub(crate) fn figure(&mut self, case: &str, figure: &Figure, squall: f64) {
        let Figure { name, linux, tolerance, longer } = figure;
        let within = |linux: f64| (squall - linux).abs() <= *tolerance;
        let mark = match longer {
            _ if within(*linux) => String::new(),
            Some(longer) if within(*longer) => {
                self.settled += 1;
                format!("  settled by a longer sample: {longer:.2}")
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
        let (failures, settled) = (self.failures, self.settled);
        let mut out = std::io::stdout().lock();
        write!(
            out,
            "{}\n{}\n{failures} outside their tolerance, {settled} more settled by longer samples\n",
            self.text, self.figures
        )
        .expect("standard output is open");
        i32::from(failures > 0)
    }
}
