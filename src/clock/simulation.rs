//! Virtual time on an unmodified tokio.
//!
//! A simulation is a current-thread runtime without an I/O driver, with a hook that tokio calls when every task is idle, just
//! before the thread would park. Our events wait in a [`Queue`]; the hook fires those that are due and moves the clock to the
//! next one. What it wakes runs before tokio parks.
//!
//! User code may have timers of tokio's own: [`TokioTime`] leads its paused clock along, which costs a park more for every
//! event. Code that has none can do without: on a runtime without a time driver the clock is ours alone and jumps.
//!
//! At equal instants tokio's timers fire first, then ours in the order in which they were scheduled.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::Instant;
use super::queue::{Queue, TimerId};
use super::tokio_time::{TokioTime, Way};

/// Means "no simulation on this thread"; virtual time never reaches it.
const NO_SIMULATION: u64 = u64::MAX;

thread_local! {
    static NOW_NS: Cell<u64> = const { Cell::new(NO_SIMULATION) };
    static TIMELINE: RefCell<Option<Rc<Timeline>>> = const { RefCell::new(None) };
}

/// Something that happens at a point in virtual time without a task of its own, such as the arrival of a packet.
///
/// Events fire while all tasks are idle, and may schedule others and wake tasks.
pub trait Event: Send + Sync {
    /// Does it. `token` is what was handed to [`schedule`], so that one allocation serves many events.
    fn fire(self: Arc<Self>, token: u64) -> Woken;
}

/// Whether an [`Event`] may have woken a task.
///
/// tokio does not say whether a wake-up made anything runnable. An event that knows that it woke nobody lets the
/// simulation go straight on; after any other, tokio is made to look, lest it park for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Certainly none.
    Nobody,
    /// Perhaps one.
    Maybe,
}

pub(super) enum Entry {
    Wake(Waker),
    Fire(Arc<dyn Event>, u64),
}

struct Timeline {
    queue: RefCell<Queue<Entry>>,
    /// None: tokio has no timers.
    tokio: Option<TokioTime>,
    /// When it is given up.
    limit: Instant,
    root: RefCell<Option<Waker>>,
    stalled: Cell<Option<Stalled>>,
}

/// Nothing that a run waits for can ever happen; or it has not for too long ([`Simulation::within`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stalled {
    /// Nothing at all can happen any more.
    #[error("the simulation stalled: every task waits, and no timer is pending")]
    Idle,
    /// Something goes on, perhaps for ever.
    #[error("the simulation was not over after {} s of virtual time, and something still goes on", .0.as_secs_f64())]
    Busy(Duration),
}

/// A run in virtual time on the calling thread.
///
/// ```
/// use squall::clock::{self, Simulation};
/// use std::time::Duration;
///
/// let took = Simulation::new().run(async {
///     let start = clock::now();
///     clock::sleep(Duration::from_micros(250)).await;
///     clock::sleep(Duration::from_secs(3600)).await; // at once, in real time
///     clock::now() - start
/// });
/// assert_eq!(took, Ok(Duration::from_micros(3_600_000_250)));
/// ```
#[derive(Debug)]
pub struct Simulation {
    runtime: tokio::runtime::Runtime,
    tokio_timers: bool,
    limit: Instant,
}

impl Simulation {
    /// A simulation whose clock stands at [`Instant::ORIGIN`]. tokio's own timers follow it, to the whole millisecond above.
    ///
    /// # Panics
    ///
    /// When the system cannot give the runtime its few bytes of memory.
    #[must_use]
    pub fn new() -> Self {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).on_thread_unpark(follow_tokio);
        Self::of(runtime, true)
    }

    /// The same for code that arms no timer of tokio's own, but only those of this module: time jumps straight to what comes next,
    /// which is faster. A timer of tokio's panics, as in any runtime without time.
    ///
    /// ```
    /// use squall::clock::{self, Simulation};
    /// use std::time::Duration;
    ///
    /// let end = Simulation::without_tokio_timers().run(async {
    ///     clock::sleep(Duration::from_nanos(1_500_001)).await;
    ///     clock::now().as_nanos()
    /// });
    /// assert_eq!(end, Ok(1_500_001));
    /// ```
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[must_use]
    pub fn without_tokio_timers() -> Self {
        Self::of(tokio::runtime::Builder::new_current_thread(), false)
    }

    fn of(mut runtime: tokio::runtime::Builder, tokio_timers: bool) -> Self {
        let runtime = runtime.on_thread_park(on_idle).build();
        let runtime = runtime.expect("a runtime without an I/O driver needs nothing from the system");
        Self { runtime, tokio_timers, limit: Instant::NEVER }
    }

    /// The same, given up if it is not over after `limit` of virtual time. Without, a run that waits for what never comes, beside
    /// something that goes on for ever, never ends.
    ///
    /// ```
    /// use squall::clock::{self, Simulation, Stalled};
    /// use std::time::Duration;
    ///
    /// let hour = Duration::from_secs(3600);
    /// let run = Simulation::new().within(hour).run(async {
    ///     tokio::spawn(async {
    ///         loop {
    ///             clock::sleep(Duration::from_secs(10)).await; // a heartbeat
    ///         }
    ///     });
    ///     std::future::pending::<()>().await;
    /// });
    /// assert_eq!(run, Err(Stalled::Busy(hour)));
    /// ```
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit: Instant::ORIGIN + limit, ..self }
    }

    /// Runs `future`, and whatever it spawns, until it completes. Tasks still running then are dropped.
    ///
    /// # Errors
    ///
    /// [`Stalled`] when `future` waits for something that can never happen, or longer than it may.
    ///
    /// # Panics
    ///
    /// When called inside another simulation.
    pub fn run<F: Future>(self, future: F) -> Result<F::Output, Stalled> {
        let timeline = {
            let _guard = self.runtime.enter();
            Rc::new(Timeline::new(self.tokio_timers.then(TokioTime::begin), self.limit))
        };
        let _installed = Installed::new(&timeline);
        // Tasks are dropped while virtual time still stands, since their destructors schedule and cancel: also when `future`
        // panics, which drops what was declared last first.
        let runtime = self.runtime;
        runtime.block_on(Root { future, timeline: &timeline })
    }
}

impl Default for Simulation {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether the calling code runs in virtual time.
#[must_use]
pub fn in_simulation() -> bool {
    virtual_now().is_some()
}

/// Fires `event` with `token` at `at`, or as soon as all tasks are idle if that has passed.
///
/// # Panics
///
/// Outside a simulation, where there is no virtual time to wait for.
pub fn schedule(at: Instant, event: Arc<dyn Event>, token: u64) -> TimerId {
    with_timeline(|timeline| timeline.queue.borrow_mut().push(at, Entry::Fire(event, token)))
        .expect("events are scheduled inside a simulation")
}

/// Forgets a scheduled event; one that has fired already is no mistake.
pub fn cancel(id: TimerId) {
    // The entry is dropped after the queue is free again: its destructor may cancel other timers.
    let _entry = with_timeline(|timeline| timeline.queue.borrow_mut().cancel(id));
}

pub(super) fn virtual_now() -> Option<Instant> {
    match NOW_NS.get() {
        NO_SIMULATION => None,
        nanos => Some(Instant::from_nanos(nanos)),
    }
}

/// Wakes `waker` at `at`.
pub(super) fn wake_at(at: Instant, waker: Waker) -> Option<TimerId> {
    with_timeline(|timeline| timeline.queue.borrow_mut().push(at, Entry::Wake(waker)))
}

/// Replaces the waker of a pending timer.
pub(super) fn rewake(id: TimerId, waker: &Waker) {
    // The old waker is dropped after the queue is free again: it may be the last to hold its task.
    let _old = with_timeline(|timeline| match timeline.queue.borrow_mut().get_mut(id) {
        Some(Entry::Wake(current)) if !current.will_wake(waker) => Some(std::mem::replace(current, waker.clone())),
        _ => None,
    });
}

fn with_timeline<R>(f: impl FnOnce(&Timeline) -> R) -> Option<R> {
    TIMELINE.try_with(|current| current.borrow().as_deref().map(f)).ok().flatten()
}

impl Timeline {
    fn new(tokio: Option<TokioTime>, limit: Instant) -> Self {
        Self { queue: RefCell::new(Queue::new()), tokio, limit, root: RefCell::new(None), stalled: Cell::new(None) }
    }

    /// Fires what is due; when nothing is, moves time towards what comes next.
    fn step(&self) {
        loop {
            let now = Instant::from_nanos(NOW_NS.get());
            if self.fire_due(now) {
                return;
            }
            let next = self.queue.borrow_mut().next_at().map(|at| at.min(self.limit));
            let way = match &self.tokio {
                Some(tokio) => tokio.towards(now, next),
                None => next.map_or(Way::Never, Way::Moved),
            };
            match way {
                Way::Never => return self.give_up(Stalled::Idle),
                // Where only tokio has timers, its wheel stops on the way to the end of the wait: that is no sign of life.
                _ if next.is_some() && now >= self.limit => return self.give_up(Stalled::Busy(now - Instant::ORIGIN)),
                Way::Moved(at) => NOW_NS.set(at.as_nanos()),
                Way::TokioMoves => return,
            }
        }
    }

    /// Whether a task may run now.
    fn fire_due(&self, now: Instant) -> bool {
        let (mut woken, mut maybe) = (false, false);
        loop {
            let due = self.queue.borrow_mut().pop_due(now);
            match due {
                Some(Entry::Wake(waker)) => {
                    waker.wake();
                    woken = true;
                }
                Some(Entry::Fire(event, token)) => maybe |= event.fire(token) == Woken::Maybe,
                None => break,
            }
        }
        if maybe && !woken {
            self.wake_root();
        }
        woken || maybe
    }

    fn give_up(&self, why: Stalled) {
        self.stalled.set(Some(why));
        self.wake_root();
    }

    fn wake_root(&self) {
        if let Some(root) = self.root.borrow().as_ref() {
            root.wake_by_ref();
        }
    }
}

fn on_idle() {
    // Taken out of the thread-local for the call: events reach it again to schedule others.
    let timeline = TIMELINE.with_borrow(Option::clone);
    if let Some(timeline) = timeline {
        timeline.step();
    }
}

/// tokio may have moved the clock while parked.
fn follow_tokio() {
    with_timeline(|timeline| {
        if let Some(tokio) = &timeline.tokio {
            NOW_NS.set(u64::try_from(tokio.elapsed().as_nanos()).unwrap_or(NO_SIMULATION - 1));
        }
    });
}

/// Makes a timeline the thread's own until dropped.
struct Installed;

impl Installed {
    fn new(timeline: &Rc<Timeline>) -> Self {
        assert!(!in_simulation(), "a simulation runs inside another one");
        TIMELINE.set(Some(Rc::clone(timeline)));
        NOW_NS.set(0);
        Self
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        NOW_NS.set(NO_SIMULATION);
        let timeline = TIMELINE.take();
        drop(timeline);
    }
}

pin_project_lite::pin_project! {
    struct Root<'a, F> {
        #[pin]
        future: F,
        timeline: &'a Timeline,
    }
}

impl<F: Future> Future for Root<'_, F> {
    type Output = Result<F::Output, Stalled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(stalled) = this.timeline.stalled.get() {
            return Poll::Ready(Err(stalled));
        }
        let mut root = this.timeline.root.borrow_mut();
        if !root.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *root = Some(cx.waker().clone());
        }
        drop(root);
        this.future.poll(cx).map(Ok)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tokio's own timers are what these tests set beside ours")]
mod tests;
