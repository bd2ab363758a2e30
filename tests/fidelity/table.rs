//! The comparison, for people and for programs.

use std::fmt::Write as _;
use std::io::Write as _;

const OUTSIDE: &str = "  OUTSIDE";
const BY_RANK: &str = "  OUTSIDE, within the error of the rank";

pub(crate) struct Table {
    text: String,
    figures: String,
    failures: usize,
    by_rank: usize,
}

impl Table {
    pub(crate) fn new() -> Self {
        let mut text = String::new();
        let head = ("case", "figure", "Linux", "Squall", "difference", "tolerance");
        let (case, figure, linux, squall, difference, tolerance) = head;
        writeln!(text, "{case:<32} {figure:>8} {linux:>10} {squall:>10} {difference:>11} {tolerance:>10}").unwrap();
        Self { text, figures: String::new(), failures: 0, by_rank: 0 }
    }

    pub(crate) fn row(&mut self, case: &str, figure: &str, unit: &str, linux: f64, squall: f64, tolerance: f64) {
        let good = (squall - linux).abs() <= tolerance;
        self.line(case, figure, unit, [linux, squall, tolerance], if good { "" } else { OUTSIDE });
    }

    /// A quantile in ms, of which the rank is only known to lie within `range`.
    pub(crate) fn quantile(
        &mut self,
        case: &str,
        figure: &str,
        linux: f64,
        squall: f64,
        (low, high): (f64, f64),
        tolerance: f64,
    ) {
        let good = (squall - linux).abs() <= tolerance;
        let by_rank = low <= linux + tolerance && high >= linux - tolerance;
        let mark = if good {
            ""
        } else if by_rank {
            BY_RANK
        } else {
            OUTSIDE
        };
        self.line(case, figure, "ms", [linux, squall, tolerance], mark);
    }

    fn line(&mut self, case: &str, figure: &str, unit: &str, [linux, squall, tolerance]: [f64; 3], mark: &str) {
        self.failures += usize::from(mark == OUTSIDE);
        self.by_rank += usize::from(mark == BY_RANK);
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
        let (failures, by_rank) = (self.failures, self.by_rank);
        let mut out = std::io::stdout().lock();
        write!(
            out,
            "{}\n{}\n{failures} outside their tolerance, {by_rank} more outside it but within the error of the rank\n",
            self.text, self.figures
        )
        .expect("standard output is open");
        i32::from(failures > 0)
    }
}
