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

/// Takes a figure out of a round: nanoseconds and allocations, contender by contender.
type Pick<'a> = dyn Fn(&[(f64, f64)]) -> f64 + 'a;

/// What a call of the first contender costs, and what each of the others adds to it.
pub(crate) fn compare(
    mut contenders: Vec<Contender<'_>>,
    rounds: usize,
    calls: u64,
) -> (Cost, Vec<(&'static str, Cost)>) {
    for (_, contender) in &mut contenders {
        contender(calls);
    }
    let costs: Vec<Vec<(f64, f64)>> =
        (0..rounds).map(|_| contenders.iter_mut().map(|(_, contender)| turn(contender, calls)).collect()).collect();
    let median_of = |pick: &Pick<'_>| median(costs.iter().map(|round| pick(round)).collect());
    let first = Cost { ns: median_of(&|round| round[0].0), allocations: median_of(&|round| round[0].1), share: 1.0 };
    let others = contenders.iter().enumerate().skip(1).map(|(at, (name, _))| {
        let cost = Cost {
            ns: median_of(&|round| round[at].0 - round[0].0),
            allocations: median_of(&|round| round[at].1 - round[0].1),
            share: median_of(&|round| round[at].0 / round[0].0 - 1.0),
        };
        (*name, cost)
    });
    (first, others.collect())
}

/// Nanoseconds and allocations a call.
fn turn(contender: &mut dyn FnMut(u64), calls: u64) -> (f64, f64) {
    let (start, before) = (Instant::now(), ALLOCATOR.stats().allocations);
    contender(calls);
    let ns = start.elapsed().as_nanos() as f64 / calls as f64;
    (ns, (ALLOCATOR.stats().allocations - before) as f64 / calls as f64)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
