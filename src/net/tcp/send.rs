//! Sending: as much as the congestion window, the peer's window and Nagle allow (`tcp_write_xmit`), and again what was
//! lost (`tcp_xmit_retransmit_queue`).

use super::segment::Segment;
use super::socket::{Output, Pending, Socket};
use crate::clock::Instant;
use crate::net::ConnectionEvent;

impl Socket {
    /// Everything that is to be sent: what was written, and the FIN.
    pub(super) fn send_end(&self) -> u64 {
        self.written + u64::from(self.finishing)
    }

    /// How many bytes the program may write before it has to wait. Linux lets a socket queue twice its window, and tells
    /// a program that waits for room only when a third is free.
    pub(in crate::net) fn write_room(&self) -> usize {
        let window = self.congestion.cwnd.max(u64::from(self.settings.initial_cwnd)) * u64::from(self.settings.mss);
        let limit = (2 * window).min(u64::from(self.settings.send_buffer_max));
        let queued = self.written - self.una.min(self.written);
        usize::try_from(limit.saturating_sub(queued)).unwrap_or(usize::MAX)
    }

    /// Whether a program that waits for room should be woken.
    pub(in crate::net) fn is_writable_again(&self) -> bool {
        let queued = self.written - self.una.min(self.written);
        self.write_room() as u64 * 2 >= queued && self.write_room() > 0
    }

    /// The program wrote `bytes`.
    pub(in crate::net) fn on_write(&mut self, now: Instant, bytes: usize, out: &mut Output) {
        if self.settings.slow_start_after_idle && self.board.is_empty() && self.is_established() {
            let idle = self.ticks.at(now) - self.ticks.at(self.last_sent);
            if idle > self.rto {
                self.congestion.restart_after_idle(idle, self.rto, self.ticks.at(now));
            }
        }
        self.written += bytes as u64;
        self.push(now, out);
    }

    /// Sends what may be sent.
    pub(super) fn push(&mut self, now: Instant, out: &mut Output) {
        if !self.is_established() {
            return;
        }
        let mut sent = 0;
        let mut limited = false;
        while self.nxt < self.send_end() {
            if self.board.in_flight() >= self.congestion.cwnd {
                limited = true;
                break;
            }
            let Some(end) = self.next_end() else { break };
            self.send_new(now, end, out);
            sent += 1;
        }
        limited |= self.board.in_flight() >= self.congestion.cwnd;
        if sent > 0 || limited {
            self.validate_window(now, limited);
        }
        if sent > 0 {
            self.recovery.on_sent(sent);
            self.schedule_loss_probe(now, false);
        } else if self.board.is_empty() && self.nxt < self.send_end() && self.pending == Pending::Nothing {
            self.set_transmit_timer(now, Pending::ZeroWindow, self.rto);
        }
    }

    fn validate_window(&mut self, now: Instant, limited: bool) {
        let position = (self.una, self.nxt);
        self.congestion.note_usage(limited, self.board.packets_out(), position, self.ticks.at(now));
        if self.settings.slow_start_after_idle {
            self.congestion.give_back(self.ticks.at(now), self.rto, self.recovery.is_open());
        }
    }

    /// Where the next new segment ends; `None` if it may not go now.
    pub(super) fn next_end(&self) -> Option<u64> {
        let mss = u64::from(self.settings.mss);
        let data = (self.written - self.nxt.min(self.written)).min(mss);
        let last = self.nxt + data == self.written;
        let end = self.nxt + data + u64::from(last && self.finishing);
        let room = self.window_edge.saturating_sub(self.nxt);
        if data == 0 {
            // A FIN takes a position of the window, too (`tcp_snd_wnd_test`).
            return (room > 0).then_some(end);
        }
        if room < data {
            // Part of a segment only if that is a good part of what the peer ever had room for (RFC 1122, 4.2.3.4).
            return (room >= mss.min(self.window_max / 2) && room > 0).then_some(self.nxt + room);
        }
        let small = data < mss && !self.finishing;
        let hold = small && !self.settings.nodelay && !self.board.is_empty() && self.small_end > self.una;
        (!hold).then_some(end)
    }

    pub(super) fn send_new(&mut self, now: Instant, end: u64, out: &mut Output) {
        let seq = self.nxt;
        if self.board.is_empty() {
            self.congestion.on_restart(now, now - self.last_sent);
        }
        if end - seq < u64::from(self.settings.mss) {
            self.small_end = end;
        }
        let was_empty = self.board.is_empty();
        self.board.push(seq, end, now);
        self.nxt = end;
        self.emit_range(now, seq, end, false, out);
        if was_empty || self.pending == Pending::LossProbe {
            self.rearm_rto(now);
        }
    }

    fn emit_range(&mut self, now: Instant, seq: u64, end: u64, retransmission: bool, out: &mut Output) {
        self.receiver.policy.on_data_sent(now, self.ticks);
        self.last_sent = now;
        let mut segment = Segment { seq, end, retransmission, ..Segment::default() };
        segment.flags.fin = end > self.written;
        self.emit(now, segment, out);
        if retransmission {
            out.events.push(ConnectionEvent::Retransmit { side: self.side });
        }
    }

    /// Joins what is about to be sent again with what follows it, up to a full segment.
    fn collapse(&mut self, index: usize) {
        let Some(first) = self.board.get(index) else { return };
        let room = self.window_edge.saturating_sub(first.seq);
        self.board.collapse(index, room.min(u64::from(self.settings.mss)));
    }

    /// Sends a segment again, as part of a recovery (`tcp_retransmit_skb`).
    pub(super) fn retransmit(&mut self, now: Instant, index: usize, out: &mut Output) {
        self.collapse(index);
        self.board.mark_retransmitted(index, now);
        self.recovery.on_retransmit(now);
        self.emit_again(now, index, out);
    }

    /// Sends a segment again, as a probe (`__tcp_retransmit_skb`).
    pub(super) fn emit_again(&mut self, now: Instant, index: usize, out: &mut Output) {
        self.board.touch(index, now);
        if let Some(&sent) = self.board.get(index) {
            self.emit_range(now, sent.seq, sent.end, true, out);
        }
    }

    /// Sends again what is believed lost, as far as the window allows.
    pub(super) fn retransmit_lost(&mut self, now: Instant, out: &mut Output) {
        let mut rearm = false;
        for index in 0..self.board.len() {
            if self.board.retrans_out >= self.board.lost_out || self.board.in_flight() >= self.congestion.cwnd {
                break;
            }
            let Some(&sent) = self.board.get(index) else { break };
            if !sent.lost || sent.sacked || sent.retransmitting {
                continue;
            }
            self.retransmit(now, index, out);
            self.recovery.on_sent(1);
            rearm |= index == 0 && self.pending != Pending::Reorder;
        }
        if rearm {
            self.set_transmit_timer(now, Pending::Retransmit, self.rto);
        }
    }

    /// Whether segments were sent again of which the first is still out (`tcp_any_retrans_done`).
    pub(super) fn any_retransmitted(&self) -> bool {
        self.board.retrans_out > 0 || self.board.front().is_some_and(|first| first.ever_retransmitted)
    }
}
