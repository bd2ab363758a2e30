//! How an attempt or a call ended, and who said so.
//!
//! A code alone does not say whom to blame: DEADLINE_EXCEEDED from the client's own timer is final, the same code from a
//! server may be retried, and a breaker's UNAVAILABLE says nothing about the network. So every outcome carries its origin.

use std::fmt;

use http::{HeaderMap, HeaderName};
use tonic::Code;

use super::call::header;

/// Where the code of a call's end stands.
pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Who produced a status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// The server's handler, or something between it and the wire: the code travelled in headers, trailers or a reset.
    Server,
    /// The connection: refused, lost, timed out, or not there.
    Network,
    /// The deadline of the whole call, on the client's clock.
    ClientDeadline,
    /// The bound on one attempt, on the client's clock.
    AttemptTimeout,
    /// An open circuit breaker.
    Breaker,
    /// A budget for retries that is spent.
    Budget,
    /// Load shedding or admission control.
    Shedder,
    /// A concurrency limit.
    Limiter,
    /// A rate limit, or adaptive throttling of a client.
    Throttle,
    /// The caller gave up.
    Cancelled,
    /// A fallback answered in place of the server.
    Fallback,
}

impl Origin {
    /// All origins, in the order in which reports list them.
    pub const ALL: [Self; 11] = [
        Self::Server,
        Self::Network,
        Self::ClientDeadline,
        Self::AttemptTimeout,
        Self::Breaker,
        Self::Budget,
        Self::Shedder,
        Self::Limiter,
        Self::Throttle,
        Self::Cancelled,
        Self::Fallback,
    ];

    /// The name in reports: lower case, words joined by underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Network => "network",
            Self::ClientDeadline => "client_deadline",
            Self::AttemptTimeout => "attempt_timeout",
            Self::Breaker => "breaker",
            Self::Budget => "budget",
            Self::Shedder => "shedder",
            Self::Limiter => "limiter",
            Self::Throttle => "throttle",
            Self::Cancelled => "cancelled",
            Self::Fallback => "fallback",
        }
    }

    /// Whether a layer of this client turned the attempt away before anything was sent.
    #[must_use]
    pub const fn is_local_rejection(self) -> bool {
        matches!(self, Self::Breaker | Self::Budget | Self::Shedder | Self::Limiter | Self::Throttle)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an attempt or a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The gRPC status code.
    pub code: Code,
    /// Who produced it.
    pub origin: Origin,
}

impl Outcome {
    /// The server answered OK.
    pub const OK: Self = Self { code: Code::Ok, origin: Origin::Server };
    /// The caller dropped the call before it ended.
    pub const CANCELLED: Self = Self { code: Code::Cancelled, origin: Origin::Cancelled };

    /// A code sent by the server.
    #[must_use]
    pub const fn server(code: Code) -> Self {
        Self { code, origin: Origin::Server }
    }

    /// Whether the code is OK.
    #[must_use]
    pub fn is_ok(self) -> bool {
        self.code == Code::Ok
    }

    /// The outcome that a block of headers or trailers announces, if it carries a `grpc-status`.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Self> {
        header(headers, &GRPC_STATUS).map(|value| Self::server(Code::from_bytes(value.as_bytes())))
    }
}

/// A set of status codes.
///
/// ```
/// use squall::resilience::Codes;
/// use tonic::Code;
/// let codes = Codes::of(&[Code::Unavailable, Code::Aborted]);
/// assert!(codes.contains(Code::Aborted) && !codes.contains(Code::Ok));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Codes(u32);

impl Codes {
    /// No code.
    pub const NONE: Self = Self(0);
    /// What a network or an overloaded server says: UNAVAILABLE alone.
    pub const UNAVAILABLE: Self = Self::of(&[Code::Unavailable]);
    /// Codes that say something about the health of a server, not about the request: UNKNOWN, DEADLINE_EXCEEDED,
    /// RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, DATA_LOSS.
    pub const UNHEALTHY: Self = Self::of(&[
        Code::Unknown,
        Code::DeadlineExceeded,
        Code::ResourceExhausted,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
    ]);

    /// The set of these codes.
    #[must_use]
    pub const fn of(codes: &[Code]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < codes.len() {
            bits |= 1 << codes[i] as u32;
            i += 1;
        }
        Self(bits)
    }

    /// Whether `code` is one of them.
    #[must_use]
    pub const fn contains(self, code: Code) -> bool {
        self.0 & (1 << code as u32) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// These codes and those of `other`.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The codes, in numeric order.
    pub fn iter(self) -> impl Iterator<Item = Code> {
        (0..=16).map(Code::from).filter(move |code| self.contains(*code))
    }
}

impl FromIterator<Code> for Codes {
    fn from_iter<I: IntoIterator<Item = Code>>(codes: I) -> Self {
        codes.into_iter().fold(Self::NONE, |set, code| set.union(Self::of(&[code])))
    }
}

/// The name of a code as the gRPC specification writes it: `UNAVAILABLE`.
#[must_use]
pub const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The code of a name in any case, or of a decimal number: what service configs allow.
#[must_use]
pub fn code_from_name(name: &str) -> Option<Code> {
    if let Ok(number) = name.parse::<i32>() {
        return (0..=16).contains(&number).then(|| Code::from(number));
    }
    (0..=16).map(Code::from).find(|code| code_name(*code).eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_of_the_specification_both_ways() {
        for number in 0..=16 {
            let code = Code::from(number);
            assert_eq!(code_from_name(code_name(code)), Some(code));
            assert_eq!(code_from_name(&code_name(code).to_lowercase()), Some(code));
            assert_eq!(code_from_name(&number.to_string()), Some(code));
        }
        assert_eq!(code_from_name("17"), None);
        assert_eq!(code_from_name("UNAVAILIBLE"), None);
    }

    #[test]
    fn a_set_lists_what_was_put_in() {
        let codes: Codes = [Code::Unavailable, Code::Cancelled].into_iter().collect();
        assert_eq!(codes.iter().collect::<Vec<_>>(), [Code::Cancelled, Code::Unavailable]);
        assert!(Codes::NONE.is_empty());
    }
}
