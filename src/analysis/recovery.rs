//! Recovery: how long after a fault's end the application still suffers from it.
//!
//! A storm that ends is not over. Retries queue up, connections wait out their backoff, and a system may even stay down under
//! the load of its own retries with nothing left that is broken: it is then *metastable*. The measure is therefore the
//! **control twin**, the same trial without faults: recovery lasts from a fault's end until the share of timely calls is
//! back at the twin's level and stays there, until the next fault or the end of the run.
//!
//! Calls are judged over a sliding window of five stretches that begins at the moment in question, so that the answer is
//! as fine as a stretch. A window is well when it has at most 5 % fewer timely calls than the twin's, or one call fewer:
//! a single unlucky call is no relapse.
//!
//! A storm that is not yet weathered when the next fault begins goes on; its clock is not reset.

use super::series::{Series, Stretch};

/// How many stretches a window holds.
const WINDOW: usize = 5;

/// The share of the twin's timely calls that may be missing.
const SLACK: f64 = 0.05;

/// The longest recovery of a trial in nanoseconds, infinite if it never recovered; none if no fault ended while load was
/// offered. `faults` says when faults held, as `(start, end)` in nanoseconds, in any order.
#[must_use]
pub fn recovery_ns(trial: &Series, control: &Series, faults: &[(u64, u64)]) -> Option<f64> {
    let well = well_from(trial, control);
    let end = trial.width_ns * well.len() as u64;
    let mut ends: Vec<u64> = faults.iter().map(|(_, fault_end)| *fault_end).filter(|at| *at < end).collect();
    ends.sort_unstable();
    ends.dedup();
    let mut longest = None;
    let mut since = None;
    for fault_end in ends {
        let began = *since.get_or_insert(fault_end);
        // A fault that overlaps this one's end, or begins next, is where this calm stops being judged.
        let calm_until = calm_until(fault_end, faults, end);
        if let Some(recovered) = recovered_at(&well, trial.width_ns, fault_end, calm_until) {
            let took = recovered.saturating_sub(began) as f64;
            longest = Some(longest.map_or(took, |longest: f64| longest.max(took)));
            since = None;
        }
    }
    if since.is_some() { Some(f64::INFINITY) } else { longest }
}

/// Until when nothing is broken after `fault_end`; `fault_end` itself if another fault still holds.
fn calm_until(fault_end: u64, faults: &[(u64, u64)], end: u64) -> u64 {
    let holds = faults.iter().any(|(start, other)| *start <= fault_end && *other > fault_end);
    let next = faults.iter().map(|(start, _)| *start).filter(|start| *start > fault_end).min();
    if holds { fault_end } else { next.unwrap_or(end).min(end) }
}

/// The moment in `from..until` from which every window is well.
fn recovered_at(well: &[bool], width_ns: u64, from: u64, until: u64) -> Option<u64> {
    let first = (from / width_ns) as usize;
    let last = (until / width_ns) as usize;
    if first >= last {
        return None;
    }
    // A window must not reach into the next fault: what happens there is not this fault's doing.
    let last = if last == well.len() { last } else { last.saturating_sub(WINDOW - 1).max(first + 1) };
    let ill = well[first..last].iter().rposition(|well| !well);
    match ill {
        None => Some(from),
        Some(ill) if first + ill + 1 == last => None,
        Some(ill) => Some((first + ill + 1) as u64 * width_ns),
    }
}

/// For each stretch: whether the window that begins with it is at the twin's level.
fn well_from(trial: &Series, control: &Series) -> Vec<bool> {
    let timely = |series: &[Stretch]| series.iter().map(|stretch| f64::from(stretch.timely)).sum::<f64>();
    let offered = |series: &[Stretch]| series.iter().map(|stretch| f64::from(stretch.offered)).sum::<f64>();
    let count = trial.stretches.len().min(control.stretches.len());
    let window = |series: &'_ Series, from: usize| {
        let slice = &series.stretches[from..(from + WINDOW).min(count)];
        (timely(slice), offered(slice))
    };
    (0..count)
        .map(|from| {
            let (ours, offered) = window(trial, from);
            let (twins, twin_offered) = window(control, from);
            // With a closed loop the storm changes how much is offered; shares are what can be compared.
            let target = if twin_offered > 0.0 { offered * twins / twin_offered } else { offered };
            ours >= target - (target * SLACK).max(1.0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series from a picture: each digit is the share of ten calls that were timely in a stretch of one second.
    fn series(picture: &str) -> Series {
        let stretches = picture
            .chars()
            .map(|digit| {
                let timely = if digit == '#' { 10 } else { digit.to_digit(10).unwrap() };
                Stretch { offered: 10, ok: timely, timely, ..Stretch::default() }
            })
            .collect();
        Series { width_ns: 1_000_000_000, stretches }
    }

    fn check(picture: &str, faults: &[(u64, u64)], expected_s: Option<f64>) {
        let control = series(&"#".repeat(picture.len()));
        let faults: Vec<_> = faults.iter().map(|(start, end)| (start * 1_000_000_000, end * 1_000_000_000)).collect();
        let observed = recovery_ns(&series(picture), &control, &faults).map(|ns| ns / 1e9);
        assert_eq!(observed, expected_s, "{picture} {faults:?}");
    }

    #[test]
    fn recovery_lasts_until_success_is_back_and_stays() {
        check("####00000###########", &[(4, 9)], Some(0.0));
        check("####0000000#########", &[(4, 9)], Some(2.0));
        // One call lost in a window is no relapse, two are.
        check("####00000####9######", &[(4, 9)], Some(0.0));
        check("####00000####7######", &[(4, 9)], Some(5.0));
        check("####0000022222222222", &[(4, 9)], Some(f64::INFINITY));
        // Bad to the very end, though it was well for a while.
        check("####00000######00000", &[(4, 9)], Some(f64::INFINITY));
    }

    #[test]
    fn a_fault_that_does_not_end_has_no_recovery() {
        check("####0000000000000000", &[], None);
        check("####0000000000000000", &[(4, 20)], None);
    }

    #[test]
    fn the_longest_of_several_recoveries_counts() {
        check("##00##########00000###########", &[(2, 4), (14, 16)], Some(3.0));
        check("##00000#######00##############", &[(2, 4), (14, 16)], Some(3.0));
    }

    /// The first storm is still felt when the second begins: its clock goes on.
    #[test]
    fn a_storm_into_the_next_is_one_storm() {
        check("##0000000000000##########", &[(2, 4), (10, 12)], Some(11.0));
        check("##0000000000000##########", &[(2, 12), (4, 12)], Some(3.0));
        check("##0000000000000##########", &[(2, 12), (4, 8)], Some(7.0));
    }

    #[test]
    fn the_twin_sets_the_level() {
        let control = series("55555555555555555555");
        let trial = series("55550000055555555555");
        assert_eq!(recovery_ns(&trial, &control, &[(4_000_000_000, 9_000_000_000)]), Some(0.0));
    }
}
