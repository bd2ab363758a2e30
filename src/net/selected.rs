//! What a fault touches: packets and connections between certain hosts, and of these all, or some by their turn.
//!
//! Rule: turns are counted in the order in which things happen in virtual time, so that "every third" is the same third in every
//! run of a seed.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{HostId, Pairs};

/// Lets through every so-manieth that comes, until there were so many.
///
/// ```
/// use squall::net::Turnstile;
/// use std::num::NonZeroU64;
/// let two_of_every_third = Turnstile::new(NonZeroU64::new(3).unwrap(), 2);
/// let passed: Vec<bool> = (0..8).map(|_| two_of_every_third.passes()).collect();
/// assert_eq!(passed, [true, false, false, true, false, false, false, false]);
/// ```
#[derive(Debug)]
pub struct Turnstile {
    every: NonZeroU64,
    first: u64,
    seen: AtomicU64,
}

impl Turnstile {
    /// Every `every`-th passes, beginning with the first; `first` of them at most.
    #[must_use]
    pub const fn new(every: NonZeroU64, first: u64) -> Self {
        Self { every, first, seen: AtomicU64::new(0) }
    }

    /// Whether the one that comes now passes.
    pub fn passes(&self) -> bool {
        if self.is_open() {
            return true;
        }
        let number = self.seen.fetch_add(1, Ordering::Relaxed);
        number.is_multiple_of(self.every.get()) && number / self.every < self.first
    }

    /// Whether everyone passes.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.every.get() == 1 && self.first == u64::MAX
    }
}

/// Open to everyone.
impl Default for Turnstile {
    fn default() -> Self {
        Self::new(NonZeroU64::MIN, u64::MAX)
    }
}

/// Ordered pairs of hosts (from, to), and a turnstile for what passes between them. Clones share the turnstile.
#[derive(Clone, Debug)]
pub struct Selected {
    pairs: Pairs,
    turnstile: Arc<Turnstile>,
}

impl Selected {
    /// Of what passes between `pairs`, what gets through the turnstile.
    #[must_use]
    pub fn new(pairs: Pairs, turnstile: Turnstile) -> Self {
        Self { pairs, turnstile: Arc::new(turnstile) }
    }

    pub(super) fn contains(&self, from: HostId, to: HostId) -> bool {
        self.pairs.contains(from, to)
    }

    pub(super) fn turnstile(&self) -> &Turnstile {
        &self.turnstile
    }
}

/// Everything that passes between them.
impl<P: Into<Pairs>> From<P> for Selected {
    fn from(pairs: P) -> Self {
        Self::new(pairs.into(), Turnstile::default())
    }
}
