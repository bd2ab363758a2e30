//! When to acknowledge: at once, or with the next data, or after 40 ms (`tcp_input.c`, `tcp_timer.c`).
//!
//! A connection starts in quick mode. Answering soon after data arrived makes it interactive ("ping-pong"): then
//! acknowledgements wait for the answer, up to the ack timeout (ATO), which adapts to how often data comes.

use std::time::Duration;

use super::ticks::Ticks;
use crate::clock::Instant;

const ATO_MIN: Duration = Duration::from_millis(40);
const DELAY_MAX: Duration = Duration::from_millis(200);
const QUICK_MAX: u64 = 16;
/// Acknowledgements of segments out of order that leave at once, since so many mean a loss; later ones are joined.
const DUPLICATES_AT_ONCE: u32 = 3;
/// At most so many are joined (`tcp_comp_sack_nr`),
const JOINED_MAX: u32 = 44;
/// which report at most so many ranges (`TCP_SACK_BLOCKS_EXPECTED`),
const JOINED_RANGES_MAX: usize = 2;
/// for at most so long (`tcp_comp_sack_delay_ns`) and what the kernel allows its timer (`tcp_comp_sack_slack_ns`).
const JOIN_MAX: Duration = Duration::from_millis(1);
const JOIN_SLACK: Duration = Duration::from_micros(100);
/// What a receiver assumes of its peer's segments before it has seen any (`TCP_MSS_DEFAULT`).
const MSS_GUESS: u64 = 536;

/// The state of `icsk_ack`.
#[derive(Debug)]
pub(super) struct AckPolicy {
    /// The ack timeout a connection begins with, in ticks.
    least: u64,
    /// An acknowledgement is owed.
    scheduled: bool,
    /// It may not wait.
    now: bool,
    /// A segment smaller than the largest so far arrived: the end of what the peer wrote.
    pushed: bool,
    pushed_again: bool,
    quick: u64,
    ping_pong: bool,
    /// In ticks.
    ato: u64,
    last_received: u64,
    received_any: bool,
    rcv_mss: u64,
    /// What was acknowledged last.
    wup: u64,
    /// How often in a row `duplicates_at` was acknowledged at once because of a hole behind it.
    duplicates: u32,
    duplicates_at: u64,
    /// Acknowledgements that wait to leave as one.
    joined: u32,
}

/// What to do about an acknowledgement that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AckDecision {
    /// Nothing is owed.
    None,
    /// Send it.
    Now,
    /// Send it after so many ticks unless data goes out before.
    Delay(u64),
    /// Send it after so long, together with those that come until then.
    Join(Duration),
}

impl AckPolicy {
    pub(super) fn new(ticks: Ticks) -> Self {
        let least = ticks.covering(ATO_MIN);
        Self {
            least,
            scheduled: false,
            now: false,
            pushed: false,
            pushed_again: false,
            quick: 0,
            ping_pong: false,
            ato: least,
            last_received: 0,
            received_any: false,
            rcv_mss: 0,
            wup: super::segment::FIRST,
            duplicates: 0,
            duplicates_at: 0,
            joined: 0,
        }
    }

    /// What was acknowledged last.
    pub(super) fn acked(&self) -> u64 {
        self.wup
    }

    pub(super) fn schedule(&mut self) {
        self.scheduled = true;
    }

    /// The next acknowledgement may not wait.
    pub(super) fn demand(&mut self) {
        self.now = true;
    }

    fn add_quick(&mut self, window_segments: u64) {
        self.quick = self.quick.max((window_segments / 2).clamp(2, QUICK_MAX));
    }

    /// Something went wrong: the peer must learn soon what is here (`tcp_enter_quickack_mode`).
    pub(super) fn enter_quick(&mut self, window_segments: u64) {
        self.add_quick(window_segments);
        self.ping_pong = false;
        self.ato = self.least;
    }

    /// Data arrived in order (`tcp_event_data_recv`).
    pub(super) fn on_data(&mut self, now: Instant, len: u64, mss: u64, window_segments: u64, ticks: Ticks, rto: u64) {
        self.measure(len, mss);
        let (now, least) = (ticks.at(now), self.least);
        if !self.received_any {
            self.received_any = true;
            self.add_quick(window_segments);
            self.ato = least;
        } else {
            let gap = now - self.last_received;
            if gap <= least / 2 {
                self.ato = (self.ato >> 1) + least / 2;
            } else if gap < self.ato {
                self.ato = ((self.ato >> 1) + gap).min(rto);
            } else if gap > rto {
                // The peer, idle for so long, starts slowly: it waits for every acknowledgement.
                self.add_quick(window_segments);
            }
        }
        self.last_received = now;
    }

    fn measure(&mut self, len: u64, mss: u64) {
        let known = self.rcv_mss.max(MSS_GUESS.min(mss));
        if len >= known {
            self.rcv_mss = len.min(mss);
        } else {
            self.rcv_mss = known;
            self.pushed_again = self.pushed;
            self.pushed = true;
        }
    }

    /// Data is being sent: an answer, if data arrived within the ack timeout (`tcp_event_data_sent`).
    pub(super) fn on_data_sent(&mut self, now: Instant, ticks: Ticks) {
        if self.received_any && ticks.at(now) - self.last_received < self.ato {
            self.ping_pong = true;
        }
    }

    /// Decides after data arrived (`__tcp_ack_snd_check`). `open`: the window has not closed behind the data;
    /// `ranges`: so many wait for what is missing before them.
    pub(super) fn decide(
        &mut self,
        nxt: u64,
        open: bool,
        ranges: usize,
        ticks: Ticks,
        srtt: Option<Duration>,
    ) -> AckDecision {
        if !self.scheduled && !self.now {
            return AckDecision::None;
        }
        let many = nxt - self.wup > self.rcv_mss.max(1) && open;
        if many || (self.quick > 0 && !self.ping_pong) || self.now {
            return AckDecision::Now;
        }
        if ranges > 0 { self.join(nxt, ranges, srtt) } else { AckDecision::Delay(self.delay(ticks, srtt)) }
    }

    /// Something is missing behind `nxt`: the first acknowledgements that say so may not wait, the others leave as one,
    /// unless there is more to tell of than one segment has room for.
    fn join(&mut self, nxt: u64, ranges: usize, srtt: Option<Duration>) -> AckDecision {
        if self.duplicates_at != nxt {
            (self.duplicates_at, self.duplicates) = (nxt, 0);
        }
        if self.joined >= JOINED_MAX || ranges > JOINED_RANGES_MAX {
            return AckDecision::Now;
        }
        if self.duplicates < DUPLICATES_AT_ONCE {
            self.duplicates += 1;
            return AckDecision::Now;
        }
        self.joined += 1;
        AckDecision::Join((srtt.unwrap_or_default() / 20).min(JOIN_MAX) + JOIN_SLACK)
    }

    /// `tcp_send_delayed_ack`.
    fn delay(&self, ticks: Ticks, srtt: Option<Duration>) -> u64 {
        let least = self.least;
        let ato = self.ato.max(least);
        if ato == least {
            return ato;
        }
        let most =
            if self.ping_pong || self.pushed { ticks.covering(DELAY_MAX) } else { ticks.covering(DELAY_MAX * 5 / 2) };
        let most = srtt.map_or(most, |srtt| most.min(ticks.covering(srtt).max(least)));
        ato.min(most).min(ticks.covering(DELAY_MAX))
    }

    /// A quarter of the ack timeout: a timer that is about to fire is not waited for.
    pub(super) fn soon(&self) -> u64 {
        self.ato >> 2
    }

    /// The delayed acknowledgement's time is up. Whether one is owed (`tcp_delack_timer_handler`).
    pub(super) fn on_timer(&mut self, rto: u64) -> bool {
        if !self.scheduled {
            return false;
        }
        if self.joined > 0 {
            return true;
        }
        if self.ping_pong {
            self.ping_pong = false;
            self.ato = self.least;
        } else {
            self.ato = (self.ato << 1).min(rto);
        }
        true
    }

    /// Whether a program that has read must be followed by an acknowledgement (`tcp_cleanup_rbuf`).
    pub(super) fn wants_ack_after_read(&self, nxt: u64, drained: bool) -> bool {
        self.scheduled
            && (nxt - self.wup > self.rcv_mss || (drained && (self.pushed_again || (self.pushed && !self.ping_pong))))
    }

    /// An acknowledgement left, by itself or on data (`tcp_event_ack_sent`).
    pub(super) fn on_ack_sent(&mut self, nxt: u64) {
        if self.scheduled && self.quick > 0 {
            self.quick -= 1;
        }
        self.wup = nxt;
        self.joined = 0;
        (self.scheduled, self.now, self.pushed, self.pushed_again) = (false, false, false, false);
    }

    pub(super) fn is_scheduled(&self) -> bool {
        self.scheduled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three duplicates leave at once, the rest of a burst as one (`tcp_comp_sack_delay_ns`), unless there is more to tell
    /// of than it has room for.
    #[test]
    fn after_three_duplicates_acknowledgements_are_joined() {
        let ticks = Ticks::new(Duration::from_millis(4), Duration::ZERO);
        let mut policy = AckPolicy::new(ticks);
        let mut after = |ranges| {
            policy.schedule();
            let decision = policy.decide(1449, true, ranges, ticks, Some(Duration::from_millis(10)));
            if decision == AckDecision::Now {
                policy.on_ack_sent(1449);
            }
            decision
        };
        // The first of them acknowledges the segment before the hole.
        assert_eq!([(); 4].map(|()| after(1)), [AckDecision::Now; 4]);
        assert_eq!(after(1), AckDecision::Join(Duration::from_micros(600)));
        assert_eq!(after(2), AckDecision::Join(Duration::from_micros(600)));
        assert_eq!(after(3), AckDecision::Now);
        assert_eq!(after(1), AckDecision::Join(Duration::from_micros(600)));
    }
}
