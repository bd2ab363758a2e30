//! Success over time, a line a strategy, and under it when each fault held.

use std::io;

use super::Options;
use super::table::{cut, name_width};
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
        let bars: String = bars(&strategy.series, columns);
        writeln!(out, "  {:name_width$}  {}", cut(&strategy.name), bars.trim_end())?;
    }
    for (place, fault) in outcome.faults.iter().enumerate() {
        let held = held(outcome, place, columns);
        let line = format!("  {:name_width$}  {}", cut(&fault.id), held.trim_end());
        writeln!(out, "{}", options.paint.dim(line.trim_end()))?;
    }
    Ok(())
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
