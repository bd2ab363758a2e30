//! The places of a limit, and those who wait for one.
//!
//! Rule: a place is held by exactly one pass. It moves from a finished call to the next one waiting under the lock, and one
//! who leaves at the very moment of being called gives the place back.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::algorithm::{Algorithm, Sample};
use super::{Discipline, LimitConfig};
use crate::clock::{self, Instant, Sleep};
use crate::resilience::Criticality;

/// The shared state of one limit.
#[derive(Debug)]
pub(crate) struct Places {
    config: LimitConfig,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    algorithm: Algorithm,
    inflight: u32,
    waiting: VecDeque<Waiting>,
    next_ticket: u64,
    last_empty: Instant,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    criticality: Criticality,
    waker: Option<Waker>,
    /// A place is held for it: so many are taken with it.
    called: Option<u32>,
}

/// What a caller finds.
pub(crate) enum Found {
    /// A place; so many are taken now.
    Place(u32),
    Queue {
        ticket: u64,
        wait: Option<Duration>,
    },
    Full,
}

impl Places {
    pub(crate) fn new(config: LimitConfig, algorithm: Algorithm) -> Self {
        let state =
            State { algorithm, inflight: 0, waiting: VecDeque::new(), next_ticket: 0, last_empty: Instant::ORIGIN };
        Self { config, state: Mutex::new(state) }
    }

    pub(crate) fn heeds_criticality(&self) -> bool {
        self.config.by_criticality
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while holding it")
    }

    /// Calls under way, and the limit.
    pub(crate) fn usage(&self) -> (u32, u32) {
        let state = self.state();
        (state.inflight, state.algorithm.limit())
    }

    pub(crate) fn enter(&self, now: Instant, criticality: Criticality) -> Found {
        let mut state = self.state();
        let uncalled = state.waiting.iter().filter(|one| one.called.is_none()).count();
        if uncalled == 0 {
            state.last_empty = now;
        }
        // Who comes now does not overtake those who wait, unless the last is to be served first anyway.
        let may_pass = uncalled == 0 || matches!(self.config.discipline, Discipline::Lifo { .. });
        if may_pass && state.inflight < self.share(&state, criticality) {
            state.inflight += 1;
            return Found::Place(state.inflight);
        }
        if uncalled >= self.config.queue {
            return Found::Full;
        }
        let wait = match self.config.discipline {
            Discipline::Fifo { max_wait } | Discipline::Lifo { max_wait } => max_wait,
            Discipline::CoDel { target, interval } => {
                Some(if now - state.last_empty > interval { target } else { interval })
            }
        };
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(Waiting { ticket, criticality, waker: None, called: None });
        Found::Queue { ticket, wait }
    }

    /// How much of the limit a call of this criticality may use.
    fn share(&self, state: &State, criticality: Criticality) -> u32 {
        let limit = state.algorithm.limit();
        let percent = match criticality {
            _ if !self.config.by_criticality => 100,
            Criticality::Sheddable => 50,
            Criticality::SheddablePlus => 75,
            Criticality::Critical => 95,
            Criticality::CriticalPlus => 100,
        };
        (limit.saturating_mul(percent) / 100).max(1)
    }

    /// Gives a place back, with what was learned, and calls whoever is next.
    pub(crate) fn leave(&self, now: Instant, learned: Option<Sample>) {
        let mut state = self.state();
        if let Some(sample) = learned {
            state.algorithm.learn(sample);
        }
        state.inflight -= 1;
        let called = self.call_next(&mut state, now);
        drop(state);
        for waker in called {
            waker.wake();
        }
    }

    fn call_next(&self, state: &mut State, now: Instant) -> Vec<Waker> {
        let mut called = Vec::new();
        loop {
            let free = |one: &Waiting| one.called.is_none() && state.inflight < self.share(state, one.criticality);
            let next = match self.config.discipline {
                Discipline::Lifo { .. } => state.waiting.iter().rposition(free),
                _ => state.waiting.iter().position(free),
            };
            let Some(next) = next else { break };
            state.inflight += 1;
            state.waiting[next].called = Some(state.inflight);
            called.extend(state.waiting[next].waker.take());
        }
        if state.waiting.iter().all(|one| one.called.is_some()) {
            state.last_empty = now;
        }
        called
    }

    /// Whether the caller's turn has come; it has its place then, and so many are taken with it.
    fn poll_turn(&self, ticket: u64, cx: &Context<'_>) -> Poll<u32> {
        let mut state = self.state();
        let Some(at) = state.waiting.iter().position(|one| one.ticket == ticket) else { return Poll::Pending };
        if let Some(inflight) = state.waiting[at].called {
            state.waiting.remove(at);
            return Poll::Ready(inflight);
        }
        state.waiting[at].waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Leaves the queue; a place already held for the ticket is given back.
    fn abandon(&self, ticket: u64) {
        let called = {
            let mut state = self.state();
            let at = state.waiting.iter().position(|one| one.ticket == ticket);
            at.and_then(|at| state.waiting.remove(at)).is_some_and(|one| one.called.is_some())
        };
        if called {
            self.leave(clock::now(), None);
        }
    }
}

pin_project_lite::pin_project! {
    /// Waits for a place: how many are taken with it when it has one, `None` when it has waited too long.
    pub(crate) struct Turn {
        ticket: Ticket,
        #[pin]
        sleep: Option<Sleep>,
    }
}

/// A place in the queue, given up when dropped.
struct Ticket {
    places: Arc<Places>,
    number: Option<u64>,
}

impl Turn {
    pub(crate) fn new(places: Arc<Places>, number: u64, until: Option<Instant>) -> Self {
        Self { ticket: Ticket { places, number: Some(number) }, sleep: until.map(clock::sleep_until) }
    }
}

impl Future for Turn {
    type Output = Option<u32>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        let this = self.project();
        let Some(number) = this.ticket.number else { return Poll::Pending };
        if let Poll::Ready(inflight) = this.ticket.places.poll_turn(number, cx) {
            this.ticket.number = None;
            return Poll::Ready(Some(inflight));
        }
        match this.sleep.as_pin_mut() {
            Some(sleep) => sleep.poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.places.abandon(number);
        }
    }
}
