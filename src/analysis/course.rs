//! The running side of a [`Series`]: what has to be known beyond the counts to say how latency, queues, breakers and
//! connections went over time.
//!
//! Rule: an event costs an addition or two. Latencies are counted in buckets of an eighth of an octave, 200 of them a stretch
//! in one array, and become quantiles only at the end; breakers and connections are gauges, carried from stretch to stretch.

use super::series::{Series, Stretch};
use crate::record::{ConnectionChange, Header};

/// From 0 to more than a minute in steps of at most an eighth.
const BUCKETS: usize = 200;

/// A series under way.
#[derive(Debug)]
pub(super) struct Course {
    series: Series,
    latencies: Vec<u32>,
    /// The stretch that time has reached.
    reached: usize,
    /// For each client, whether a breaker of it is not closed.
    broken: Vec<bool>,
    breakers: u32,
    /// For each client, the servers it has a connection to that is ready.
    ready: Vec<Vec<u32>>,
    connections: u32,
}

impl Course {
    pub(super) fn new(header: &Header) -> Self {
        let series = Series::new(header.duration_ns);
        let clients = header.clients.iter().map(|group| group.count as usize).sum();
        Self {
            latencies: vec![0; series.stretches.len() * BUCKETS],
            series,
            reached: 0,
            broken: vec![false; clients],
            breakers: 0,
            ready: vec![Vec::new(); clients],
            connections: 0,
        }
    }

    pub(super) fn offered(&mut self, due_ns: u64) {
        self.at(due_ns, |stretch| stretch.offered += 1);
    }

    pub(super) fn attempted(&mut self, at_ns: u64) {
        self.at(at_ns, |stretch| stretch.attempts += 1);
    }

    pub(super) fn queued(&mut self, at_ns: u64, depth: u32) {
        self.at(at_ns, |stretch| stretch.queued = stretch.queued.max(depth));
    }

    /// A call that was due then has ended, or was given up, so much later.
    pub(super) fn ended(&mut self, due_ns: u64, latency_ns: u64, ok: bool) {
        let timely = latency_ns <= self.series.timely_ns();
        let place = self.series.place(due_ns);
        let Some(stretch) = self.series.stretches.get_mut(place) else { return };
        stretch.ok += u32::from(ok);
        stretch.timely += u32::from(ok && timely);
        self.latencies[place * BUCKETS + bucket(latency_ns)] += 1;
    }

    pub(super) fn breaker(&mut self, at_ns: u64, client: u32, closed: Option<bool>) {
        self.reach(at_ns);
        let Some(broken) = self.broken.get_mut(client as usize) else { return };
        let now = closed != Some(true);
        match (std::mem::replace(broken, now), now) {
            (false, true) => self.breakers += 1,
            (true, false) => self.breakers -= 1,
            _ => {}
        }
        let breakers = self.breakers;
        self.at(at_ns, |stretch| stretch.breakers = stretch.breakers.max(breakers));
    }

    pub(super) fn connection(&mut self, at_ns: u64, client: u32, server: u32, change: ConnectionChange) {
        self.reach(at_ns);
        let Some(ready) = self.ready.get_mut(client as usize) else { return };
        let known = ready.iter().position(|one| *one == server);
        match (change, known) {
            (ConnectionChange::Ready, None) => {
                ready.push(server);
                self.connections += 1;
            }
            (ConnectionChange::Failed | ConnectionChange::Closed, Some(place)) => {
                ready.swap_remove(place);
                self.connections -= 1;
            }
            _ => {}
        }
        let connections = self.connections;
        self.at(at_ns, |stretch| stretch.connections = stretch.connections.min(connections));
    }

    pub(super) fn finish(mut self) -> Series {
        self.reach(u64::MAX);
        for (stretch, latencies) in self.series.stretches.iter_mut().zip(self.latencies.chunks_exact(BUCKETS)) {
            stretch.p50_us = quantile_us(latencies, 0.5);
            stretch.p99_us = quantile_us(latencies, 0.99);
        }
        self.series
    }

    fn at(&mut self, at_ns: u64, change: impl FnOnce(&mut Stretch)) {
        let place = self.series.place(at_ns);
        if let Some(stretch) = self.series.stretches.get_mut(place) {
            change(stretch);
        }
    }

    /// Time has come so far: the stretches on the way begin with what the gauges say.
    fn reach(&mut self, at_ns: u64) {
        let place = self.series.place(at_ns).min(self.series.stretches.len().saturating_sub(1));
        while self.reached < place {
            self.reached += 1;
            let stretch = &mut self.series.stretches[self.reached];
            (stretch.breakers, stretch.connections) = (self.breakers, self.connections);
        }
    }
}

/// The bucket of a latency: eight to each doubling of 1024 ns, the last one open.
const fn bucket(latency_ns: u64) -> usize {
    let ticks = latency_ns >> 10;
    if ticks < 8 {
        return ticks as usize;
    }
    let octave = 63 - ticks.leading_zeros() as usize;
    let place = (octave - 2) * 8 + ((ticks >> (octave - 3)) & 7) as usize;
    if place < BUCKETS { place } else { BUCKETS - 1 }
}

/// The middle of a bucket, in nanoseconds.
const fn middle_ns(bucket: usize) -> u64 {
    if bucket < 8 {
        return (bucket as u64 * 2 + 1) << 9;
    }
    let (octave, eighth) = (bucket / 8 + 2, (bucket % 8) as u64);
    ((8 + eighth) * 2 + 1) << (octave - 3 + 9)
}

/// 0 without latencies.
fn quantile_us(latencies: &[u32], quantile: f64) -> u32 {
    let count: u64 = latencies.iter().map(|count| u64::from(*count)).sum();
    let rank = (count as f64 * quantile).ceil() as u64;
    let mut seen = 0;
    let found = latencies.iter().position(|in_bucket| {
        seen += u64::from(*in_bucket);
        seen >= rank && seen > 0
    });
    found.map_or(0, |bucket| (middle_ns(bucket) / 1000) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_within_seven_percent_of_its_bucket() {
        for latency_ns in (14..26).flat_map(|power| [1 << power, (1 << power) + (1 << (power - 1)), (2 << power) - 1]) {
            let error = middle_ns(bucket(latency_ns)) as f64 / latency_ns as f64 - 1.0;
            assert!(error.abs() < 0.07, "{latency_ns}: {error}");
        }
        assert_eq!((bucket(0), bucket(u64::MAX)), (0, BUCKETS - 1));
        assert!((0..BUCKETS).all(|place| bucket(middle_ns(place)) == place));
    }

    #[test]
    fn quantiles_are_those_of_the_calls_that_were_due() {
        let mut course = course(2);
        for latency_ms in 1..=100 {
            course.ended(3, latency_ms * 1_000_000, true);
        }
        let first = course.finish().stretches[0];
        assert!((47_000..53_000).contains(&first.p50_us), "{first:?}");
        assert!((93_000..106_000).contains(&first.p99_us), "{first:?}");
    }

    /// One client's breaker opens in stretch 2, probes in 4 and closes in 5; the other's never opens.
    #[test]
    fn a_breaker_is_carried_until_it_closes() {
        let mut course = course(2);
        for (at, closed) in [(2, Some(false)), (4, None), (5, Some(true))] {
            course.breaker(at * WIDTH, 0, closed);
        }
        assert_eq!(picture(course, |stretch| stretch.breakers), "0011110000");
    }

    #[test]
    fn a_connection_is_carried_until_it_is_gone() {
        use ConnectionChange::{Closed, Connecting, Failed, Ready};
        let mut course = course(2);
        let changes = [(0, 0, Connecting), (1, 0, Ready), (1, 1, Ready), (4, 0, Closed), (5, 0, Failed), (7, 0, Ready)];
        for (at, client, change) in changes {
            course.connection(at * WIDTH, client, 0, change);
        }
        assert_eq!(picture(course, |stretch| stretch.connections), "0022111122");
    }

    const WIDTH: u64 = 5;

    /// Ten stretches; the series is cut finer than that only if it is longer.
    fn course(clients: u32) -> Course {
        let group = crate::record::ClientNames { name: "devices".to_owned(), count: clients };
        let header = Header {
            log_version: crate::record::LOG_VERSION,
            squall_version: String::new(),
            scenario: String::new(),
            file: String::new(),
            strategy: String::new(),
            seed: 1,
            control: false,
            duration_ns: 10 * WIDTH,
            clients: vec![group],
            servers: Vec::new(),
            faults: Vec::new(),
        };
        let mut course = Course::new(&header);
        course.series = Series { width_ns: WIDTH, stretches: vec![Stretch::default(); 10] };
        course
    }

    fn picture(course: Course, pick: fn(&Stretch) -> u32) -> String {
        course.finish().stretches.iter().map(|stretch| pick(stretch).to_string()).collect()
    }
}
