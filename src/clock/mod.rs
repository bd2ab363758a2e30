//! Time: virtual with nanosecond resolution inside a [`Simulation`], real outside, one API for both.
//!
//! Rule: nothing above this module reads a clock or arms a timer by any other means. Code that keeps the rule runs
//! unchanged in production (on tokio's timers) and in a trial (on virtual time that moves only when every task is idle).
//!
//! Why not tokio's paused clock alone: its instants have nanoseconds, but its timers fire on whole milliseconds, rounded
//! up, so that a link of 250 µs would take 1 ms. `simulation` says how both live side by side.

mod instant;
mod sleep;
mod timeout;
mod timer;

#[cfg(feature = "sim")]
mod queue;
#[cfg(feature = "sim")]
mod ramp;
#[cfg(feature = "sim")]
mod simulation;
#[cfg(feature = "sim")]
mod tokio_time;

pub use self::instant::Instant;
pub use self::sleep::{Sleep, sleep, sleep_until};
pub use self::timeout::{Elapsed, Timeout, timeout, timeout_at};
pub use self::timer::HyperTimer;

#[cfg(feature = "sim")]
pub use self::queue::TimerId;
#[cfg(feature = "sim")]
pub use self::ramp::Ramp;
#[cfg(feature = "sim")]
pub use self::simulation::{Event, Simulation, Stalled, Woken, cancel, in_simulation, schedule};

/// The current time: nanoseconds since the simulation began, or since the process first asked.
///
/// ```
/// use squall::clock;
/// let before = clock::now();
/// assert!(clock::now() >= before);
/// ```
#[must_use]
pub fn now() -> Instant {
    #[cfg(feature = "sim")]
    if let Some(now) = simulation::virtual_now() {
        return now;
    }
    instant::real_now()
}
