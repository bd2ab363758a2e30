//! Who calls, as far as the request's headers say.
//!
//! The identity of a call travels as a W3C `traceparent`, as in production: the low half of the trace id is the call, the
//! span id the attempt. A request without one (a client of the user's own) is identified by its alert alone.
//!
//! Tiers say in the `tracestate` by which way a request came: a call that fans out is several, and what an attempt of one
//! tier leads to in the next is drawn anew when that attempt is repeated.

use http::{HeaderMap, HeaderName};

use crate::clock::Instant;
use crate::record::CallId;
use crate::resilience::{CallDeadline, TRACEPARENT, header};

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The caller of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Which call, if it says.
    pub call: CallId,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When its caller stops waiting; [`Instant::NEVER`] without a deadline.
    pub deadline: Instant,
    /// By which way it came through the tiers before.
    pub way: Way,
}

/// By which way a request came. All zero for a client's own, and for the first of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// Which of the calls it is that the tiers before have fanned out into.
    pub branch: u64,
    /// Which attempts of the tiers before led to it.
    pub lineage: u64,
}

impl Caller {
    /// Reads the headers of a request that arrives now.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let (call, attempt) = header(headers, &TRACEPARENT)
            .and_then(|value| parse_traceparent(value.as_bytes()))
            .unwrap_or((CallId::from_bits(u64::MAX), 1));
        let deadline = CallDeadline::of_headers(headers).map_or(Instant::NEVER, |deadline| deadline.0);
        let way = header(headers, &TRACESTATE).and_then(|value| parse_way(value.as_bytes())).unwrap_or_default();
        Self { call, attempt, deadline, way }
    }

    /// The way of the `number`-th of the calls to the next tier that it fans out into.
    #[must_use]
    pub fn way_onward(&self, number: u32) -> Way {
        let Way { branch, lineage } = self.way;
        Way {
            branch: branch.wrapping_mul(PRIME).wrapping_add(u64::from(number)),
            lineage: lineage.wrapping_mul(PRIME).wrapping_add(u64::from(self.attempt.saturating_sub(1))),
        }
    }
}

/// More than anything fans out into, or is attempted.
const PRIME: u64 = 1_000_003;

impl Way {
    /// The `tracestate` that carries it; none where there is nothing to say.
    #[must_use]
    pub fn tracestate(self) -> Option<String> {
        (self != Self::default()).then(|| format!("squall={:x}-{:x}", self.branch, self.lineage))
    }
}

fn parse_way(text: &[u8]) -> Option<Way> {
    let text = text.strip_prefix(b"squall=")?;
    let dash = text.iter().position(|byte| *byte == b'-')?;
    Some(Way { branch: parse_hex(&text[..dash])?, lineage: parse_hex(&text[dash + 1..])? })
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
    if digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| match HEX[usize::from(*digit)] {
        NO_DIGIT => None,
        digit => Some(value << 4 | u64::from(digit)),
    })
}

const NO_DIGIT: u8 = u8::MAX;

/// What each byte stands for as a hexadecimal digit: every request has 32 of them.
static HEX: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 16 {
        values[b"0123456789abcdef"[digit] as usize] = digit as u8;
        values[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_travels_in_the_tracestate() {
        let caller = |attempt, way| Caller { call: CallId::new(0, 0), attempt, deadline: Instant::NEVER, way };
        assert_eq!(caller(1, Way::default()).way_onward(0).tracestate(), None);
        let first = caller(2, Way::default()).way_onward(3);
        let text = first.tracestate().unwrap();
        assert_eq!((text.as_str(), parse_way(text.as_bytes())), ("squall=3-1", Some(first)));
        let ways = [(1, 0), (2, 0), (1, 1)].map(|(attempt, number)| caller(attempt, first).way_onward(number));
        assert!(ways[0] != ways[1] && ways[0].branch != ways[2].branch && ways[0].lineage == ways[2].lineage);
        assert_eq!(parse_way(b"other=1"), None);
    }

    #[test]
    fn the_call_travels_in_the_traceparent() {
        let text = b"00-00000000000000000000001100000003-0000000000000002-01";
        assert_eq!(parse_traceparent(text), Some((CallId::new(17, 3), 2)));
        assert_eq!(parse_traceparent(b"00-zz"), None);
        assert_eq!(parse_traceparent(&[0xFF; 55]), None);
    }
}
