//! Kernel settings of one host, under the names Linux gives them, with Linux's defaults.

use std::time::Duration;

/// How the congestion window grows and shrinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CongestionControl {
    /// RFC 9438, the default of Linux since 2.6.19.
    #[default]
    Cubic,
    /// RFC 5681: one segment a round trip, halved by a loss.
    Reno,
}

/// Probes of an idle connection (`SO_KEEPALIVE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Idle for so long before the first probe (`tcp_keepalive_time`, 2 h unless a program sets it).
    pub time: Duration,
    /// Between probes (`tcp_keepalive_intvl`, 75 s).
    pub interval: Duration,
    /// Unanswered probes until the connection is dead (`tcp_keepalive_probes`, 9).
    pub probes: u32,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { time: Duration::from_secs(7200), interval: Duration::from_secs(75), probes: 9 }
    }
}

/// The TCP of one host. The defaults are those of Linux 6.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpSettings {
    /// `tcp_congestion_control`.
    pub congestion_control: CongestionControl,
    /// Payload bytes of a full segment: 1500 less 40 of headers and 12 of timestamps.
    pub mss: u32,
    /// Segments in the initial window (RFC 6928).
    pub initial_cwnd: u32,
    /// `tcp_syn_retries`: SYNs sent again before connecting fails.
    pub syn_retries: u32,
    /// `tcp_syn_linear_timeouts` (since 6.5): that many retries follow each other after a second each before doubling begins.
    pub syn_linear_timeouts: u32,
    /// `tcp_synack_retries`.
    pub synack_retries: u32,
    /// `tcp_retries2`: with 15, unacknowledged data kills a connection 924.6 s after its first retransmission.
    pub retries2: u32,
    /// `tcp_orphan_retries`: the same for a connection that its program has closed.
    pub orphan_retries: u32,
    /// `TCP_USER_TIMEOUT`: what is not acknowledged, a SYN or data, and a window that stays closed kill a connection after this
    /// long.
    pub user_timeout: Option<Duration>,
    /// The least retransmission timeout, added to the smoothed round trip.
    pub rto_min: Duration,
    /// The most (120 s).
    pub rto_max: Duration,
    /// `SO_KEEPALIVE`. `None`: idle connections are never probed.
    pub keepalive: Option<Keepalive>,
    /// `tcp_slow_start_after_idle`.
    pub slow_start_after_idle: bool,
    /// `TCP_NODELAY`, which gRPC implementations set. `false`: Nagle's algorithm.
    pub nodelay: bool,
    /// The window offered before the receiver has measured anything, in bytes.
    pub initial_window: u32,
    /// The most it offers: half of `tcp_rmem[2]`, in bytes.
    pub receive_buffer_max: u32,
    /// The most a socket queues for sending (`tcp_wmem[2]`), in bytes.
    pub send_buffer_max: u32,
    /// `somaxconn`: no listener's backlog is longer.
    pub somaxconn: u32,
    /// The kernel's timer tick: 4 ms at HZ=250. Timers fire on ticks, and late by up to an eighth (the timer wheel).
    pub tick: Duration,
}

impl Default for TcpSettings {
    fn default() -> Self {
        Self {
            congestion_control: CongestionControl::default(),
            mss: 1448,
            initial_cwnd: 10,
            syn_retries: 6,
            syn_linear_timeouts: 4,
            synack_retries: 5,
            retries2: 15,
            orphan_retries: 8,
            user_timeout: None,
            rto_min: Duration::from_millis(200),
            rto_max: Duration::from_secs(120),
            keepalive: None,
            slow_start_after_idle: true,
            nodelay: true,
            initial_window: 64_240,
            receive_buffer_max: 3 << 20,
            send_buffer_max: 4 << 20,
            somaxconn: 4096,
            tick: Duration::from_millis(4),
        }
    }
}
