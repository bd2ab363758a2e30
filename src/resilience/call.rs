//! Who a call is: its number, its attempt, its deadline, whether it may run twice.
//!
//! Layers learn from the request what outer layers decided, and say what inner ones need: one extension, a [`Call`], changed in
//! place. A caller sets what it knows; the first layer begins one for a caller that said nothing.
//!
//! Rule: a call has one extension, not one for each thing there is to say: an extension costs an allocation and every look at
//! it a search, and five layers look.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tonic::Code;

use super::retry::Numbers;
use super::{Ambient, Origin, Outcome};
use crate::clock::{self, Instant};

/// The number of a call. Without one layers number calls themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// When a call must have ended, on this process's clock. A handler hands it on to the calls it makes, so that what remains
/// of the caller's time bounds them too.
///
/// ```
/// use squall::resilience::{Call, CallDeadline};
/// # let incoming = tonic::Request::new(());
/// let mut downstream = tonic::Request::new(());
/// if let Some(deadline) = CallDeadline::of_metadata(incoming.metadata()) {
///     downstream.extensions_mut().insert(Call::new().deadline(deadline));
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallDeadline(pub Instant);

impl CallDeadline {
    /// The deadline that the `grpc-timeout` of a request received just now sets.
    #[must_use]
    pub fn of_metadata(metadata: &tonic::metadata::MetadataMap) -> Option<Self> {
        Self::of_headers(metadata.as_ref())
    }

    /// The same for a raw request.
    #[must_use]
    pub fn of_headers(headers: &HeaderMap) -> Option<Self> {
        timeout_of(headers).map(|timeout| Self(clock::now() + timeout))
    }
}

/// Whether a call may be executed more than once.
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

/// How much a call matters: said in a [`Call`], or by the header `x-criticality` on the wire. Under overload the least
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
        if let Some(marked) = request.extensions().get::<Call>().and_then(|call| call.criticality) {
            return marked;
        }
        let header = header(request.headers(), &Self::HEADER).map(HeaderValue::as_bytes);
        [Self::Sheddable, Self::SheddablePlus, Self::CriticalPlus]
            .into_iter()
            .find(|level| header == Some(level.name().as_bytes()))
            .unwrap_or_default()
    }
}

pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// What a caller says of a call, and what the layers tell each other about it: a request extension.
///
/// ```
/// use squall::resilience::{Call, CallId, Idempotency};
/// let mut request = tonic::Request::new(());
/// request.extensions_mut().insert(Call::new().id(CallId(7)).idempotency(Idempotency::Idempotent));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a call says something only as an extension of a request"]
pub struct Call {
    id: Option<CallId>,
    /// The number of the attempt that this request is, from 1.
    pub(crate) attempt: u32,
    /// How many attempts the server may have seen before, for `grpc-previous-rpc-attempts`.
    pub(crate) previous: u32,
    pub(crate) deadline: Option<Instant>,
    /// Whose deadline it is.
    pub(crate) deadline_origin: Origin,
    /// Whether a layer ends the call at its deadline: a caller's alone is left to the channel.
    pub(crate) watched: bool,
    pub(crate) idempotency: Idempotency,
    criticality: Option<Criticality>,
    pub(crate) wait_for_ready: Option<bool>,
    /// Where layers that start further attempts take their numbers from, once there is such a layer.
    numbers: Option<Numbers>,
    /// When `grpc-timeout` was last written.
    stamped: Instant,
}

/// Says nothing.
impl Default for Call {
    fn default() -> Self {
        Self {
            id: None,
            attempt: 1,
            previous: 0,
            deadline: None,
            deadline_origin: Origin::ClientDeadline,
            watched: false,
            idempotency: Idempotency::Unmarked,
            criticality: None,
            wait_for_ready: None,
            numbers: None,
            stamped: Instant::NEVER,
        }
    }
}

impl Call {
    /// A call of which nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its number, in events, in `traceparent` and for random draws.
    pub fn id(mut self, id: CallId) -> Self {
        self.id = Some(id);
        self
    }

    /// When it must have ended, whatever the strategy allows.
    pub fn deadline(mut self, deadline: CallDeadline) -> Self {
        self.deadline = Some(deadline.0);
        self
    }

    /// Whether it may run twice.
    pub fn idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = idempotency;
        self
    }

    /// How much it matters. Goes before the header.
    pub fn criticality(mut self, criticality: Criticality) -> Self {
        self.criticality = Some(criticality);
        self
    }

    /// Whether it waits for a connection even after connecting has failed. Goes before the channel's own setting.
    pub fn wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = Some(wait);
        self
    }

    /// What `request` says, begun if this is the first layer to ask.
    pub(crate) fn of<'a, B>(request: &'a mut Request<B>, ambient: &Ambient) -> &'a mut Self {
        let call = request.extensions_mut().get_or_insert_with(Self::default);
        call.id.get_or_insert_with(|| ambient.next_call());
        call
    }

    /// The same, with its deadline: a caller that wrote a `grpc-timeout` of its own, as tonic's `set_timeout` does, has set one.
    pub(crate) fn timed<'a, B>(request: &'a mut Request<B>, ambient: &Ambient, now: Instant) -> &'a mut Self {
        let written = match request.extensions().get::<Self>().and_then(|call| call.deadline) {
            Some(_) => None,
            None => timeout_of(request.headers()),
        };
        let call = Self::of(request, ambient);
        if let Some(timeout) = written {
            call.bound(now + timeout, Origin::ClientDeadline);
        }
        call
    }

    /// The number it was begun with.
    pub(crate) fn number(&self) -> CallId {
        self.id.unwrap_or(CallId(0))
    }

    /// Prepares for further attempts: from now on all clones number them together. Numbers taken elsewhere already go on.
    pub(crate) fn number_from(&mut self, numbers: impl FnOnce() -> Numbers) {
        self.numbers.get_or_insert_with(numbers);
    }

    /// Makes this the context of one more attempt.
    pub(crate) fn advance(&mut self, previous: u32) {
        self.attempt = self.numbers.as_ref().map_or(self.attempt + 1, Numbers::take);
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

    /// Forgets that `grpc-timeout` was written, after the deadline has changed.
    pub(crate) fn unstamp(&mut self) {
        self.stamped = Instant::NEVER;
    }

    /// Whether `grpc-timeout` has to be written, and with what remains; notes that it is.
    fn stamp(&mut self, now: Instant) -> Option<Duration> {
        let deadline = self.deadline?;
        let stale = self.stamped == Instant::NEVER || now - self.stamped >= STAMP_SLACK;
        stale.then(|| {
            self.stamped = now;
            deadline - now
        })
    }
}

/// How stale a written `grpc-timeout` may grow before it is written again: its only use is to let the server give up, and
/// every writing allocates.
const STAMP_SLACK: Duration = Duration::from_millis(1);

/// Writes what remains of the call's time into `grpc-timeout`.
pub(crate) fn stamp_deadline<B>(request: &mut Request<B>, ambient: &Ambient, now: Instant) {
    if let Some(rest) = Call::of(request, ambient).stamp(now) {
        request.headers_mut().insert(GRPC_TIMEOUT, format_timeout(rest));
    }
}

/// Writes it anew, if it stands there and the request has waited since.
pub(crate) fn restamp_deadline<B>(request: &mut Request<B>, ambient: &Ambient, now: Instant) {
    if Call::of(request, ambient).stamped != Instant::NEVER {
        stamp_deadline(request, ambient, now);
    }
}

/// Writes the same, where all of `whole` remains and is formatted already.
pub(crate) fn stamp_whole<B>(request: &mut Request<B>, ambient: &Ambient, now: Instant, whole: &HeaderValue) {
    if Call::of(request, ambient).stamp(now).is_some() {
        request.headers_mut().insert(GRPC_TIMEOUT, whole.clone());
    }
}

/// How many headers are looked through one by one before hashing the name is quicker.
const FEW_HEADERS: usize = 8;

/// The value of a header. Every layer looks for the status in two blocks of two or three headers.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    if headers.len() > FEW_HEADERS {
        return headers.get(name);
    }
    headers.iter().find_map(|(key, value)| (key == name).then_some(value))
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

/// How long the `grpc-timeout` of a request allows, if it has one.
fn timeout_of(headers: &HeaderMap) -> Option<Duration> {
    parse_timeout(header(headers, &GRPC_TIMEOUT)?.as_bytes())
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
    use super::super::retry::Replay;
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
    fn timeouts_are_read_in_every_unit() {
        let seconds = Duration::from_secs;
        for (text, expected) in [
            ("2S", seconds(2)),
            ("3M", seconds(180)),
            ("99999999H", seconds(99_999_999 * 3600)),
            ("1500m", Duration::from_millis(1500)),
            ("250u", Duration::from_micros(250)),
            ("1n", Duration::from_nanos(1)),
        ] {
            assert_eq!(parse_timeout(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn malformed_timeouts_are_no_timeouts() {
        for text in ["", "1", "S", "123456789S", "-1S", "1s", "1.5S", " 1S"] {
            assert_eq!(parse_timeout(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn attempts_of_one_call_have_distinct_numbers_whoever_starts_them() {
        let mut outer = Call::new();
        let (replay, _) = Replay::keep(Request::new(tonic::body::Body::empty()), 0, 1);
        outer.number_from(|| replay.numbers());
        let mut hedge = outer.clone();
        let mut retry = outer.clone();
        retry.number_from(|| panic!("it has numbers already"));
        hedge.advance(1);
        retry.advance(2);
        assert_eq!((outer.attempt, hedge.attempt, retry.attempt), (1, 2, 3));
    }

    #[test]
    fn a_header_is_found_among_few_and_among_many() {
        let mut headers = HeaderMap::new();
        for n in 0..20 {
            assert_eq!(header(&headers, &GRPC_TIMEOUT), None, "{n}");
            headers.insert(HeaderName::try_from(format!("x-{n}")).unwrap(), HeaderValue::from(n));
            let mut with = headers.clone();
            with.insert(GRPC_TIMEOUT, HeaderValue::from_static("1S"));
            assert_eq!(header(&with, &GRPC_TIMEOUT).unwrap(), "1S", "{n}");
        }
    }
}
