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

/// A figure of a storm's cost, of which less is better.
type Figure = fn(&Cost) -> f64;

/// By what schedules are ranked over all storms.
const RANKED_BY: [(&str, Figure); 4] = [
    ("completion", |cost| cost.completion_ms),
    ("calls", |cost| cost.attempts),
    ("goodput", |cost| -cost.goodput),
    ("p99", |cost| cost.p99_ms),
];

/// The closing table: the mean place of each schedule over all storms, by each measure and over all; those that are level share
/// a place. In a storm, whoever loses calls stands behind whoever does not: giving up is quick and cheap.
pub(crate) fn places(costs: &[Vec<Vec<Cost>>]) {
    let mut rows: Vec<(&str, [f64; 4])> = BACKOFFS.iter().map(|backoff| (backoff.name, [0.0; 4])).collect();
    for storm in costs {
        let means: Vec<Cost> = storm.iter().map(|costs| Cost::mean(costs)).collect();
        for (measure, (_, figure)) in RANKED_BY.iter().enumerate() {
            for (row, place) in rows.iter_mut().zip(placed(&means, figure)) {
                row.1[measure] += place / costs.len() as f64;
            }
        }
    }
    let overall = |places: &[f64; 4]| places.iter().sum::<f64>() / 4.0;
    rows.sort_by(|(_, a), (_, b)| overall(a).total_cmp(&overall(b)));
    say(&format!(
        "\nmean place over {} storms, 1 is best\n  {:<14} {:>9} {:>11} {:>9} {:>9} {:>9}",
        costs.len(),
        "backoff",
        "overall",
        "completion",
        "calls",
        "goodput",
        "p99"
    ));
    for (name, places) in &rows {
        let [completion, calls, goodput, p99] = places;
        let all = overall(places);
        say(&format!("  {name:<14} {all:>9.2} {completion:>11.2} {calls:>9.2} {goodput:>9.2} {p99:>9.2}"));
    }
    for (name, places) in &rows {
        for ((measure, _), place) in RANKED_BY.iter().zip(places) {
            figure(&format!("backoff.place.{name}.{measure}"), *place, "place");
        }
    }
}

/// Each schedule's place in a storm: one more than how many are better, and half of those that are level.
fn placed(means: &[Cost], figure: &Figure) -> Vec<f64> {
    // A call in ten thousand is no difference.
    let lost = |cost: &Cost| ((1.0 - cost.success) * 1e4).round();
    let key = |cost: &Cost| (lost(cost), figure(cost));
    let place = |cost: &Cost| {
        let others = means.iter().map(|other| key(other).partial_cmp(&key(cost)));
        others.fold(0.5, |place, order| match order {
            Some(std::cmp::Ordering::Less) => place + 1.0,
            Some(std::cmp::Ordering::Equal) => place + 0.5,
            _ => place,
        })
    };
    means.iter().map(place).collect()
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
