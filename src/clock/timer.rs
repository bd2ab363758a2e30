//! Our clock for hyper: keepalive pings and flow-control probes then follow virtual time too.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt;

use super::{Sleep, now, sleep, sleep_until};

/// A [`hyper::rt::Timer`] on this module's clock.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct HyperTimer;

impl HyperTimer {
    /// A timer; it has no state.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl rt::Timer for HyperTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(HyperSleep { sleep: sleep(duration) })
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(HyperSleep { sleep: sleep_until(now() + deadline.saturating_duration_since(self.now())) })
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, deadline: std::time::Instant) {
        let deadline = now() + deadline.saturating_duration_since(self.now());
        match sleep.as_mut().downcast_mut_pin::<HyperSleep>() {
            Some(sleep) => sleep.project().sleep.reset(deadline),
            None => *sleep = Box::pin(HyperSleep { sleep: sleep_until(deadline) }),
        }
    }

    /// tokio's clock, which a simulation pauses and moves.
    fn now(&self) -> std::time::Instant {
        tokio::time::Instant::now().into_std()
    }
}

pin_project_lite::pin_project! {
    struct HyperSleep {
        #[pin]
        sleep: Sleep,
    }
}

impl Future for HyperSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().sleep.poll(cx)
    }
}

impl rt::Sleep for HyperSleep {}
