//! The breaker against a plain model: everything that happened, looked through anew every time.

use std::time::Duration;

use proptest::prelude::*;

use super::{BreakerConfig, BreakerWindow, Machine, SlowCalls, Ticket, Trip};
use crate::clock::Instant;
use crate::resilience::BreakerState;

/// An attempt that takes longer is slow.
const SLOW: Duration = Duration::from_nanos(5);

/// The end of an attempt, at a time in nanoseconds.
#[derive(Clone, Copy)]
struct Seen {
    at: u64,
    failed: bool,
    slow: bool,
}

/// The breaker as one would write it with unlimited memory.
struct Model {
    config: BreakerConfig,
    state: BreakerState,
    since: u64,
    /// What ended in the present state, and how many attempts of it are under way.
    results: Vec<Seen>,
    out: u32,
}

impl Model {
    fn new(config: &BreakerConfig) -> Self {
        Self { config: config.clone(), state: BreakerState::Closed, since: 0, results: Vec::new(), out: 0 }
    }

    fn admit(&mut self, now: u64) -> bool {
        if self.state == BreakerState::Open && now >= self.since + self.config.open.as_nanos() as u64 {
            self.enter(BreakerState::HalfOpen, now);
        }
        let probing = self.out + self.results.len() as u32;
        let admitted = match self.state {
            BreakerState::Closed => true,
            BreakerState::Open => false,
            BreakerState::HalfOpen => probing < self.config.probes,
        };
        self.out += u32::from(admitted);
        admitted
    }

    fn record(&mut self, seen: Seen) {
        self.out -= 1;
        self.results.push(seen);
        if self.state == BreakerState::HalfOpen {
            let share = |pick: fn(&Seen) -> bool| {
                self.results.iter().filter(|one| pick(one)).count() as f64 / f64::from(self.config.probes)
            };
            let (failed, slow) = (share(|one| one.failed), share(|one| one.slow));
            let too_many = match self.config.trip {
                Trip::Consecutive { .. } => failed > 0.0,
                Trip::FailureRate { rate, .. } | Trip::Ewma { rate, .. } => failed >= rate - 1e-9,
            };
            if too_many || self.config.slow.is_some_and(|limit| slow >= limit.rate - 1e-9) {
                self.enter(BreakerState::Open, seen.at);
            } else if self.results.len() as u32 >= self.config.probes {
                self.enter(BreakerState::Closed, seen.at);
            }
        } else if self.trips(seen.at) {
            self.enter(BreakerState::Open, seen.at);
        }
    }

    fn trips(&self, now: u64) -> bool {
        let weighed = |weight: &dyn Fn(usize, &Seen) -> f64| {
            let mut sums = [0.0; 3];
            // From the latest back: the first is number 0.
            for (back, one) in self.results.iter().rev().enumerate() {
                let weight = weight(back, one);
                for (sum, counts) in sums.iter_mut().zip([true, one.failed, one.slow]) {
                    *sum += if counts { weight } else { 0.0 };
                }
            }
            sums
        };
        let one_if = |good: bool| f64::from(u8::from(good));
        let (rate, min_calls, [all, failed, slow]) = match self.config.trip {
            Trip::Consecutive { failures } => {
                return self.results.iter().rev().take_while(|one| one.failed).count() >= failures as usize;
            }
            Trip::FailureRate { rate, window: BreakerWindow::Count(count), min_calls } => {
                (rate, min_calls, weighed(&|back, _| one_if(back < count as usize)))
            }
            Trip::FailureRate { rate, window: BreakerWindow::Time(length), min_calls } => {
                // Ten slots: the present one, and the nine before it.
                let slot = |at: u64| at / (length.as_nanos() as u64).div_ceil(10);
                (rate, min_calls, weighed(&|_, one| one_if(slot(one.at) + 9 >= slot(now))))
            }
            Trip::Ewma { rate, half_life, min_calls } => {
                let halves = |at: u64| (now - at) as f64 / half_life.as_nanos() as f64;
                (rate, min_calls, weighed(&|_, one| 0.5_f64.powf(halves(one.at))))
            }
        };
        let reaches = |part: f64, rate: f64| part >= rate * all - 1e-9;
        all >= f64::from(min_calls) - 1e-9
            && (reaches(failed, rate) || self.config.slow.is_some_and(|limit| reaches(slow, limit.rate)))
    }

    fn enter(&mut self, state: BreakerState, now: u64) {
        (self.state, self.since, self.out) = (state, now, 0);
        self.results.clear();
    }
}

fn config() -> impl Strategy<Value = BreakerConfig> {
    let quarters = || (1_u32..5).prop_map(|quarters| f64::from(quarters) / 4.0);
    let window = prop_oneof![
        (1_u32..9).prop_map(BreakerWindow::Count),
        (1_u64..60).prop_map(|length| BreakerWindow::Time(Duration::from_nanos(length))),
    ];
    let trip = prop_oneof![
        (1_u32..5).prop_map(|failures| Trip::Consecutive { failures }),
        (quarters(), window, 1_u32..9).prop_map(|(rate, window, least)| {
            let min_calls = if let BreakerWindow::Count(count) = window { least.min(count) } else { least };
            Trip::FailureRate { rate, window, min_calls }
        }),
        (quarters(), 1_u64..40, 1_u32..6).prop_map(|(rate, half_life, min_calls)| Trip::Ewma {
            rate,
            half_life: Duration::from_nanos(half_life),
            min_calls,
        }),
    ];
    let slow = proptest::option::of(quarters().prop_map(|rate| SlowCalls { threshold: SLOW, rate }));
    (trip, slow, 1_u32..4, 1_u64..30).prop_map(|(trip, slow, probes, open)| BreakerConfig {
        trip,
        slow: slow.filter(|_| !matches!(trip, Trip::Consecutive { .. })),
        probes,
        open: Duration::from_nanos(open),
        ..BreakerConfig::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    /// Attempts begin, end well or badly, soon or late, or are given up, in any order: both breakers admit the same.
    #[test]
    fn a_breaker_agrees_with_its_model(
        config in config(),
        steps in proptest::collection::vec((0_u64..4, 0..4, 0_usize..5, any::<bool>()), 1..200),
    ) {
        config.check().unwrap();
        let (mut machine, mut model) = (Machine::new(&config), Model::new(&config));
        let mut under_way: Vec<Ticket> = Vec::new();
        let mut now = 0;
        for (step, action, which, late) in steps {
            now += step;
            let at = Instant::from_nanos(now);
            if action == 0 || under_way.is_empty() {
                let (ticket, _) = machine.admit(&config, at);
                prop_assert_eq!(ticket.is_some(), model.admit(now));
                under_way.extend(ticket);
            } else {
                let ticket = under_way.remove(which % under_way.len());
                let current = machine.is_current(ticket);
                if action == 3 {
                    machine.release(ticket);
                    model.out -= u32::from(current);
                } else {
                    let (failed, latency) = (action == 2, if late { SLOW * 2 } else { SLOW });
                    machine.record(&config, at, ticket, failed, latency);
                    if current {
                        model.record(Seen { at: now, failed, slow: late && config.slow.is_some() });
                    }
                }
            }
            prop_assert_eq!(machine.state(), model.state, "at {}", now);
        }
    }
}
