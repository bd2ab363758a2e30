//! From the logs of shards to the log of the whole.

use std::collections::BTreeSet;

use super::{Head, Log, LogError, Shard};

impl Log {
    /// Makes a whole of its shards, given in any order.
    ///
    /// # Errors
    ///
    /// When they are not of one run, or one is missing or there twice.
    pub fn merge(logs: Vec<Self>) -> Result<Self, LogError> {
        let mut whole = logs.first().ok_or(LogError::Empty)?.head.clone();
        let count = whole.shard.count;
        let mut seen = BTreeSet::new();
        let mut lines = Vec::new();
        for log in logs {
            let index = log.head.shard.index;
            let same = Head { shard: whole.shard, ..log.head.clone() } == whole && log.head.shard.count == count;
            if !same || index == 0 || index > count {
                return Err(LogError::Different);
            }
            if !seen.insert(index) {
                return Err(LogError::Twice(index));
            }
            lines.extend(log.lines);
        }
        if let Some(index) = (1..=count).find(|index| !seen.contains(index)) {
            return Err(LogError::Missing { index, count });
        }
        whole.shard = Shard::WHOLE;
        lines.sort_by_key(|line| line.trial);
        let log = Self { head: whole, lines };
        log.check_whole()?;
        Ok(log)
    }

    fn check_whole(&self) -> Result<(), LogError> {
        let (found, expected) = (self.lines.len(), self.head.trials);
        let in_order = self.lines.iter().enumerate().all(|(place, line)| line.trial == place);
        if found == expected && in_order { Ok(()) } else { Err(LogError::Incomplete { found, expected }) }
    }
}
