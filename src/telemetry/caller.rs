//! Who calls, as far as the request's headers say.
//!
//! The identity of a call travels as a W3C `traceparent`, as in production: the low half of the trace id is the call, the
//! span id the attempt. A request without one (a client of the user's own) is identified by its alert alone.

use std::time::Duration;

use http::HeaderMap;

use crate::clock::{self, Instant};
use crate::record::CallId;

/// The caller of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Which call, if it says.
    pub call: CallId,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When its caller stops waiting; [`Instant::NEVER`] without a deadline.
    pub deadline: Instant,
}

impl Caller {
    /// Reads the headers of a request that arrives now.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let (call, attempt) = headers
            .get("traceparent")
            .and_then(|value| parse_traceparent(value.as_bytes()))
            .unwrap_or((CallId::from_bits(u64::MAX), 1));
        let timeout = headers.get("grpc-timeout").and_then(|value| parse_timeout(value.as_bytes()));
        Self { call, attempt, deadline: timeout.map_or(Instant::NEVER, |timeout| clock::now() + timeout) }
    }
}

/// `00-<32 hex digits>-<16 hex digits>-<flags>`.
fn parse_traceparent(text: &[u8]) -> Option<(CallId, u32)> {
    if text.len() < 55 || text[2] != b'-' || text[35] != b'-' || text[52] != b'-' {
        return None;
    }
    let call = parse_hex(&text[19..35])?;
    let attempt = parse_hex(&text[36..52])?;
    Some((CallId::from_bits(call), (attempt & 0xFFFF_FFFF) as u32))
}

fn parse_hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | u64::from(char::from(*digit).to_digit(16)?)))
}

/// At most eight digits and a unit (gRPC over HTTP/2, "Timeout").
fn parse_timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Some(Duration::from_secs(value * 3600)),
        b'M' => Some(Duration::from_secs(value * 60)),
        b'S' => Some(Duration::from_secs(value)),
        b'm' => Some(Duration::from_millis(value)),
        b'u' => Some(Duration::from_micros(value)),
        b'n' => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_grpc_specification_writes_them() {
        let check =
            |text: &str, expected: Option<Duration>| assert_eq!(parse_timeout(text.as_bytes()), expected, "{text}");
        check("2S", Some(Duration::from_secs(2)));
        check("1500m", Some(Duration::from_millis(1500)));
        check("99999999H", Some(Duration::from_secs(99_999_999 * 3600)));
        check("250u", Some(Duration::from_micros(250)));
        check("1n", Some(Duration::from_nanos(1)));
        check("123456789n", None);
        check("S", None);
        check("-1S", None);
        check("5", None);
    }

    #[test]
    fn the_call_travels_in_the_traceparent() {
        let text = b"00-00000000000000000000001100000003-0000000000000002-01";
        assert_eq!(parse_traceparent(text), Some((CallId::new(17, 3), 2)));
        assert_eq!(parse_traceparent(b"00-zz"), None);
        assert_eq!(parse_traceparent(&[0xFF; 55]), None);
    }
}
