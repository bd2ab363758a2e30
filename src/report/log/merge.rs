//! From the logs of shards to the log of the whole.

use std::collections::BTreeMap;

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
        let mut seen = BTreeMap::new();
        let mut lines = Vec::new();
        for (log, Self { head, lines: own }) in logs.into_iter().enumerate() {
            if let Some(what) = difference(&whole, &head) {
                return Err(LogError::Different { log, what });
            }
            let index = head.shard.index;
            if let Some(first) = seen.insert(index, log) {
                return Err(LogError::Twice { index, logs: [first, log] });
            }
            lines.extend(own);
        }
        if let Some(index) = (1..=count).find(|index| !seen.contains_key(index)) {
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

/// Why a log is not of the same run as the first one, if it is not.
fn difference(first: &Head, other: &Head) -> Option<&'static str> {
    let Shard { index, count } = other.shard;
    let told = [
        (first.squall_version != other.squall_version, "another version of Squall wrote it"),
        (first.scenarios != other.scenarios, "its scenarios are others, or say something else"),
        (first.shard.count != count, "it was cut into another number of shards"),
        (first.trials != other.trials, "its run has other strategies or seeds"),
        (!(1..=count).contains(&index), "it is no shard of any run"),
    ];
    told.into_iter().find(|(differs, _)| *differs).map(|(_, why)| why)
}
