//! Measures several things in turns.

#![expect(clippy::disallowed_methods, reason = "a bench reads the wall clock")]

use std::time::Instant;

use crate::ALLOCATOR;

/// Something to measure: its name, and how to make so many calls.
pub(crate) type Contender<'a> = (&'static str, Box<dyn FnMut(u64) + 'a>);

/// What a call costs, or what it costs more than another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) ns: f64,
    pub(crate) allocations: f64,
    /// Of what the first contender took in the same round.
    pub(crate) share: f64,
}

/// What was measured: round by round, contender by contender, nanoseconds and allocations a call.
pub(crate) struct Rounds {
    names: Vec<&'static str>,
    costs: Vec<Vec<(f64, f64)>>,
}

impl Rounds {
    pub(crate) fn measure(mut contenders: Vec<Contender<'_>>, rounds: usize, calls: u64) -> Self {
        for (_, contender) in &mut contenders {
            contender(calls);
        }
        let mut round = || contenders.iter_mut().map(|(_, contender)| turn(contender, calls)).collect();
        let costs = (0..rounds).map(|_| round()).collect();
        Self { names: contenders.iter().map(|(name, _)| *name).collect(), costs }
    }

    /// What a call of the first contender costs.
    pub(crate) fn first(&self) -> Cost {
        Cost { ns: self.median(|round| round[0].0), allocations: self.median(|round| round[0].1), share: 1.0 }
    }

    /// What each of the others adds to it.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&'static str, Cost)> {
        (1..self.names.len()).map(|at| {
            let cost = Cost {
                ns: self.median(|round| round[at].0 - round[0].0),
                allocations: self.median(|round| round[at].1 - round[0].1),
                share: self.share(at, 0),
            };
            (self.names[at], cost)
        })
    }

    /// What one contender adds to another, as a share of what that one takes.
    pub(crate) fn share_of(&self, name: &str, base: &str) -> f64 {
        let place = |name: &str| self.names.iter().position(|one| *one == name).expect("a contender");
        self.share(place(name), place(base))
    }

    fn share(&self, at: usize, base: usize) -> f64 {
        self.median(|round| round[at].0 / round[base].0 - 1.0)
    }

    fn median(&self, pick: impl Fn(&[(f64, f64)]) -> f64) -> f64 {
        let mut values: Vec<f64> = self.costs.iter().map(|round| pick(round)).collect();
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 2]
    }
}

/// Nanoseconds and allocations a call.
fn turn(contender: &mut dyn FnMut(u64), calls: u64) -> (f64, f64) {
    let (start, before) = (Instant::now(), ALLOCATOR.stats().allocations);
    contender(calls);
    let ns = start.elapsed().as_nanos() as f64 / calls as f64;
    (ns, (ALLOCATOR.stats().allocations - before) as f64 / calls as f64)
}
