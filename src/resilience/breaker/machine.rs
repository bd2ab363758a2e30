//! The breaker as a plain state machine: no clock, no lock, no future.
//!
//! Two things toy breakers get wrong: a probe is reserved at admission and given back if it is cancelled, or the breaker
//! stays half-open for ever; and a result that was sent in an earlier state says nothing about this one, so every ticket
//! carries the generation in which it was given out.

use std::collections::VecDeque;
use std::time::Duration;

use super::{BreakerConfig, BreakerWindow, Trip};
use crate::clock::Instant;
use crate::resilience::BreakerState;
use crate::resilience::window::Window;

/// Permission to send one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    generation: u64,
}

/// A change of state.
pub(crate) type Transition = Option<(BreakerState, BreakerState)>;

#[derive(Debug)]
pub(crate) struct Machine {
    state: State,
    generation: u64,
    history: History,
}

#[derive(Debug)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen(Probes),
}

/// The probes of a half-open breaker, and how they went.
#[derive(Debug, Default)]
struct Probes {
    admitted: u32,
    ended: u32,
    failed: u32,
    slow: u32,
}

/// What the breaker remembers while it is closed.
#[expect(clippy::large_enum_variant, reason = "one a breaker, not one a call")]
#[derive(Debug)]
enum History {
    Row(u32),
    /// Failed and slow, oldest first, and how many of each there are.
    Count {
        results: VecDeque<(bool, bool)>,
        failed: u32,
        slow: u32,
    },
    /// Attempts, failures, slow ones.
    Time(Window<3>),
    Decaying {
        at: Instant,
        sums: [f64; 3],
    },
}

impl Machine {
    pub(crate) fn new(config: &BreakerConfig) -> Self {
        let history = match config.trip {
            Trip::Consecutive { .. } => History::Row(0),
            Trip::FailureRate { window: BreakerWindow::Count(count), .. } => {
                History::Count { results: VecDeque::with_capacity(count as usize), failed: 0, slow: 0 }
            }
            Trip::FailureRate { window: BreakerWindow::Time(length), .. } => History::Time(Window::new(length)),
            Trip::Ewma { .. } => History::Decaying { at: Instant::ORIGIN, sums: [0.0; 3] },
        };
        Self { state: State::Closed, generation: 0, history }
    }

    /// Whether a ticket is of the present state.
    #[cfg(test)]
    pub(super) fn is_current(&self, ticket: Ticket) -> bool {
        ticket.generation == self.generation
    }

    pub(crate) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen(_) => BreakerState::HalfOpen,
        }
    }

    /// Whether an attempt would be admitted now.
    pub(crate) fn would_admit(&self, config: &BreakerConfig, now: Instant) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until } => now >= until,
            State::HalfOpen(Probes { admitted, .. }) => admitted < config.probes,
        }
    }

    /// Admits an attempt, or not.
    pub(crate) fn admit(&mut self, config: &BreakerConfig, now: Instant) -> (Option<Ticket>, Transition) {
        let mut transition = None;
        if let State::Open { until } = self.state
            && now >= until
        {
            transition = self.enter(State::HalfOpen(Probes::default()));
        }
        let ticket = Ticket { generation: self.generation };
        let admitted = match &mut self.state {
            State::Closed => true,
            State::Open { .. } => false,
            State::HalfOpen(probes) => {
                let free = probes.admitted < config.probes;
                probes.admitted += u32::from(free);
                free
            }
        };
        (admitted.then_some(ticket), transition)
    }

    /// An attempt ended in a way that says something.
    pub(crate) fn record(
        &mut self,
        config: &BreakerConfig,
        now: Instant,
        ticket: Ticket,
        failed: bool,
        latency: Duration,
    ) -> Transition {
        if ticket.generation != self.generation {
            return None;
        }
        let slow = config.slow.is_some_and(|slow| latency > slow.threshold);
        match &mut self.state {
            State::Open { .. } => None,
            State::Closed => {
                let tripped = self.history.add(config, now, failed, slow);
                if tripped { self.enter(State::Open { until: now + config.open }) } else { None }
            }
            State::HalfOpen(probes) => {
                probes.ended += 1;
                probes.failed += u32::from(failed);
                probes.slow += u32::from(slow);
                let (failed_max, slow_max) = config.probe_limits();
                if probes.failed >= failed_max || probes.slow >= slow_max {
                    return self.enter(State::Open { until: now + config.open });
                }
                if probes.ended >= config.probes {
                    self.history.clear();
                    return self.enter(State::Closed);
                }
                None
            }
        }
    }

    /// An attempt was given up, or ended in a way that says nothing: its probe is free again.
    pub(crate) fn release(&mut self, ticket: Ticket) {
        if ticket.generation == self.generation
            && let State::HalfOpen(probes) = &mut self.state
        {
            probes.admitted -= 1;
        }
    }

    fn enter(&mut self, state: State) -> Transition {
        let from = self.state();
        self.state = state;
        self.generation += 1;
        Some((from, self.state()))
    }
}

impl History {
    /// Remembers one attempt; says whether the breaker must open.
    fn add(&mut self, config: &BreakerConfig, now: Instant, failed: bool, slow: bool) -> bool {
        let numbers = [1.0, f64::from(u8::from(failed)), f64::from(u8::from(slow))];
        let [calls, failures, slow_calls] = match (self, config.trip) {
            (Self::Row(row), Trip::Consecutive { failures }) => {
                *row = if failed { *row + 1 } else { 0 };
                return *row >= failures;
            }
            (
                Self::Count { results, failed: failures, slow: slow_calls },
                Trip::FailureRate { window: BreakerWindow::Count(count), .. },
            ) => {
                if results.len() == count as usize
                    && let Some((failed, slow)) = results.pop_front()
                {
                    *failures -= u32::from(failed);
                    *slow_calls -= u32::from(slow);
                }
                results.push_back((failed, slow));
                *failures += u32::from(failed);
                *slow_calls += u32::from(slow);
                [results.len() as f64, f64::from(*failures), f64::from(*slow_calls)]
            }
            (Self::Time(window), _) => window.add(now, numbers),
            (Self::Decaying { at, sums }, Trip::Ewma { half_life, .. }) => {
                let halves = (now - *at).as_secs_f64() / half_life.as_secs_f64();
                let keep = libm::exp2(-halves);
                *at = now;
                for (sum, number) in sums.iter_mut().zip(numbers) {
                    *sum = *sum * keep + number;
                }
                *sums
            }
            _ => unreachable!("the history is made for the trip"),
        };
        let (rate, min_calls) = match config.trip {
            Trip::FailureRate { rate, min_calls, .. } | Trip::Ewma { rate, min_calls, .. } => {
                (rate, f64::from(min_calls))
            }
            Trip::Consecutive { .. } => return false,
        };
        let reached = |count: f64, rate: f64| count >= rate * calls - 1e-9;
        calls >= min_calls - 1e-9
            && (reached(failures, rate) || config.slow.is_some_and(|limit| reached(slow_calls, limit.rate)))
    }

    fn clear(&mut self) {
        match self {
            Self::Row(row) => *row = 0,
            Self::Count { results, failed, slow } => {
                results.clear();
                (*failed, *slow) = (0, 0);
            }
            Self::Time(window) => window.clear(),
            Self::Decaying { sums, .. } => *sums = [0.0; 3],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slow success counts against the breaker when slowness does.
    #[test]
    fn slow_calls_open_it_too() {
        let second = Duration::from_secs(1);
        let config = BreakerConfig {
            trip: Trip::FailureRate { rate: 1.0, window: BreakerWindow::Count(4), min_calls: 4 },
            slow: Some(super::super::SlowCalls { threshold: second, rate: 0.5 }),
            ..BreakerConfig::default()
        };
        let mut machine = Machine::new(&config);
        // What takes just as long as allowed is not slow.
        let slow = second + Duration::from_nanos(1);
        for (n, latency) in [slow, second, second / 2, slow].into_iter().enumerate() {
            let (ticket, _) = machine.admit(&config, Instant::ORIGIN);
            machine.record(&config, Instant::ORIGIN, ticket.unwrap(), false, latency);
            assert_eq!(machine.state() == BreakerState::Open, n == 3);
        }
    }

    /// As in resilience4j: probes are judged by both rates, each on its own.
    #[test]
    fn probes_that_are_slow_count_as_slow_and_not_as_failed() {
        let second = Duration::from_secs(1);
        let config = BreakerConfig {
            trip: Trip::FailureRate { rate: 0.5, window: BreakerWindow::Count(4), min_calls: 4 },
            slow: Some(super::super::SlowCalls { threshold: second, rate: 0.75 }),
            probes: 4,
            ..BreakerConfig::default()
        };
        let after = |probes: [(bool, u32); 4]| {
            let mut machine = Machine::new(&config);
            machine.enter(State::HalfOpen(Probes::default()));
            for (failed, seconds) in probes {
                let (Some(ticket), _) = machine.admit(&config, Instant::ORIGIN) else { break };
                machine.record(&config, Instant::ORIGIN, ticket, failed, seconds * second);
            }
            machine.state()
        };
        assert_eq!(
            after([(false, 2), (false, 2), (false, 0), (true, 0)]),
            BreakerState::Closed,
            "half slow, a quarter failed"
        );
        assert_eq!(after([(false, 2), (false, 2), (false, 2), (false, 0)]), BreakerState::Open, "three quarters slow");
        assert_eq!(after([(true, 0), (true, 0), (false, 0), (false, 0)]), BreakerState::Open, "half failed");
    }

    /// The past fades: after ten half-lives a burst of failures weighs a thousandth.
    #[test]
    fn an_ewma_forgets_by_halves() {
        let half_life = Duration::from_secs(1);
        let config =
            BreakerConfig { trip: Trip::Ewma { rate: 0.5, half_life, min_calls: 1 }, ..BreakerConfig::default() };
        let opened = |pause: Duration| {
            let mut machine = Machine::new(&config);
            let mut now = Instant::ORIGIN;
            for n in 0..12 {
                let (ticket, _) = machine.admit(&config, now);
                let Some(ticket) = ticket else { return n };
                // Ten successes, a pause, and then failures.
                machine.record(&config, now, ticket, n >= 10, Duration::ZERO);
                if n == 9 {
                    now += pause;
                }
            }
            12
        };
        assert_eq!(opened(Duration::ZERO), 12, "two of twelve");
        assert_eq!(opened(10 * half_life), 11, "one of hardly more than one");
    }
}
