//! How many calls at once: the rules that find a limit from latencies and drops.
//!
//! Little's law says how many calls a server can usefully hold; nobody knows the numbers in it beforehand, and they change.
//! These rules watch latency (what queues, queues there) and raise or lower the limit after every call.
//!
//! Sources: Netflix concurrency-limits, `limit/AIMDLimit.java`, `VegasLimit.java`, `Gradient2Limit.java`; Envoy,
//! `adaptive_concurrency_filter.rst`.

use std::time::Duration;

use super::LimitAlgorithm;
use crate::clock::Instant;
use crate::random::Key;

/// A finished call, as a limit sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) now: Instant,
    pub(crate) latency: Duration,
    /// Calls under way when it began, itself included.
    pub(crate) inflight: u32,
    /// It was turned away or timed out.
    pub(crate) dropped: bool,
}

#[derive(Debug)]
pub(crate) struct Algorithm {
    config: LimitAlgorithm,
    limit: f64,
    state: State,
    key: Key,
    draws: u64,
}

#[derive(Debug)]
enum State {
    Plain,
    Vegas { unloaded_ns: f64, since_probe: f64, jitter: f64 },
    Gradient2 { long: SlowAverage },
    Envoy(Envoy),
}

#[derive(Debug)]
struct Envoy {
    phase: Phase,
    /// When the present or the last measurement of the unloaded latency began: calls from before say nothing any more.
    since: Instant,
    unloaded_ns: f64,
    /// Latencies of the present phase.
    samples: Vec<f64>,
    /// The limit before the measurement, and after it.
    before: f64,
    /// How many windows in a row have left the limit at its lowest.
    pinned: u32,
}

/// After so many windows at the lowest limit Envoy measures the unloaded latency anew.
const PINNED_MAX: u32 = 5;

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// At a concurrency so low that nothing queues.
    Unloaded,
    /// Until the next look at the samples, and the next measurement of the unloaded latency.
    Loaded { window_ends: Instant, next_unloaded: Instant },
}

impl Algorithm {
    pub(crate) fn new(config: LimitAlgorithm, key: Key) -> Self {
        let (limit, state) = match config {
            LimitAlgorithm::Fixed { max } => (max, State::Plain),
            LimitAlgorithm::Aimd { initial, .. } => (initial, State::Plain),
            LimitAlgorithm::Vegas { initial, .. } => {
                (initial, State::Vegas { unloaded_ns: 0.0, since_probe: 0.0, jitter: 1.0 })
            }
            LimitAlgorithm::Gradient2 { initial, long_window, .. } => {
                (initial, State::Gradient2 { long: SlowAverage::new(long_window) })
            }
            LimitAlgorithm::EnvoyAdaptive { min_concurrency, .. } => {
                let (phase, since, samples) = (Phase::Unloaded, Instant::ORIGIN, Vec::new());
                let before = f64::from(min_concurrency);
                let envoy = Envoy { phase, since, unloaded_ns: 0.0, samples, before, pinned: 0 };
                (min_concurrency, State::Envoy(envoy))
            }
        };
        Self { config, limit: f64::from(limit), state, key, draws: 0 }
    }

    /// How many calls may be under way.
    pub(crate) fn limit(&self) -> u32 {
        (self.limit as u32).max(1)
    }

    /// Learns from a finished call.
    pub(crate) fn learn(&mut self, sample: Sample) {
        let latency = (sample.latency.as_nanos() as f64).max(1.0);
        let inflight = f64::from(sample.inflight);
        match (&mut self.state, self.config) {
            (State::Plain, LimitAlgorithm::Aimd { min, max, backoff, timeout, .. }) => {
                if sample.dropped || sample.latency > timeout {
                    self.limit = (self.limit * backoff).floor();
                } else if inflight * 2.0 >= self.limit {
                    self.limit += 1.0;
                }
                self.limit = self.limit.clamp(f64::from(min), f64::from(max));
            }
            (State::Vegas { unloaded_ns, since_probe, jitter }, LimitAlgorithm::Vegas { max, .. }) => {
                *since_probe += 1.0;
                // Now and then the unloaded latency is measured afresh, or a faster past would hold the limit down for ever.
                let probe = *since_probe >= *jitter * 30.0 * self.limit;
                if probe {
                    self.draws += 1;
                    *since_probe = 0.0;
                    *jitter = self.key.with(self.draws).draw().between(0.5, 1.0);
                }
                if probe || *unloaded_ns == 0.0 || latency < *unloaded_ns {
                    *unloaded_ns = latency;
                    return;
                }
                self.limit =
                    vegas(self.limit, *unloaded_ns, latency, inflight, sample.dropped).clamp(1.0, f64::from(max));
            }
            (State::Gradient2 { long }, LimitAlgorithm::Gradient2 { min, max, queue, tolerance, smoothing, .. }) => {
                let average = long.add(latency);
                if average / latency > 2.0 {
                    long.scale(0.95);
                }
                // An application that does not use its limit says nothing about it.
                if inflight < self.limit / 2.0 {
                    return;
                }
                let gradient = (tolerance * average / latency).clamp(0.5, 1.0);
                let next = self.limit * gradient + f64::from(queue);
                self.limit = (self.limit * (1.0 - smoothing) + next * smoothing).clamp(f64::from(min), f64::from(max));
            }
            (State::Envoy(envoy), config @ LimitAlgorithm::EnvoyAdaptive { .. }) => {
                if !sample.dropped && sample.now - sample.latency >= envoy.since {
                    envoy.samples.push(latency);
                }
                self.draws += 1;
                let jitter = self.key.with(self.draws).draw().value();
                self.limit = envoy.update(config, self.limit, sample.now, jitter);
            }
            _ => {}
        }
    }
}

fn vegas(limit: f64, unloaded: f64, latency: f64, inflight: f64, dropped: bool) -> f64 {
    // The step and the thresholds grow with the logarithm of the limit, and are at least 1.
    let log = libm::floor(libm::log10(limit.max(1.0))).max(1.0);
    let (threshold, alpha, beta) = (log, 3.0 * log, 6.0 * log);
    if dropped {
        return limit - log;
    }
    if inflight * 2.0 < limit {
        return limit;
    }
    let queue = libm::ceil(limit * (1.0 - unloaded / latency));
    if queue <= threshold {
        limit + beta
    } else if queue < alpha {
        limit + log
    } else if queue > beta {
        limit - log
    } else {
        limit
    }
}

impl Envoy {
    fn update(&mut self, config: LimitAlgorithm, limit: f64, now: Instant, jitter: f64) -> f64 {
        let LimitAlgorithm::EnvoyAdaptive { min_concurrency, max, requests, interval, window, buffer } = config else {
            return limit;
        };
        match self.phase {
            Phase::Unloaded => {
                if self.samples.len() < requests as usize {
                    return limit;
                }
                self.unloaded_ns = self.median();
                self.phase = Phase::Loaded {
                    window_ends: now + window,
                    // Clients that measure at the same time would measure each other's pause.
                    next_unloaded: now + interval.mul_f64(1.0 + 0.15 * jitter),
                };
                self.before.max(f64::from(min_concurrency))
            }
            Phase::Loaded { next_unloaded, .. } if now >= next_unloaded => self.measure(limit, min_concurrency, now),
            Phase::Loaded { window_ends, next_unloaded } => {
                if now < window_ends || self.samples.is_empty() {
                    return limit;
                }
                self.phase = Phase::Loaded { window_ends: now + window, next_unloaded };
                let gradient = (self.unloaded_ns * (1.0 + buffer) / self.median()).clamp(0.5, 2.0);
                let (grown, lowest) = (limit * gradient, f64::from(min_concurrency));
                // A whole number, as in Envoy: the next window starts from that.
                let next = libm::floor(grown + libm::sqrt(grown)).clamp(lowest, f64::from(max));
                self.pinned = if limit <= lowest && next <= lowest { self.pinned + 1 } else { 0 };
                // A limit that does not leave the ground may owe it to a latency measured too low.
                if self.pinned >= PINNED_MAX { self.measure(next, min_concurrency, now) } else { next }
            }
        }
    }

    /// Lets only few calls pass, to learn the unloaded latency.
    fn measure(&mut self, limit: f64, min_concurrency: u32, now: Instant) -> f64 {
        self.samples.clear();
        (self.phase, self.since, self.before, self.pinned) = (Phase::Unloaded, now, limit, 0);
        f64::from(min_concurrency)
    }

    fn median(&mut self) -> f64 {
        self.samples.sort_unstable_by(f64::total_cmp);
        let median = self.samples[self.samples.len() / 2];
        self.samples.clear();
        median
    }
}

/// An exponential average over about `window` samples, a plain mean for the first ten.
#[derive(Debug)]
struct SlowAverage {
    window: f64,
    count: f64,
    sum: f64,
    value: f64,
}

impl SlowAverage {
    fn new(window: u32) -> Self {
        Self { window: f64::from(window), count: 0.0, sum: 0.0, value: 0.0 }
    }

    fn add(&mut self, sample: f64) -> f64 {
        if self.count < 10.0 {
            self.count += 1.0;
            self.sum += sample;
            self.value = self.sum / self.count;
        } else {
            let weight = 2.0 / (self.window + 1.0);
            self.value += (sample - self.value) * weight;
        }
        self.value
    }

    fn scale(&mut self, factor: f64) {
        self.value *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Feeds samples of one latency at full use; the limit after each.
    fn run(algorithm: LimitAlgorithm, samples: &[(u32, bool)]) -> Vec<u32> {
        let mut limit = Algorithm::new(algorithm, Key::from_seed(1));
        let mut now = Instant::ORIGIN;
        samples
            .iter()
            .map(|(latency_ms, dropped)| {
                now += MS;
                let inflight = limit.limit();
                limit.learn(Sample { now, latency: *latency_ms * MS, inflight, dropped: *dropped });
                limit.limit()
            })
            .collect()
    }

    #[test]
    fn aimd_adds_one_and_takes_a_tenth() {
        let aimd = LimitAlgorithm::AIMD;
        assert_eq!(run(aimd, &[(1, false), (1, false), (1, true), (6_000, false)]), [21, 22, 20, 20]);
    }

    /// From 20, unloaded at 10 ms: no queue adds beta = 6; a queue of over 6 takes 1.
    #[test]
    fn vegas_follows_the_queue() {
        assert_eq!(run(LimitAlgorithm::VEGAS, &[(10, false), (10, false), (10, false)]), [20, 26, 32]);
        assert_eq!(run(LimitAlgorithm::VEGAS, &[(10, false), (20, false), (20, true)]), [20, 19, 18]);
    }

    /// Steady latency grows the limit by the queue times the smoothing; doubled latency shrinks it.
    #[test]
    fn gradient2_grows_on_steady_latency_and_yields_to_a_slower_one() {
        let steady = run(LimitAlgorithm::GRADIENT2, &[(10, false); 100]);
        assert!(steady[99] > 60 && steady.windows(2).all(|pair| pair[0] <= pair[1]), "{steady:?}");
        let mut samples = vec![(10, false); 100];
        samples.extend(vec![(40, false); 50]);
        let slowed = run(LimitAlgorithm::GRADIENT2, &samples);
        assert!(slowed[149] < slowed[99] / 2, "{slowed:?}");
    }

    proptest::proptest! {
        #[test]
        fn limits_stay_within_their_bounds(samples in proptest::collection::vec((1_u32..10_000, proptest::bool::ANY), 1..300)) {
            for (algorithm, low, high) in [
                (LimitAlgorithm::AIMD, 20, 200),
                (LimitAlgorithm::VEGAS, 1, 1000),
                (LimitAlgorithm::GRADIENT2, 20, 200),
                (LimitAlgorithm::ENVOY, 3, 1000),
                (LimitAlgorithm::Fixed { max: 7 }, 7, 7),
            ] {
                for limit in run(algorithm, &samples) {
                    proptest::prop_assert!((low..=high).contains(&limit), "{algorithm:?}: {limit}");
                }
            }
        }
    }
}
