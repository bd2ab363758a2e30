//! Where events go: a handle that everything in a trial shares, and the sinks that consume them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::level_filters::LevelFilter;

use super::{Event, Kind};
use crate::clock;

/// A consumer of events, in the order in which they happened.
pub trait Sink {
    /// Takes one event.
    fn event(&mut self, event: &Event);
}

impl<S: Sink + ?Sized> Sink for &mut S {
    fn event(&mut self, event: &Event) {
        (**self).event(event);
    }
}

/// Two sinks, each of which sees every event.
impl<A: Sink, B: Sink> Sink for (A, B) {
    fn event(&mut self, event: &Event) {
        self.0.event(event);
        self.1.event(event);
    }
}

/// A sink that may be absent.
impl<S: Sink> Sink for Option<S> {
    fn event(&mut self, event: &Event) {
        if let Some(sink) = self {
            sink.event(event);
        }
    }
}

/// A sink that its owner wants back after the trial.
impl<S: Sink> Sink for Arc<Mutex<S>> {
    fn event(&mut self, event: &Event) {
        self.lock().unwrap_or_else(PoisonError::into_inner).event(event);
    }
}

/// Keeps every event, for tests and short runs.
impl Sink for Vec<Event> {
    fn event(&mut self, event: &Event) {
        self.push(*event);
    }
}

/// Events are handed on in batches of this many: a lock and a copy each while the trial runs, the folding later, together.
const BATCH: usize = 1024;

/// A handle to write events with; clones write to the same record.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    batch: Vec<Event>,
    closed: bool,
    sink: Box<dyn Sink + Send>,
}

impl Recorder {
    /// A recorder that feeds `sink`.
    pub fn new(sink: impl Sink + Send + 'static) -> Self {
        let shared = Shared { batch: Vec::with_capacity(BATCH), closed: false, sink: Box::new(sink) };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// Writes down that `kind` happens now.
    pub fn record(&self, kind: Kind) {
        let event = Event { at: clock::now(), kind };
        narrate(&kind);
        let mut shared = self.lock();
        if shared.closed {
            return;
        }
        shared.batch.push(event);
        if shared.batch.len() == BATCH {
            shared.flush();
        }
    }

    /// Hands on everything written so far.
    pub fn flush(&self) {
        self.lock().flush();
    }

    /// Hands on everything written so far, and ignores what comes later: the run is over, and tasks that are dropped now
    /// have nothing more to say.
    pub fn close(&self) {
        let mut shared = self.lock();
        shared.flush();
        shared.closed = true;
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A sink that panicked has ended its trial; the events of others are still whole.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whoever listens (`-v`, `RUST_LOG`) what happens, at the time at which it happens: the weather at `info`, calls at
/// `debug`.
fn narrate(kind: &Kind) {
    if LevelFilter::current() < LevelFilter::INFO {
        return;
    }
    match kind {
        Kind::FaultStarted { .. }
        | Kind::FaultEnded { .. }
        | Kind::FaultCounted { .. }
        | Kind::Host { .. }
        | Kind::Breaker { .. }
        | Kind::Ended { .. } => tracing::info!("{kind:?}"),
        _ => tracing::debug!("{kind:?}"),
    }
}

impl Shared {
    fn flush(&mut self) {
        for event in &self.batch {
            self.sink.event(event);
        }
        self.batch.clear();
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}
