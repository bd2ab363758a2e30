//! Failures made on this side of the wire, and how to recognise them after tonic has turned them into a `Status`.
//!
//! Rule: what the server said travels as an `Ok` response with a `grpc-status`; what this process decided travels as an
//! `Err` holding a [`Failure`]. tonic keeps a failure as the source of the status it hands to the application, so that
//! [`origin_of`] can tell a breaker's UNAVAILABLE from the server's.

use std::error::Error;
use std::fmt;

use tonic::{Code, Status, TimeoutExpired};

use super::{Origin, Outcome};

/// The error of every service here: boxed, as tower and tonic have it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A call or an attempt that failed on this side of the wire. A layer of one's own fails with one, so that others know who spoke.
///
/// ```
/// use squall::resilience::{Failure, Origin, Outcome};
/// use tonic::Code;
/// let full = Failure::new(Code::ResourceExhausted, Origin::Limiter, "too many uploads under way");
/// assert_eq!(full.outcome(), Outcome { code: Code::ResourceExhausted, origin: Origin::Limiter });
/// assert!(full.is_unprocessed(), "no server has seen it");
/// ```
#[derive(Debug)]
pub struct Failure {
    status: Status,
    origin: Origin,
    unprocessed: bool,
}

impl Failure {
    /// A failure with a code, its producer, and one sentence for people.
    #[must_use]
    pub fn new(code: Code, origin: Origin, message: impl Into<String>) -> Self {
        Self { status: Status::new(code, message), origin, unprocessed: false }
    }

    /// Marks it as certain not to have been seen by any application on the server.
    #[must_use]
    pub fn unprocessed(mut self) -> Self {
        self.unprocessed = true;
        self
    }

    /// Whether no application on the server can have seen the request.
    #[must_use]
    pub const fn is_unprocessed(&self) -> bool {
        self.unprocessed || self.origin.is_local_rejection()
    }

    /// The status code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.status.code()
    }

    /// Who produced it.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// Code and origin.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome { code: self.code(), origin: self.origin }
    }

    /// What happened, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        self.status.message()
    }

    /// The failure inside an error, however deep.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        chain(error).find_map(|error| error.downcast_ref())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.status.message())
    }
}

/// The source is the status: there tonic looks for the code.
impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.status)
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        Self::from_error(Box::new(failure))
    }
}

/// Who produced the status of a finished call, as the application sees it.
///
/// ```
/// use squall::resilience::{Failure, Origin, origin_of};
/// use tonic::{Code, Status};
/// let shed = Failure::new(Code::Unavailable, Origin::Shedder, "too much to do");
/// assert_eq!(origin_of(&Status::from(shed)), Origin::Shedder);
/// assert_eq!(origin_of(&Status::unavailable("from the wire")), Origin::Server);
/// ```
#[must_use]
pub fn origin_of(status: &Status) -> Origin {
    status.source().map_or(Origin::Server, |source| outcome_of_error(source).origin)
}

/// Code and origin of an error of any service: ours, tonic's channel, hyper.
pub(crate) fn outcome_of_error(error: &(dyn Error + 'static)) -> Outcome {
    for error in chain(error) {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return failure.outcome();
        }
        if let Some(status) = error.downcast_ref::<Status>() {
            return Outcome { code: status.code(), origin: origin_of(status) };
        }
        // tonic's own timeout calls itself CANCELLED: the code is kept, so that users see what tonic does.
        if error.is::<TimeoutExpired>() {
            return Outcome { code: Code::Cancelled, origin: Origin::ClientDeadline };
        }
        if error.is::<tonic::ConnectError>() {
            return Outcome { code: Code::Unavailable, origin: Origin::Network };
        }
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return outcome_of_h2(error);
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_timeout() {
                return Outcome { code: Code::Unavailable, origin: Origin::Network };
            }
            if error.is_canceled() {
                return Outcome { code: Code::Cancelled, origin: Origin::Network };
            }
        }
    }
    Outcome { code: Code::Unknown, origin: Origin::Network }
}

/// The code of an HTTP/2 error, after the table in grpc/grpc `doc/PROTOCOL-HTTP2.md`, "Errors".
///
/// A lost connection is UNAVAILABLE whatever its last words were; only the reset of one stream has a code of its own.
pub(crate) fn outcome_of_h2(error: &h2::Error) -> Outcome {
    use h2::Reason;
    if !error.is_reset() {
        return Outcome { code: Code::Unavailable, origin: Origin::Network };
    }
    let code = match error.reason() {
        Some(Reason::REFUSED_STREAM) => Code::Unavailable,
        Some(Reason::CANCEL) => Code::Cancelled,
        Some(Reason::ENHANCE_YOUR_CALM) => Code::ResourceExhausted,
        Some(Reason::INADEQUATE_SECURITY) => Code::PermissionDenied,
        Some(
            Reason::NO_ERROR
            | Reason::PROTOCOL_ERROR
            | Reason::INTERNAL_ERROR
            | Reason::FLOW_CONTROL_ERROR
            | Reason::SETTINGS_TIMEOUT
            | Reason::FRAME_SIZE_ERROR
            | Reason::COMPRESSION_ERROR
            | Reason::CONNECT_ERROR,
        ) => Code::Internal,
        _ => Code::Unknown,
    };
    Outcome { code, origin: if error.is_remote() { Origin::Server } else { Origin::Network } }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_survives_every_way_to_a_status() {
        let failure = || Failure::new(Code::ResourceExhausted, Origin::Limiter, "full");
        for status in [
            Status::from_error(Box::new(failure())),
            Status::from(failure()),
            Status::from_error(Box::new(Status::from(failure()))),
        ] {
            assert_eq!((status.code(), origin_of(&status)), (Code::ResourceExhausted, Origin::Limiter));
            assert_eq!(status.message(), "full");
        }
    }

    #[test]
    fn resets_have_the_codes_of_the_specification() {
        use h2::Reason;
        // A reason alone, as h2 makes it, is an error of the library: neither a reset nor remote.
        assert_eq!(outcome_of_h2(&h2::Error::from(Reason::CANCEL)).code, Code::Unavailable);
    }
}
