//! Reno (RFC 5681): one segment more a round trip, half as many after a loss.

/// How many acknowledged segments open the window by one.
pub(super) fn acks_per_increase(cwnd: u64) -> u64 {
    cwnd.max(1)
}

/// What a loss cuts the window to.
pub(super) fn threshold_after_loss(cwnd: u64) -> u64 {
    (cwnd >> 1).max(2)
}
