//! What the layers cost: each alone over a service that answers at once, and all together around a bare tonic call, which goes over
//! a socket of the loopback interface, the least that separates two programs, and then over a pipe, which is less than any two have.
//!
//! `cargo bench --bench layers` prints one `figure NAME = VALUE UNIT` a line. Allocations are counted, not estimated.
//!
//! Rule: what is compared runs in turns, a few hundred calls each, and a figure is the median of what the turns of one round differ
//! by. A machine that is busy with something else is busy for all of them.

mod alone;
mod echo;
mod media;
#[path = "../common/print.rs"]
mod print;
#[path = "../../tests/peer/raw.rs"]
mod raw;
mod stack;
mod turns;
mod wire;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use self::print::{figure, say};
use self::turns::{Cost, Rounds};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _guard = runtime.enter();
    // `cargo bench --bench layers -- --only full_stack 20000`: one case for so many calls, for a profiler. What two numbers of calls
    // differ by is free of noise: `valgrind --tool=callgrind`.
    let mut arguments = std::env::args().skip_while(|argument| argument != "--only").skip(1);
    if let Some(name) = arguments.next() {
        let calls = arguments.next().map_or(300_000, |calls| calls.parse().expect("a number of calls"));
        return wire::run(&runtime, media::pipe(&runtime), &name, calls);
    }

    let alone = alone::measure();
    let bare = alone.first();
    say(&format!("a call of a service that answers at once: {:.0} ns, {:.0} allocations", bare.ns, bare.allocations));
    for (name, cost) in alone.others() {
        say(&format!("  {name} adds {:.0} ns, {:.0} allocations", cost.ns, cost.allocations));
        figure(&format!("layers.{name}"), cost.ns, "ns");
    }

    tell("a bare tonic call over a socket", "", &wire::measure(&runtime, media::loopback(&runtime)));
    tell("a bare tonic call over a pipe", "pipe_", &wire::measure(&runtime, media::pipe(&runtime)));
}

/// Figures begin with `prefix`.
fn tell(bare_name: &str, prefix: &str, rounds: &Rounds) {
    let bare = rounds.first();
    say(&format!("{bare_name}: {:.0} ns, {:.0} allocations", bare.ns, bare.allocations));
    figure(&format!("layers.{prefix}bare"), bare.ns, "ns");
    for (name, Cost { ns, allocations, share }) in rounds.others() {
        say(&format!("  {name} adds {ns:.0} ns ({:.2} %), {allocations:.0} allocations", 100.0 * share));
        figure(&format!("layers.{prefix}{name}"), ns, "ns");
        figure(&format!("layers.{prefix}{name}_allocations"), allocations, "1");
        let overhead = if name == "full_stack" { "overhead".to_owned() } else { format!("{name}_overhead") };
        figure(&format!("layers.{prefix}{overhead}"), 100.0 * share, "%");
    }
    for name in ["full_stack", "tonic_channel"] {
        let share = 100.0 * rounds.share_of(name, "no_deadline");
        say(&format!("  {name} against a bare call without a deadline: {share:.2} %"));
        figure(&format!("layers.{prefix}{name}_without_deadline"), share, "%");
    }
}
