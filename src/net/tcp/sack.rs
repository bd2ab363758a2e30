//! Selective acknowledgements: which segments arrived although something before them did not (`tcp_sacktag_write_queue`).

use super::acknowledge::Ack;
use super::segment::{Sacks, Segment};
use super::socket::Socket;
use crate::clock::Instant;

impl Socket {
    /// Notes what the blocks of a segment say.
    pub(super) fn on_sacks(&mut self, now: Instant, segment: &Segment, prior_una: u64, ack: &mut Ack) {
        let sacks: &Sacks = &segment.sacks;
        if let Some((from, to)) = sacks.duplicate() {
            self.on_duplicate(from, to, prior_una, ack);
        }
        let highest_before = self.board.highest_sacked.max(prior_una);
        let mut reordered_from = u64::MAX;
        for &range in sacks.waiting() {
            for index in self.board.covered(range) {
                let Some(&sent) = self.board.get(index) else { break };
                if sent.sacked || sent.end <= self.una {
                    continue;
                }
                self.rack_advance(now, &sent);
                if !sent.ever_retransmitted {
                    if sent.seq < highest_before {
                        reordered_from = reordered_from.min(sent.seq);
                    }
                    if sent.end <= self.recovery.high {
                        ack.original_arrived = true;
                    }
                    ack.first_sacked.get_or_insert(sent.at);
                    ack.last_sacked = Some(sent.at);
                }
                self.board.mark_sacked(index);
                ack.sacked = true;
                ack.delivered += 1;
            }
        }
        if reordered_from != u64::MAX {
            self.saw_reordering(reordered_from, highest_before);
        }
    }

    /// A segment arrived twice (RFC 2883).
    fn on_duplicate(&mut self, from: u64, to: u64, prior_una: u64, ack: &mut Ack) {
        ack.duplicate = true;
        if self.recovery.probe_high == Some(to) {
            ack.duplicate_is_probe = true;
        }
        let copies = (to - from).div_ceil(u64::from(self.settings.mss)).max(1);
        // What was sent for nothing was delivered all the same.
        ack.delivered += copies;
        if let (Some(undo_from), Some(left)) = (self.recovery.undo_from, self.recovery.undo_left)
            && to > undo_from
            && to <= prior_una.max(self.board.highest_sacked)
        {
            self.recovery.undo_left = Some(left.saturating_sub(copies));
        }
        for index in self.board.covered((from, to)) {
            self.board.clear_retransmission(index);
        }
    }
}
