//! The receiving half of a socket: what arrived, what is missing, and how much room is offered.
//!
//! When to acknowledge is a subject of its own: [`super::delayed_ack`].

use std::time::Duration;

use super::delayed_ack::AckPolicy;
use super::segment::{FIRST, Sacks, Segment};
use super::settings::TcpSettings;
use super::socket::timestamp;
use super::ticks::Ticks;
use crate::clock::Instant;

/// Windows are offered in units of this many bytes (a window scale of 7).
const WINDOW_UNIT: u64 = 128;

#[derive(Debug)]
pub(super) struct Receiver {
    /// Everything before this position has arrived.
    pub(super) nxt: u64,
    /// Everything before this position was taken by the program.
    pub(super) read: u64,
    /// Where the stream ends, once known.
    pub(super) fin: Option<u64>,
    /// The right edge of the window offered last; it never moves back.
    edge: u64,
    /// Ranges beyond `nxt`, apart from each other, in order.
    waiting: Vec<(u64, u64)>,
    /// The start of each range in `waiting`, the most recently changed first.
    recent: Vec<u64>,
    duplicate: Option<(u64, u64)>,
    pub(super) policy: AckPolicy,
    /// The timestamp to echo (RFC 7323: of the segment that moved the left edge).
    pub(super) echo: u64,
    buffer: u64,
    buffer_max: u64,
    mss: u64,
    tuning: Tuning,
}

/// Grows the buffer with what the program reads in a round trip (`tcp_rcv_space_adjust`).
#[derive(Debug)]
struct Tuning {
    space: u64,
    since: Instant,
    from: u64,
    /// The round trip as the receiver sees it, from echoed timestamps (`tcp_rcv_rtt_measure_ts`): queues included.
    rtt: Option<Duration>,
    last_echo: u64,
}

impl Tuning {
    fn measure(&mut self, now: Instant, segment: &Segment) {
        if segment.echo == 0 || segment.echo == self.last_echo {
            return;
        }
        self.last_echo = segment.echo;
        let sample = Duration::from_millis(timestamp(now).saturating_sub(segment.echo).max(1));
        self.rtt = Some(self.rtt.map_or(sample, |known| (known * 7 + sample) / 8));
    }
}

/// What a segment did to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It carried nothing.
    Empty,
    /// It was the next, or filled a hole.
    InOrder,
    /// It lies beyond a hole.
    OutOfOrder,
    /// It was here before, or lies outside the window.
    Useless,
}

impl Receiver {
    pub(super) fn new(settings: &TcpSettings, ticks: Ticks, now: Instant) -> Self {
        let buffer = u64::from(settings.initial_window);
        Self {
            nxt: FIRST,
            read: FIRST,
            fin: None,
            edge: FIRST + buffer / WINDOW_UNIT * WINDOW_UNIT,
            waiting: Vec::new(),
            recent: Vec::new(),
            duplicate: None,
            policy: AckPolicy::new(ticks),
            echo: 0,
            buffer,
            buffer_max: u64::from(settings.receive_buffer_max).max(buffer),
            mss: u64::from(settings.mss),
            tuning: Tuning {
                space: buffer.min(10 * u64::from(settings.mss)),
                since: now,
                from: FIRST,
                rtt: None,
                last_echo: 0,
            },
        }
    }

    /// Bytes that the program can take.
    pub(super) fn readable(&self) -> u64 {
        let end = self.fin.map_or(self.nxt, |fin| fin.min(self.nxt));
        end.saturating_sub(self.read)
    }

    /// Whether everything, the FIN included, has arrived.
    pub(super) fn is_finished(&self) -> bool {
        self.fin.is_some_and(|fin| self.nxt > fin)
    }

    pub(super) fn has_holes(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many ranges wait for what is missing before them.
    pub(super) fn waiting_ranges(&self) -> usize {
        self.waiting.len()
    }

    /// What the peer may still send, by what it was told.
    fn window_left(&self) -> u64 {
        self.edge.saturating_sub(self.nxt)
    }

    /// Takes the data of a segment.
    pub(super) fn take(&mut self, now: Instant, segment: &Segment, ticks: Ticks, rto_ticks: u64) -> Arrival {
        if segment.seq <= self.policy.acked() {
            self.echo = self.echo.max(segment.timestamp);
        }
        if segment.is_empty() {
            return Arrival::Empty;
        }
        let (seq, end) = (segment.seq, segment.end);
        let useless = end <= self.nxt || seq >= self.nxt.max(self.edge) || (seq <= self.nxt && self.window_left() == 0);
        if useless {
            if end <= self.nxt {
                self.duplicate = Some((seq, end));
            }
            self.policy.enter_quick(self.edge.saturating_sub(self.nxt) / self.mss);
            self.policy.schedule();
            return Arrival::Useless;
        }
        if segment.flags.fin {
            self.fin = Some(end - 1);
        }
        self.policy.schedule();
        if seq > self.nxt {
            self.keep(seq, end);
            return Arrival::OutOfOrder;
        }
        if seq < self.nxt {
            self.duplicate = Some((seq, self.nxt));
        }
        let filled = self.has_holes();
        self.nxt = end;
        self.join();
        if filled && !self.has_holes() {
            // A filled gap is acknowledged at once (RFC 5681, 4.2).
            self.policy.demand();
        }
        if segment.flags.fin {
            self.policy.demand();
        }
        if segment.payload() >= self.mss {
            self.tuning.measure(now, segment);
        }
        self.policy.on_data(now, segment.payload(), self.mss, self.window_left() / self.mss, ticks, rto_ticks);
        Arrival::InOrder
    }

    /// Stores a range beyond a hole.
    fn keep(&mut self, seq: u64, end: u64) {
        if let Some(known) = self.waiting.iter().find(|(from, to)| *from <= seq && end <= *to) {
            self.duplicate = Some((seq, end));
            let from = known.0;
            self.touch(from);
            return;
        }
        let (mut from, mut to) = (seq, end);
        self.waiting.retain(|&(a, b)| {
            let touches = a <= to && from <= b;
            if touches {
                (from, to) = (from.min(a), to.max(b));
            }
            !touches
        });
        let at = self.waiting.partition_point(|range| range.0 < from);
        self.waiting.insert(at, (from, to));
        self.recent.retain(|start| self.waiting.iter().any(|range| range.0 == *start));
        self.touch(from);
    }

    fn touch(&mut self, start: u64) {
        self.recent.retain(|known| *known != start);
        self.recent.insert(0, start);
    }

    /// Moves `nxt` over the ranges that it has reached.
    fn join(&mut self) {
        let mut reached = 0;
        while let Some(&(_, to)) = self.waiting.get(reached).filter(|range| range.0 <= self.nxt) {
            self.nxt = self.nxt.max(to);
            reached += 1;
        }
        if reached > 0 {
            self.waiting.drain(..reached);
            self.recent.retain(|start| self.waiting.iter().any(|range| range.0 == *start));
        }
    }

    /// The acknowledgement that a segment about to be sent carries.
    pub(super) fn fill(&mut self, segment: &mut Segment) {
        segment.flags.ack = true;
        segment.ack = self.nxt;
        segment.window = self.offer();
        segment.echo = self.echo;
        if let Some(range) = self.duplicate.take() {
            segment.sacks.push_duplicate(range);
        }
        if !self.waiting.is_empty() {
            self.fill_sacks(&mut segment.sacks);
        }
        self.policy.on_ack_sent(self.nxt);
    }

    fn fill_sacks(&self, sacks: &mut Sacks) {
        for start in &self.recent {
            if let Some(range) = self.waiting.iter().find(|range| range.0 == *start) {
                sacks.push(*range);
            }
        }
    }

    /// The window for the next acknowledgement (`__tcp_select_window`): what was offered is never taken back, and an
    /// opening smaller than a segment is not offered at all, against silly windows.
    fn offer(&mut self) -> u64 {
        let window = self.selected_window();
        self.edge = self.edge.max(self.nxt + window);
        self.edge - self.nxt
    }

    fn selected_window(&self) -> u64 {
        let used = self.nxt.saturating_sub(self.read) + self.waiting.iter().map(|(from, to)| to - from).sum::<u64>();
        let free = self.buffer.saturating_sub(used) / WINDOW_UNIT * WINDOW_UNIT;
        if free < self.mss.min(self.buffer / 16) { 0 } else { free }
    }

    /// Whether an acknowledgement would offer as much as the last one did. While data waits to be read it would not: then
    /// the program's reading is what acknowledges, a whole burst at once (`__tcp_ack_snd_check`).
    pub(super) fn window_is_open(&self) -> bool {
        self.selected_window() >= self.edge - self.policy.acked()
    }

    /// The program took `bytes`. Whether that calls for an acknowledgement (`tcp_cleanup_rbuf`).
    pub(super) fn on_read(&mut self, now: Instant, bytes: u64, srtt: Option<Duration>) -> bool {
        self.read += bytes;
        self.tune(now, srtt);
        if self.policy.wants_ack_after_read(self.nxt, self.readable() == 0) {
            return true;
        }
        // A window that has at least doubled is worth telling.
        let left = self.window_left();
        2 * left <= self.buffer && !self.is_finished() && {
            let selected = self.selected_window();
            selected > 0 && selected >= 2 * left
        }
    }

    fn tune(&mut self, now: Instant, srtt: Option<Duration>) {
        let Some(rtt) = self.tuning.rtt.or(srtt) else { return };
        if now - self.tuning.since < rtt {
            return;
        }
        let copied = self.read - self.tuning.from;
        if copied > self.tuning.space {
            let window = 2 * copied + 16 * self.mss;
            let grow = window * (copied - self.tuning.space) / self.tuning.space.max(1);
            self.buffer = self.buffer.max((window + 2 * grow).min(self.buffer_max));
            self.tuning.space = copied;
        }
        self.tuning.since = now;
        self.tuning.from = self.read;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver() -> Receiver {
        Receiver::new(&TcpSettings::default(), Ticks::new(Duration::from_millis(4), Duration::ZERO), Instant::ORIGIN)
    }

    fn arrive(receiver: &mut Receiver, seq: u64, end: u64) -> Arrival {
        let ticks = Ticks::new(Duration::from_millis(4), Duration::ZERO);
        let segment = Segment { seq: FIRST + seq, end: FIRST + end, ..Segment::default() };
        receiver.take(Instant::ORIGIN, &segment, ticks, 50)
    }

    fn acknowledgement(receiver: &mut Receiver) -> Segment {
        let mut segment = Segment::default();
        receiver.fill(&mut segment);
        segment
    }

    /// RFC 2018, section 4: the first block is the one that the segment which triggered the acknowledgement belongs to.
    #[test]
    fn sack_blocks_are_ordered_by_recency() {
        let mut receiver = receiver();
        for (seq, end) in [(1000, 2000), (3000, 4000), (5000, 6000), (2000, 2500)] {
            assert_eq!(arrive(&mut receiver, seq, end), Arrival::OutOfOrder);
        }
        let ack = acknowledgement(&mut receiver);
        assert_eq!((ack.ack, ack.sacks.as_slice()), (1, &[(1001, 2501), (5001, 6001), (3001, 4001)][..]));
        assert_eq!(arrive(&mut receiver, 0, 3000), Arrival::InOrder);
        let ack = acknowledgement(&mut receiver);
        assert_eq!((ack.ack, ack.sacks.as_slice()), (4001, &[(5001, 6001)][..]));
    }

    /// A burst that nobody has read yet is acknowledged by the reading: until then the window offered would be smaller.
    #[test]
    fn unread_data_is_acknowledged_when_it_is_read() {
        let mut receiver = receiver();
        acknowledgement(&mut receiver);
        assert!(receiver.window_is_open());
        arrive(&mut receiver, 0, 1448);
        arrive(&mut receiver, 1448, 2896);
        assert!(!receiver.window_is_open());
        assert!(receiver.on_read(Instant::ORIGIN, 2896, None), "two segments are acknowledged after they were read");
        assert!(receiver.window_is_open());
    }

    /// RFC 2883: what arrives twice is reported once, first.
    #[test]
    fn duplicates_are_reported() {
        let mut receiver = receiver();
        arrive(&mut receiver, 0, 1000);
        arrive(&mut receiver, 2000, 3000);
        assert_eq!(arrive(&mut receiver, 0, 1000), Arrival::Useless);
        let ack = acknowledgement(&mut receiver);
        assert_eq!((ack.sacks.duplicate(), ack.sacks.waiting()), (Some((1, 1001)), &[(2001, 3001)][..]));
        assert_eq!(acknowledgement(&mut receiver).sacks.duplicate(), None);
    }

    /// A program that does not read stops the peer: the window closes, and never by going back.
    #[test]
    fn the_window_closes_when_nobody_reads() {
        let mut receiver = receiver();
        let mut at = 0;
        loop {
            let ack = acknowledgement(&mut receiver);
            if ack.window == 0 {
                break;
            }
            let end = (at + 1448).min(ack.ack + ack.window - FIRST);
            assert_eq!(arrive(&mut receiver, at, end), Arrival::InOrder);
            at = end;
        }
        assert!(at <= 64_240 && at > 60_000, "{at}");
        assert_eq!(arrive(&mut receiver, at, at + 1448), Arrival::Useless);
        assert!(receiver.on_read(Instant::ORIGIN, at, None), "an opened window is announced");
    }
}
