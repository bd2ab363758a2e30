//! How much may be on the way: the congestion window, in segments.
//!
//! The window itself, slow start and the rule that only a window in use may grow are common; what happens above the
//! threshold, and how far a loss cuts, is the algorithm's: [`reno`] or [`cubic`].

mod cubic;
mod reno;

use std::time::Duration;

use self::cubic::Cubic;
use super::settings::{CongestionControl, TcpSettings};
use crate::clock::Instant;

/// "No loss seen yet".
const INFINITE: u64 = u64::MAX / 4;

/// The congestion window of one direction of one connection.
#[derive(Debug)]
pub(super) struct Congestion {
    /// Segments that may be on the way.
    pub(super) cwnd: u64,
    /// Below it the window doubles a round trip.
    pub(super) ssthresh: u64,
    /// Acknowledged segments on the way to the next increase.
    count: u64,
    initial: u64,
    algorithm: Algorithm,
    pub(super) usage: Usage,
}

#[derive(Debug)]
enum Algorithm {
    Reno,
    Cubic(Box<Cubic>),
}

/// Whether the window is what limits the sender (`tcp_cwnd_validate`): a window that was not used is not evidence.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    limited: bool,
    max_packets_out: u64,
    until: u64,
    used: u64,
    /// The tick in which the window was last full, or last judged.
    stamp: u64,
}

impl Congestion {
    pub(super) fn new(settings: &TcpSettings) -> Self {
        let algorithm = match settings.congestion_control {
            CongestionControl::Reno => Algorithm::Reno,
            CongestionControl::Cubic => Algorithm::Cubic(Box::default()),
        };
        let initial = u64::from(settings.initial_cwnd);
        Self { cwnd: initial, ssthresh: INFINITE, count: 0, initial, algorithm, usage: Usage::default() }
    }

    pub(super) fn in_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }

    pub(super) fn knows_threshold(&self) -> bool {
        self.ssthresh < INFINITE
    }

    fn is_limited(&self) -> bool {
        if self.usage.limited {
            return true;
        }
        // In slow start a window of which half was used may grow: it would be too small a round trip later.
        self.in_slow_start() && self.cwnd < 2 * self.usage.max_packets_out
    }

    /// `acked` segments arrived.
    pub(super) fn on_ack(&mut self, now: Instant, acked: u64, srtt: Option<Duration>) {
        if !self.is_limited() {
            return;
        }
        let mut acked = acked;
        if self.in_slow_start() {
            let grown = (self.cwnd + acked).min(self.ssthresh);
            acked -= grown - self.cwnd;
            self.cwnd = grown;
            if acked == 0 {
                return;
            }
        }
        let per_increase = match &mut self.algorithm {
            Algorithm::Reno => reno::acks_per_increase(self.cwnd),
            Algorithm::Cubic(cubic) => cubic.acks_per_increase(now, self.cwnd, acked, srtt),
        };
        self.count_up(per_increase, acked);
    }

    /// `tcp_cong_avoid_ai`.
    fn count_up(&mut self, per_increase: u64, acked: u64) {
        if self.count >= per_increase {
            self.count = 0;
            self.cwnd += 1;
        }
        self.count += acked;
        if self.count >= per_increase {
            let steps = self.count / per_increase;
            self.count -= steps * per_increase;
            self.cwnd += steps;
        }
    }

    /// What a loss cuts the window to.
    pub(super) fn threshold_after_loss(&mut self) -> u64 {
        match &mut self.algorithm {
            Algorithm::Reno => reno::threshold_after_loss(self.cwnd),
            Algorithm::Cubic(cubic) => cubic.threshold_after_loss(self.cwnd),
        }
    }

    /// The retransmission timer fired.
    pub(super) fn on_timeout(&mut self) {
        self.count = 0;
        if let Algorithm::Cubic(cubic) = &mut self.algorithm {
            **cubic = Cubic::default();
        }
    }

    pub(super) fn reset_count(&mut self) {
        self.count = 0;
    }

    /// Data goes out after a pause, to an empty network (`CA_EVENT_TX_START`).
    pub(super) fn on_restart(&mut self, now: Instant, idle: Duration) {
        if let Algorithm::Cubic(cubic) = &mut self.algorithm {
            cubic.shift(now, idle);
        }
    }

    /// Three quarters of the window, or the threshold: what is kept for later when the window is given up.
    pub(super) fn current_threshold(&self) -> u64 {
        self.ssthresh.max((self.cwnd >> 1) + (self.cwnd >> 2))
    }

    /// After `idle` without data the window halves every `rto` down to the initial one (RFC 2861, `tcp_cwnd_restart`).
    pub(super) fn restart_after_idle(&mut self, idle_ticks: u64, rto_ticks: u64, now_tick: u64) {
        self.ssthresh = self.current_threshold();
        let floor = self.initial.min(self.cwnd);
        let mut left = idle_ticks.saturating_sub(rto_ticks);
        let mut cwnd = self.cwnd;
        while left > 0 && cwnd > floor {
            cwnd >>= 1;
            left = left.saturating_sub(rto_ticks);
        }
        self.cwnd = cwnd.max(floor);
        self.usage.stamp = now_tick;
        self.usage.used = 0;
    }

    /// Takes note, after sending, whether the window was the limit.
    pub(super) fn note_usage(&mut self, limited: bool, packets_out: u64, (una, nxt): (u64, u64), now_tick: u64) {
        let usage = &mut self.usage;
        if una >= usage.until || limited || (!usage.limited && packets_out > usage.max_packets_out) {
            usage.limited = limited;
            usage.max_packets_out = packets_out;
            usage.until = nxt;
        }
        if self.is_limited() {
            self.usage.used = 0;
            self.usage.stamp = now_tick;
        } else {
            self.usage.used = self.usage.used.max(packets_out);
        }
    }

    /// If the program, not the network, set the pace for a whole timeout, half of what it did not use is given back
    /// (RFC 2861, `tcp_cwnd_application_limited`), unless losses are being dealt with.
    pub(super) fn give_back(&mut self, now_tick: u64, rto_ticks: u64, calm: bool) {
        if now_tick - self.usage.stamp < rto_ticks {
            return;
        }
        if calm {
            let used = self.usage.used.max(self.initial);
            if used < self.cwnd {
                self.ssthresh = self.current_threshold();
                self.cwnd = (self.cwnd + used) >> 1;
            }
            self.usage.used = 0;
        }
        self.usage.stamp = now_tick;
    }

    pub(super) fn stamp(&mut self, now_tick: u64) {
        self.usage.stamp = now_tick;
    }
}
