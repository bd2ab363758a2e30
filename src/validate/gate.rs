//! Who may work now: as many trials at the same time as there are cores, those of the longest suite first.
//!
//! Suites differ a hundredfold in what they cost, and some are a chain in which each trial waits for the one before. Run one
//! after another, each ends with idle cores, and the longest may come last. So all of them begin at once, and ask here before
//! every trial.
//!
//! Rule: who holds a permit asks for no other, so that nobody waits for ever.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Hands out permits to work.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// How many wait, by how urgent they are: the least number goes first.
    waiting: BTreeMap<u32, usize>,
    is_closed: bool,
}

/// Leave to work until it is dropped.
#[derive(Debug)]
pub(super) struct Permit<'g>(&'g Gate);

impl Gate {
    /// A gate that lets so many work at the same time, at least one.
    pub(super) fn new(permits: usize) -> Self {
        let state = State { free: permits.max(1), waiting: BTreeMap::new(), is_closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits until it is this one's turn; nothing once the gate is closed.
    pub(super) fn enter(&self, turn: u32) -> Option<Permit<'_>> {
        let mut state = self.lock();
        *state.waiting.entry(turn).or_default() += 1;
        while !state.is_closed && (state.free == 0 || state.waiting.keys().next() != Some(&turn)) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let left = state.waiting.get(&turn).copied().unwrap_or_default().saturating_sub(1);
        if left == 0 {
            state.waiting.remove(&turn);
        } else {
            state.waiting.insert(turn, left);
        }
        if state.is_closed {
            return None;
        }
        state.free -= 1;
        drop(state);
        // Whoever is next may find another permit free.
        self.changed.notify_all();
        Some(Permit(self))
    }

    /// Lets nobody in any more.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.lock().free += 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// While one works, three come; the most urgent is let in first, whoever came first.
    #[test]
    fn the_longest_goes_first() {
        let gate = Gate::new(1);
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let permit = gate.enter(0).unwrap();
            for turn in [2, 1, 3] {
                let (gate, order) = (&gate, &order);
                scope.spawn(move || {
                    let _permit = gate.enter(turn).unwrap();
                    order.lock().unwrap().push(turn);
                });
            }
            while gate.lock().waiting.len() < 3 {
                std::thread::yield_now();
            }
            drop(permit);
        });
        assert_eq!(order.into_inner().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn nobody_enters_a_closed_gate() {
        let gate = Gate::new(1);
        std::thread::scope(|scope| {
            let permit = gate.enter(0).unwrap();
            let waits = scope.spawn(|| gate.enter(1).is_none());
            gate.close();
            assert!(waits.join().unwrap());
            drop(permit);
        });
    }
}
