//! The kernels of hosts. Bounds are those of Linux's sysctls.

use std::ops::RangeInclusive;

use super::Checker;
use crate::net::TcpSettings;
use crate::net::tcp::{CongestionControl, Keepalive};
use crate::scenario::diagnostics::Mistake;
use crate::scenario::raw::{self, Field};
use crate::scenario::units::show_duration;

const RETRIES: RangeInclusive<u32> = 1..=127;
const SEGMENT: RangeInclusive<u32> = 88..=65_495;
const WINDOW: RangeInclusive<u32> = 1..=1000;
const MOST_BUFFER: u64 = 1 << 30;

impl Checker<'_> {
    pub(super) fn tcp(&mut self, field: &Field<raw::Tcp>) -> TcpSettings {
        let linux = TcpSettings::default();
        let Some((tcp, span)) = field.with_span() else { return linux };
        self.above_zero(&tcp.user_timeout, "user_timeout");
        self.above_zero(&tcp.rto_min, "rto_min");
        self.at_least_one(&tcp.somaxconn, "somaxconn");
        let (rto_min, rto_max) = (Self::time(&tcp.rto_min, linux.rto_min), Self::time(&tcp.rto_max, linux.rto_max));
        if rto_max < rto_min {
            let at = tcp.rto_max.span().or(tcp.rto_min.span()).unwrap_or(span);
            let (least, most) = (show_duration(rto_min), show_duration(rto_max));
            self.push(Mistake::at(at, format!("`rto_max` is {most}, less than `rto_min`, {least}")));
        }
        let mss = self.count(&tcp.mss, "mss", SEGMENT, linux.mss);
        let receive_buffer_max = self.buffer(&tcp.receive_buffer, "receive_buffer", mss, linux.receive_buffer_max);
        TcpSettings {
            congestion_control: match tcp.congestion_control.get() {
                None | Some(raw::CongestionControl::Cubic) => CongestionControl::Cubic,
                Some(raw::CongestionControl::Reno) => CongestionControl::Reno,
            },
            mss,
            initial_cwnd: self.count(&tcp.initial_cwnd, "initial_cwnd", WINDOW, linux.initial_cwnd),
            syn_retries: self.count(&tcp.syn_retries, "syn_retries", RETRIES, linux.syn_retries),
            syn_linear_timeouts: self.count(
                &tcp.syn_linear_timeouts,
                "syn_linear_timeouts",
                0..=127,
                linux.syn_linear_timeouts,
            ),
            synack_retries: self.count(&tcp.synack_retries, "synack_retries", 0..=127, linux.synack_retries),
            retries2: self.count(&tcp.retries2, "retries2", RETRIES, linux.retries2),
            orphan_retries: self.count(&tcp.orphan_retries, "orphan_retries", RETRIES, linux.orphan_retries),
            user_timeout: tcp.user_timeout.get().map(|time| time.0),
            rto_min,
            rto_max,
            keepalive: tcp.keepalive.with_span().map(|(keepalive, _)| self.tcp_keepalive(keepalive)),
            slow_start_after_idle: tcp.slow_start_after_idle.or(linux.slow_start_after_idle),
            nodelay: tcp.nodelay.or(linux.nodelay),
            initial_window: linux.initial_window.min(receive_buffer_max),
            receive_buffer_max,
            send_buffer_max: self.buffer(&tcp.send_buffer, "send_buffer", mss, linux.send_buffer_max),
            somaxconn: tcp.somaxconn.or(linux.somaxconn),
            ..linux
        }
    }

    fn tcp_keepalive(&mut self, keepalive: &raw::TcpKeepalive) -> Keepalive {
        let linux = Keepalive::default();
        self.above_zero(&keepalive.time, "time");
        self.above_zero(&keepalive.interval, "interval");
        Keepalive {
            time: Self::time(&keepalive.time, linux.time),
            interval: Self::time(&keepalive.interval, linux.interval),
            probes: self.count(&keepalive.probes, "probes", RETRIES, linux.probes),
        }
    }

    fn count(&mut self, field: &Field<u32>, name: &str, range: RangeInclusive<u32>, linux: u32) -> u32 {
        if let Some((count, span)) = field.with_span().filter(|(count, _)| !range.contains(count)) {
            let (least, most) = range.into_inner();
            self.wrong(span, format!("`{name}` is between {least} and {most}, not {count}"));
        }
        field.or(linux)
    }

    /// A buffer holds a segment at least.
    fn buffer(&mut self, field: &Field<raw::Size>, name: &str, mss: u32, linux: u32) -> u32 {
        let Some((size, span)) = field.with_span() else { return linux };
        if !(u64::from(mss)..=MOST_BUFFER).contains(&size.0) {
            self.push(
                Mistake::at(span, format!("`{name}` holds at least one segment, {mss} bytes, and at most 1GiB"))
                    .help("Linux's defaults are 3MiB to receive and 4MiB to send"),
            );
        }
        u32::try_from(size.0).unwrap_or(linux)
    }
}
