//! tokio's own paused clock, led beside ours, for code that arms tokio's timers.
//!
//! tokio's timers fire on whole milliseconds, and tokio moves a paused clock by whole milliseconds from wherever it stands. So
//! time never jumps over a millisecond boundary by our hand: within the current millisecond it advances by the exact
//! remainder; beyond it, it moves to the next boundary, one tokio timer is armed at the millisecond below our next event, and
//! tokio advances there, firing whatever user timer comes first.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::time::Duration;

use super::Instant;

const MILLISECOND_NS: u64 = 1_000_000;
/// How far an idle simulation looks for a tokio timer before it concludes that nothing can ever happen again.
const IDLE_HORIZON: Duration = Duration::from_secs(365 * 24 * 3600);

pub(super) struct TokioTime {
    origin: tokio::time::Instant,
    /// The one tokio timer, and the instant it is armed for.
    alarm: RefCell<Option<(Pin<Box<tokio::time::Sleep>>, Instant)>>,
    /// Set while no event of ours is pending: when to give up.
    idle_until: Cell<Option<Instant>>,
}

/// How time gets on.
pub(super) enum Way {
    /// It stands at this instant now.
    Moved(Instant),
    /// tokio moves it when it parks.
    TokioMoves,
    /// It never will.
    Never,
}

impl TokioTime {
    /// Of the runtime whose context the caller is in.
    pub(super) fn begin() -> Self {
        Self { origin: tokio::time::Instant::now(), alarm: RefCell::new(None), idle_until: Cell::new(None) }
    }

    /// How long tokio's clock has run.
    pub(super) fn elapsed(&self) -> Duration {
        tokio::time::Instant::now().saturating_duration_since(self.origin)
    }

    /// From `now` towards our next event, or, if there is none, towards whatever tokio has.
    pub(super) fn towards(&self, now: Instant, next: Option<Instant>) -> Way {
        let Some(at) = next else { return self.wait(now) };
        self.idle_until.set(None);
        if at.as_nanos() / MILLISECOND_NS == now.as_nanos() / MILLISECOND_NS {
            advance(at - now);
            return Way::Moved(at);
        }
        align(now);
        self.arm(Instant::from_nanos(at.as_nanos() / MILLISECOND_NS * MILLISECOND_NS));
        Way::TokioMoves
    }

    /// Only tokio's own timers are left, if any; a far alarm tells "none" apart from "some". Whatever happens meanwhile may
    /// schedule events or arm timers again, and then the wait begins anew.
    fn wait(&self, now: Instant) -> Way {
        let until = self.idle_until.get().unwrap_or(now + IDLE_HORIZON);
        self.idle_until.set(Some(until));
        if now >= until {
            return Way::Never;
        }
        align(now);
        self.arm(until);
        Way::TokioMoves
    }

    fn arm(&self, at: Instant) {
        let deadline = self.origin + Duration::from_nanos(at.as_nanos());
        let mut alarm = self.alarm.borrow_mut();
        let (sleep, armed) =
            alarm.get_or_insert_with(|| (Box::pin(tokio::time::sleep_until(deadline)), Instant::NEVER));
        if *armed != at {
            sleep.as_mut().reset(deadline);
            *armed = at;
        }
        let _ = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
}

/// Moves to the next whole millisecond, from which tokio can advance without overshooting.
fn align(now: Instant) {
    let next = now.as_nanos().next_multiple_of(MILLISECOND_NS);
    if next != now.as_nanos() {
        advance(Instant::from_nanos(next) - now);
    }
}

fn advance(by: Duration) {
    let mut advance = pin!(tokio::time::advance(by));
    // The first poll moves the clock; the rest of the future only yields.
    let _ = advance.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}
