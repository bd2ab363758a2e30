//! The timers of a sender: tail loss probe, retransmission, zero window, keepalive (`tcp_timer.c`).

use std::time::Duration;

use super::recovery::Phase;
use super::segment::Segment;
use super::socket::{KEEPALIVE, Output, Pending, Socket, State};
use crate::clock::Instant;
use crate::net::ConnectionEvent;

/// Added to every timer that is set by a measured round trip (`TCP_TIMEOUT_MIN_US`).
pub(super) const SHORT_TIMER_SLACK: Duration = Duration::from_millis(2);
/// What patience is reckoned from (`TCP_RTO_MIN`), whatever least timeout the host has: otherwise connections over short
/// paths would die within seconds.
const RTO_MIN: Duration = Duration::from_millis(200);

impl Socket {
    pub(super) fn on_transmit_timer(&mut self, now: Instant, out: &mut Output) {
        if matches!(self.state, State::SynSent | State::SynReceived) {
            self.on_handshake_timer(now, out);
            return;
        }
        match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Nothing => {}
            Pending::Retransmit => self.on_retransmission_timer(now, out),
            Pending::LossProbe => {
                self.pending = Pending::LossProbe;
                self.send_loss_probe(now, out);
            }
            Pending::Reorder => {
                self.pending = Pending::Reorder;
                self.on_reorder_timer(now, out);
            }
            Pending::ZeroWindow => self.send_window_probe(now, out),
        }
    }

    /// Sets the retransmission timer: from now, or, if another timer stood in for it, from when the first segment was
    /// sent (`tcp_rearm_rto`).
    pub(super) fn rearm_rto(&mut self, now: Instant) {
        let Some(first) = self.board.front() else {
            self.clear_transmit_timer();
            return;
        };
        let mut ticks = self.rto;
        if matches!(self.pending, Pending::Reorder | Pending::LossProbe) {
            let due = first.at + self.ticks.duration(self.rto);
            ticks = self.ticks.covering((due - now).max(Duration::from_micros(1)));
        }
        self.set_transmit_timer(now, Pending::Retransmit, ticks);
    }

    /// Sets the timer to probe the tail after two round trips (RFC 8985, 7.2), if that is worthwhile.
    pub(super) fn schedule_loss_probe(&mut self, now: Instant, advancing: bool) -> bool {
        let calm = matches!(self.recovery.phase, Phase::Open | Phase::Reduced);
        let Some(first) = self.board.front().filter(|_| calm) else { return false };
        let timeout = self.rtt.smoothed().map_or(super::handshake::INITIAL_RTO, |srtt| {
            // One segment alone may be waiting for a delayed acknowledgement.
            let slack = if self.board.packets_out() == 1 { self.settings.rto_min } else { SHORT_TIMER_SLACK };
            2 * srtt + slack
        });
        let rto = self.ticks.duration(self.rto);
        let until_rto = if advancing { rto } else { (first.at + rto).saturating_since(now) };
        let timeout = if until_rto.is_zero() { timeout } else { timeout.min(until_rto) };
        self.set_transmit_timer(now, Pending::LossProbe, self.ticks.covering(timeout));
        true
    }

    /// `tcp_send_loss_probe`.
    fn send_loss_probe(&mut self, now: Instant, out: &mut Output) {
        if self.board.is_empty() {
            return;
        }
        if self.recovery.probe_high.is_none() {
            if self.nxt < self.send_end() {
                // New data serves as well, and congestion does not forbid it.
                if let Some(end) = self.next_end() {
                    self.send_new(now, end, out);
                    self.recovery.probe_repeated = false;
                    self.recovery.probe_high = Some(self.nxt);
                    self.pending = Pending::Nothing;
                }
            } else {
                self.emit_again(now, self.board.len() - 1, out);
                self.recovery.probe_repeated = true;
                self.recovery.probe_high = Some(self.nxt);
                self.pending = Pending::Nothing;
            }
        }
        self.rearm_rto(now);
    }

    /// `tcp_retransmit_timer`.
    fn on_retransmission_timer(&mut self, now: Instant, out: &mut Output) {
        if self.board.is_empty() {
            return;
        }
        if self.gives_up(now) {
            self.timed_out(out);
            return;
        }
        self.enter_loss(now);
        self.retransmits += 1;
        out.events.push(ConnectionEvent::RetransmissionTimeout { side: self.side, count: self.retransmits });
        self.retransmit(now, 0, out);
        self.rto = (self.rto * 2).min(self.ticks.covering(self.settings.rto_max));
        let ticks = self.clamp_to_user_timeout(now, self.recovery.first_retransmit, self.rto);
        self.set_transmit_timer(now, Pending::Retransmit, ticks);
    }

    /// `tcp_enter_loss`.
    fn enter_loss(&mut self, now: Instant) {
        let fresh = self.recovery.phase < Phase::Recovery;
        for index in 0..self.board.len() {
            let Some(&sent) = self.board.get(index) else { break };
            if index > 0 && self.rack_time_left(now, &sent, Duration::ZERO).is_some() {
                // Sent too recently to be given up.
                continue;
            }
            self.recovery.lost_total += u64::from(self.board.mark_lost(index));
        }
        let phase = self.recovery.phase;
        if phase <= Phase::Disorder || self.recovery.high <= self.una || (phase == Phase::Loss && self.retransmits == 0)
        {
            self.recovery.prior_ssthresh = self.congestion.current_threshold();
            self.recovery.prior_cwnd = self.congestion.cwnd;
            self.congestion.ssthresh = self.congestion.threshold_after_loss();
            self.recovery.begin_undo(self.una, self.board.retrans_out);
        }
        self.congestion.collapse(self.board.in_flight());
        self.recovery.phase = Phase::Loss;
        self.recovery.high = self.nxt;
        self.recovery.probe_high = None;
        self.recovery.frto = fresh || self.retransmits > 0;
    }

    /// Whether retransmitting has gone on for long enough (`tcp_write_timeout`, `tcp_model_timeout`).
    fn gives_up(&self, now: Instant) -> bool {
        if self.retransmits == 0 {
            return false;
        }
        let Some(first) = self.recovery.first_retransmit else { return false };
        now - first >= self.patience()
    }

    fn patience(&self) -> Duration {
        if let Some(timeout) = self.settings.user_timeout {
            return timeout;
        }
        self.modelled_timeout(self.retries(), RTO_MIN)
    }

    fn retries(&self) -> u32 {
        if self.orphaned { self.settings.orphan_retries } else { self.settings.retries2 }
    }

    /// What so many retries take if the first follows after `base` and each doubles the wait.
    pub(super) fn modelled_timeout(&self, retries: u32, base: Duration) -> Duration {
        let most = self.settings.rto_max;
        let doublings = (most.as_nanos() / base.as_nanos()).max(1).ilog2().min(30);
        let doubled = base.saturating_mul((2 << retries.min(doublings)) - 1);
        doubled.saturating_add(most.saturating_mul(retries.saturating_sub(doublings)))
    }

    /// The wait until the next timer, cut to what is left of TCP_USER_TIMEOUT, which began at `since`.
    pub(super) fn clamp_to_user_timeout(&self, now: Instant, since: Option<Instant>, ticks: u64) -> u64 {
        let (Some(timeout), Some(since)) = (self.settings.user_timeout, since) else { return ticks };
        let left = (since + timeout).saturating_since(now);
        ticks.min(self.ticks.covering(left).max(1))
    }

    /// Asks whether the peer has room again (`tcp_probe_timer`). A peer that answers may take for ever, unless the program
    /// said otherwise (TCP_USER_TIMEOUT) or is gone: then the longest wait is the last.
    fn send_window_probe(&mut self, now: Instant, out: &mut Output) {
        if !self.board.is_empty() || self.nxt >= self.send_end() {
            self.probing_since = None;
            return;
        }
        let since = *self.probing_since.get_or_insert(now);
        let most = self.ticks.covering(self.settings.rto_max);
        let out_of_time = self.settings.user_timeout.is_some_and(|timeout| now - since >= timeout);
        if out_of_time || self.zero_window_probes >= self.retries() || (self.orphaned && self.rto >= most) {
            self.timed_out(out);
            return;
        }
        if self.window_edge > self.nxt {
            self.send_what_fits(now, out);
            return;
        }
        self.zero_window_probes += 1;
        self.probe(now, out);
        self.rto = (self.rto * 2).min(most);
        self.await_window(now);
    }

    /// There is room for a part of a segment, which was held back to spare the peer small ones. Now it serves as a probe
    /// (`tcp_write_wakeup`).
    fn send_what_fits(&mut self, now: Instant, out: &mut Output) {
        (self.zero_window_probes, self.probing_since) = (0, None);
        self.update_rto();
        let full = self.nxt + u64::from(self.settings.mss);
        self.send_new(now, self.window_edge.min(self.send_end()).min(full), out);
    }

    /// Sets the timer for the next probe.
    pub(super) fn await_window(&mut self, now: Instant) {
        let ticks = self.clamp_to_user_timeout(now, self.probing_since, self.rto);
        self.set_transmit_timer(now, Pending::ZeroWindow, ticks);
    }

    /// A segment below the window, which must be answered (`tcp_xmit_probe_skb`).
    fn probe(&mut self, now: Instant, out: &mut Output) {
        let below = self.una.saturating_sub(1);
        let segment = Segment { seq: below, end: below, ..Segment::default() };
        self.emit(now, segment, out);
    }

    pub(super) fn arm_keepalive(&mut self, now: Instant) {
        if let Some(keepalive) = self.settings.keepalive {
            let ticks = self.ticks.covering(keepalive.time);
            self.timers[KEEPALIVE] = Some(self.ticks.expiry(now, ticks));
        }
    }

    /// `tcp_keepalive_timer`.
    pub(super) fn on_keepalive_timer(&mut self, now: Instant, out: &mut Output) {
        let Some(keepalive) = self.settings.keepalive.filter(|_| self.is_established()) else { return };
        let idle = now - self.last_heard;
        let mut next = keepalive.time.saturating_sub(idle);
        // Data on the way has a timer of its own.
        if self.board.is_empty() && next.is_zero() {
            let dead = match self.settings.user_timeout {
                Some(timeout) => idle >= timeout && self.keepalive_probes > 0,
                None => self.keepalive_probes >= keepalive.probes,
            };
            if dead {
                self.abort_by_keepalive(out);
                return;
            }
            self.keepalive_probes += 1;
            self.probe(now, out);
            next = keepalive.interval;
        } else if next.is_zero() {
            next = keepalive.interval;
        }
        self.timers[KEEPALIVE] = Some(self.ticks.expiry(now, self.ticks.covering(next)));
    }

    /// Linux also sends an RST, which whoever is still there will see.
    fn abort_by_keepalive(&mut self, out: &mut Output) {
        self.abort(super::socket::Close::TimedOut, out);
        out.events.push(ConnectionEvent::TimedOut { side: self.side });
    }
}
