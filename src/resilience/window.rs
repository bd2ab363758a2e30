//! A sum over the recent past that forgets, in slots of equal length.
//!
//! A window that never slides remembers an outage for ever; one that keeps every event grows with the load. Ten slots are
//! a tenth of the window's length too coarse at most, and never grow.

use std::time::Duration;

use crate::clock::Instant;

/// How many slots a window has.
const SLOTS: usize = 10;

/// Sums of `N` numbers over the last `length`.
#[derive(Clone, Debug)]
pub(crate) struct Window<const N: usize> {
    slot_ns: u64,
    /// The number of the newest slot since the origin, and when it ends: most calls fall into it, and need no division.
    newest: u64,
    newest_ends_ns: u64,
    slots: [[f64; N]; SLOTS],
    sums: [f64; N],
}

impl<const N: usize> Window<N> {
    pub(crate) fn new(length: Duration) -> Self {
        let slot_ns = (length.as_nanos() as u64).div_ceil(SLOTS as u64).max(1);
        Self { slot_ns, newest: 0, newest_ends_ns: slot_ns, slots: [[0.0; N]; SLOTS], sums: [0.0; N] }
    }

    /// Adds these amounts to the numbers; the sums then.
    pub(crate) fn add(&mut self, now: Instant, amounts: [f64; N]) -> [f64; N] {
        self.slide(now);
        let slot = &mut self.slots[(self.newest % SLOTS as u64) as usize];
        for ((value, sum), amount) in slot.iter_mut().zip(&mut self.sums).zip(amounts) {
            *value += amount;
            *sum += amount;
        }
        self.sums
    }

    /// The sums over the window that ends now.
    pub(crate) fn sums(&mut self, now: Instant) -> [f64; N] {
        self.slide(now);
        self.sums
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.slots = [[0.0; N]; SLOTS];
        self.sums = [0.0; N];
    }

    fn slide(&mut self, now: Instant) {
        if now.as_nanos() < self.newest_ends_ns {
            return;
        }
        let current = now.as_nanos() / self.slot_ns;
        for slot in (self.newest + 1)..=current.min(self.newest + SLOTS as u64) {
            self.slots[(slot % SLOTS as u64) as usize] = [0.0; N];
        }
        self.newest = current;
        self.newest_ends_ns = (current + 1).saturating_mul(self.slot_ns);
        // Summed afresh at every slide, so that rounding errors do not add up.
        self.sums = [0.0; N];
        for slot in &self.slots {
            for (sum, value) in self.sums.iter_mut().zip(slot) {
                *sum += value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// Against the plain model that keeps every event: equal for what is certainly inside or certainly outside.
        #[test]
        fn a_window_agrees_with_a_list_of_events(steps in proptest::collection::vec((0_u64..3_000, 0_u32..5), 1..200)) {
            let mut window = Window::<1>::new(Duration::from_micros(10));
            let mut events = Vec::new();
            let mut now = 0;
            for (step, amount) in steps {
                now += step;
                window.add(Instant::from_nanos(now), [f64::from(amount)]);
                events.push((now, f64::from(amount)));
                let sum_since = |ns: u64| -> f64 { events.iter().filter(|(at, _)| *at >= ns).map(|(_, x)| x).sum() };
                let [sum] = window.sums(Instant::from_nanos(now));
                proptest::prop_assert!(sum >= sum_since(now.saturating_sub(9_000)));
                proptest::prop_assert!(sum <= sum_since(now.saturating_sub(10_000)));
            }
        }
    }
}
