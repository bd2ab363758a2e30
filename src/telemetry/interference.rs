//! Where faults may interfere with a request: the service's side of fault injection.
//!
//! Faults live above this module; it only asks them. Everything that is active is asked about every request, each draws
//! on its own, pauses add up, and the first that wants the request to end wins. So two faults at 10 % hit 19 % of the
//! requests, and each hits 10 %.

use std::sync::Arc;
use std::time::Duration;

use super::Caller;
use crate::scenario::SpoiltAnswer;

/// Something that may interfere with requests while it is active.
pub trait Interference: Send + Sync {
    /// What it does to this request, if anything. Asked once a request, on arrival, in the order of arrival.
    fn interrupt(&self, caller: &Caller, method: &str) -> Option<Interruption>;
}

/// What happens to one request.
#[derive(Clone, Debug)]
pub struct Interruption {
    /// Before or after the handler.
    pub moment: Moment,
    /// How long it is held up there.
    pub pause: Duration,
    /// How it ends there; `None` if it goes on.
    pub end: Option<End>,
}

/// A moment in the life of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing has been done yet.
    BeforeHandler,
    /// The handler has committed its work.
    AfterHandler,
}

/// How an interrupted request ends.
#[derive(Clone, Debug)]
pub enum End {
    /// With this status, in Trailers-Only headers.
    Status(tonic::Status),
    /// The stream is reset with this code.
    Reset(h2::Reason),
    /// Something answers that speaks HTTP but not gRPC.
    Http(http::StatusCode),
    /// The answer comes, but not as it should be.
    Spoil(SpoiltAnswer),
    /// Headers and trailers of the answer are set to these values.
    Metadata(http::HeaderMap, http::HeaderMap),
}

/// What all active faults together do to one request.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) before: Stop,
    pub(super) after: Stop,
}

#[derive(Debug, Default)]
pub(super) struct Stop {
    pub(super) pause: Duration,
    pub(super) end: Option<End>,
}

impl Verdict {
    pub(super) fn of(faults: &[Arc<dyn Interference>], caller: &Caller, method: &str) -> Self {
        let mut verdict = Self::default();
        for interruption in faults.iter().filter_map(|fault| fault.interrupt(caller, method)) {
            let stop = match interruption.moment {
                Moment::BeforeHandler => &mut verdict.before,
                Moment::AfterHandler => &mut verdict.after,
            };
            stop.pause += interruption.pause;
            if stop.end.is_none() {
                stop.end = interruption.end;
            }
        }
        verdict
    }
}
