//! The workers of a server and the queue before them: finite capacity, from which overload emerges by itself.
//!
//! Rule: a request holds a worker from admission until it is done or dropped, whatever happens; the guard gives it back.
//! Waiting costs no task and no timer: a freed worker wakes the next in line.

use super::codel::CoDel;
use crate::clock::{self, Instant};
use crate::scenario::{Capacity, Discipline, QueuePlan};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Why a request was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// All workers are busy and the queue is full.
    #[error("the queue is full")]
    Full,
    /// It waited longer than the queue's discipline allows.
    #[error("waited too long in the queue")]
    Late,
}

/// Workers and queue of one server process.
#[derive(Clone, Debug)]
pub struct Gate {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    capacity: Capacity,
    queue: QueuePlan,
    busy: u32,
    /// In the order of arrival; those whose turn has come stay until their task notices.
    waiting: VecDeque<Waiting>,
    /// How many of them still wait for their turn.
    undecided: usize,
    next_ticket: u64,
    codel: CoDel,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    since: Instant,
    waker: Option<Waker>,
    verdict: Option<Result<(), Refused>>,
}

impl Gate {
    /// A gate with all workers free.
    #[must_use]
    pub fn new(capacity: Capacity, queue: QueuePlan) -> Self {
        let state = State {
            capacity,
            queue,
            busy: 0,
            waiting: VecDeque::new(),
            undecided: 0,
            next_ticket: 0,
            codel: CoDel::default(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Waits for a worker.
    pub fn enter(&self) -> Enter {
        Enter { gate: self.clone(), ticket: None }
    }

    /// How many wait.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.lock().undecided
    }

    /// How many workers are busy.
    #[must_use]
    pub fn busy(&self) -> u32 {
        self.lock().busy
    }

    /// Has another number of workers from now on; those who are busy finish first.
    pub fn resize(&self, capacity: Capacity) {
        let woken = {
            let mut state = self.lock();
            state.capacity = capacity;
            state.admit_waiting()
        };
        woken.into_iter().for_each(Waker::wake);
    }

    fn leave(&self) {
        let woken = {
            let mut state = self.lock();
            state.busy -= 1;
            state.admit_waiting()
        };
        woken.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_free_worker(&self) -> bool {
        match self.capacity {
            Capacity::Unlimited => true,
            Capacity::Workers(workers) => self.busy < workers,
        }
    }

    /// Gives free workers to those who wait, and refuses those whose turn comes too late.
    fn admit_waiting(&mut self) -> Vec<Waker> {
        let mut woken = Vec::new();
        while self.has_free_worker() {
            let Some(next) = self.next_in_line() else { break };
            let verdict = self.judge(next);
            if verdict.is_ok() {
                self.busy += 1;
            }
            self.undecided -= 1;
            let waiting = &mut self.waiting[next];
            waiting.verdict = Some(verdict);
            woken.extend(waiting.waker.take());
        }
        woken
    }

    fn next_in_line(&self) -> Option<usize> {
        let undecided = |waiting: &Waiting| waiting.verdict.is_none();
        match self.queue.discipline {
            Discipline::Fifo | Discipline::CoDel { .. } => self.waiting.iter().position(undecided),
            Discipline::Lifo => self.waiting.iter().rposition(undecided),
        }
    }

    fn judge(&mut self, index: usize) -> Result<(), Refused> {
        let Discipline::CoDel { target, interval } = self.queue.discipline else { return Ok(()) };
        let now = clock::now();
        let waited = now - self.waiting[index].since;
        if self.codel.should_drop(now, waited, self.undecided == 1, target, interval) {
            Err(Refused::Late)
        } else {
            Ok(())
        }
    }
}

/// A request that waits for a worker; dropping it leaves the queue.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Enter {
    gate: Gate,
    ticket: Option<u64>,
}

impl Future for Enter {
    type Output = Result<Admitted, Refused>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut state = this.gate.lock();
        let Some(ticket) = this.ticket else {
            if state.undecided == 0 && state.has_free_worker() {
                state.busy += 1;
                drop(state);
                return Poll::Ready(Ok(Admitted { gate: this.gate.clone() }));
            }
            if state.undecided >= state.queue.limit as usize {
                return Poll::Ready(Err(Refused::Full));
            }
            let ticket = state.next_ticket;
            state.next_ticket += 1;
            state.undecided += 1;
            let since = clock::now();
            state.waiting.push_back(Waiting { ticket, since, waker: Some(cx.waker().clone()), verdict: None });
            this.ticket = Some(ticket);
            return Poll::Pending;
        };
        // Tickets rise along the queue, so the place is found by bisection.
        let Ok(index) = state.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket) else {
            return Poll::Pending;
        };
        let Some(verdict) = state.waiting[index].verdict else {
            state.waiting[index].waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        state.waiting.remove(index);
        drop(state);
        this.ticket = None;
        Poll::Ready(verdict.map(|()| Admitted { gate: this.gate.clone() }))
    }
}

impl Drop for Enter {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let admitted = {
            let mut state = self.gate.lock();
            let index = state.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket);
            let verdict = index.ok().and_then(|index| state.waiting.remove(index)).map(|waiting| waiting.verdict);
            if verdict == Some(None) {
                state.undecided -= 1;
            }
            verdict == Some(Some(Ok(())))
        };
        if admitted {
            self.gate.leave();
        }
    }
}

/// A worker, held until dropped.
#[derive(Debug)]
#[must_use = "dropping it frees the worker"]
pub struct Admitted {
    gate: Gate,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.gate.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn gate(workers: u32, limit: u32, discipline: Discipline) -> Gate {
        Gate::new(Capacity::Workers(workers), QueuePlan { limit, discipline })
    }

    fn poll(enter: Pin<&mut Enter>) -> Poll<Result<Admitted, Refused>> {
        enter.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Three wait behind one worker; in which order are they served?
    fn order(discipline: Discipline) -> Vec<usize> {
        let gate = gate(1, 3, discipline);
        let mut worker = match poll(pin!(gate.enter())) {
            Poll::Ready(Ok(worker)) => Some(worker),
            other => panic!("{other:?}"),
        };
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(gate.enter())).collect();
        for enter in &mut waiting {
            assert!(poll(enter.as_mut()).is_pending());
        }
        let mut served = Vec::new();
        while served.len() < 3 {
            drop(worker.take());
            for (i, enter) in waiting.iter_mut().enumerate() {
                if !served.contains(&i)
                    && let Poll::Ready(Ok(next)) = poll(enter.as_mut())
                {
                    served.push(i);
                    worker = Some(next);
                }
            }
        }
        served
    }

    #[test]
    fn disciplines_order_the_queue() {
        assert_eq!(order(Discipline::Fifo), [0, 1, 2]);
        assert_eq!(order(Discipline::Lifo), [2, 1, 0]);
    }

    #[test]
    fn a_full_queue_refuses_at_once() {
        let gate = gate(1, 0, Discipline::Fifo);
        let _worker = poll(pin!(gate.enter()));
        assert!(matches!(poll(pin!(gate.enter())), Poll::Ready(Err(Refused::Full))));
    }

    /// The caller may go at any moment: while waiting, or after its turn came but before it noticed.
    #[test]
    fn no_worker_leaks_when_a_caller_goes() {
        let gate = gate(1, 9, Discipline::Fifo);
        let worker = poll(pin!(gate.enter()));
        let mut waits = Box::pin(gate.enter());
        let mut chosen = Box::pin(gate.enter());
        assert!(poll(chosen.as_mut()).is_pending());
        assert!(poll(waits.as_mut()).is_pending());
        drop(waits);
        drop(worker);
        assert_eq!(gate.busy(), 1, "the worker is the chosen one's");
        drop(chosen);
        assert_eq!((gate.busy(), gate.depth()), (0, 0));
    }

    proptest::proptest! {
        /// Against a plain model: never more busy than workers, never more waiting than allowed, nothing lost.
        #[test]
        fn the_gate_keeps_its_bounds(steps in proptest::collection::vec((0..3_u8, 0..8_usize), 0..200)) {
            let gate = gate(2, 3, Discipline::Lifo);
            let mut waiting: Vec<Pin<Box<Enter>>> = Vec::new();
            let mut working: Vec<Admitted> = Vec::new();
            for (step, which) in steps {
                match step {
                    0 => {
                        let mut enter = Box::pin(gate.enter());
                        match poll(enter.as_mut()) {
                            Poll::Ready(Ok(admitted)) => working.push(admitted),
                            Poll::Ready(Err(_)) => {}
                            Poll::Pending => waiting.push(enter),
                        }
                    }
                    1 if which < working.len() => drop(working.swap_remove(which)),
                    2 if which < waiting.len() => drop(waiting.swap_remove(which)),
                    _ => {}
                }
                let mut still = Vec::new();
                for mut enter in waiting {
                    match poll(enter.as_mut()) {
                        Poll::Ready(admitted) => working.extend(admitted),
                        Poll::Pending => still.push(enter),
                    }
                }
                waiting = still;
                proptest::prop_assert_eq!(gate.busy() as usize, working.len());
                proptest::prop_assert_eq!(gate.depth(), waiting.len());
                proptest::prop_assert!(working.len() <= 2 && waiting.len() <= 3);
                proptest::prop_assert!(waiting.is_empty() || working.len() == 2, "nobody waits while a worker is free");
            }
        }
    }
}
