//! Success over time, a line a strategy, and under it when each fault held.

use std::io;

use super::super::units;
use super::table::{cut, name_width};
use super::{Options, Paint};
use crate::analysis::{ScenarioOutcome, Series};

/// One to seven eighths; the full block is kept for exactly everything, so that one failed call still shows.
const BARS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];
const FULL: char = '█';
/// No longer than a run has stretches, and not so wide that the eye loses the line.
const WIDEST: usize = 100;

pub(super) fn write(outcome: &ScenarioOutcome, options: Options, out: &mut dyn io::Write) -> io::Result<()> {
    let ids = outcome.faults.iter().map(|fault| cut(&fault.id).chars().count());
    let name_width = ids.chain([name_width(&outcome.strategies)]).max().unwrap_or_default();
    let columns = (options.width - name_width - 4).min(WIDEST);
    writeln!(out, "\n  {}", options.paint.dim("success over time"))?;
    for strategy in &outcome.strategies {
        let bars = painted(&bars(&strategy.series, columns), options.paint);
        writeln!(out, "  {:name_width$}  {bars}", cut(&strategy.name))?;
    }
    for (place, fault) in outcome.faults.iter().enumerate() {
        let held = held(outcome, place, columns);
        let line = format!("  {:name_width$}  {}", cut(&fault.id), options.paint.unsure(held.trim_end()));
        writeln!(out, "{}", line.trim_end())?;
    }
    let end = units::nanoseconds(outcome.duration_ns);
    let axis = format!("  {:name_width$}  0{end:>1$}", "", columns - 1);
    writeln!(out, "{}", options.paint.dim(&axis))
}

/// Bars in the colour of what they show: nearly everything, some, less than half.
fn painted(bars: &str, paint: Paint) -> String {
    let level = |bar: char| BARS.iter().position(|known| *known == bar).unwrap_or(BARS.len());
    let shade = |bar: char| if level(bar) >= BARS.len() - 1 { 2 } else { level(bar) / 4 };
    let bars: Vec<char> = bars.trim_end().chars().collect();
    let run = |run: &[char]| {
        let text: String = run.iter().collect();
        match run.first().map(|bar| shade(*bar)) {
            Some(0) => paint.bad(&text),
            Some(1) => paint.unsure(&text),
            _ => paint.good(&text),
        }
    };
    bars.chunk_by(|one, next| shade(*one) == shade(*next)).map(run).collect()
}

fn bars(series: &Series, columns: usize) -> String {
    let count = series.stretches.len();
    (0..columns)
        .map(|column| {
            let from = column * count / columns;
            let to = ((column + 1) * count / columns).max(from + 1).min(count);
            let stretches = series.stretches.get(from..to).unwrap_or_default();
            let offered: u64 = stretches.iter().map(|stretch| u64::from(stretch.offered)).sum();
            let ok: u64 = stretches.iter().map(|stretch| u64::from(stretch.ok)).sum();
            bar(ok, offered)
        })
        .collect()
}

fn bar(ok: u64, offered: u64) -> char {
    match (ok, offered) {
        (_, 0) => ' ',
        (ok, offered) if ok >= offered => FULL,
        (ok, offered) => BARS[(ok * BARS.len() as u64 / offered) as usize],
    }
}

/// A line where the fault held; a moment takes one column.
fn held(outcome: &ScenarioOutcome, fault: usize, columns: usize) -> String {
    let windows: Vec<_> = outcome.fault_windows.iter().filter(|window| window.fault as usize == fault).collect();
    let duration = u128::from(outcome.duration_ns.max(1));
    let column_of = |at_ns: u64| (u128::from(at_ns) * columns as u128 / duration) as usize;
    (0..columns)
        .map(|column| {
            let inside = |start: usize, end: usize| (start..end.max(start + 1)).contains(&column);
            let holds = windows.iter().any(|window| inside(column_of(window.start_ns), column_of(window.end_ns)));
            if holds { '━' } else { ' ' }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_everything_is_a_full_bar() {
        let table = [(0, 0, ' '), (0, 10, '▁'), (5, 10, '▄'), (999, 1000, '▇'), (1000, 1000, '█')];
        for (ok, offered, expected) in table {
            assert_eq!(bar(ok, offered), expected, "{ok} of {offered}");
        }
    }
}
