//! One end of a connection.

use std::sync::Arc;
use std::time::Duration;

use super::congestion::Congestion;
use super::delayed_ack::AckDecision;
use super::rack::Rack;
use super::receive::{Arrival, Receiver};
use super::recovery::Recovery;
use super::rtt::RttEstimator;
use super::scoreboard::Scoreboard;
use super::segment::{FIRST, Flags, Segment};
use super::settings::TcpSettings;
use super::ticks::Ticks;
use crate::clock::Instant;
use crate::net::{ConnectionEvent, Side};

/// What a socket wants done.
#[derive(Debug, Default)]
pub(in crate::net) struct Output {
    /// To be sent, in order.
    pub(in crate::net) segments: Vec<Segment>,
    /// To be told to observers.
    pub(in crate::net) events: Vec<ConnectionEvent>,
}

/// Why a socket is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Close {
    /// Both directions ended in order.
    Done,
    /// The first SYN was answered by RST (`ECONNREFUSED`).
    Refused,
    /// The peer answered by RST (`ECONNRESET`).
    Reset,
    /// The peer did not answer (`ETIMEDOUT`).
    TimedOut,
    /// This end gave it up (`ECONNABORTED`).
    Aborted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    SynSent,
    SynReceived,
    Established,
    Closed(Close),
}

/// The timers of a socket, as numbers.
pub(in crate::net) type Timer = usize;
/// How many timers a socket has.
pub(in crate::net) const TIMERS: usize = 3;
pub(super) const TRANSMIT: Timer = 0;
pub(super) const ACKNOWLEDGE: Timer = 1;
pub(super) const KEEPALIVE: Timer = 2;

/// What the one transmission timer is set for (`icsk_pending`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    Nothing,
    Retransmit,
    LossProbe,
    Reorder,
    ZeroWindow,
}

/// One end of a connection. Which bytes it carries is the business of the connection above; here are their positions.
#[derive(Debug)]
pub(in crate::net) struct Socket {
    pub(super) side: Side,
    pub(super) settings: Arc<TcpSettings>,
    pub(super) ticks: Ticks,
    pub(super) state: State,
    pub(super) handshake: super::handshake::Handshake,

    /// Everything before this position was acknowledged.
    pub(super) una: u64,
    /// The next position to be sent for the first time.
    pub(super) nxt: u64,
    /// Everything the program wrote.
    pub(super) written: u64,
    /// The program wrote its last byte: a FIN follows.
    pub(super) finishing: bool,
    /// The right edge of the peer's window, and the segment that told it.
    pub(super) window_edge: u64,
    pub(super) window_from: u64,
    pub(super) window_max: u64,
    /// The end of the last segment that was not full (Nagle, Minshall).
    pub(super) small_end: u64,
    pub(super) last_sent: Instant,
    pub(super) board: Scoreboard,
    pub(super) congestion: Congestion,
    pub(super) recovery: Recovery,
    pub(super) rack: Rack,
    pub(super) rtt: RttEstimator,
    /// The retransmission timeout in ticks, doubled as often as it fired.
    pub(super) rto: u64,
    pub(super) retransmits: u32,
    pub(super) pending: Pending,
    /// Probes of a closed window since the peer last answered, and when the first of all was due.
    pub(super) zero_window_probes: u32,
    pub(super) probing_since: Option<Instant>,

    pub(super) receiver: Receiver,
    pub(super) last_heard: Instant,
    pub(super) keepalive_probes: u32,
    /// The program has closed it: what arrives now is answered by RST.
    pub(super) orphaned: bool,
    /// When each timer is due.
    pub(super) timers: [Option<Instant>; TIMERS],
}

impl Socket {
    pub(super) fn new(side: Side, settings: Arc<TcpSettings>, ticks: Ticks, state: State, now: Instant) -> Self {
        let initial_rto = ticks.covering(super::handshake::INITIAL_RTO);
        Self {
            side,
            ticks,
            state,
            handshake: super::handshake::Handshake::new(now),
            una: FIRST,
            nxt: FIRST,
            written: FIRST,
            finishing: false,
            window_edge: 0,
            window_from: 0,
            window_max: 0,
            small_end: 0,
            last_sent: now,
            board: Scoreboard::default(),
            congestion: Congestion::new(&settings),
            recovery: Recovery::default(),
            rack: Rack::default(),
            rtt: RttEstimator::new(settings.rto_min),
            rto: initial_rto,
            retransmits: 0,
            pending: Pending::Nothing,
            zero_window_probes: 0,
            probing_since: None,
            receiver: Receiver::new(&settings, ticks, now),
            last_heard: now,
            keepalive_probes: 0,
            orphaned: false,
            timers: [None; TIMERS],
            settings,
        }
    }

    pub(in crate::net) fn is_established(&self) -> bool {
        self.state == State::Established
    }

    /// Whether it sent a SYN and waits for the answer.
    pub(in crate::net) fn is_connecting(&self) -> bool {
        self.state == State::SynSent
    }

    /// Whether it answered a SYN and waits for the end of the handshake.
    pub(in crate::net) fn is_half_accepted(&self) -> bool {
        self.state == State::SynReceived
    }

    /// Whether it ended before its handshake did. A kernel keeps nothing of that: a SYN finds the listener again.
    pub(in crate::net) fn never_began(&self) -> bool {
        self.closed().is_some() && self.rtt.smoothed().is_none()
    }

    /// Whether the program has written its last byte.
    pub(in crate::net) fn is_finishing(&self) -> bool {
        self.finishing
    }

    pub(in crate::net) fn closed(&self) -> Option<Close> {
        match self.state {
            State::Closed(why) => Some(why),
            _ => None,
        }
    }

    /// Bytes that the program can take.
    pub(in crate::net) fn readable(&self) -> usize {
        usize::try_from(self.receiver.readable()).unwrap_or(usize::MAX)
    }

    /// Whether the peer's stream has ended and arrived whole.
    pub(in crate::net) fn peer_finished(&self) -> bool {
        self.receiver.is_finished()
    }

    /// When each timer is due.
    pub(in crate::net) fn timers(&self) -> &[Option<Instant>; TIMERS] {
        &self.timers
    }

    /// Whether an acknowledgement of everything before `ack` may be looked at later than it arrives: nothing that this
    /// end does before its next own step depends on it.
    pub(in crate::net) fn can_wait_for(&self, ack: u64) -> bool {
        self.state == State::Established
            && ack >= self.nxt
            && self.nxt == self.send_end()
            && !self.finishing
            && self.recovery.is_open()
            && self.pending != Pending::ZeroWindow
    }

    /// Whether a segment is a keepalive or window probe: it lies below the window and is to be answered at once (RFC 9293, 3.8.4).
    pub(in crate::net) fn is_probed_by(&self, segment: &Segment) -> bool {
        segment.is_empty() && segment.seq < self.receiver.nxt
    }

    /// A segment arrived.
    pub(in crate::net) fn on_segment(&mut self, now: Instant, segment: &Segment, out: &mut Output) {
        match self.state {
            State::Closed(_) => self.answer_for_the_dead(segment, out),
            State::SynSent => self.on_segment_in_syn_sent(now, segment, out),
            State::SynReceived | State::Established if segment.flags.rst => self.on_reset(out),
            State::SynReceived => self.on_segment_in_syn_received(now, segment, out),
            State::Established if segment.flags.syn => {
                // Our acknowledgement of the handshake was lost; the peer asks again.
                self.send_ack(now, out);
            }
            State::Established => self.on_segment_established(now, segment, out),
        }
    }

    pub(super) fn on_segment_established(&mut self, now: Instant, segment: &Segment, out: &mut Output) {
        self.last_heard = now;
        self.keepalive_probes = 0;
        if self.orphaned && segment.payload() > 0 && segment.end > self.receiver.nxt {
            // Nobody is left to read it (RFC 2525, 2.17).
            self.abort(Close::Done, out);
            return;
        }
        // What ends before the last acknowledgement is answered, not looked into (`tcp_validate_incoming`).
        if segment.flags.ack && segment.end >= self.receiver.policy.acked() {
            self.on_ack(now, segment, out);
        }
        let arrival = self.receiver.take(now, segment, self.ticks, self.rto);
        if self.is_probed_by(segment) {
            self.receiver.policy.schedule();
            self.receiver.policy.demand();
        }
        self.push(now, out);
        if arrival != Arrival::Empty || self.receiver.policy.is_scheduled() {
            self.acknowledge_soon(now, out);
        }
        self.finish_if_done(out);
    }

    fn acknowledge_soon(&mut self, now: Instant, out: &mut Output) {
        let open = self.receiver.window_is_open();
        let ranges = self.receiver.waiting_ranges();
        let decision = self.receiver.policy.decide(self.receiver.nxt, open, ranges, self.ticks, self.rtt.smoothed());
        match decision {
            AckDecision::None => {}
            AckDecision::Now => self.send_ack(now, out),
            AckDecision::Join(wait) => {
                let at = now + wait;
                self.timers[ACKNOWLEDGE] = Some(self.timers[ACKNOWLEDGE].map_or(at, |earlier| earlier.min(at)));
            }
            AckDecision::Delay(ticks) => {
                let at = self.ticks.expiry(now, ticks);
                match self.timers[ACKNOWLEDGE] {
                    Some(earlier) if earlier <= self.ticks.expiry(now, self.receiver.policy.soon()) => {
                        self.send_ack(now, out);
                    }
                    Some(earlier) if earlier <= at => {}
                    _ => self.timers[ACKNOWLEDGE] = Some(at),
                }
            }
        }
    }

    /// A timer's time has come.
    pub(in crate::net) fn on_timer(&mut self, now: Instant, timer: Timer, out: &mut Output) {
        self.timers[timer] = None;
        match timer {
            TRANSMIT => self.on_transmit_timer(now, out),
            ACKNOWLEDGE => {
                if self.receiver.policy.on_timer(self.rto) {
                    self.send_ack(now, out);
                }
            }
            _ => self.on_keepalive_timer(now, out),
        }
    }

    /// The program took `bytes`.
    pub(in crate::net) fn on_read(&mut self, now: Instant, bytes: usize, out: &mut Output) {
        if self.receiver.on_read(now, bytes as u64, self.rtt.smoothed()) && self.state == State::Established {
            self.send_ack(now, out);
        }
    }

    /// The program wrote its last byte (`shutdown(SHUT_WR)`).
    pub(in crate::net) fn finish(&mut self, now: Instant, out: &mut Output) {
        if !self.finishing && self.closed().is_none() {
            self.finishing = true;
            self.push(now, out);
        }
    }

    /// The program closed it, or died (`close`): in order if everything was read, by RST if not (RFC 2525, 2.17).
    pub(in crate::net) fn close(&mut self, now: Instant, out: &mut Output) {
        match self.state {
            State::Closed(_) => {}
            // No program has it yet: what the server's kernel knows of it goes with the listener.
            State::SynSent | State::SynReceived => self.set_closed(Close::Aborted),
            State::Established if self.readable() > 0 => self.abort(Close::Aborted, out),
            State::Established => {
                self.orphaned = true;
                self.finish(now, out);
                self.finish_if_done(out);
            }
        }
    }

    /// Ends it at once and tells the peer by RST.
    pub(in crate::net) fn abort(&mut self, why: Close, out: &mut Output) {
        if self.closed().is_none() {
            let mut reset = Segment { seq: self.nxt, end: self.nxt, ..Segment::default() };
            self.receiver.fill(&mut reset);
            reset.flags.rst = true;
            out.segments.push(reset);
            self.set_closed(why);
        }
    }

    /// Ends it without telling anyone.
    pub(in crate::net) fn vanish(&mut self, why: Close) {
        if self.closed().is_none() {
            self.set_closed(why);
        }
    }

    fn on_reset(&mut self, out: &mut Output) {
        self.set_closed(Close::Reset);
        out.events.push(ConnectionEvent::Reset { side: self.side });
    }

    /// A segment for a connection that this end does not know any more.
    fn answer_for_the_dead(&mut self, segment: &Segment, out: &mut Output) {
        if segment.flags.rst {
            return;
        }
        if self.state == State::Closed(Close::Done) && segment.end <= self.receiver.nxt && self.receiver.is_finished() {
            // TIME-WAIT: our last acknowledgement was lost.
            if segment.flags.fin {
                self.send_ack(self.last_heard, out);
            }
            return;
        }
        out.segments.push(Self::reset_in_answer_to(segment));
    }

    /// What a kernel says that knows no such connection.
    pub(in crate::net) fn reset_in_answer_to(segment: &Segment) -> Segment {
        Segment {
            flags: Flags { rst: true, ack: true, ..Flags::default() },
            seq: segment.ack,
            end: segment.ack,
            ack: segment.end,
            ..Segment::default()
        }
    }

    pub(super) fn set_closed(&mut self, why: Close) {
        self.state = State::Closed(why);
        self.board.clear();
        self.pending = Pending::Nothing;
        self.timers = [None; TIMERS];
    }

    fn finish_if_done(&mut self, out: &mut Output) {
        let sent_all = self.finishing && self.una > self.written;
        if sent_all && self.receiver.is_finished() && self.closed().is_none() {
            self.set_closed(Close::Done);
            out.events.push(ConnectionEvent::Closed { side: self.side });
        }
    }

    pub(super) fn timed_out(&mut self, out: &mut Output) {
        self.set_closed(Close::TimedOut);
        out.events.push(ConnectionEvent::TimedOut { side: self.side });
    }

    /// A pure acknowledgement.
    pub(super) fn send_ack(&mut self, now: Instant, out: &mut Output) {
        let segment = Segment { seq: self.nxt, end: self.nxt, ..Segment::default() };
        self.emit(now, segment, out);
    }

    /// Completes a segment with acknowledgement, window and timestamp, and sends it.
    pub(super) fn emit(&mut self, now: Instant, mut segment: Segment, out: &mut Output) {
        self.receiver.fill(&mut segment);
        segment.timestamp = timestamp(now);
        self.timers[ACKNOWLEDGE] = None;
        out.segments.push(segment);
    }

    pub(super) fn set_transmit_timer(&mut self, now: Instant, what: Pending, ticks: u64) {
        let most = self.ticks.covering(self.settings.rto_max);
        self.pending = what;
        self.timers[TRANSMIT] = Some(self.ticks.expiry(now, ticks.clamp(1, most)));
    }

    pub(super) fn clear_transmit_timer(&mut self) {
        self.pending = Pending::Nothing;
        self.timers[TRANSMIT] = None;
    }

    /// Smoothed round trip, for those who look at a connection.
    pub(in crate::net) fn smoothed_rtt(&self) -> Option<Duration> {
        self.rtt.smoothed()
    }

    /// The congestion window, in segments.
    pub(in crate::net) fn cwnd(&self) -> u64 {
        self.congestion.cwnd
    }
}

/// The millisecond clock that timestamps count in (RFC 7323); 1 at the origin, since 0 means "none".
pub(super) fn timestamp(now: Instant) -> u64 {
    now.as_nanos() / 1_000_000 + 1
}
