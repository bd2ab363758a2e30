//! Taking back a reduction of the window that turns out to have been unnecessary.
//!
//! Either the echoed timestamp shows that the original arrived, not the retransmission (Eifel, RFC 3522), or every
//! retransmission was reported as a duplicate (RFC 3708).

use super::acknowledge::Ack;
use super::recovery::Phase;
use super::socket::{Socket, timestamp};

impl Socket {
    /// Whether what is acknowledged was merely late (`tcp_packet_delayed`).
    fn was_delayed(&self, ack: &Ack) -> bool {
        match self.recovery.first_retransmit {
            Some(first) => ack.echo != 0 && ack.echo < timestamp(first),
            None => true,
        }
    }

    fn may_undo(&self, ack: &Ack) -> bool {
        self.recovery.undo_from.is_some() && (self.recovery.undo_left == Some(0) || self.was_delayed(ack))
    }

    fn undo(&mut self, unmark: bool) {
        if unmark {
            self.board.unmark_lost();
        }
        if self.recovery.prior_ssthresh > 0 {
            self.congestion.cwnd = self.congestion.cwnd.max(self.recovery.prior_cwnd);
            self.congestion.ssthresh = self.congestion.ssthresh.max(self.recovery.prior_ssthresh);
        }
        self.recovery.undo_from = None;
        // What is out is judged again.
        self.rack.advanced = true;
    }

    /// Everything up to the mark is acknowledged: the phase is over (`tcp_try_undo_recovery`).
    pub(super) fn try_undo_recovery(&mut self, ack: &Ack) {
        if self.may_undo(ack) {
            self.undo(false);
        } else {
            self.age_reordering_window();
        }
        self.recovery.phase = Phase::Open;
    }

    /// `tcp_try_undo_loss`.
    pub(super) fn try_undo_loss(&mut self, spurious: bool, ack: &Ack) -> bool {
        if !spurious && !self.may_undo(ack) {
            return false;
        }
        self.undo(true);
        self.retransmits = 0;
        self.recovery.phase = Phase::Open;
        true
    }

    /// Part of the window was acknowledged. Whether to hold still (`tcp_try_undo_partial`).
    pub(super) fn try_undo_partial(&mut self, prior_una: u64, ack: &Ack) -> bool {
        if self.recovery.undo_from.is_none() || !self.was_delayed(ack) {
            return false;
        }
        // What filled the hole was not sent again: it had been overtaken.
        self.saw_reordering(prior_una, self.board.highest_sacked.max(self.una));
        if self.board.retrans_out > 0 {
            return true;
        }
        if !self.any_retransmitted() {
            self.recovery.first_retransmit = None;
        }
        self.undo(true);
        self.keep_open();
        false
    }

    /// Every retransmission arrived beside its original (`tcp_try_undo_dsack`).
    pub(super) fn try_undo_by_duplicates(&mut self) -> bool {
        let may = self.recovery.undo_from.is_some() && self.recovery.undo_left == Some(0);
        if may {
            self.keep_reordering_window();
            self.undo(false);
        }
        may
    }
}
