//! The closing tables: who wins, and how much hangs on base and cap.

use crate::print::{figure, say};
use crate::storms::{self, BACKOFFS, Cost, STORMS};

/// Bases and caps tried with full jitter.
const BASES: [&str; 3] = ["10ms", "100ms", "1s"];
const CAPS: [&str; 3] = ["1s", "5s", "20s"];

/// Ranks the schedules of each storm, and prints what each cost: first by how many calls got through, since one that gives up at
/// once is done soonest, then by completion.
pub(crate) fn ranking(costs: &[Vec<Vec<Cost>>]) {
    for (storm, costs) in STORMS.iter().zip(costs) {
        say(&format!(
            "\n{}\n  {:<14} {:>9} {:>13} {:>9} {:>9} {:>9} {:>10}",
            storm.name, "backoff", "success %", "completion ms", "attempts", "handlers", "goodput/s", "p99 ms"
        ));
        let mut rows: Vec<(&str, Cost)> =
            BACKOFFS.iter().zip(costs).map(|(backoff, costs)| (backoff.name, Cost::mean(costs))).collect();
        rows.sort_by(|(_, a), (_, b)| {
            b.success.total_cmp(&a.success).then(a.completion_ms.total_cmp(&b.completion_ms))
        });
        for (name, cost) in &rows {
            say(&line(name, cost));
        }
        for (name, cost) in &rows {
            figure(&format!("backoff.{}.{name}.completion", storm.name), cost.completion_ms, "ms");
            figure(&format!("backoff.{}.{name}.attempts", storm.name), cost.attempts, "attempts");
        }
    }
}

/// Full jitter under other bases and caps.
pub(crate) fn sensitivity(seeds: u64) {
    for storm in &STORMS {
        say(&format!(
            "\n{}: full jitter by base and cap\n  {:<14} {:>9} {:>13} {:>9} {:>9} {:>9} {:>10}",
            storm.name, "base, cap", "success %", "completion ms", "attempts", "handlers", "goodput/s", "p99 ms"
        ));
        for (base, cap) in BASES.into_iter().flat_map(|base| CAPS.map(|cap| (base, cap))) {
            let schedule = format!("{{ full_jitter: {{ base: {base}, cap: {cap} }} }}");
            let cost = Cost::mean(&storms::weather(storm, &schedule, seeds));
            say(&line(&format!("{base}, {cap}"), &cost));
        }
    }
}

fn line(name: &str, cost: &Cost) -> String {
    let Cost { success, completion_ms, attempts, executions, goodput, p99_ms } = cost;
    let success = 100.0 * success;
    format!(
        "  {name:<14} {success:>9.2} {completion_ms:>13.1} {attempts:>9.1} {executions:>9.1} {goodput:>9.1} {p99_ms:>10.1}"
    )
}
