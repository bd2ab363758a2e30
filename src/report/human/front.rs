//! Strategies side by side: the table, who is on the Pareto front, and who is beaten by whom in what.

use std::io;

use super::{NARROWEST, Options, facts, ranking, table};
use crate::analysis::{Dominance, ScenarioOutcome};
use crate::report::front;

/// Writes a scenario's strategies side by side, without what was expected of them.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn side_by_side(outcome: &ScenarioOutcome, options: Options, out: &mut dyn io::Write) -> io::Result<()> {
    let options = Options { width: options.width.max(NARROWEST), ..options };
    let paint = options.paint;
    writeln!(out, "{}", paint.bold(&outcome.name))?;
    writeln!(out, "  {}\n", paint.dim(&facts(outcome)))?;
    table::write(outcome, options, out)?;
    ranking(outcome, options, out)?;
    let name_width = table::name_width(&outcome.strategies);
    writeln!(out, "\n  {}", paint.dim("Pareto front of success, p99 and amplification"))?;
    for Dominance { strategy, .. } in outcome.front.iter().filter(|one| one.by.is_none()) {
        writeln!(out, "  {} {}", paint.good("◆"), paint.good(&table::cut(strategy)))?;
    }
    for dominance in &outcome.front {
        let Some(why) = front::why(dominance) else { continue };
        writeln!(out, "    {:name_width$}  {why}", table::cut(&dominance.strategy))?;
    }
    writeln!(out)
}
