//! From what the layers of a client tell to what the record says.

use std::sync::Arc;

use super::world::Directory;
use crate::record::{CallId, ConnectionChange, Kind, Recorder};
use crate::resilience::{BreakerState, ConnectionState, Event, EventKind, Observer};

/// Writes down what one client's layers do.
pub(super) struct Scribe {
    pub(super) recorder: Recorder,
    pub(super) directory: Arc<Directory>,
    pub(super) client: u32,
}

impl Observer for Scribe {
    fn on(&self, event: &Event) {
        let kind = match event.call {
            // A breaker tells which call moved it; it is the client's all the same.
            Some(_) if matches!(event.kind, EventKind::BreakerTransition { .. }) => self.of_client(&event.kind),
            Some(call) => of_call(CallId::from_bits(call.0), event.attempt, &event.kind),
            None => self.of_client(&event.kind),
        };
        if let Some(kind) = kind {
            self.recorder.record(kind);
        }
    }
}

/// Writes down the attempts that one server makes in the tiers it calls.
pub(super) struct TierScribe {
    pub(super) recorder: Recorder,
    pub(super) server: u32,
}

impl Observer for TierScribe {
    fn on(&self, event: &Event) {
        let Some(call) = event.call.map(|call| CallId::from_bits(call.0)) else { return };
        let (server, attempt) = (self.server, event.attempt);
        match &event.kind {
            EventKind::AttemptStarted { .. } => {
                self.recorder.record(Kind::TierAttemptStarted { server, call, attempt });
            }
            EventKind::AttemptEnded { code, origin, .. } => {
                let (code, origin) = ((*code).into(), (*origin).into());
                self.recorder.record(Kind::TierAttemptEnded { server, call, attempt, code, origin });
            }
            _ => {}
        }
    }
}

impl Scribe {
    fn of_client(&self, kind: &EventKind) -> Option<Kind> {
        let client = self.client;
        match kind {
            EventKind::BreakerTransition { to, .. } => Some(Kind::Breaker {
                client,
                closed: match to {
                    BreakerState::Closed => Some(true),
                    BreakerState::Open => Some(false),
                    BreakerState::HalfOpen => None,
                },
            }),
            EventKind::ConnectionState { endpoint, state, .. } => Some(Kind::Connection {
                client,
                server: self.directory.number(endpoint)?,
                change: match state {
                    ConnectionState::Connecting => ConnectionChange::Connecting,
                    ConnectionState::Ready => ConnectionChange::Ready,
                    ConnectionState::TransientFailure => ConnectionChange::Failed,
                    _ => ConnectionChange::Closed,
                },
            }),
            _ => None,
        }
    }
}

fn of_call(call: CallId, attempt: u32, kind: &EventKind) -> Option<Kind> {
    Some(match kind {
        EventKind::AttemptStarted { .. } => Kind::AttemptStarted { call, attempt },
        EventKind::AttemptEnded { code, origin, .. } => {
            Kind::AttemptEnded { call, attempt, code: (*code).into(), origin: (*origin).into() }
        }
        EventKind::RetryScheduled { after, .. } => {
            Kind::RetryScheduled { call, attempt, after_ns: u64::try_from(after.as_nanos()).unwrap_or(u64::MAX) }
        }
        EventKind::RetryStopped { reason, .. } => Kind::RetryStopped { call, attempt, reason: *reason },
        EventKind::Hedged => Kind::Hedged { call, attempt },
        _ => Kind::Rejected { call, by: rejected_by(kind)? },
    })
}

fn rejected_by(kind: &EventKind) -> Option<crate::record::Origin> {
    use crate::record::Origin;
    match kind {
        EventKind::BreakerRejected => Some(Origin::Breaker),
        EventKind::Shed => Some(Origin::Shedder),
        EventKind::LimitRejected => Some(Origin::Limiter),
        EventKind::ThrottleRejected | EventKind::RateLimited => Some(Origin::Throttle),
        _ => None,
    }
}
