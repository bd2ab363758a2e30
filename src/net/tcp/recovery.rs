//! The phases of loss recovery (`tcp_fastretrans_alert`) and the window while it lasts (proportional rate reduction).

use super::acknowledge::Ack;
use super::congestion::Congestion;
use super::socket::{Output, Socket};
use crate::clock::Instant;

/// What a sender believes of the path (`icsk_ca_state`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// All is well.
    #[default]
    Open,
    /// Something arrived out of order: lost, or late.
    Disorder,
    /// The window is being reduced, though nothing is to be sent again.
    Reduced,
    /// Lost segments are being sent again.
    Recovery,
    /// The retransmission timer fired: everything is in doubt.
    Loss,
}

/// What to send after an acknowledgement was dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Send {
    Nothing,
    /// New data, to see whether a timeout was spurious (F-RTO).
    New,
    /// What was lost.
    Lost,
}

/// The state of loss recovery.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    pub(super) phase: Phase,
    /// The phase ends when everything up to here is acknowledged.
    pub(super) high: u64,
    /// Set while the reduction can still be taken back: where it began.
    pub(super) undo_from: Option<u64>,
    /// Retransmissions that were not yet reported as duplicates. `None`: none was sent.
    pub(super) undo_left: Option<u64>,
    /// When the first retransmission was sent.
    pub(super) first_retransmit: Option<Instant>,
    pub(super) prior_cwnd: u64,
    pub(super) prior_ssthresh: u64,
    pub(super) delivered: u64,
    pub(super) sent: u64,
    /// Watching whether the timeout was spurious (RFC 5682).
    pub(super) frto: bool,
    /// The end of the data when a tail loss probe was sent.
    pub(super) probe_high: Option<u64>,
    /// The probe repeated data, rather than being new.
    pub(super) probe_repeated: bool,
    /// Segments ever believed lost.
    pub(super) lost_total: u64,
}

impl Recovery {
    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn is_reducing(&self) -> bool {
        matches!(self.phase, Phase::Reduced | Phase::Recovery)
    }

    pub(super) fn on_sent(&mut self, segments: u64) {
        if self.is_reducing() {
            self.sent += segments;
        }
    }

    pub(super) fn on_retransmit(&mut self, now: Instant) {
        self.first_retransmit.get_or_insert(now);
        self.undo_left = Some(self.undo_left.unwrap_or(0) + 1);
    }

    /// From here on the reduction can be undone (`tcp_init_undo`).
    pub(super) fn begin_undo(&mut self, una: u64, retrans_out: u64) {
        self.undo_from = Some(una);
        let probes = u64::from(self.probe_high.is_some() && self.probe_repeated);
        self.undo_left = Some(retrans_out + probes).filter(|left| *left > 0);
    }
}

impl Socket {
    fn begin_reduction(&mut self) {
        self.recovery.high = self.nxt;
        self.recovery.probe_high = None;
        self.congestion.reset_count();
        self.recovery.prior_cwnd = self.congestion.cwnd;
        self.recovery.delivered = 0;
        self.recovery.sent = 0;
        self.congestion.ssthresh = self.congestion.threshold_after_loss();
    }

    pub(super) fn end_reduction(&mut self) {
        let Recovery { phase, undo_from, .. } = self.recovery;
        if self.congestion.knows_threshold() && (phase == Phase::Reduced || undo_from.is_some()) {
            self.congestion.cwnd = self.congestion.ssthresh;
        }
    }

    /// Proportional rate reduction (RFC 6937): the window follows what is delivered down to the threshold.
    pub(super) fn reduce(&mut self, delivered: u64, lost: u64, advanced: bool) {
        if delivered == 0 || self.recovery.prior_cwnd == 0 {
            return;
        }
        let recovery = &mut self.recovery;
        let in_flight = self.board.in_flight();
        recovery.delivered += delivered;
        let threshold = self.congestion.ssthresh;
        let mut allowed = if in_flight > threshold {
            (threshold * recovery.delivered).div_ceil(recovery.prior_cwnd).saturating_sub(recovery.sent)
        } else {
            let catch_up = recovery.delivered.saturating_sub(recovery.sent).max(delivered);
            (catch_up + u64::from(advanced && lost == 0)).min(threshold - in_flight)
        };
        if recovery.sent == 0 {
            // The first retransmission is never held back.
            allowed = allowed.max(1);
        }
        self.congestion.cwnd = in_flight + allowed;
    }

    pub(super) fn enter_recovery(&mut self) {
        self.recovery.first_retransmit = None;
        self.recovery.prior_ssthresh = 0;
        self.recovery.begin_undo(self.una, self.board.retrans_out);
        if !self.recovery.is_reducing() {
            self.recovery.prior_ssthresh = self.congestion.current_threshold();
            self.begin_reduction();
        }
        self.recovery.phase = Phase::Recovery;
    }

    /// A tail loss probe repaired a loss: the window is cut as if it had been seen in time.
    pub(super) fn reduce_after_probe(&mut self) {
        self.begin_reduction();
        self.recovery.phase = Phase::Reduced;
        self.end_reduction();
        self.keep_open();
    }

    /// `tcp_try_keep_open`.
    pub(super) fn keep_open(&mut self) {
        let left_out = self.board.sacked_out + self.board.lost_out > 0;
        let phase = if left_out || self.any_retransmitted() { Phase::Disorder } else { Phase::Open };
        if self.recovery.phase != phase {
            self.recovery.phase = phase;
            self.recovery.high = self.nxt;
        }
    }

    /// `tcp_try_to_open`.
    fn try_to_open(&mut self) {
        if !self.any_retransmitted() {
            self.recovery.first_retransmit = None;
        }
        if self.recovery.phase != Phase::Reduced {
            self.keep_open();
        }
    }

    /// Deals with an acknowledgement that is not plain. Says what to send (`tcp_fastretrans_alert`).
    pub(super) fn alert(&mut self, now: Instant, prior_una: u64, ack: &mut Ack) -> Send {
        if self.recovery.phase == Phase::Open {
            self.recovery.first_retransmit = None;
        } else if self.una >= self.recovery.high {
            match self.recovery.phase {
                Phase::Reduced if self.una != self.recovery.high => {
                    self.end_reduction();
                    self.recovery.phase = Phase::Open;
                }
                Phase::Recovery => {
                    self.try_undo_recovery(ack);
                    self.end_reduction();
                }
                _ => {}
            }
        }
        match self.recovery.phase {
            Phase::Recovery => {
                if ack.advanced && self.try_undo_partial(prior_una, ack) {
                    return Send::Nothing;
                }
                if self.try_undo_by_duplicates() {
                    self.try_to_open();
                }
                self.identify_losses(now, ack);
                if self.recovery.phase != Phase::Recovery {
                    if self.board.lost_out == 0 {
                        return Send::Nothing;
                    }
                    self.enter_recovery();
                }
                Send::Lost
            }
            Phase::Loss => {
                let send = self.on_ack_in_loss(ack);
                self.identify_losses(now, ack);
                if self.recovery.is_open() || ack.lost_retransmission { self.alert_calm(now, ack, send) } else { send }
            }
            _ => self.alert_calm(now, ack, Send::Nothing),
        }
    }

    fn alert_calm(&mut self, now: Instant, ack: &mut Ack, otherwise: Send) -> Send {
        if self.recovery.phase <= Phase::Disorder {
            self.try_undo_by_duplicates();
        }
        self.identify_losses(now, ack);
        if self.board.lost_out == 0 {
            self.try_to_open();
            return otherwise;
        }
        self.enter_recovery();
        Send::Lost
    }

    /// After a timeout: was it spurious (F-RTO, RFC 5682, with SACK)? (`tcp_process_loss`)
    fn on_ack_in_loss(&mut self, ack: &Ack) -> Send {
        let recovered = self.una >= self.recovery.high;
        if ack.advanced && self.try_undo_loss(false, ack) {
            return Send::Nothing;
        }
        if self.recovery.frto {
            if ack.original_arrived && self.try_undo_loss(true, ack) {
                return Send::Nothing;
            }
            if self.nxt > self.recovery.high {
                if ack.sacked || ack.is_duplicate() {
                    self.recovery.frto = false;
                }
            } else if ack.advanced && !recovered {
                self.recovery.high = self.nxt;
                if self.nxt < self.send_end() && self.window_edge > self.nxt {
                    return Send::New;
                }
                self.recovery.frto = false;
            }
        }
        if recovered {
            self.try_undo_recovery(ack);
            return Send::Nothing;
        }
        Send::Lost
    }

    pub(super) fn send_in_recovery(&mut self, now: Instant, what: Send, out: &mut Output) {
        match what {
            Send::Nothing => return,
            Send::New => {
                self.push(now, out);
                if self.nxt > self.recovery.high {
                    return;
                }
                self.recovery.frto = false;
            }
            Send::Lost => {}
        }
        self.retransmit_lost(now, out);
    }
}

impl Congestion {
    /// Sets the window to what is on the way and one more, after a timeout.
    pub(super) fn collapse(&mut self, in_flight: u64) {
        self.cwnd = in_flight + 1;
        self.on_timeout();
    }
}
