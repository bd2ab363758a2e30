//! The closing tables: who wins, and how much hangs on base and cap.

use std::io::Write as _;

use crate::storms::{self, BACKOFFS, Cost, STORMS};

/// Bases and caps tried with full jitter.
const BASES: [&str; 3] = ["10ms", "100ms", "1s"];
const CAPS: [&str; 3] = ["1s", "5s", "20s"];

/// Ranks the schedules of each storm by completion, and prints what each cost.
pub(crate) fn ranking(costs: &[Vec<Vec<Cost>>]) {
    for (storm, costs) in STORMS.iter().zip(costs) {
        say(&format!(
            "\n{}\n  {:<14} {:>13} {:>9} {:>9} {:>9} {:>10}",
            storm.name, "backoff", "completion ms", "attempts", "handlers", "goodput/s", "p99 ms"
        ));
        let mut rows: Vec<(&str, Cost)> =
            BACKOFFS.iter().zip(costs).map(|(backoff, costs)| (backoff.name, Cost::mean(costs))).collect();
        rows.sort_by(|(_, a), (_, b)| a.completion_ms.total_cmp(&b.completion_ms));
        for (name, cost) in &rows {
            say(&line(name, cost));
        }
        for (name, cost) in &rows {
            figure(&format!("{}.{name}.completion", storm.name), cost.completion_ms, "ms");
            figure(&format!("{}.{name}.attempts", storm.name), cost.attempts, "attempts");
        }
    }
}

/// Full jitter under other bases and caps.
pub(crate) fn sensitivity(seeds: u64) {
    for storm in &STORMS {
        say(&format!(
            "\n{}: full jitter by base and cap\n  {:<14} {:>13} {:>9} {:>9} {:>9} {:>10}",
            storm.name, "base, cap", "completion ms", "attempts", "handlers", "goodput/s", "p99 ms"
        ));
        for (base, cap) in BASES.into_iter().flat_map(|base| CAPS.map(|cap| (base, cap))) {
            let schedule = format!("{{ full_jitter: {{ base: {base}, cap: {cap} }} }}");
            let cost = Cost::mean(&storms::weather(storm, &schedule, seeds));
            say(&line(&format!("{base}, {cap}"), &cost));
        }
    }
}

fn line(name: &str, cost: &Cost) -> String {
    let Cost { completion_ms, attempts, executions, goodput, p99_ms } = cost;
    format!("  {name:<14} {completion_ms:>13.1} {attempts:>9.1} {executions:>9.1} {goodput:>9.1} {p99_ms:>10.1}")
}

fn figure(name: &str, value: f64, unit: &str) {
    say(&format!("figure backoff.{name} = {value:.3} {unit}"));
}

/// A closed pipe ends the benchmark's usefulness, not its correctness.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
