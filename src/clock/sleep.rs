//! A timer as a future: virtual inside a simulation, tokio's outside.
//!
//! A virtual sleep holds only a number, so that it costs no allocation, may move between tasks, and is cancelled by
//! dropping it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::instant::to_tokio;
use super::{Instant, now};

#[cfg(feature = "sim")]
use super::{queue::TimerId, simulation};

pin_project_lite::pin_project! {
    /// Completes at its deadline. See [`sleep`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Sleep {
        deadline: Instant,
        #[pin]
        inner: Inner,
    }
}

pin_project_lite::pin_project! {
    #[project = InnerProjection]
    enum Inner {
        Virtual { timer: Pending },
        Real { #[pin] sleep: Option<tokio::time::Sleep> },
    }
}

/// Waits for `duration`.
///
/// ```
/// # squall::clock::Simulation::new().run(async {
/// let start = squall::clock::now();
/// squall::clock::sleep(std::time::Duration::from_nanos(1)).await;
/// assert_eq!((squall::clock::now() - start).as_nanos(), 1);
/// # }).unwrap();
/// ```
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(now() + duration)
}

/// Waits until `deadline`; one that has passed completes at once, and [`Instant::NEVER`] never does.
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { deadline, inner: Inner::new(deadline) }
}

impl Sleep {
    /// When it completes.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Gives it another deadline, whether or not it has completed.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let mut this = self.project();
        *this.deadline = deadline;
        this.inner.set(Inner::new(deadline));
    }
}

impl Inner {
    fn new(deadline: Instant) -> Self {
        #[cfg(feature = "sim")]
        if simulation::in_simulation() {
            return Self::Virtual { timer: Pending::new() };
        }
        Self::Real { sleep: to_tokio(deadline).map(tokio::time::sleep_until) }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        match this.inner.project() {
            InnerProjection::Virtual { timer } => timer.poll(*this.deadline, cx),
            InnerProjection::Real { sleep } => sleep.as_pin_mut().map_or(Poll::Pending, |sleep| sleep.poll(cx)),
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// The place of a virtual sleep in the queue of events, given up when dropped.
#[cfg(feature = "sim")]
struct Pending {
    id: TimerId,
}

#[cfg(feature = "sim")]
impl Pending {
    fn new() -> Self {
        Self { id: TimerId::NONE }
    }

    fn poll(&mut self, deadline: Instant, cx: &Context<'_>) -> Poll<()> {
        if now() >= deadline {
            return Poll::Ready(());
        }
        if self.id == TimerId::NONE {
            if deadline != Instant::NEVER {
                self.id = simulation::wake_at(deadline, cx.waker().clone()).unwrap_or(TimerId::NONE);
            }
        } else {
            simulation::rewake(self.id, cx.waker());
        }
        Poll::Pending
    }
}

#[cfg(feature = "sim")]
impl Drop for Pending {
    fn drop(&mut self) {
        if self.id != TimerId::NONE {
            simulation::cancel(self.id);
        }
    }
}

/// Never made: without the simulator every sleep is real.
#[cfg(not(feature = "sim"))]
enum Pending {}

#[cfg(not(feature = "sim"))]
impl Pending {
    fn poll(&mut self, _: Instant, _: &Context<'_>) -> Poll<()> {
        match *self {}
    }
}
