//! Success by the second, for results that are about when a system came back.

use std::collections::BTreeMap;

use crate::record::{CallId, Code, Event, Kind, Sink};

/// Calls by the second in which they were due.
#[derive(Clone, Debug, Default)]
pub(super) struct Bins {
    due: BTreeMap<u64, u32>,
    seconds: Vec<(u32, u32)>,
}

impl Bins {
    fn second(&mut self, second: u32) -> &mut (u32, u32) {
        let second = second as usize;
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, (0, 0));
        }
        &mut self.seconds[second]
    }

    fn ended(&mut self, call: CallId, ok: bool) {
        if let Some(second) = self.due.remove(&call.bits()) {
            self.second(second).1 += u32::from(ok);
        }
    }

    /// The share of calls that succeeded, of those due in these seconds; not a number if there were none.
    pub(super) fn success(&self, from: usize, to: usize) -> f64 {
        let seconds = self.seconds.iter().skip(from).take(to.saturating_sub(from));
        let (offered, ok) = seconds.fold((0, 0), |(offered, ok), (o, k)| (offered + o, ok + k));
        f64::from(ok) / f64::from(offered)
    }

    /// From when on at least half of the calls of every second succeed, in seconds after `second`; infinite if never.
    pub(super) fn recovery(&self, second: usize) -> f64 {
        let bad = self.seconds.iter().rposition(|(offered, ok)| 2 * ok < *offered);
        match bad {
            Some(last) if last + 1 >= self.seconds.len() => f64::INFINITY,
            Some(last) => ((last + 1) as f64 - second as f64).max(0.0),
            None => 0.0,
        }
    }
}

impl Sink for Bins {
    fn event(&mut self, event: &Event) {
        match event.kind {
            Kind::CallStarted { call, scheduled_ns } => {
                let second = (scheduled_ns / 1_000_000_000) as u32;
                self.due.insert(call.bits(), second);
                self.second(second).0 += 1;
            }
            Kind::CallEnded { call, code, .. } => self.ended(call, code == Code::Ok),
            Kind::CallAbandoned { call } => self.ended(call, false),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_is_after_the_last_bad_second() {
        let check = |seconds: &[(u32, u32)], expected: f64| {
            let bins = Bins { due: BTreeMap::new(), seconds: seconds.to_vec() };
            assert_eq!(bins.recovery(1), expected, "{seconds:?}");
        };
        check(&[(10, 10), (10, 0), (10, 9), (10, 2), (10, 5), (10, 10)], 3.0);
        check(&[(10, 10), (10, 10)], 0.0);
        check(&[(10, 10), (10, 0)], f64::INFINITY);
    }
}
