//! `tcp:` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Field, Size, Time};

/// The kernel of each host of a group: options have the names of Linux's sysctls and socket options, and its defaults.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tcp {
    /// How the congestion window grows and shrinks (`tcp_congestion_control`). Default: cubic.
    pub(crate) congestion_control: Field<CongestionControl>,
    /// Payload bytes of a full segment. Default: 1448, of an MTU of 1500.
    pub(crate) mss: Field<u32>,
    /// Segments in the initial window (`initcwnd` of a route). Default: 10.
    pub(crate) initial_cwnd: Field<u32>,
    /// SYNs sent again before connecting fails (`tcp_syn_retries`), besides the linear ones. Default: 6.
    pub(crate) syn_retries: Field<u32>,
    /// So many of them follow each other after a second each, before doubling begins (`tcp_syn_linear_timeouts`). Default: 4.
    pub(crate) syn_linear_timeouts: Field<u32>,
    /// SYN-ACKs sent again before a server forgets a client (`tcp_synack_retries`). Default: 5.
    pub(crate) synack_retries: Field<u32>,
    /// How long unacknowledged data is sent again before its connection is dead, in retries (`tcp_retries2`). Default: 15, a
    /// quarter of an hour.
    pub(crate) retries2: Field<u32>,
    /// The same for a connection that its program has closed (`tcp_orphan_retries`). Default: 8.
    pub(crate) orphan_retries: Field<u32>,
    /// How long data, or a SYN, may go without acknowledgement (`TCP_USER_TIMEOUT`). Default: as long as the retries say.
    pub(crate) user_timeout: Field<Time>,
    /// The least retransmission timeout, on top of the round trip (`tcp_rto_min_us`). Default: 200ms.
    pub(crate) rto_min: Field<Time>,
    /// The most (`tcp_rto_max_ms`). Default: 120s.
    pub(crate) rto_max: Field<Time>,
    /// Whether idle connections are probed (`SO_KEEPALIVE`). Default: no.
    pub(crate) keepalive: Field<TcpKeepalive>,
    /// Whether the congestion window shrinks while nothing is sent (`tcp_slow_start_after_idle`). Default: true.
    pub(crate) slow_start_after_idle: Field<bool>,
    /// Whether small segments go at once (`TCP_NODELAY`), as gRPC sets it. Default: true.
    pub(crate) nodelay: Field<bool>,
    /// The most that a socket offers to receive: half of `tcp_rmem[2]`. Default: 3MiB.
    pub(crate) receive_buffer: Field<Size>,
    /// The most that a socket queues for sending (`tcp_wmem[2]`). Default: 4MiB.
    pub(crate) send_buffer: Field<Size>,
    /// No listener's backlog is longer (`somaxconn`). Default: 4096.
    pub(crate) somaxconn: Field<u32>,
}

/// How the congestion window grows and shrinks.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CongestionControl {
    /// RFC 9438, Linux's default.
    Cubic,
    /// RFC 5681.
    Reno,
}

/// Probes of an idle connection.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TcpKeepalive {
    /// Idle for so long before the first probe (`tcp_keepalive_time`). Default: 2h.
    pub(crate) time: Field<Time>,
    /// Between probes (`tcp_keepalive_intvl`). Default: 75s.
    pub(crate) interval: Field<Time>,
    /// Unanswered probes until the connection is dead (`tcp_keepalive_probes`). Default: 9.
    pub(crate) probes: Field<u32>,
}
