//! Tasks that belong to a host: they die with its process and stand still while it is paused.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, TryLockError};
use std::task::{Context, Poll, Waker};

use super::host::Host;

type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tasks of one life of a process.
#[derive(Default)]
pub(super) struct Tasks {
    next: u64,
    running: BTreeMap<u64, Arc<Slot>>,
}

struct Slot {
    state: Mutex<SlotState>,
    /// Set outside the lock of the body: a task may kill its own host.
    waker: Mutex<Waker>,
    dead: std::sync::atomic::AtomicBool,
}

struct SlotState {
    body: Option<Body>,
}

impl Slot {
    fn is_dead(&self) -> bool {
        self.dead.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn wake(&self) {
        let waker = self.waker.lock().expect("never locked across a panic").clone();
        waker.wake();
    }

    /// Drops the body at once, or, if it is what is running right now, as soon as it yields.
    fn kill(&self) {
        self.dead.store(true, std::sync::atomic::Ordering::Relaxed);
        let body = match self.state.try_lock() {
            Ok(mut state) => state.body.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().body.take(),
            Err(TryLockError::WouldBlock) => None,
        };
        drop(body);
        self.wake();
    }
}

/// Takes the tasks of a host that dies.
pub(super) fn kill_all(host: &Host) {
    let tasks = std::mem::take(&mut host.lock().tasks.running);
    for slot in tasks.into_values() {
        slot.kill();
    }
}

/// Lets the tasks of a host go on.
pub(super) fn wake_all(host: &Host) {
    let tasks: Vec<Arc<Slot>> = host.lock().tasks.running.values().cloned().collect();
    for slot in tasks {
        slot.wake();
    }
}

/// Runs `future` as a task of the host's process; nothing happens if there is none.
pub(super) fn spawn(host: &Arc<Host>, future: impl Future<Output = ()> + Send + 'static) {
    if !host.is_running() {
        return;
    }
    let slot = Arc::new(Slot {
        state: Mutex::new(SlotState { body: Some(Box::pin(future)) }),
        waker: Mutex::new(Waker::noop().clone()),
        dead: std::sync::atomic::AtomicBool::new(false),
    });
    let number = {
        let mut state = host.lock();
        let number = state.tasks.next;
        state.tasks.next += 1;
        state.tasks.running.insert(number, Arc::clone(&slot));
        number
    };
    tokio::spawn(HostTask { host: Arc::clone(host), slot, number });
}

struct HostTask {
    host: Arc<Host>,
    slot: Arc<Slot>,
    number: u64,
}

impl Future for HostTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        {
            let mut waker = this.slot.waker.lock().expect("never locked across a panic");
            if !waker.will_wake(cx.waker()) {
                waker.clone_from(cx.waker());
            }
        }
        if this.slot.is_dead() {
            return Poll::Ready(());
        }
        if this.host.is_paused() {
            return Poll::Pending;
        }
        let mut state = this.slot.state.lock().expect("never locked across a panic");
        let done = state.body.as_mut().is_none_or(|body| body.as_mut().poll(cx).is_ready());
        let finished = done || this.slot.is_dead();
        let body = if finished { state.body.take() } else { None };
        drop(state);
        drop(body);
        if finished { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for HostTask {
    fn drop(&mut self) {
        let slot = self.host.lock().tasks.running.remove(&self.number);
        drop(slot);
    }
}
