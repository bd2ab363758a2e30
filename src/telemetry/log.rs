//! The durable log of a telemetry server: what it promised to keep, and what a crash takes back.
//!
//! An alert is acknowledged when the server says so, and kept when the disk has it. `sync` waits for the disk before it
//! acknowledges; `write_behind` lets the disk lag; `memory` has no disk. The log belongs to the host and outlives the
//! process: a restart finds the durable prefix and nothing else.
//!
//! Rule: entries become durable in order, so the durable part is always a prefix and a crash is a truncation.

use std::collections::BTreeMap;

use crate::record::CallId;

/// What makes two alerts the same one: device, type and timestamp.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertKey {
    /// The reporting device.
    pub device_id: String,
    /// The kind of alert.
    pub alert_type: String,
    /// When the device noticed, as it says.
    pub timestamp: i64,
}

/// The alerts on one host, in the order in which they were recorded.
///
/// ```
/// use squall::record::CallId;
/// use squall::telemetry::{AlertKey, AlertLog};
///
/// let mut log = AlertLog::new(true);
/// let key = AlertKey { device_id: "d".into(), alert_type: "smoke".into(), timestamp: 1 };
/// assert!(log.append(&key, CallId::new(0, 0)).fresh);
/// assert!(!log.append(&key, CallId::new(0, 0)).fresh); // a retry, told apart
/// assert_eq!(log.crash(), [CallId::new(0, 0)]); // nothing was synced
/// ```
#[derive(Debug, Default)]
pub struct AlertLog {
    entries: Vec<CallId>,
    durable: usize,
    /// Where each key stands, if the server deduplicates.
    index: Option<BTreeMap<AlertKey, usize>>,
}

/// Where an alert stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its place, from 0.
    pub position: usize,
    /// Whether it was not there before.
    pub fresh: bool,
}

impl AlertLog {
    /// An empty log; with `dedup`, a repeated key finds its first entry.
    #[must_use]
    pub fn new(dedup: bool) -> Self {
        Self { entries: Vec::new(), durable: 0, index: dedup.then(BTreeMap::new) }
    }

    /// Records an alert, unless the log deduplicates and knows it.
    pub fn append(&mut self, key: &AlertKey, call: CallId) -> Appended {
        let position = self.entries.len();
        if let Some(index) = &mut self.index {
            if let Some(&position) = index.get(key) {
                return Appended { position, fresh: false };
            }
            index.insert(key.clone(), position);
        }
        self.entries.push(call);
        Appended { position, fresh: true }
    }

    /// Everything recorded so far is on disk.
    pub fn sync(&mut self) {
        self.sync_first(self.entries.len());
    }

    /// The first `count` entries are on disk.
    pub fn sync_first(&mut self, count: usize) {
        self.durable = self.durable.max(count.min(self.entries.len()));
    }

    /// Forgets what was not durable, and says what that was.
    pub fn crash(&mut self) -> Vec<CallId> {
        let durable = self.durable;
        if let Some(index) = &mut self.index {
            index.retain(|_, position| *position < durable);
        }
        self.entries.split_off(durable)
    }

    /// Forgets everything: the disk itself is gone.
    pub fn wipe(&mut self) -> Vec<CallId> {
        self.durable = 0;
        self.crash()
    }

    /// How many alerts it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many of them a crash cannot take.
    #[must_use]
    pub fn durable(&self) -> usize {
        self.durable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: i64) -> AlertKey {
        AlertKey { device_id: "device-1".into(), alert_type: "smoke".into(), timestamp: number }
    }

    fn filled(dedup: bool, numbers: &[u32], synced: usize) -> AlertLog {
        let mut log = AlertLog::new(dedup);
        for (i, &number) in numbers.iter().enumerate() {
            log.append(&key(i64::from(number)), CallId::new(0, number));
            if i + 1 == synced {
                log.sync();
            }
        }
        log
    }

    #[test]
    fn a_crash_takes_exactly_what_was_not_durable() {
        let check = |synced: usize, lost: &[u32]| {
            let expected: Vec<_> = lost.iter().map(|&n| CallId::new(0, n)).collect();
            assert_eq!(filled(false, &[1, 2, 3], synced).crash(), expected);
        };
        check(0, &[1, 2, 3]);
        check(2, &[3]);
        check(3, &[]);
    }

    #[test]
    fn without_deduplication_a_repeated_key_is_recorded_twice() {
        assert_eq!(filled(false, &[1, 1], 0).len(), 2);
        assert_eq!(filled(true, &[1, 1], 0).len(), 1);
    }

    /// The index is rebuilt from what is on disk: a key that was lost is fresh again.
    #[test]
    fn a_lost_alert_can_be_recorded_again() {
        let mut log = filled(true, &[1, 2], 1);
        log.crash();
        assert!(!log.append(&key(1), CallId::new(0, 1)).fresh);
        assert!(log.append(&key(2), CallId::new(0, 2)).fresh);
    }
}
