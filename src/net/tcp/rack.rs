//! RACK (RFC 8985): a segment is lost if one sent later has arrived, and enough time has passed for it to be late.

use std::time::Duration;

use super::acknowledge::Ack;
use super::recovery::Phase;
use super::scoreboard::Sent;
use super::socket::{Output, Pending, Socket};
use super::timeout::SHORT_TIMER_SLACK;
use crate::clock::Instant;

/// Duplicate acknowledgements that stand for a loss when nothing was ever reordered.
const DUP_THRESHOLD: u64 = 3;
const REORDERING_MAX: u64 = 300;
/// For how many recoveries a reordering window that has grown stays so.
const PERSIST: u32 = 16;

#[derive(Debug)]
pub(super) struct Rack {
    /// Which transmission was the latest among those that arrived.
    order: u64,
    rtt: Duration,
    /// It moved since losses were looked for.
    pub(super) advanced: bool,
    /// The path was seen to reorder.
    reordering_seen: bool,
    /// How many segments something may be late by.
    reordering: u64,
    /// The reordering window, in quarters of the shortest round trip; grows with every spurious retransmission.
    steps: u32,
    /// Recoveries for which it stays grown.
    persist: u32,
    /// It does not grow twice a round trip.
    grown_at: u64,
}

impl Default for Rack {
    fn default() -> Self {
        Self {
            order: 0,
            rtt: Duration::ZERO,
            advanced: false,
            reordering_seen: false,
            reordering: DUP_THRESHOLD,
            steps: 1,
            persist: 0,
            grown_at: 0,
        }
    }
}

impl Rack {
    /// Whether `sent` left before something that has arrived.
    fn is_later_than(&self, sent: &Sent) -> bool {
        self.order > sent.order
    }
}

impl Socket {
    /// A segment arrived (`tcp_rack_advance`).
    pub(super) fn rack_advance(&mut self, now: Instant, sent: &Sent) {
        let rtt = now - sent.at;
        // Which of its transmissions arrived is not known; too soon means an earlier one.
        if sent.ever_retransmitted && self.rtt.min().is_some_and(|min| rtt < min) {
            return;
        }
        self.rack.advanced = true;
        self.rack.rtt = rtt;
        if sent.order > self.rack.order {
            self.rack.order = sent.order;
        }
    }

    fn reordering_window(&self) -> Duration {
        if !self.rack.reordering_seen
            && (self.recovery.phase >= Phase::Recovery || self.board.sacked_out >= self.rack.reordering)
        {
            return Duration::ZERO;
        }
        let srtt = self.rtt.smoothed().unwrap_or_default();
        let min = self.rtt.min().unwrap_or_default();
        (min / 4 * self.rack.steps).min(srtt)
    }

    /// How much longer a segment may take.
    pub(super) fn rack_time_left(&self, now: Instant, sent: &Sent, window: Duration) -> Option<Duration> {
        let due = sent.at + self.rack.rtt + window;
        (due > now).then(|| due - now)
    }

    /// Marks what is lost; says how long to wait for what may merely be late (`tcp_rack_detect_loss`).
    fn detect_losses(&mut self, now: Instant) -> Option<Duration> {
        let window = self.reordering_window();
        let mut wait: Option<Duration> = None;
        for index in 0..self.board.len() {
            let Some(&sent) = self.board.get(index) else { break };
            let settled = sent.sacked || (sent.lost && !sent.retransmitting);
            if settled || !self.rack.is_later_than(&sent) {
                continue;
            }
            match self.rack_time_left(now, &sent, window) {
                Some(left) => wait = Some(wait.map_or(left, |longest| longest.max(left))),
                None => self.recovery.lost_total += u64::from(self.board.mark_lost(index)),
            }
        }
        wait
    }

    /// Looks for losses after an acknowledgement (`tcp_identify_packet_loss`).
    pub(super) fn identify_losses(&mut self, now: Instant, ack: &mut Ack) {
        if self.board.is_empty() || !std::mem::take(&mut self.rack.advanced) {
            return;
        }
        let retransmitting = self.board.retrans_out;
        if let Some(wait) = self.detect_losses(now) {
            let ticks = self.ticks.covering(wait + SHORT_TIMER_SLACK);
            self.set_transmit_timer(now, Pending::Reorder, ticks.min(self.rto));
            ack.sets_timer = false;
        }
        ack.lost_retransmission |= retransmitting > self.board.retrans_out;
    }

    /// What was late enough to wait for has not come (`tcp_rack_reo_timeout`).
    pub(super) fn on_reorder_timer(&mut self, now: Instant, out: &mut Output) {
        let (in_flight, lost) = (self.board.in_flight(), self.recovery.lost_total);
        self.detect_losses(now);
        if in_flight != self.board.in_flight() {
            if self.recovery.phase != Phase::Recovery {
                self.enter_recovery();
                self.reduce(1, self.recovery.lost_total - lost, false);
            }
            self.retransmit_lost(now, out);
        }
        if self.pending != Pending::Retransmit {
            self.rearm_rto(now);
        }
    }

    /// A hole below what arrived first was filled by an original: that is reordering (`tcp_check_sack_reordering`).
    pub(super) fn saw_reordering(&mut self, low: u64, highest: u64) {
        if low >= highest {
            return;
        }
        let mss = u64::from(self.settings.mss);
        let metric = (highest - low).div_ceil(mss);
        if highest - low > self.rack.reordering * mss {
            self.rack.reordering = metric.min(REORDERING_MAX);
        }
        self.rack.reordering_seen = true;
    }

    pub(super) fn may_raise_window(&self, ack: &Ack) -> bool {
        if self.rack.reordering > DUP_THRESHOLD { ack.acked || ack.sacked } else { ack.acked }
    }

    /// A retransmission turned out to be needless: wait longer before believing in a loss, but only on a path that was
    /// seen to reorder, and not for a probe, which time and not RACK set off (`tcp_rack_update_reo_wnd`).
    pub(super) fn update_reordering_window(&mut self, ack: &Ack) {
        let needless = ack.duplicate && !ack.duplicate_is_probe && self.rack.reordering_seen;
        if needless && self.una > self.rack.grown_at {
            self.rack.steps = (self.rack.steps + 1).min(0xFF);
            self.rack.persist = PERSIST;
            self.rack.grown_at = self.nxt;
        } else if self.rack.persist == 0 {
            self.rack.steps = 1;
        }
    }

    /// A recovery ended without proof that it was spurious.
    pub(super) fn age_reordering_window(&mut self) {
        self.rack.persist = self.rack.persist.saturating_sub(1);
    }

    /// A recovery turned out to be spurious by what was reported twice.
    pub(super) fn keep_reordering_window(&mut self) {
        self.rack.persist = (self.rack.persist + 1).min(PERSIST);
    }
}
