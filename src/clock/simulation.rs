//! Virtual time on an unmodified tokio.
//!
//! A simulation is a current-thread runtime whose clock is paused, without an I/O driver, with a hook that tokio calls
//! when every task is idle, just before the thread would park. Our events wait in a [`Queue`]; the hook fires those that
//! are due and moves the clock to the next one. What it wakes runs before tokio parks.
//!
//! tokio's own timers (those of user code) fire on whole milliseconds, and tokio moves a paused clock by whole
//! milliseconds from wherever it stands. So the hook never jumps over a millisecond boundary itself: within the current
//! millisecond it advances by the exact remainder; beyond it, it moves to the next boundary, arms one tokio timer at the
//! millisecond below our next event, and lets tokio advance there, firing whatever user timer comes first.
//!
//! At equal instants tokio's timers fire first, then ours in the order in which they were scheduled.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::Instant;
use super::queue::{Queue, TimerId};

const MILLISECOND_NS: u64 = 1_000_000;
/// How far an idle simulation looks for a tokio timer before it concludes that nothing can ever happen again.
const IDLE_HORIZON: Duration = Duration::from_secs(365 * 24 * 3600);
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
    origin: tokio::time::Instant,
    /// The one tokio timer, and the instant it is armed for.
    alarm: RefCell<Option<(Pin<Box<tokio::time::Sleep>>, Instant)>>,
    root: RefCell<Option<Waker>>,
    /// Set while no event of ours is pending: when to give up.
    idle_until: Cell<Option<Instant>>,
    stalled: Cell<bool>,
}

/// Nothing can ever happen again: every task waits, and no timer is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulation stalled: every task waits, and no timer is pending")]
#[non_exhaustive]
pub struct Stalled;

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
}

impl Simulation {
    /// A simulation whose clock stands at [`Instant::ORIGIN`].
    ///
    /// # Panics
    ///
    /// When the system cannot give the runtime its few bytes of memory.
    #[must_use]
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .on_thread_park(on_idle)
            .on_thread_unpark(follow_tokio)
            .build()
            .expect("a runtime without an I/O driver needs nothing from the system");
        Self { runtime }
    }

    /// Runs `future`, and whatever it spawns, until it completes. Tasks still running then are dropped.
    ///
    /// # Errors
    ///
    /// [`Stalled`] when `future` waits for something that can never happen.
    ///
    /// # Panics
    ///
    /// When called inside another simulation.
    pub fn run<F: Future>(self, future: F) -> Result<F::Output, Stalled> {
        let timeline = {
            let _guard = self.runtime.enter();
            Rc::new(Timeline::new(tokio::time::Instant::now()))
        };
        let _installed = Installed::new(&timeline);
        let outcome = self.runtime.block_on(Root { future, timeline: &timeline });
        // Tasks are dropped while virtual time still stands, since their destructors cancel timers.
        drop(self.runtime);
        outcome
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
    fn new(origin: tokio::time::Instant) -> Self {
        Self {
            queue: RefCell::new(Queue::new()),
            origin,
            alarm: RefCell::new(None),
            root: RefCell::new(None),
            idle_until: Cell::new(None),
            stalled: Cell::new(false),
        }
    }

    /// Fires what is due; when nothing is, moves time towards what comes next.
    fn step(&self) {
        loop {
            let now = Instant::from_nanos(NOW_NS.get());
            if self.fire_due(now) {
                return;
            }
            let next = self.queue.borrow_mut().next_at();
            if next.is_some() {
                self.idle_until.set(None);
            }
            match next {
                Some(at) if at.as_nanos() / MILLISECOND_NS == now.as_nanos() / MILLISECOND_NS => self.advance_to(at),
                Some(at) => return self.let_tokio_advance(now, at),
                None => return self.wait_for_tokio(now),
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

    fn wake_root(&self) {
        if let Some(root) = self.root.borrow().as_ref() {
            root.wake_by_ref();
        }
    }

    fn advance_to(&self, at: Instant) {
        let remainder = at - Instant::from_nanos(NOW_NS.get());
        let mut advance = pin!(tokio::time::advance(remainder));
        // The first poll moves the clock; the rest of the future only yields.
        let _ = advance.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        NOW_NS.set(at.as_nanos());
    }

    fn let_tokio_advance(&self, now: Instant, next: Instant) {
        self.align(now);
        self.arm(Instant::from_nanos(next.as_nanos() / MILLISECOND_NS * MILLISECOND_NS));
    }

    /// Only tokio's own timers are left, if any; a far alarm tells "none" apart from "some". Whatever happens meanwhile may
    /// schedule events or arm timers again, and then the wait begins anew.
    fn wait_for_tokio(&self, now: Instant) {
        let until = self.idle_until.get().unwrap_or(now + IDLE_HORIZON);
        self.idle_until.set(Some(until));
        if now >= until {
            self.stalled.set(true);
            self.wake_root();
            return;
        }
        self.align(now);
        self.arm(until);
    }

    /// Moves to the next whole millisecond, from which tokio can advance without overshooting.
    fn align(&self, now: Instant) {
        let next = now.as_nanos().next_multiple_of(MILLISECOND_NS);
        if next != now.as_nanos() {
            self.advance_to(Instant::from_nanos(next));
        }
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
        let elapsed = tokio::time::Instant::now().saturating_duration_since(timeline.origin);
        NOW_NS.set(u64::try_from(elapsed.as_nanos()).unwrap_or(NO_SIMULATION - 1));
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
        if this.timeline.stalled.get() {
            return Poll::Ready(Err(Stalled));
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
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::clock::{now, sleep, sleep_until, timeout};

    fn micros(value: u64) -> Duration {
        Duration::from_micros(value)
    }

    #[test]
    fn a_link_of_250_us_gives_500_us_round_trips() {
        let took = Simulation::new().run(async {
            sleep(micros(250)).await;
            sleep(micros(250)).await;
            now()
        });
        assert_eq!(took.map(Instant::as_nanos), Ok(500_000));
    }

    /// Own timers fire to the nanosecond; tokio's at the whole millisecond at or above their deadline; at equal instants
    /// tokio's come first. Neither ever sees the clock beyond its own time.
    #[test]
    fn own_and_tokio_timers_fire_in_order() {
        let log: Arc<Mutex<Vec<(u64, &str)>>> = Arc::default();
        let run = Simulation::new().run({
            let log = Arc::clone(&log);
            async move {
                let mut tasks = tokio::task::JoinSet::new();
                for (nanos, name) in
                    [(999_999, "own"), (1_000_000, "own"), (1_000_001, "own"), (2_500_000, "own"), (7, "own")]
                {
                    let log = Arc::clone(&log);
                    tasks.spawn(async move {
                        sleep(Duration::from_nanos(nanos)).await;
                        log.lock().unwrap().push((now().as_nanos(), name));
                    });
                }
                for (nanos, name) in [(1_000_000, "tokio"), (2_300_000, "tokio"), (1, "tokio")] {
                    let log = Arc::clone(&log);
                    tasks.spawn(async move {
                        tokio::time::sleep(Duration::from_nanos(nanos)).await;
                        log.lock().unwrap().push((now().as_nanos(), name));
                    });
                }
                tasks.join_all().await;
            }
        });
        assert_eq!(run, Ok(()));
        let expected = [
            (7, "own"),
            (999_999, "own"),
            (1_000_000, "tokio"),
            (1_000_000, "tokio"),
            (1_000_000, "own"),
            (1_000_001, "own"),
            (2_500_000, "own"),
            (3_000_000, "tokio"),
        ];
        assert_eq!(*log.lock().unwrap(), expected);
    }

    #[test]
    fn the_same_instant_keeps_the_order_of_scheduling() {
        struct Note(Mutex<Vec<u64>>);
        impl Event for Note {
            fn fire(self: Arc<Self>, token: u64) -> Woken {
                self.0.lock().unwrap().push(token);
                Woken::Nobody
            }
        }
        let note = Arc::new(Note(Mutex::default()));
        let run = Simulation::new().run({
            let note = Arc::clone(&note);
            async move {
                let at = now() + micros(10);
                for token in 0..5 {
                    schedule(at, Arc::clone(&note) as Arc<dyn Event>, token);
                }
                let cancelled = schedule(at, Arc::clone(&note) as Arc<dyn Event>, 99);
                cancel(cancelled);
                sleep_until(at).await;
            }
        });
        assert_eq!(run, Ok(()));
        assert_eq!(*note.0.lock().unwrap(), [0, 1, 2, 3, 4]);
    }

    /// An event that wakes nobody, and one that says it may have but has not, do not stop time.
    #[test]
    fn events_that_wake_nobody_do_not_stop_time() {
        struct Silent(Woken);
        impl Event for Silent {
            fn fire(self: Arc<Self>, _: u64) -> Woken {
                self.0
            }
        }
        let end = Simulation::new().run(async {
            for (nanos, woken) in [(10, Woken::Nobody), (20, Woken::Maybe), (2_000_010, Woken::Maybe)] {
                schedule(Instant::from_nanos(nanos), Arc::new(Silent(woken)), 0);
            }
            sleep(micros(5_000)).await;
            now().as_nanos()
        });
        assert_eq!(end, Ok(5_000_000));
    }

    #[test]
    fn a_dropped_sleep_leaves_no_trace_in_time() {
        let end = Simulation::new().run(async {
            assert!(timeout(micros(3), sleep(Duration::from_secs(60))).await.is_err());
            sleep(micros(1)).await;
            now().as_nanos()
        });
        assert_eq!(end, Ok(4_000));
    }

    #[test]
    fn waiting_for_nothing_is_an_error_not_a_hang() {
        let outcome = Simulation::new().run(std::future::pending::<()>());
        assert_eq!(outcome, Err(Stalled));
    }

    #[test]
    fn tokio_timers_alone_still_run() {
        let end = Simulation::new().run(async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            now().as_nanos()
        });
        assert_eq!(end, Ok(3_000_000_000));
    }

    proptest::proptest! {
        /// Any mix of own sleeps ends exactly on time, whatever tokio timers stand beside them.
        #[test]
        fn own_sleeps_are_exact(own in proptest::collection::vec(0u64..50_000_000, 1..40), other in proptest::collection::vec(0u64..50_000_000, 0..10)) {
            let run = Simulation::new().run(async move {
                let mut tasks = tokio::task::JoinSet::new();
                for nanos in other {
                    tasks.spawn(async move {
                        tokio::time::sleep(Duration::from_nanos(nanos)).await;
                        assert_eq!(now().as_nanos(), nanos.next_multiple_of(MILLISECOND_NS));
                    });
                }
                for nanos in own {
                    tasks.spawn(async move {
                        sleep(Duration::from_nanos(nanos)).await;
                        assert_eq!(now().as_nanos(), nanos);
                    });
                }
                while let Some(done) = tasks.join_next().await {
                    done.unwrap();
                }
            });
            proptest::prop_assert_eq!(run, Ok(()));
        }
    }
}
