//! What every layer of a client has around it: randomness, somebody who listens, and state shared with other clients.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::{CallId, Event, EventKind, Observer};
use crate::clock;
use crate::random::Key;

/// The surroundings of a client's layers. Cloning is cheap and gives the same surroundings.
///
/// ```
/// use squall::{random::Key, resilience::Ambient};
/// let group = Ambient::new(Key::from_seed(7));
/// let clients: Vec<Ambient> = (0..3).map(|i| group.child(Key::from_seed(7).with(i))).collect();
/// ```
#[derive(Clone)]
pub struct Ambient(Arc<Inner>);

struct Inner {
    key: Key,
    observer: Option<Arc<dyn Observer>>,
    calls: AtomicU64,
    shared: Arc<Shared>,
}

/// State that clients of one group share, by name: budgets, breakers.
#[derive(Default)]
struct Shared(Mutex<BTreeMap<String, Arc<dyn Any + Send + Sync>>>);

impl Ambient {
    /// Surroundings with nobody listening and nothing shared yet.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self(Arc::new(Inner { key, observer: None, calls: AtomicU64::new(0), shared: Arc::default() }))
    }

    /// The same, heard by `observer`.
    #[must_use]
    pub fn observed_by(&self, observer: Arc<dyn Observer>) -> Self {
        Self(Arc::new(Inner {
            key: self.0.key,
            observer: Some(observer),
            calls: AtomicU64::new(0),
            shared: Arc::clone(&self.0.shared),
        }))
    }

    /// Surroundings of one more client of the group: same observer and shared state, draws of its own.
    #[must_use]
    pub fn child(&self, key: Key) -> Self {
        Self(Arc::new(Inner {
            key,
            observer: self.0.observer.clone(),
            calls: AtomicU64::new(0),
            shared: Arc::clone(&self.0.shared),
        }))
    }

    /// The root of all draws.
    #[must_use]
    pub fn key(&self) -> Key {
        self.0.key
    }

    pub(crate) fn next_call(&self) -> CallId {
        CallId(self.0.calls.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.0.observer.is_some()
    }

    /// Tells the observer, if there is one.
    pub(crate) fn emit(&self, call: Option<CallId>, attempt: u32, kind: impl FnOnce() -> EventKind) {
        if let Some(observer) = &self.0.observer {
            observer.on(&Event { at: clock::now(), call, attempt, kind: kind() });
        }
    }

    /// The shared state called `name`, made by whoever asks first.
    pub(crate) fn shared<T: Send + Sync + 'static>(&self, name: &str, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        let mut map = self.0.shared.0.lock().expect("nothing panics while holding it");
        if let Some(found) = map.get(name).cloned().and_then(|found| found.downcast().ok()) {
            return found;
        }
        let made = make();
        map.insert(name.to_owned(), Arc::<T>::clone(&made));
        made
    }
}

/// Production: the key comes from the operating system, once a process.
impl Default for Ambient {
    fn default() -> Self {
        static PROCESSES: AtomicU64 = AtomicU64::new(0);
        Self::new(os_key().with(PROCESSES.fetch_add(1, Ordering::Relaxed)))
    }
}

#[expect(
    clippy::disallowed_types,
    reason = "two processes in production must not draw the same jitter; a trial brings its own key"
)]
fn os_key() -> Key {
    use std::hash::{BuildHasher, Hasher};
    static KEY: std::sync::OnceLock<Key> = std::sync::OnceLock::new();
    *KEY.get_or_init(|| Key::from_seed(std::collections::hash_map::RandomState::new().build_hasher().finish()))
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ambient").field("key", &self.0.key).finish_non_exhaustive()
    }
}
