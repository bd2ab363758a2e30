//! Who a call is: its number, its attempt, its deadline, whether it may run twice.
//!
//! Layers learn from the request what outer layers decided, and say what inner ones need: one extension, changed in place.
//! They work without any of it; a caller sets only what it knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Request};

use tonic::Code;

use super::{Ambient, Origin, Outcome};
use crate::clock::{self, Instant};

/// The number of a call: an `http::Request` (or `tonic::Request`) extension. Without it layers number calls themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// When a call must have ended, on this process's clock: a request extension that a handler hands on to the calls it makes,
/// so that what remains of the caller's time bounds them too.
///
/// ```
/// use squall::resilience::CallDeadline;
/// # let incoming = tonic::Request::new(());
/// let mut downstream = tonic::Request::new(());
/// if let Some(deadline) = CallDeadline::of_metadata(incoming.metadata()) {
///     downstream.extensions_mut().insert(deadline);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallDeadline(pub Instant);

impl CallDeadline {
    /// The deadline that the `grpc-timeout` of a request received just now sets.
    #[must_use]
    pub fn of_metadata(metadata: &tonic::metadata::MetadataMap) -> Option<Self> {
        parse_timeout(metadata.get(GRPC_TIMEOUT.as_str())?.as_encoded_bytes())
            .map(|timeout| Self(clock::now() + timeout))
    }

    /// The same for a raw request.
    #[must_use]
    pub fn of_headers(headers: &HeaderMap) -> Option<Self> {
        parse_timeout(headers.get(&GRPC_TIMEOUT)?.as_bytes()).map(|timeout| Self(clock::now() + timeout))
    }
}

/// Whether a call may be executed more than once: a request extension.
///
/// UNAVAILABLE does not prove that nothing ran. A call marked as not idempotent is repeated only after failures that do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idempotency {
    /// The caller did not say: the strategy decides.
    #[default]
    Unmarked,
    /// Running twice is as good as running once.
    Idempotent,
    /// Running twice does harm.
    NotIdempotent,
}

/// Whether a call waits for a connection even after connecting has failed: a request extension. It goes before the channel's
/// own setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitForReady(pub bool);

/// How much a call matters: a request extension, and the header `x-criticality` on the wire. Under overload the least
/// critical calls are turned away first.
///
/// Source: SRE book, "Handling Overload", criticality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Criticality {
    /// May fail now and then, for minutes even.
    Sheddable,
    /// Batch work that can be tried again much later.
    SheddablePlus,
    /// What production traffic is.
    #[default]
    Critical,
    /// Failing it hurts users seriously.
    CriticalPlus,
}

impl Criticality {
    /// The header that carries it.
    pub const HEADER: HeaderName = HeaderName::from_static("x-criticality");

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sheddable => "sheddable",
            Self::SheddablePlus => "sheddable_plus",
            Self::Critical => "critical",
            Self::CriticalPlus => "critical_plus",
        }
    }

    /// What a request says of itself, in its extensions or its headers.
    #[must_use]
    pub fn of<B>(request: &Request<B>) -> Self {
        if let Some(marked) = request.extensions().get::<Self>() {
            return *marked;
        }
        let header = request.headers().get(Self::HEADER).map(HeaderValue::as_bytes);
        [Self::Sheddable, Self::SheddablePlus, Self::CriticalPlus]
            .into_iter()
            .find(|level| header == Some(level.name().as_bytes()))
            .unwrap_or_default()
    }
}

pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// What the layers tell each other about a call.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) id: CallId,
    /// The number of the attempt that this request is, from 1.
    pub(crate) attempt: u32,
    /// How many attempts the server may have seen before, for `grpc-previous-rpc-attempts`.
    pub(crate) previous: u32,
    pub(crate) deadline: Option<Instant>,
    /// Whose deadline it is.
    pub(crate) deadline_origin: Origin,
    pub(crate) idempotency: Idempotency,
    /// Looked up once: every gate asks.
    pub(crate) criticality: Criticality,
    /// The highest attempt number given out; layers that start further attempts share it.
    numbers: Option<Arc<AtomicU32>>,
    /// When `grpc-timeout` was last written.
    stamped: Instant,
}

impl Context {
    /// The context of `request`, begun if this is the first layer to ask.
    pub(crate) fn of<'a, B>(request: &'a mut Request<B>, ambient: &Ambient) -> &'a mut Self {
        if request.extensions().get::<Self>().is_none() {
            let criticality = Criticality::of(request);
            let extensions = request.extensions_mut();
            let context = Self {
                id: extensions.get::<CallId>().copied().unwrap_or_else(|| ambient.next_call()),
                attempt: 1,
                previous: 0,
                deadline: extensions.get::<CallDeadline>().map(|deadline| deadline.0),
                deadline_origin: Origin::ClientDeadline,
                idempotency: extensions.get::<Idempotency>().copied().unwrap_or_default(),
                criticality,
                numbers: None,
                stamped: Instant::NEVER,
            };
            extensions.insert(context);
        }
        request.extensions_mut().get_mut().expect("it was inserted above")
    }

    /// Prepares for further attempts: from now on all clones number them together.
    pub(crate) fn share_numbers(&mut self) {
        self.numbers.get_or_insert_with(|| Arc::new(AtomicU32::new(self.attempt)));
    }

    /// Makes this the context of one more attempt.
    pub(crate) fn advance(&mut self, previous: u32) {
        self.share_numbers();
        let highest = self.numbers.as_ref().map_or(self.attempt, |numbers| numbers.fetch_add(1, Ordering::Relaxed));
        self.attempt = highest + 1;
        self.previous = previous;
    }

    /// Bounds the call; an earlier deadline stays.
    pub(crate) fn bound(&mut self, deadline: Instant, origin: Origin) {
        if self.deadline.is_none_or(|earlier| deadline < earlier) {
            self.deadline = Some(deadline);
            self.deadline_origin = origin;
        }
    }

    /// What it means that the attempt is dropped at `now`: its deadline, or the caller's change of mind.
    pub(crate) fn dropped(deadline: Option<(Instant, Origin)>, now: Instant) -> Outcome {
        match deadline {
            Some((at, origin)) if now >= at => Outcome { code: Code::DeadlineExceeded, origin },
            _ => Outcome::CANCELLED,
        }
    }
}

/// How stale a written `grpc-timeout` may grow before it is written again: its only use is to let the server give up, and
/// every writing allocates.
const STAMP_SLACK: Duration = Duration::from_millis(1);

/// Writes what remains of the call's time into `grpc-timeout`.
pub(crate) fn stamp_deadline<B>(request: &mut Request<B>, ambient: &Ambient, now: Instant) {
    let context = Context::of(request, ambient);
    let Some(deadline) = context.deadline else { return };
    let stale = context.stamped == Instant::NEVER || now - context.stamped >= STAMP_SLACK;
    if stale {
        context.stamped = now;
        request.headers_mut().insert(GRPC_TIMEOUT, format_timeout(deadline - now));
    }
}

/// Forgets that the deadline was written, after it has changed.
pub(crate) fn unstamp<B>(request: &mut Request<B>, ambient: &Ambient) {
    Context::of(request, ambient).stamped = Instant::NEVER;
}

/// A `grpc-timeout`: at most eight digits and a unit, rounded up, so that the server never gives up before the client.
pub(crate) fn format_timeout(timeout: Duration) -> HeaderValue {
    const UNITS: [(u128, u8); 6] = [
        (1, b'n'),
        (1_000, b'u'),
        (1_000_000, b'm'),
        (1_000_000_000, b'S'),
        (60_000_000_000, b'M'),
        (3_600_000_000_000, b'H'),
    ];
    let nanos = timeout.as_nanos();
    let (count, unit) = UNITS
        .into_iter()
        .map(|(size, unit)| (nanos.div_ceil(size), unit))
        .find(|(count, _)| *count < 100_000_000)
        .unwrap_or((99_999_999, b'H'));
    let mut text = [0_u8; 9];
    let mut at = text.len() - 1;
    text[at] = unit;
    let mut rest = count;
    loop {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    HeaderValue::from_bytes(&text[at..]).expect("digits and a letter")
}

/// The duration of a `grpc-timeout`, or `None` if it is malformed.
pub(crate) fn parse_timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count = digits.iter().fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    match unit {
        b'n' => Some(Duration::from_nanos(count)),
        b'u' => Some(Duration::from_micros(count)),
        b'm' => Some(Duration::from_millis(count)),
        b'S' => Some(Duration::from_secs(count)),
        b'M' => Some(Duration::from_secs(count * 60)),
        b'H' => Some(Duration::from_secs(count * 3600)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server's copy of a deadline may lie later than the client's, never earlier.
    #[test]
    fn timeouts_have_at_most_eight_digits_and_round_up() {
        let check = |nanos: u64, text: &str| {
            let value = format_timeout(Duration::from_nanos(nanos));
            assert_eq!(value.to_str().unwrap(), text);
            assert!(parse_timeout(value.as_bytes()).unwrap() >= Duration::from_nanos(nanos));
        };
        check(0, "0n");
        check(99_999_999, "99999999n");
        check(100_000_000, "100000u");
        check(100_000_001, "100001u");
        check(2_000_000_000, "2000000u");
        check(100_000_000_000, "100000m");
        check(100_000_000_000_001, "100001S");
    }

    #[test]
    fn malformed_timeouts_are_no_timeouts() {
        for text in ["", "1", "S", "123456789S", "-1S", "1s", "1.5S", " 1S"] {
            assert_eq!(parse_timeout(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn attempts_of_one_call_have_distinct_numbers_whoever_starts_them() {
        let ambient = Ambient::default();
        let mut request = Request::new(());
        let outer = Context::of(&mut request, &ambient);
        outer.share_numbers();
        let mut hedge = outer.clone();
        let mut retry = outer.clone();
        hedge.advance(1);
        retry.advance(2);
        assert_eq!((outer.attempt, hedge.attempt, retry.attempt), (1, 2, 3));
    }
}
