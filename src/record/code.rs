//! How an attempt or a call ended, and who said so.
//!
//! A code alone misleads: `UNAVAILABLE` may come from the server, from a broken connection or from a breaker that never
//! let the call out. Codes are therefore always counted together with their origin.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A gRPC status code, written as in the specification (`DEADLINE_EXCEEDED`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each is documented by the gRPC specification under its name")]
pub enum Code {
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

impl Code {
    const ALL: [(Self, &'static str); 17] = [
        (Self::Ok, "OK"),
        (Self::Cancelled, "CANCELLED"),
        (Self::Unknown, "UNKNOWN"),
        (Self::InvalidArgument, "INVALID_ARGUMENT"),
        (Self::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        (Self::NotFound, "NOT_FOUND"),
        (Self::AlreadyExists, "ALREADY_EXISTS"),
        (Self::PermissionDenied, "PERMISSION_DENIED"),
        (Self::ResourceExhausted, "RESOURCE_EXHAUSTED"),
        (Self::FailedPrecondition, "FAILED_PRECONDITION"),
        (Self::Aborted, "ABORTED"),
        (Self::OutOfRange, "OUT_OF_RANGE"),
        (Self::Unimplemented, "UNIMPLEMENTED"),
        (Self::Internal, "INTERNAL"),
        (Self::Unavailable, "UNAVAILABLE"),
        (Self::DataLoss, "DATA_LOSS"),
        (Self::Unauthenticated, "UNAUTHENTICATED"),
    ];

    /// Every code, in the order of the specification.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().map(|(code, _)| code)
    }

    /// Its name in the specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

impl From<tonic::Code> for Code {
    fn from(code: tonic::Code) -> Self {
        // The discriminants of `tonic::Code` are the numbers of the specification, which `ALL` follows.
        Self::ALL[code as usize].0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Who produced a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// The server answered with it.
    Server,
    /// The connection failed, or could not be made.
    Network,
    /// The client's own timer ran out.
    ClientDeadline,
    /// The client's timer for one attempt ran out.
    AttemptTimeout,
    /// A circuit breaker held the call back.
    Breaker,
    /// A retry or hedging budget held the call back.
    Budget,
    /// A load shedder or admission control refused the call.
    Shedder,
    /// A limit on concurrency refused the call.
    Limiter,
    /// A limit on the rate, or adaptive throttling, refused the call.
    Throttle,
    /// A fallback answered in the server's stead.
    Fallback,
    /// The caller gave up, or the run ended.
    Cancelled,
    /// The client's own library could not go on.
    Client,
}

impl Origin {
    const ALL: [Self; 12] = [
        Self::Server,
        Self::Network,
        Self::ClientDeadline,
        Self::AttemptTimeout,
        Self::Breaker,
        Self::Budget,
        Self::Shedder,
        Self::Limiter,
        Self::Throttle,
        Self::Fallback,
        Self::Cancelled,
        Self::Client,
    ];

    /// Every origin, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }

    /// Its name in reports.
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
            Self::Fallback => "fallback",
            Self::Cancelled => "cancelled",
            Self::Client => "client",
        }
    }
}

impl From<crate::resilience::Origin> for Origin {
    fn from(origin: crate::resilience::Origin) -> Self {
        use crate::resilience::Origin as Layer;
        match origin {
            Layer::Server => Self::Server,
            Layer::Network => Self::Network,
            Layer::ClientDeadline => Self::ClientDeadline,
            Layer::AttemptTimeout => Self::AttemptTimeout,
            Layer::Breaker => Self::Breaker,
            Layer::Budget => Self::Budget,
            Layer::Shedder => Self::Shedder,
            Layer::Limiter => Self::Limiter,
            Layer::Throttle => Self::Throttle,
            Layer::Fallback => Self::Fallback,
            Layer::Cancelled => Self::Cancelled,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_follow_the_numbers_of_the_specification() {
        for number in 0..17_i32 {
            let code = Code::from(tonic::Code::from_i32(number));
            assert_eq!(code as i32, number);
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        }
    }

    #[test]
    fn origins_stand_in_the_order_of_their_numbers() {
        for (number, origin) in Origin::all().enumerate() {
            assert_eq!((origin as usize, serde_json::to_value(origin).unwrap()), (number, origin.name().into()));
        }
    }
}
