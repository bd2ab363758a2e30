//! How a trial went over time: a fixed number of equal stretches, whatever the length of the run.
//!
//! Calls are counted in the stretch in which they were *due*: a call that fails after two seconds is a failure of the
//! moment that asked for it, and its latency belongs there too. Attempts are counted when they were made, as they are load on
//! the server; queues, breakers and connections are what they were at the time.

use serde::{Deserialize, Serialize};

/// How many stretches a run is cut into. 200 are as many as a wide terminal or a chart can show, and a fault that lasts 5 %
/// of a run still spans ten of them.
pub const STRETCHES: u64 = 200;

/// How many stretches a call may take and still count as timely: see [`Stretch::timely`].
pub const TIMELY_STRETCHES: u64 = 5;

/// A trial over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// The length of a stretch, in nanoseconds.
    pub width_ns: u64,
    /// The stretches, from 0 on. What happens after load has ended is not among them.
    pub stretches: Vec<Stretch>,
}

/// What happened in one stretch. A log keeps it as a row of numbers in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "[u32; 9]", from = "[u32; 9]")]
pub struct Stretch {
    /// Calls that were due.
    pub offered: u32,
    /// Those of them that came back OK, however late.
    pub ok: u32,
    /// Those of them that came back OK within [`TIMELY_STRETCHES`]. A call that waited out half the storm in a queue is a
    /// success, but does not show that the storm is over.
    pub timely: u32,
    /// Attempts made.
    pub attempts: u32,
    /// The median latency of the calls that were due, however they ended, in microseconds, within 7 %; 0 without calls.
    pub p50_us: u32,
    /// The 99th percentile of the same, in microseconds.
    pub p99_us: u32,
    /// The most requests that waited for a worker of one server.
    pub queued: u32,
    /// The most clients at a time that had a circuit breaker open or half-open.
    pub breakers: u32,
    /// The fewest connections at a time that were ready for calls.
    pub connections: u32,
}

impl Series {
    pub(super) fn new(duration_ns: u64) -> Self {
        let width_ns = duration_ns.div_ceil(STRETCHES).max(1);
        let count = usize::try_from(duration_ns.div_ceil(width_ns)).expect("at most STRETCHES");
        Self { width_ns, stretches: vec![Stretch::default(); count] }
    }

    /// The place of the stretch that a moment belongs to; there need not be one.
    pub(super) const fn place(&self, at_ns: u64) -> usize {
        (at_ns / self.width_ns) as usize
    }

    /// How long a call may take and still be timely.
    pub(super) const fn timely_ns(&self) -> u64 {
        self.width_ns * TIMELY_STRETCHES
    }

    /// The series of several seeds of one scenario as one: calls and attempts are added up; of what cannot be added (a
    /// latency, a queue), the median seed's is taken.
    #[must_use]
    pub fn pooled(all: &[&Self]) -> Self {
        let count = all.iter().map(|series| series.stretches.len()).max().unwrap_or_default();
        let stretch = |place: usize| {
            let stretches: Vec<&Stretch> = all.iter().filter_map(|series| series.stretches.get(place)).collect();
            pooled(&stretches)
        };
        Self { width_ns: all.first().map_or(0, |series| series.width_ns), stretches: (0..count).map(stretch).collect() }
    }
}

fn pooled(seeds: &[&Stretch]) -> Stretch {
    let sum = |pick: fn(&Stretch) -> u32| seeds.iter().map(|stretch| pick(stretch)).fold(0, u32::saturating_add);
    let middle =
        |pick: fn(&Stretch) -> u32| median(seeds.iter().map(|stretch| u64::from(pick(stretch))).collect()) as u32;
    // A seed in which nothing was due has no latency.
    let latency = |pick: fn(&Stretch) -> u32| {
        let seeds = seeds.iter().filter(|stretch| stretch.offered > 0);
        median(seeds.map(|stretch| u64::from(pick(stretch))).collect()) as u32
    };
    Stretch {
        offered: sum(|stretch| stretch.offered),
        ok: sum(|stretch| stretch.ok),
        timely: sum(|stretch| stretch.timely),
        attempts: sum(|stretch| stretch.attempts),
        p50_us: latency(|stretch| stretch.p50_us),
        p99_us: latency(|stretch| stretch.p99_us),
        queued: middle(|stretch| stretch.queued),
        breakers: middle(|stretch| stretch.breakers),
        connections: middle(|stretch| stretch.connections),
    }
}

/// The middle of some figures, the lower one if there are two; 0 without any.
pub(super) fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.len().checked_sub(1).map_or(0, |last| values[last / 2])
}

impl From<[u32; 9]> for Stretch {
    fn from(row: [u32; 9]) -> Self {
        let [offered, ok, timely, attempts, p50_us, p99_us, queued, breakers, connections] = row;
        Self { offered, ok, timely, attempts, p50_us, p99_us, queued, breakers, connections }
    }
}

impl From<Stretch> for [u32; 9] {
    fn from(stretch: Stretch) -> Self {
        let Stretch { offered, ok, timely, attempts, p50_us, p99_us, queued, breakers, connections } = stretch;
        [offered, ok, timely, attempts, p50_us, p99_us, queued, breakers, connections]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_added_up_and_their_latency_is_the_median_seeds() {
        let seed = |offered, p99_us, queued| Series {
            width_ns: 5,
            stretches: vec![Stretch { offered, p99_us, queued, ..Stretch::default() }],
        };
        let seeds = [seed(1, 10, 0), seed(2, 30, 4), seed(0, 0, 9), seed(4, 20, 4)];
        let expected = Stretch { offered: 7, p99_us: 20, queued: 4, ..Stretch::default() };
        let pooled = Series::pooled(&seeds.iter().collect::<Vec<_>>());
        assert_eq!(pooled, Series { width_ns: 5, stretches: vec![expected] });
        assert_eq!(Series::pooled(&[]), Series::default());
    }
}
