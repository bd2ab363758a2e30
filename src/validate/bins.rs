//! Load and goodput by the second, for results that are about when a system came back.

use crate::record::{Code, Event, Kind, Sink};

/// What happened in each second of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Bins {
    seconds: Vec<Second>,
}

/// One second.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    /// Calls that were due.
    due: u32,
    /// Calls, due whenever, whose answer arrived, and was OK.
    answered: u32,
    /// Attempts that were sent.
    sent: u32,
}

impl Bins {
    fn second(&mut self, ns: u64) -> &mut Second {
        let second = (ns / 1_000_000_000) as usize;
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, Second::default());
        }
        &mut self.seconds[second]
    }

    fn sum(&self, from: usize, to: usize, figure: impl Fn(&Second) -> u32) -> f64 {
        let seconds = self.seconds.iter().skip(from).take(to.saturating_sub(from));
        seconds.map(|second| f64::from(figure(second))).sum()
    }

    /// Goodput in these seconds as a share of the load; not a number without load.
    pub(super) fn goodput(&self, from: usize, to: usize) -> f64 {
        self.sum(from, to, |second| second.answered) / self.sum(from, to, |second| second.due)
    }

    /// Attempts a second.
    pub(super) fn sent(&self, from: usize, to: usize) -> f64 {
        self.sum(from, to, |second| second.sent) / to.saturating_sub(from) as f64
    }

    /// From when on goodput is at least half of the load in every second, in seconds after `second`; infinite if never.
    pub(super) fn recovery(&self, second: usize) -> f64 {
        let loaded = self.seconds.iter().rposition(|second| second.due > 0).unwrap_or_default();
        match self.seconds.iter().rposition(|second| 2 * second.answered < second.due) {
            Some(last) if last >= loaded => f64::INFINITY,
            Some(last) => ((last + 1) as f64 - second as f64).max(0.0),
            None => 0.0,
        }
    }

    /// When the first call is answered again, in whole seconds after `second`; infinite if never.
    pub(super) fn first_answer(&self, second: usize) -> f64 {
        let after = self.seconds.iter().skip(second);
        after
            .map(|second| second.answered)
            .position(|answered| answered > 0)
            .map_or(f64::INFINITY, |place| place as f64)
    }
}

impl Sink for Bins {
    fn event(&mut self, event: &Event) {
        match event.kind {
            Kind::CallStarted { scheduled_ns, .. } => self.second(scheduled_ns).due += 1,
            Kind::CallEnded { code: Code::Ok, .. } => self.second(event.at.as_nanos()).answered += 1,
            Kind::AttemptStarted { .. } => self.second(event.at.as_nanos()).sent += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(seconds: &[(u32, u32)]) -> Bins {
        let second = |&(due, answered): &(u32, u32)| Second { due, answered, sent: 2 * due };
        Bins { seconds: seconds.iter().map(second).collect() }
    }

    #[test]
    fn recovery_is_after_the_last_bad_second() {
        let check = |seconds: &[(u32, u32)], expected: f64| {
            assert_eq!(bins(seconds).recovery(1), expected, "{seconds:?}");
        };
        check(&[(10, 10), (10, 0), (10, 9), (10, 2), (10, 5), (10, 10)], 3.0);
        check(&[(10, 10), (10, 10)], 0.0);
        check(&[(10, 10), (10, 0)], f64::INFINITY);
        // Answers after the end of the load are no recovery.
        check(&[(10, 10), (10, 0), (0, 10)], f64::INFINITY);
    }

    #[test]
    fn the_first_answer_counts_from_the_end_of_the_outage() {
        let seconds = [(10, 10), (10, 0), (10, 0), (10, 1), (10, 0)];
        assert_eq!(bins(&seconds).first_answer(1), 2.0);
        assert_eq!(bins(&seconds).first_answer(4), f64::INFINITY);
    }

    #[test]
    fn goodput_counts_answers_when_they_arrive() {
        let bins = bins(&[(10, 0), (10, 5), (10, 15)]);
        assert_eq!((bins.goodput(1, 3), bins.sent(1, 3)), (1.0, 20.0));
    }
}
