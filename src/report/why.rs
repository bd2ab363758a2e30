//! Why an expectation did not pass: the figure and its doubt, the seeds, the stretch of time, and calls to look at.
//!
//! Every format says the same, so that a failed build reads like a failed run at one's desk.

use super::{reproduce, units};
use crate::analysis::{Judgement, Saw, ScenarioOutcome, Verdict, Witness};

/// One thought a line, without the commands.
pub(super) fn lines(outcome: &ScenarioOutcome, judgement: &Judgement) -> Vec<String> {
    let place = format!("{}:{}", outcome.file, judgement.line);
    let mut lines = Vec::new();
    let seeds = match (&judgement.failing_seeds[..], judgement.observed) {
        (_, None) => format!("no call or fault to measure it by; {place}"),
        ([], _) => place,
        ([worst, ..], _) => {
            let (missed, all) = (judgement.failing_seeds.len(), outcome.seeds.len());
            format!("{missed} of {all} seeds miss it, seed {worst} most; {place}")
        }
    };
    lines.extend(judgement.observed.map(|_| figure(judgement)));
    lines.push(seeds);
    lines.extend(window(&judgement.window_ns));
    lines.extend(calls(judgement));
    lines
}

/// The commands that show it again: the run, and the story of its calls.
pub(super) fn commands(outcome: &ScenarioOutcome, strategy: &str, judgement: &Judgement) -> Vec<String> {
    let run = reproduce::expectation(outcome, strategy, judgement);
    std::iter::once(run).chain(reproduce::story(outcome, strategy, judgement)).collect()
}

/// `p99 is 812ms [700ms, 1.01s], to be <= 800ms`.
pub(super) fn figure(judgement: &Judgement) -> String {
    let show = |value: f64| units::figure(judgement.metric, value);
    let Some((observed, bound)) = judgement.observed.zip(judgement.bound) else {
        return format!("{}: nothing to measure", judgement.subject);
    };
    let [mean, bound] = units::held_against(judgement.metric, observed.mean, bound);
    let interval = match (show(observed.low), show(observed.high)) {
        (low, high) if low == high => String::new(),
        (low, high) => format!(" [{low}, {high}]"),
    };
    let share =
        judgement.share.map(|share| format!(" in {}% of seeds", units::digits(share * 1e2))).unwrap_or_default();
    let unsure = if judgement.verdict == Verdict::Inconclusive { "; more seeds would tell" } else { "" };
    let (subject, symbol) = (&judgement.subject, judgement.op.symbol());
    format!("{subject} is {mean}{interval}, to be {symbol} {bound}{share}{unsure}")
}

/// `of calls due from 10s to 12s`; a fault that comes and goes has several stretches.
fn window(windows_ns: &[(u64, u64)]) -> Option<String> {
    let (from, to) = windows_ns.first()?;
    let until = match *to {
        u64::MAX => "to the end".to_owned(),
        to => format!("to {}", units::nanoseconds(to)),
    };
    let more = match windows_ns.len() {
        1 => String::new(),
        2 => " and once more".to_owned(),
        count => format!(" and {} times more", count - 1),
    };
    Some(format!("of calls due from {} {until}{more}", units::nanoseconds(*from)))
}

fn calls(judgement: &Judgement) -> Option<String> {
    let seed = judgement.failing_seeds.first()?;
    let told: Vec<String> = judgement.witnesses.iter().map(witness).collect();
    (!told.is_empty()).then(|| format!("look at seed {seed}, {}", told.join("; ")))
}

/// `call 17/4: DEADLINE_EXCEEDED from client_deadline after 2s and 4 attempts`.
fn witness(witness: &Witness) -> String {
    let call = witness.call;
    match witness.what {
        Saw::Lost => format!("call {call}: acknowledged, and lost"),
        Saw::Duplicated => format!("call {call}: recorded more than once"),
        Saw::End { took_ns, code, origin, attempts } => {
            let took = units::nanoseconds(took_ns);
            let attempts = if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
            format!("call {call}: {code} from {origin} after {took}, {attempts}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_of_time_are_told_once() {
        const S: u64 = 1_000_000_000;
        let table = [
            (&[][..], None),
            (&[(S, 2 * S)][..], Some("of calls due from 1s to 2s")),
            (&[(S, u64::MAX)][..], Some("of calls due from 1s to the end")),
            (&[(S, 2 * S), (3 * S, 4 * S)][..], Some("of calls due from 1s to 2s and once more")),
        ];
        for (windows, expected) in table {
            assert_eq!(window(windows).as_deref(), expected, "{windows:?}");
        }
    }
}
