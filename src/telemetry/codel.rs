//! Controlled delay: drop what waited too long, more and more often, until the standing queue is gone.
//!
//! RFC 8289 with requests in place of packets. A burst may wait longer than the target; only a queue whose *shortest*
//! wait stays above the target for a whole interval is a standing queue, and drops begin.

use std::time::Duration;

use crate::clock::Instant;

/// The control law's state.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CoDel {
    first_above: Option<Instant>,
    dropping: bool,
    drop_next: Instant,
    count: u32,
    last_count: u32,
}

impl CoDel {
    /// Whether the request that leaves the queue now, having waited `waited`, is to be dropped. The last one in the queue
    /// never is: an empty queue is no standing queue.
    pub(super) fn should_drop(
        &mut self,
        now: Instant,
        waited: Duration,
        is_last: bool,
        target: Duration,
        interval: Duration,
    ) -> bool {
        let standing = self.is_standing(now, waited, is_last, target, interval);
        if self.dropping {
            if !standing {
                self.dropping = false;
                return false;
            }
            if now < self.drop_next {
                return false;
            }
            self.count += 1;
            self.drop_next += spacing(interval, self.count);
            return true;
        }
        if !standing {
            return false;
        }
        self.begin_dropping(now, interval);
        true
    }

    fn is_standing(
        &mut self,
        now: Instant,
        waited: Duration,
        is_last: bool,
        target: Duration,
        interval: Duration,
    ) -> bool {
        if waited < target || is_last {
            self.first_above = None;
            return false;
        }
        let above_since = *self.first_above.get_or_insert(now);
        now - above_since >= interval
    }

    /// A queue that was dropping a moment ago goes on where it left off, since the load is likely still there.
    fn begin_dropping(&mut self, now: Instant, interval: Duration) {
        self.dropping = true;
        let recent = now.saturating_since(self.drop_next) < interval * 16;
        let delta = self.count - self.last_count;
        self.count = if recent && delta > 1 { delta } else { 1 };
        self.last_count = self.count;
        self.drop_next = now + spacing(interval, self.count);
    }
}

fn spacing(interval: Duration, count: u32) -> Duration {
    interval.div_f64(libm::sqrt(f64::from(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// One request leaves each millisecond after waiting `waited`; how many are dropped in `total` ms?
    fn drops(waited: Duration, total: u32) -> usize {
        let mut codel = CoDel::default();
        (0..total).filter(|&ms| codel.should_drop(Instant::ORIGIN + ms * MS, waited, false, 5 * MS, 100 * MS)).count()
    }

    #[test]
    fn only_a_standing_queue_is_dropped_from_and_ever_faster() {
        assert_eq!(drops(4 * MS, 1000), 0);
        assert_eq!(drops(6 * MS, 100), 0);
        let (half, whole) = (drops(6 * MS, 1000), drops(6 * MS, 2000));
        assert!(half >= 9 && whole > 2 * half, "{half} then {whole}");
    }
}
