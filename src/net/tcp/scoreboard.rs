//! What was sent and is not yet acknowledged: one entry a segment, with what is known of its fate.

use std::collections::VecDeque;

use crate::clock::Instant;

/// A segment that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) seq: u64,
    pub(super) end: u64,
    /// When it was sent last.
    pub(super) at: Instant,
    /// How many transmissions there were by then: what a real clock, which moves between any two of them, tells apart.
    pub(super) order: u64,
    /// It arrived out of order.
    pub(super) sacked: bool,
    /// It is believed lost.
    pub(super) lost: bool,
    /// Its retransmission is believed to be on the way.
    pub(super) retransmitting: bool,
    /// It was sent more than once.
    pub(super) ever_retransmitted: bool,
}

/// The queue of [`Sent`] segments, in order of their position, with the sums that congestion control asks for.
#[derive(Debug, Default)]
pub(super) struct Scoreboard {
    sent: VecDeque<Sent>,
    pub(super) sacked_out: u64,
    pub(super) lost_out: u64,
    pub(super) retrans_out: u64,
    /// The end of the highest segment that arrived out of order.
    pub(super) highest_sacked: u64,
    transmissions: u64,
}

impl Scoreboard {
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    pub(super) fn packets_out(&self) -> u64 {
        self.sent.len() as u64
    }

    /// Segments believed to be on the way (RFC 6675's pipe).
    pub(super) fn in_flight(&self) -> u64 {
        (self.packets_out() + self.retrans_out).saturating_sub(self.sacked_out + self.lost_out)
    }

    pub(super) fn push(&mut self, seq: u64, end: u64, at: Instant) {
        let (sacked, lost, retransmitting, ever_retransmitted) = (false, false, false, false);
        self.transmissions += 1;
        let order = self.transmissions;
        self.sent.push_back(Sent { seq, end, at, order, sacked, lost, retransmitting, ever_retransmitted });
    }

    pub(super) fn get(&self, index: usize) -> Option<&Sent> {
        self.sent.get(index)
    }

    pub(super) fn front(&self) -> Option<&Sent> {
        self.sent.front()
    }

    pub(super) fn len(&self) -> usize {
        self.sent.len()
    }

    /// Takes the first segment off if everything up to `ack` has arrived and that covers it.
    pub(super) fn pop_acked(&mut self, ack: u64) -> Option<Sent> {
        let first = *self.sent.front().filter(|sent| sent.end <= ack)?;
        self.sent.pop_front();
        self.sacked_out -= u64::from(first.sacked);
        self.lost_out -= u64::from(first.lost);
        self.retrans_out -= u64::from(first.retransmitting);
        if self.sent.is_empty() {
            // Free what a burst needed, but keep room for the common exchange of small messages.
            if self.sent.capacity() > 32 {
                self.sent = VecDeque::new();
            }
            self.highest_sacked = 0;
        }
        Some(first)
    }

    /// Everything before `ack` arrived, which may cut the first segment in two.
    pub(super) fn trim(&mut self, ack: u64) {
        if let Some(first) = self.sent.front_mut() {
            first.seq = first.seq.max(ack);
        }
    }

    /// The segments that a range covers whole.
    pub(super) fn covered(&self, (from, to): (u64, u64)) -> std::ops::Range<usize> {
        let start = self.sent.partition_point(|sent| sent.seq < from);
        let end = self.sent.partition_point(|sent| sent.end <= to);
        start..end.max(start)
    }

    pub(super) fn mark_sacked(&mut self, index: usize) {
        let sent = &mut self.sent[index];
        if sent.retransmitting {
            // A segment that is not marked lost keeps its retransmission on the way.
            if sent.lost {
                sent.lost = false;
                sent.retransmitting = false;
                self.lost_out -= 1;
                self.retrans_out -= 1;
            }
        } else if sent.lost {
            sent.lost = false;
            self.lost_out -= 1;
        }
        sent.sacked = true;
        self.sacked_out += 1;
        self.highest_sacked = self.highest_sacked.max(sent.end);
    }

    /// It is believed lost; or, if it was already and is on the way again, its retransmission is. Whether that is news.
    pub(super) fn mark_lost(&mut self, index: usize) -> bool {
        let sent = &mut self.sent[index];
        if sent.lost {
            let again = std::mem::take(&mut sent.retransmitting);
            self.retrans_out -= u64::from(again);
            return again;
        }
        if sent.sacked {
            return false;
        }
        sent.lost = true;
        self.lost_out += 1;
        true
    }

    /// It is sent again, in the course of a recovery.
    pub(super) fn mark_retransmitted(&mut self, index: usize, at: Instant) {
        let sent = &mut self.sent[index];
        if !sent.retransmitting {
            sent.retransmitting = true;
            self.retrans_out += 1;
        }
        self.touch(index, at);
    }

    /// It is sent again, as a probe.
    pub(super) fn touch(&mut self, index: usize, at: Instant) {
        let sent = &mut self.sent[index];
        sent.ever_retransmitted = true;
        sent.at = at;
        self.transmissions += 1;
        sent.order = self.transmissions;
    }

    /// Joins to a segment those behind it that fit into `space` bytes with it, for it is about to be sent again
    /// (`tcp_retrans_try_collapse`): several small messages that were lost travel as one.
    pub(super) fn collapse(&mut self, index: usize, space: u64) {
        while let (Some(&first), Some(&next)) = (self.sent.get(index), self.sent.get(index + 1)) {
            if next.sacked || next.end - first.seq > space {
                break;
            }
            self.sent.remove(index + 1);
            self.lost_out -= u64::from(next.lost);
            self.retrans_out -= u64::from(next.retransmitting);
            let first = &mut self.sent[index];
            first.end = next.end;
            first.ever_retransmitted |= next.ever_retransmitted;
        }
    }

    /// Its retransmission arrived as well: neither is on the way.
    pub(super) fn clear_retransmission(&mut self, index: usize) {
        let sent = &mut self.sent[index];
        if sent.retransmitting {
            sent.retransmitting = false;
            self.retrans_out -= 1;
        }
    }

    /// Nothing was lost after all.
    pub(super) fn unmark_lost(&mut self) {
        for sent in &mut self.sent {
            sent.lost = false;
        }
        self.lost_out = 0;
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small messages are sent again as one, up to a full segment, and not beyond what has arrived.
    #[test]
    fn small_segments_are_joined_up_to_what_arrived() {
        let mut board = Scoreboard::default();
        for start in [1, 101, 201, 301] {
            board.push(start, start + 100, Instant::ORIGIN);
        }
        board.mark_lost(0);
        board.mark_lost(1);
        board.mark_sacked(3);
        board.collapse(0, 1448);
        let ends: Vec<_> =
            (0..board.len()).filter_map(|index| board.get(index)).map(|sent| (sent.seq, sent.end)).collect();
        assert_eq!(ends, [(1, 301), (301, 401)]);
        assert_eq!((board.packets_out(), board.lost_out, board.sacked_out), (2, 1, 1));
        board.push(401, 1801, Instant::ORIGIN);
        board.collapse(0, 1448);
        assert_eq!(board.packets_out(), 3, "a segment has no room for more");
    }
}
