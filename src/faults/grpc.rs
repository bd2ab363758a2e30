//! Calls that fare badly inside gRPC: before the handler, after it committed, or with the answer spoilt on the way.
//!
//! It matches every request that its selector admits, and fires on those that its rate draws. Each request is drawn by
//! its own identity and by this fault's key, so that two faults are independent, and a retry draws anew.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tonic::Status;

use super::{Fault, Stage, Window};
use crate::clock::{self, Ramp};
use crate::net::Counts;
use crate::random::Key;
use crate::scenario::{Grpc, GrpcHarm, GrpcWhen, Pushback, Selector, StreamReset};
use crate::telemetry::{Caller, End, Interference, Interruption, Knob, Moment, Tally, Way, Whom};

/// Calls that fare badly inside gRPC.
pub(super) struct GrpcFault {
    grpc: Grpc,
    selector: Selector,
    ramp: Duration,
    key: Key,
    knobs: Vec<Knob>,
    tally: Tally,
}

impl GrpcFault {
    pub(super) fn new(grpc: Grpc, selector: Selector, ramp: Duration, key: Key) -> Self {
        Self { grpc, selector, ramp, key, knobs: Vec::new(), tally: Tally::default() }
    }
}

impl Fault for GrpcFault {
    fn start(&mut self, stage: &Stage, window: Window) {
        let of = Of {
            whom: stage.whom(&self.selector),
            key: self.key.with(window.number),
            ramp: Ramp::rising(clock::now(), self.ramp),
            tally: self.tally.clone(),
        };
        let active: Arc<dyn Interference> = Arc::new(Active::new(self.grpc.clone(), of));
        for replica in stage.replicas(&self.grpc.server) {
            self.knobs.push(replica.interfere(Arc::clone(&active)));
        }
    }

    fn stop(&mut self, stage: &Stage) {
        for (replica, knob) in stage.replicas(&self.grpc.server).zip(self.knobs.drain(..)) {
            replica.undo(knob);
        }
    }

    fn counts(&self, _: &Stage) -> Counts {
        self.tally.counts()
    }
}

/// What a window of a fault has of its own.
pub(super) struct Of {
    /// Names its draws.
    pub(super) key: Key,
    /// Whose calls, and which of them.
    pub(super) whom: Whom,
    /// How its rate grows.
    pub(super) ramp: Ramp,
    /// Who counts.
    pub(super) tally: Tally,
}

/// The fault during one of its windows.
pub(super) struct Active {
    grpc: Grpc,
    of: Of,
}

impl Active {
    pub(super) const fn new(grpc: Grpc, of: Of) -> Self {
        Self { grpc, of }
    }

    fn selects(&self, caller: &Caller, method: &str) -> bool {
        (self.grpc.method.is_empty() || self.grpc.method == method) && self.of.whom.takes_call(caller)
    }

    fn hits(&self, key: Key) -> bool {
        let rate = self.grpc.rate.value() * self.of.ramp.at(clock::now());
        key.named("rate").draw().value() < rate
    }

    fn end(&self) -> Option<End> {
        Some(match &self.grpc.harm {
            GrpcHarm::None => return None,
            GrpcHarm::Status { code, message, pushback } => {
                let mut status = Status::new(*code, message.clone());
                if let Some(millis) = pushback.map(Pushback::millis) {
                    status.metadata_mut().insert("grpc-retry-pushback-ms", millis.into());
                }
                End::Status(status)
            }
            GrpcHarm::Reset(code) => End::Reset(reason(*code)),
            GrpcHarm::Http(status) => End::Http(StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY)),
            GrpcHarm::Answer(how) => End::Spoil(*how),
            GrpcHarm::Metadata { headers, trailers } => End::Metadata(map(headers), map(trailers)),
        })
    }
}

impl Interference for Active {
    fn interrupt(&self, caller: &Caller, method: &str) -> Option<Interruption> {
        if !self.selects(caller, method) {
            return None;
        }
        self.of.tally.matched();
        let mut key = self.of.key.with(caller.call.bits()).with(u64::from(caller.attempt));
        if caller.way != Way::default() {
            key = key.with(caller.way.branch).with(caller.way.lineage);
        }
        if !self.hits(key) {
            return None;
        }
        let (pause, end) = (self.grpc.delay.sample(key.named("delay").draw()), self.end());
        // Held up for no time at all, a call that goes on is as it was.
        if pause.is_zero() && end.is_none() {
            return None;
        }
        self.of.tally.fired();
        let moment = match self.grpc.when {
            GrpcWhen::BeforeHandler => Moment::BeforeHandler,
            GrpcWhen::AfterHandler => Moment::AfterHandler,
        };
        Some(Interruption { moment, pause, end })
    }
}

pub(super) fn reason(code: StreamReset) -> h2::Reason {
    match code {
        StreamReset::NoError => h2::Reason::NO_ERROR,
        StreamReset::ProtocolError => h2::Reason::PROTOCOL_ERROR,
        StreamReset::InternalError => h2::Reason::INTERNAL_ERROR,
        StreamReset::FlowControlError => h2::Reason::FLOW_CONTROL_ERROR,
        StreamReset::RefusedStream => h2::Reason::REFUSED_STREAM,
        StreamReset::Cancel => h2::Reason::CANCEL,
        StreamReset::EnhanceYourCalm => h2::Reason::ENHANCE_YOUR_CALM,
        StreamReset::InadequateSecurity => h2::Reason::INADEQUATE_SECURITY,
    }
}

/// A scenario's names and values have been checked: none is lost here.
fn map(pairs: &[(String, String)]) -> HeaderMap {
    let parse = |(name, value): &(String, String)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
    };
    pairs.iter().filter_map(parse).collect()
}
