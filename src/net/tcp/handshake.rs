//! How a connection begins: SYN, SYN-ACK, ACK, each of which may be lost.
//!
//! Linux repeats a SYN after a second, `tcp_syn_linear_timeouts` times, then doubles; so 1.02, 2.05, 3.07, 4.09, 5.12,
//! 7.13, 11.3 ... s, and gives up with ETIMEDOUT after `tcp_syn_retries` doublings.
//!
//! Rule: a server's kernel forgets who does not finish a handshake, and says nothing; who asks again is answered anew.

use std::sync::Arc;
use std::time::Duration;

use super::segment::{Flags, Segment};
use super::settings::TcpSettings;
use super::socket::{Close, Output, Pending, Socket, State, timestamp};
use super::ticks::Ticks;
use crate::clock::Instant;
use crate::net::{ConnectionEvent, Side};

/// Before a round trip was measured (RFC 6298, 2.1).
pub(super) const INITIAL_RTO: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Handshake {
    /// When the first SYN or SYN-ACK was sent.
    started: Instant,
    /// How often it was sent again.
    repeats: u32,
    /// How often because no answer came in time: a server that is asked again has not lost patience.
    timeouts: u32,
}

impl Handshake {
    pub(super) fn new(now: Instant) -> Self {
        Self { started: now, repeats: 0, timeouts: 0 }
    }
}

impl Socket {
    /// The connecting end: sends a SYN.
    pub(in crate::net) fn connect(settings: Arc<TcpSettings>, ticks: Ticks, now: Instant, out: &mut Output) -> Self {
        let mut socket = Self::new(Side::Client, settings, ticks, State::SynSent, now);
        socket.send_syn(now, out);
        socket
    }

    /// The accepting end: answers a SYN.
    pub(in crate::net) fn accept(
        settings: Arc<TcpSettings>,
        ticks: Ticks,
        now: Instant,
        syn: &Segment,
        out: &mut Output,
    ) -> Self {
        let mut socket = Self::new(Side::Server, settings, ticks, State::SynReceived, now);
        socket.receiver.echo = syn.timestamp;
        socket.set_window(syn);
        socket.send_syn(now, out);
        socket
    }

    fn set_window(&mut self, segment: &Segment) {
        self.window_edge = super::segment::FIRST + segment.window;
        self.window_max = segment.window;
    }

    fn send_syn(&mut self, now: Instant, out: &mut Output) {
        let mut syn = Segment { retransmission: self.handshake.repeats > 0, ..Segment::default() };
        self.receiver.fill(&mut syn);
        syn.flags = Flags { syn: true, ack: self.state == State::SynReceived, ..Flags::default() };
        syn.timestamp = timestamp(now);
        out.segments.push(syn);
        let mut ticks = self.rto;
        if self.state == State::SynSent && self.handshake.repeats > 0 {
            ticks = self.clamp_to_user_timeout(now, Some(self.handshake.started), ticks);
        }
        self.set_transmit_timer(now, Pending::Retransmit, ticks);
    }

    pub(super) fn on_segment_in_syn_sent(&mut self, now: Instant, segment: &Segment, out: &mut Output) {
        if segment.flags.rst {
            self.set_closed(Close::Refused);
            out.events.push(ConnectionEvent::Refused);
        } else if segment.flags.syn && segment.flags.ack {
            self.set_window(segment);
            self.receiver.echo = segment.timestamp;
            self.establish(now, segment, out);
            self.send_ack(now, out);
            self.push(now, out);
        }
    }

    pub(super) fn on_segment_in_syn_received(&mut self, now: Instant, segment: &Segment, out: &mut Output) {
        if segment.flags.syn {
            // The client has not seen our answer.
            self.repeat_syn(now, out);
        } else if segment.flags.ack {
            self.set_window(segment);
            self.establish(now, segment, out);
            self.on_segment_established(now, segment, out);
        }
    }

    fn establish(&mut self, now: Instant, segment: &Segment, out: &mut Output) {
        self.state = State::Established;
        self.clear_transmit_timer();
        self.last_heard = now;
        self.last_sent = now;
        self.retransmits = 0;
        let rtt = if self.handshake.repeats == 0 {
            now - self.handshake.started
        } else {
            // Which SYN was answered, the timestamp says.
            Duration::from_millis((timestamp(now) - segment.echo.min(timestamp(now))).max(1))
        };
        self.rtt.sample(rtt, self.una, self.nxt);
        self.rtt.saw_min(rtt);
        self.update_rto();
        let first_answered = segment.echo == timestamp(self.handshake.started);
        if self.side == Side::Client && self.handshake.repeats > 1 && !first_answered {
            // RFC 6298, 5.7, as Linux reads it: the path is bad, begin with one segment; unless no SYN was lost, and only the
            // answer was late (`tcp_try_undo_spurious_syn`).
            self.congestion.cwnd = 1;
        }
        self.congestion.stamp(self.ticks.at(now));
        self.arm_keepalive(now);
        out.events.push(ConnectionEvent::Established { side: self.side });
    }

    fn repeat_syn(&mut self, now: Instant, out: &mut Output) {
        self.handshake.repeats += 1;
        self.send_syn(now, out);
        out.events.push(ConnectionEvent::Retransmit { side: self.side });
    }

    /// No answer came.
    pub(super) fn on_handshake_timer(&mut self, now: Instant, out: &mut Output) {
        let client = self.state == State::SynSent;
        let forgets = !client && self.handshake.timeouts >= self.settings.synack_retries;
        if forgets || (client && self.gives_up_connecting(now)) {
            self.timed_out(out);
            return;
        }
        if !client || self.handshake.timeouts >= self.settings.syn_linear_timeouts {
            self.rto = (self.rto * 2).min(self.ticks.covering(self.settings.rto_max));
        }
        self.handshake.timeouts += 1;
        self.repeat_syn(now, out);
    }

    /// Whether a client has asked for long enough (`tcp_write_timeout`): the linear retries come on top of the doubled ones,
    /// but with few of those time is up first.
    fn gives_up_connecting(&self, now: Instant) -> bool {
        let TcpSettings { syn_retries, syn_linear_timeouts, user_timeout, .. } = *self.settings;
        let patience = user_timeout.unwrap_or_else(|| self.modelled_timeout(syn_retries, INITIAL_RTO));
        self.handshake.timeouts >= syn_retries.saturating_add(syn_linear_timeouts)
            || (self.handshake.timeouts > 0 && now - self.handshake.started >= patience)
    }
}
