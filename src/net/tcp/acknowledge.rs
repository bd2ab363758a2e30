//! What an acknowledgement does to the sender (`tcp_ack`).

use std::time::Duration;

use super::recovery::{Phase, Send};
use super::segment::Segment;
use super::socket::{Output, Pending, Socket, timestamp};
use crate::clock::Instant;

/// What one acknowledgement turned out to say (the kernel's `FLAG_`s).
#[derive(Debug, Default)]
pub(super) struct Ack {
    /// It carried data of its own.
    pub(super) with_data: bool,
    /// It changed the window.
    pub(super) window_update: bool,
    /// It moved the left edge.
    pub(super) advanced: bool,
    /// It covered whole segments.
    pub(super) acked: bool,
    /// Some of them had been sent more than once.
    pub(super) acked_retransmitted: bool,
    /// It reported segments that arrived out of order.
    pub(super) sacked: bool,
    /// It reported a segment that arrived twice.
    pub(super) duplicate: bool,
    pub(super) duplicate_is_probe: bool,
    /// Segments arrived that were in doubt and had been sent only once.
    pub(super) original_arrived: bool,
    /// Retransmissions were found lost too.
    pub(super) lost_retransmission: bool,
    /// The transmission timer starts anew.
    pub(super) sets_timer: bool,
    /// Segments that are now known to have arrived.
    pub(super) delivered: u64,
    pub(super) echo: u64,
    pub(super) first_acked: Option<Instant>,
    pub(super) last_acked: Option<Instant>,
    pub(super) first_sacked: Option<Instant>,
    pub(super) last_sacked: Option<Instant>,
}

impl Ack {
    /// It says nothing new, so it must come from a segment that was out of place.
    pub(super) fn is_duplicate(&self) -> bool {
        !(self.advanced || self.is_informative() || self.duplicate)
    }

    fn is_informative(&self) -> bool {
        self.with_data || self.window_update || self.acked
    }

    /// `tcp_ack_is_dubious`.
    fn is_dubious(&self, phase: Phase) -> bool {
        !self.is_informative() || self.sacked || self.duplicate || phase != Phase::Open
    }
}

impl Socket {
    /// An acknowledgement arrived.
    pub(super) fn on_ack(&mut self, now: Instant, segment: &Segment, out: &mut Output) {
        if segment.ack > self.nxt {
            return;
        }
        let prior_una = self.una;
        let lost_before = self.recovery.lost_total;
        let mut ack = Ack { with_data: !segment.is_empty(), echo: segment.echo, ..Ack::default() };
        if segment.ack < prior_una {
            // Old, but what it says of out-of-order segments may be news.
            if !segment.sacks.is_empty() {
                self.on_sacks(now, segment, prior_una, &mut ack);
                let send = self.alert(now, prior_una, &mut ack);
                self.send_in_recovery(now, send, out);
            }
            return;
        }
        if segment.ack > prior_una {
            ack.advanced = true;
            self.retransmits = 0;
        }
        ack.window_update = self.update_window(segment, prior_una);
        let nothing_out = self.board.is_empty();
        let highest_before = self.board.highest_sacked.max(prior_una);
        self.una = segment.ack;
        self.zero_window_probes = 0;
        if !segment.sacks.is_empty() {
            self.on_sacks(now, segment, prior_una, &mut ack);
        }
        if nothing_out {
            if ack.duplicate {
                self.alert(now, prior_una, &mut ack);
            }
            self.on_window_probe_answered(now);
            self.on_ack_of_probe(segment.ack, &ack);
            return;
        }
        self.take_acked(now, segment, highest_before, &mut ack);
        self.update_reordering_window(&ack);
        self.on_ack_of_probe(segment.ack, &ack);
        let mut send = Send::Nothing;
        if ack.is_dubious(self.recovery.phase) {
            send = self.alert(now, prior_una, &mut ack);
        }
        if ack.sets_timer && !self.schedule_loss_probe(now, true) {
            self.rearm_rto(now);
        }
        if self.recovery.is_reducing() {
            self.reduce(ack.delivered, self.recovery.lost_total - lost_before, ack.advanced);
        } else if self.may_raise_window(&ack) {
            self.congestion.on_ack(now, ack.delivered, self.rtt.smoothed());
        }
        self.send_in_recovery(now, send, out);
    }

    /// `tcp_ack_update_window`: the latest word counts, by position.
    fn update_window(&mut self, segment: &Segment, prior_una: u64) -> bool {
        let window = self.window_edge.saturating_sub(prior_una);
        let newer = segment.ack > prior_una
            || segment.seq > self.window_from
            || (segment.seq == self.window_from && segment.window > window);
        if newer {
            self.window_from = segment.seq;
            self.window_edge = segment.ack + segment.window;
            self.window_max = self.window_max.max(segment.window);
        }
        newer
    }

    /// Takes what was acknowledged off the scoreboard (`tcp_clean_rtx_queue`).
    fn take_acked(&mut self, now: Instant, segment: &Segment, highest_before: u64, ack: &mut Ack) {
        let mut reordered_from = u64::MAX;
        while let Some(sent) = self.board.pop_acked(segment.ack) {
            ack.acked = true;
            if sent.ever_retransmitted {
                ack.acked_retransmitted = true;
            } else if !sent.sacked {
                ack.first_acked.get_or_insert(sent.at);
                ack.last_acked = Some(sent.at);
                reordered_from = reordered_from.min(sent.seq);
                if sent.end <= self.recovery.high {
                    ack.original_arrived = true;
                }
            }
            if !sent.sacked {
                ack.delivered += 1;
                // An echo from before the retransmission: the original arrived, and says nothing of what was sent later.
                let spurious = sent.ever_retransmitted && segment.echo != 0 && segment.echo < timestamp(sent.at);
                if !spurious {
                    self.rack_advance(now, &sent);
                }
            }
        }
        self.board.trim(segment.ack);
        self.measure(now, ack);
        if ack.acked {
            ack.sets_timer = true;
            if reordered_from < highest_before {
                self.saw_reordering(reordered_from, highest_before);
            }
        } else if let (Some(sacked), Some(first)) = (ack.first_sacked, self.board.front()) {
            // Progress beyond the first hole: its timer starts anew, but only for what was sent after it.
            ack.sets_timer = sacked < first.at || (sacked == first.at && now - sacked > now - first.at);
        }
        if self.board.is_empty() {
            self.clear_transmit_timer();
        }
    }

    /// Measures the round trip (`tcp_ack_update_rtt`).
    fn measure(&mut self, now: Instant, ack: &Ack) {
        let clean = if ack.acked_retransmitted { None } else { ack.first_acked };
        let sample = clean.or(ack.first_sacked).map(|at| now - at).or_else(|| {
            let echoed = timestamp(now).checked_sub(ack.echo).filter(|_| ack.echo != 0 && ack.acked)?;
            Some(Duration::from_millis(echoed.max(1)))
        });
        let Some(sample) = sample else { return };
        let latest = if ack.acked_retransmitted { None } else { ack.last_acked };
        self.rtt.saw_min(latest.or(ack.last_sacked).map_or(sample, |at| now - at));
        self.rtt.sample(sample, self.una, self.nxt);
        self.update_rto();
    }

    /// The timeout from the estimator, without backoff.
    pub(super) fn update_rto(&mut self) {
        if let Some(timeout) = self.rtt.timeout() {
            self.rto = self.ticks.covering(timeout.min(self.settings.rto_max));
        }
    }

    /// Whether a tail loss probe was needed (`tcp_process_tlp_ack`).
    fn on_ack_of_probe(&mut self, position: u64, ack: &Ack) {
        let Some(high) = self.recovery.probe_high.filter(|high| position >= *high) else { return };
        if !self.recovery.probe_repeated || ack.duplicate_is_probe {
            self.recovery.probe_high = None;
        } else if position > high {
            self.recovery.probe_high = None;
            self.reduce_after_probe();
        } else if !(ack.advanced || ack.is_informative() || ack.sacked) {
            self.recovery.probe_high = None;
        }
    }

    fn on_window_probe_answered(&mut self, now: Instant) {
        if self.pending != Pending::ZeroWindow {
            return;
        }
        if self.next_end().is_some() {
            self.clear_transmit_timer();
            self.update_rto();
            self.probing_since = None;
        } else {
            self.await_window(now);
        }
    }
}
