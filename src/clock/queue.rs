//! The pending events of a simulation, ordered by time and, within one instant, by when they were scheduled.
//!
//! A cancelled event stays in the heap until it surfaces or until the dead outnumber the living: cancelling is what a
//! deadline does on every call that succeeds, so it must cost nothing but a flag.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Instant;

/// Names one scheduled event, so that it can be cancelled. Stale ids are harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId {
    slot: u32,
    generation: u32,
}

impl TimerId {
    /// The id of no event.
    pub const NONE: Self = Self { slot: u32::MAX, generation: 0 };
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    entry: Option<T>,
}

type Key = Reverse<(Instant, u64, u32, u32)>;

/// Below this size a sweep for dead entries costs more than it frees.
const SWEEP_MIN: usize = 1024;

#[derive(Debug)]
pub(super) struct Queue<T> {
    heap: BinaryHeap<Key>,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    sequence: u64,
    live: usize,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), sequence: 0, live: 0 }
    }

    pub(super) fn push(&mut self, at: Instant, entry: T) -> TimerId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, entry: None });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 pending timers")
        });
        let place = &mut self.slots[slot as usize];
        place.entry = Some(entry);
        let generation = place.generation;
        self.heap.push(Reverse((at, self.sequence, slot, generation)));
        self.sequence += 1;
        self.live += 1;
        TimerId { slot, generation }
    }

    /// Takes an event out, if it is still there.
    pub(super) fn cancel(&mut self, id: TimerId) -> Option<T> {
        let entry = self.release(id.slot, id.generation)?;
        if self.heap.len() > SWEEP_MIN && self.heap.len() > 2 * self.live {
            self.sweep();
        }
        Some(entry)
    }

    /// The pending event, to be changed in place.
    pub(super) fn get_mut(&mut self, id: TimerId) -> Option<&mut T> {
        let place = self.slots.get_mut(id.slot as usize)?;
        if place.generation == id.generation { place.entry.as_mut() } else { None }
    }

    /// When the next event is due.
    pub(super) fn next_at(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, _, slot, generation))) = self.heap.peek() {
            if self.slots[*slot as usize].generation == *generation {
                return Some(*at);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes the next event if it is due at `now` or earlier.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<T> {
        if self.next_at()? > now {
            return None;
        }
        let Reverse((_, _, slot, generation)) = self.heap.pop()?;
        self.release(slot, generation)
    }

    fn release(&mut self, slot: u32, generation: u32) -> Option<T> {
        let place = self.slots.get_mut(slot as usize)?;
        if place.generation != generation {
            return None;
        }
        let entry = place.entry.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(slot);
        self.live -= 1;
        Some(entry)
    }

    fn sweep(&mut self) {
        let slots = &self.slots;
        self.heap.retain(|Reverse((_, _, slot, generation))| slots[*slot as usize].generation == *generation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn events_leave_by_time_then_by_order_of_scheduling() {
        let mut queue = Queue::new();
        for (time, name) in [(5, "c"), (1, "a"), (5, "d"), (3, "b")] {
            queue.push(at(time), name);
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop_due(at(9))).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
    }

    #[test]
    fn nothing_leaves_before_its_time() {
        let mut queue = Queue::new();
        queue.push(at(5), ());
        assert_eq!(queue.pop_due(at(4)), None);
        assert_eq!(queue.next_at(), Some(at(5)));
    }

    #[test]
    fn a_stale_id_cancels_nothing_even_when_its_slot_is_used_again() {
        let mut queue = Queue::new();
        let first = queue.push(at(1), "first");
        assert_eq!(queue.cancel(first), Some("first"));
        queue.push(at(2), "second");
        assert_eq!(queue.cancel(first), None);
        assert_eq!(queue.pop_due(at(2)), Some("second"));
    }

    #[test]
    fn cancelled_events_do_not_pile_up() {
        let mut queue = Queue::new();
        for round in 0..100_000 {
            let id = queue.push(at(1_000_000 + round), ());
            queue.cancel(id);
        }
        assert!(queue.heap.len() <= SWEEP_MIN + 1, "{} dead entries kept", queue.heap.len());
        assert_eq!(queue.next_at(), None);
    }
}
