//! The rules that find a limit, against their sources: Netflix's Java and Envoy's C++ written down once more, line by line, and run
//! over the whole history for every answer.

use std::time::Duration;

use proptest::prelude::*;

use super::LimitAlgorithm;
use super::algorithm::{Algorithm, Sample};
use crate::clock::Instant;
use crate::random::Key;

/// The limit after `history`, from the beginning.
fn reference(config: LimitAlgorithm, history: &[Sample], key: Key) -> u32 {
    match config {
        LimitAlgorithm::Fixed { max } => max,
        LimitAlgorithm::Aimd { .. } => aimd(config, history),
        LimitAlgorithm::Vegas { .. } => vegas(config, history, key),
        LimitAlgorithm::Gradient2 { .. } => gradient2(config, history),
        LimitAlgorithm::EnvoyAdaptive { .. } => envoy(config, history, key),
    }
}

/// `AIMDLimit.java`: whole numbers throughout.
fn aimd(config: LimitAlgorithm, history: &[Sample]) -> u32 {
    let LimitAlgorithm::Aimd { initial, min, max, backoff, timeout } = config else { unreachable!() };
    let mut limit = initial;
    for sample in history {
        if sample.dropped || sample.latency > timeout {
            limit = (f64::from(limit) * backoff) as u32;
        } else if sample.inflight * 2 >= limit {
            limit += 1;
        }
        limit = limit.max(min).min(max);
    }
    limit
}

/// `VegasLimit.java`, with its functions of the logarithm.
fn vegas(config: LimitAlgorithm, history: &[Sample], key: Key) -> u32 {
    let LimitAlgorithm::Vegas { initial, max } = config else { unreachable!() };
    let log10 = |limit: f64| ((limit as u32).max(1).ilog10()).max(1);
    let (mut limit, mut rtt_noload, mut probes, mut resets, mut jitter) = (f64::from(initial), 0, 0_u32, 0, 1.0);
    for sample in history {
        let rtt = (sample.latency.as_nanos() as u64).max(1);
        probes += 1;
        if jitter * 30.0 * limit <= f64::from(probes) {
            resets += 1;
            (probes, rtt_noload, jitter) = (0, rtt, key.with(resets).draw().between(0.5, 1.0));
            continue;
        }
        if rtt_noload == 0 || rtt < rtt_noload {
            rtt_noload = rtt;
            continue;
        }
        let queue = (limit * (1.0 - rtt_noload as f64 / rtt as f64)).ceil();
        let step = f64::from(log10(limit));
        let next = if sample.dropped {
            limit - step
        } else if f64::from(sample.inflight) * 2.0 < limit {
            continue;
        } else if queue <= step {
            limit + 6.0 * step
        } else if queue < 3.0 * step {
            limit + step
        } else if queue > 6.0 * step {
            limit - step
        } else {
            continue;
        };
        limit = next.min(f64::from(max)).max(1.0);
    }
    limit as u32
}

/// `Gradient2Limit.java` and `ExpAvgMeasurement.java`.
fn gradient2(config: LimitAlgorithm, history: &[Sample]) -> u32 {
    let LimitAlgorithm::Gradient2 { initial, min, max, queue, tolerance, smoothing, long_window } = config else {
        unreachable!()
    };
    let factor = 2.0 / (f64::from(long_window) + 1.0);
    let (mut limit, mut long, mut sum) = (f64::from(initial), 0.0, 0.0);
    for (before, sample) in history.iter().enumerate() {
        let short = (sample.latency.as_nanos() as f64).max(1.0);
        long = if before < 10 {
            sum += short;
            sum / (before + 1) as f64
        } else {
            long + (short - long) * factor
        };
        let measured = long;
        if measured / short > 2.0 {
            long *= 0.95;
        }
        if f64::from(sample.inflight) < limit / 2.0 {
            continue;
        }
        let gradient = (tolerance * measured / short).clamp(0.5, 1.0);
        let next = limit * gradient + f64::from(queue);
        limit = (limit * (1.0 - smoothing) + next * smoothing).min(f64::from(max)).max(f64::from(min));
    }
    limit as u32
}

/// `gradient_controller.cc`: measures at the lowest concurrency, then follows the median of each window.
fn envoy(config: LimitAlgorithm, history: &[Sample], key: Key) -> u32 {
    let LimitAlgorithm::EnvoyAdaptive { min_concurrency, max, requests, interval, window, buffer } = config else {
        unreachable!()
    };
    let median = |latencies: &mut Vec<f64>| {
        latencies.sort_by(f64::total_cmp);
        let median = latencies[latencies.len() / 2];
        latencies.clear();
        median
    };
    let (mut limit, mut deferred, mut min_rtt) = (min_concurrency, min_concurrency, 0.0);
    let (mut epoch, mut consecutive_min) = (Instant::ORIGIN, 0);
    // When the present window ends and when the unloaded latency is measured next; none while it is being measured.
    let mut loaded: Option<(Instant, Instant)> = None;
    let mut latencies = Vec::new();
    for (n, sample) in (1..).zip(history) {
        let sent = sample.now - sample.latency;
        if !sample.dropped && sent >= epoch {
            latencies.push((sample.latency.as_nanos() as f64).max(1.0));
        }
        match loaded {
            None if latencies.len() < requests as usize => {}
            None => {
                min_rtt = median(&mut latencies);
                let jitter = 1.0 + 0.15 * key.with(n).draw().value();
                loaded = Some((sample.now + window, sample.now + interval.mul_f64(jitter)));
                limit = deferred;
            }
            Some((_, remeasure)) if sample.now >= remeasure => {
                (deferred, limit, loaded, epoch, consecutive_min) = (limit, min_concurrency, None, sample.now, 0);
                latencies.clear();
            }
            Some((ends, remeasure)) => {
                if sample.now >= ends && !latencies.is_empty() {
                    loaded = Some((sample.now + window, remeasure));
                    let gradient = (min_rtt * (1.0 + buffer) / median(&mut latencies)).clamp(0.5, 2.0);
                    let grown = f64::from(limit) * gradient;
                    let new_limit = ((grown + grown.sqrt()) as u32).min(max).max(min_concurrency);
                    let stuck = limit == min_concurrency && new_limit == min_concurrency;
                    consecutive_min = if stuck { consecutive_min + 1 } else { 0 };
                    limit = new_limit;
                    if consecutive_min >= 5 {
                        (deferred, loaded, epoch, consecutive_min) = (limit, None, sample.now, 0);
                    }
                }
            }
        }
    }
    limit
}

fn configs() -> impl Strategy<Value = LimitAlgorithm> {
    let (ms, bounds) = (Duration::from_millis, (1_u32..10, 0_u32..20, 0_u32..100));
    prop_oneof![
        (1_u32..50).prop_map(|max| LimitAlgorithm::Fixed { max }),
        (bounds.clone(), 1_u32..10).prop_map(move |((min, more, most), tenths)| LimitAlgorithm::Aimd {
            initial: min + more,
            min,
            max: min + more + most,
            backoff: f64::from(tenths) / 10.5,
            timeout: ms(500),
        }),
        (1_u32..200, 0_u32..1000).prop_map(|(initial, more)| LimitAlgorithm::Vegas { initial, max: initial + more }),
        (bounds, 1_u32..100, 1_u32..600).prop_map(|((min, more, most), percent, long_window)| {
            LimitAlgorithm::Gradient2 {
                initial: min + more,
                min,
                max: min + more + most,
                queue: 4,
                tolerance: 1.5,
                smoothing: f64::from(percent) / 100.0,
                long_window,
            }
        }),
        (1_u32..5, 5_u32..300, 1_u32..20, 1_u64..2_000, 1_u64..200).prop_map(
            move |(min_concurrency, max, requests, interval, window)| LimitAlgorithm::EnvoyAdaptive {
                min_concurrency,
                max,
                requests,
                interval: ms(interval),
                window: ms(window),
                buffer: 0.25,
            }
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Calls end at any time, soon or late, well or badly, with few or many others under way: the limits are the same.
    #[test]
    fn limits_agree_with_their_sources(
        config in configs(),
        ends in proptest::collection::vec((0_u64..40, 1_u64..1000, 0_u32..120, 0_u32..8), 1..250),
    ) {
        let key = Key::from_seed(9);
        let mut algorithm = Algorithm::new(config, key);
        let (mut now, mut history) = (Instant::ORIGIN, Vec::new());
        for (step, latency, percent, dice) in ends {
            now += Duration::from_millis(step);
            // Mostly as many as there may be: only then do limits move.
            let inflight = algorithm.limit() * percent.min(100) / 100;
            let sample = Sample { now, latency: Duration::from_millis(latency), inflight, dropped: dice == 0 };
            algorithm.learn(sample);
            history.push(sample);
            prop_assert_eq!(algorithm.limit(), reference(config, &history, key), "after {} calls", history.len());
        }
    }
}
