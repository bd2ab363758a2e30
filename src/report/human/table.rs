//! The table: strategies as rows, metrics as columns, the best of each column marked.
//!
//! Columns are added in the order of their importance while they fit, then their intervals; they are drawn in the order in
//! which they are read. The first column is never without its interval. What does not fit beside the rest stands in a second
//! block below, so that a narrow terminal says as much as a wide one, only longer.

use std::io;

use super::super::{best, units};
use super::{Options, Paint, Summary};
use crate::analysis::{Figure, ScenarioOutcome, StrategyOutcome};
use crate::scenario::Metric;

/// A metric's column, as it is read from left to right.
struct Column {
    metric: Metric,
    title: &'static str,
    /// In which order columns are given room.
    rank: u8,
}

const fn column(metric: Metric, title: &'static str, rank: u8) -> Column {
    Column { metric, title, rank }
}

const COLUMNS: [Column; 11] = [
    column(Metric::SuccessRate, "success", 0),
    column(Metric::Goodput, "goodput", 8),
    column(Metric::P50, "p50", 5),
    column(Metric::P99, "p99", 1),
    column(Metric::P999, "p99.9", 9),
    column(Metric::Amplification, "amplif.", 2),
    column(Metric::WorkAmplification, "work", 10),
    column(Metric::WastedWork, "wasted", 7),
    column(Metric::Recovery, "recovery", 3),
    column(Metric::LostAcknowledged, "lost", 4),
    column(Metric::Duplicates, "dup.", 6),
];

/// Columns ranked so or later are shown if there is room beside the others, and never in a block of their own.
const OPTIONAL: u8 = 10;
/// Strategy names longer than this are cut.
const NAME_MAX: usize = 36;
const GAP: usize = 2;
/// The room before a row.
const INDENT: usize = 2;

/// Whether a column shows intervals.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Hidden,
    Mean,
    Interval,
}

/// One cell: its text, and whether it is the best of its column.
#[derive(Clone)]
struct Cell {
    text: String,
    best: bool,
}

pub(super) fn write(outcome: &ScenarioOutcome, options: Options, out: &mut dyn io::Write) -> io::Result<()> {
    let strategies = &outcome.strategies;
    let room = options.width - INDENT - name_width(strategies);
    let mut left: Vec<&Column> = COLUMNS.iter().filter(|column| is_measured(strategies, column)).collect();
    for first in [true, false] {
        let details = details(strategies, &left, room);
        block(strategies, &left, &details, options.paint, out)?;
        let fitted = |place: usize| details[place] != Detail::Hidden;
        left = left.into_iter().enumerate().filter(|(place, _)| !fitted(*place)).map(|(_, column)| column).collect();
        left.retain(|column| column.rank < OPTIONAL);
        if left.is_empty() || options.summary == Summary::Compact || !first {
            return Ok(());
        }
        writeln!(out)?;
    }
    Ok(())
}

fn is_measured(strategies: &[StrategyOutcome], column: &Column) -> bool {
    strategies.iter().any(|strategy| strategy.metrics.contains_key(&column.metric))
}

/// One table: the columns that have a detail to show.
fn block(
    strategies: &[StrategyOutcome],
    columns: &[&Column],
    details: &[Detail],
    paint: Paint,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let name_width = name_width(strategies);
    let columns: Vec<(&Column, Vec<Cell>, usize)> = columns
        .iter()
        .zip(details)
        .filter(|(_, detail)| **detail != Detail::Hidden)
        .map(|(column, detail)| {
            (*column, cells(strategies, column.metric, *detail), width(strategies, column, *detail))
        })
        .collect();
    let mut line = format!("  {:name_width$}", "strategy");
    for (column, _, width) in &columns {
        // The last place of a column belongs to the mark of the best.
        line.push_str(&format!("{:>1$} ", column.title, GAP + width - 1));
    }
    writeln!(out, "{}", paint.dim(line.trim_end()))?;
    for (row, strategy) in strategies.iter().enumerate() {
        let mut line = format!("  {:name_width$}", cut(&strategy.name));
        for (_, cells, width) in &columns {
            line.push_str(&cell(&cells[row], *width, paint));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn cell(cell: &Cell, width: usize, paint: Paint) -> String {
    let padding = " ".repeat(GAP + width - 1 - cell.text.chars().count());
    if cell.best {
        format!("{padding}{}", paint.good(&format!("{}*", cell.text)))
    } else {
        format!("{padding}{} ", cell.text)
    }
}

pub(super) fn name_width(strategies: &[StrategyOutcome]) -> usize {
    let longest = strategies.iter().map(|strategy| cut(&strategy.name).chars().count()).max();
    longest.unwrap_or_default().max("strategy".len())
}

pub(super) fn cut(name: &str) -> String {
    let count = name.chars().count();
    if count <= NAME_MAX {
        return name.to_owned();
    }
    // In a sweep, names differ at their ends.
    let half = NAME_MAX / 2;
    name.chars().take(NAME_MAX - half - 1).chain(['…']).chain(name.chars().skip(count - half)).collect()
}

/// What fits into `room`: first the figures by rank, the most important with its interval; then the other intervals by rank.
fn details(strategies: &[StrategyOutcome], columns: &[&Column], room: usize) -> Vec<Detail> {
    let mut details = vec![Detail::Hidden; columns.len()];
    let mut ranked: Vec<usize> = (0..columns.len()).collect();
    ranked.sort_by_key(|place| columns[*place].rank);
    for detail in [Detail::Mean, Detail::Interval] {
        for place in &ranked {
            let detail = if columns[*place].rank == 0 { Detail::Interval } else { detail };
            let before = std::mem::replace(&mut details[*place], detail);
            if total_width(strategies, columns, &details) > room {
                details[*place] = before;
            }
        }
    }
    details
}

fn total_width(strategies: &[StrategyOutcome], columns: &[&Column], details: &[Detail]) -> usize {
    let shown = columns.iter().zip(details).filter(|(_, detail)| **detail != Detail::Hidden);
    shown.map(|(column, detail)| GAP + width(strategies, column, *detail)).sum()
}

fn width(strategies: &[StrategyOutcome], column: &Column, detail: Detail) -> usize {
    let cells = cells(strategies, column.metric, detail);
    let widest = cells.iter().map(|cell| cell.text.chars().count()).max().unwrap_or_default();
    widest.max(column.title.len()) + 1
}

fn cells(strategies: &[StrategyOutcome], metric: Metric, detail: Detail) -> Vec<Cell> {
    let text = |figure: Option<&Figure>| match (figure, detail) {
        (None, _) => "-".to_owned(),
        (Some(figure), Detail::Interval) => units::with_interval(metric, figure),
        (Some(figure), _) => units::mean(metric, figure),
    };
    let marks = best::best(strategies, metric);
    let shown = strategies.iter().map(|strategy| text(strategy.metrics.get(&metric)));
    shown.zip(marks).map(|(text, best)| Cell { text, best }).collect()
}
