//! Who calls, as far as the request's headers say.
//!
//! The identity of a call travels as a W3C `traceparent`, as in production: the low half of the trace id is the call, the
//! span id the attempt. A request without one (a client of the user's own) is identified by its alert alone.

use http::HeaderMap;

use crate::clock::Instant;
use crate::record::CallId;
use crate::resilience::CallDeadline;

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
        Self {
            call,
            attempt,
            deadline: CallDeadline::of_headers(headers).map_or(Instant::NEVER, |deadline| deadline.0),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_travels_in_the_traceparent() {
        let text = b"00-00000000000000000000001100000003-0000000000000002-01";
        assert_eq!(parse_traceparent(text), Some((CallId::new(17, 3), 2)));
        assert_eq!(parse_traceparent(b"00-zz"), None);
        assert_eq!(parse_traceparent(&[0xFF; 55]), None);
    }
}
