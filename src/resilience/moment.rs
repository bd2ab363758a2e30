//! What the layers of one call share while one of them polls the next: a reading of the clock, and the earliest timer.
//!
//! Five layers on top of each other ask for the time within nanoseconds of each other: on the way into a call, and again when
//! its end passes by on the way out. A reading costs as much as all that a layer does otherwise, and a timer in a real
//! runtime a good deal more. So the first who asks reads for those further in, the innermost who sees the end reads for those
//! further out, and a layer whose deadline lies behind that of a layer further in sets no timer.
//!
//! Rule: a reading never outlives the call on the stack that made it. On the way out it must have been taken by a layer of the same
//! call after its service had answered: work that a service does within one poll counts.
//!
//! A layer of somebody else's in between may hand the request to another task: then nothing is shared, and nothing is wrong.

use std::cell::Cell;

use super::CallId;
use crate::clock::{self, Instant};

/// Nobody is on the way in.
const OUTSIDE: u64 = u64::MAX;
/// Somebody is, and has not asked for the time yet.
const UNREAD: u64 = u64::MAX - 1;

struct Poll {
    way_in: Cell<u64>,
    /// How many readings were taken on a way out; the last one, and whose it was.
    readings: Cell<u32>,
    way_out: Cell<u64>,
    whose: Cell<CallId>,
    /// The earliest deadline for which a layer further in has set a timer, in this poll.
    armed: Cell<Instant>,
}

thread_local! {
    static POLL: Poll = const {
        Poll {
            way_in: Cell::new(OUTSIDE),
            readings: Cell::new(0),
            way_out: Cell::new(0),
            whose: Cell::new(CallId(0)),
            armed: Cell::new(Instant::NEVER),
        }
    };
}

/// A layer on the way in: lives while the layer calls the service below.
pub(crate) struct WayIn {
    outermost: bool,
}

impl WayIn {
    pub(crate) fn begin() -> Self {
        let outermost = POLL.with(|poll| {
            let outside = poll.way_in.get() == OUTSIDE;
            if outside {
                poll.way_in.set(UNREAD);
            }
            outside
        });
        Self { outermost }
    }

    /// The time at which the outermost layer was called, or the first layer that asked.
    pub(crate) fn now(&self) -> Instant {
        POLL.with(|poll| {
            let mut read = poll.way_in.get();
            if read >= UNREAD {
                read = clock::now().as_nanos();
                poll.way_in.set(read);
            }
            Instant::from_nanos(read)
        })
    }
}

impl Drop for WayIn {
    fn drop(&mut self) {
        if self.outermost {
            POLL.with(|poll| poll.way_in.set(OUTSIDE));
        }
    }
}

/// A layer about to poll the one below, which may end the call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WayOut {
    readings: u32,
}

impl WayOut {
    pub(crate) fn begin() -> Self {
        Self { readings: POLL.with(|poll| poll.readings.get()) }
    }

    /// The time at which the innermost layer saw the end of `call`.
    pub(crate) fn now(self, call: CallId) -> Instant {
        POLL.with(|poll| {
            if poll.readings.get() == self.readings || poll.whose.get() != call {
                poll.readings.set(poll.readings.get().wrapping_add(1));
                poll.way_out.set(clock::now().as_nanos());
                poll.whose.set(call);
            }
            Instant::from_nanos(poll.way_out.get())
        })
    }
}

/// A layer with a deadline, about to poll the one below.
pub(crate) struct Watchful {
    outside: Instant,
}

impl Watchful {
    pub(crate) fn begin() -> Self {
        Self { outside: POLL.with(|poll| poll.armed.replace(Instant::NEVER)) }
    }

    /// Whether somebody further in wakes this task by `deadline` anyway.
    pub(crate) fn is_relieved(&self, deadline: Instant) -> bool {
        POLL.with(|poll| poll.armed.get() <= deadline)
    }

    /// Tells those further out that this layer has set a timer for `deadline`.
    pub(crate) fn arm(&self, deadline: Instant) {
        POLL.with(|poll| poll.armed.set(deadline.min(poll.armed.get())));
    }
}

impl Drop for Watchful {
    fn drop(&mut self) {
        POLL.with(|poll| poll.armed.set(self.outside.min(poll.armed.get())));
    }
}

/// A layer with a timer is dropped: whoever counted on it in this poll must look after itself.
pub(crate) fn disarm() {
    POLL.with(|poll| poll.armed.set(Instant::NEVER));
}
