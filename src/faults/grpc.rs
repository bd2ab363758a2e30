//! Calls that fail inside gRPC: before the handler, after it committed, or with the answer lost on the way.
//!
//! It matches every request that its selector admits, and fires on those that its rate draws. Each request is drawn by
//! its own identity and by this fault's key, so that two faults are independent, and a retry draws anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Fault, Stage, Window};
use crate::net::Counts;
use crate::random::Key;
use crate::scenario::{Grpc, GrpcWhen, Selector};
use crate::telemetry::{Caller, End, Interference, Interruption, Knob, Moment};

/// Calls that fail inside gRPC.
pub(super) struct GrpcFault {
    grpc: Grpc,
    selector: Selector,
    key: Key,
    clients: Vec<(u32, u32)>,
    knobs: Vec<Knob>,
    tally: Arc<Tally>,
}

/// What the fault has done over all its windows.
#[derive(Debug, Default)]
struct Tally {
    matched: AtomicU64,
    fired: AtomicU64,
}

impl GrpcFault {
    pub(super) fn new(grpc: Grpc, selector: Selector, key: Key) -> Self {
        Self { grpc, selector, key, clients: Vec::new(), knobs: Vec::new(), tally: Arc::default() }
    }
}

impl Fault for GrpcFault {
    fn start(&mut self, stage: &Stage, window: Window) {
        self.clients = self.selector.clients.iter().map(|members| stage.client_numbers(members)).collect();
        let active: Arc<dyn Interference> = Arc::new(Active {
            grpc: self.grpc.clone(),
            first: self.selector.first,
            every: self.selector.every.get(),
            clients: self.clients.clone(),
            key: self.key.with(window.number),
            seen: AtomicU64::new(0),
            tally: Arc::clone(&self.tally),
        });
        for server in stage.servers(&self.grpc.server) {
            self.knobs.push(server.replica().interfere(Arc::clone(&active)));
        }
    }

    fn stop(&mut self, stage: &Stage) {
        for (server, knob) in stage.servers(&self.grpc.server).iter().zip(self.knobs.drain(..)) {
            server.replica().undo(knob);
        }
    }

    fn counts(&self, _: &Stage) -> Counts {
        Counts { matched: self.tally.matched.load(Ordering::Relaxed), fired: self.tally.fired.load(Ordering::Relaxed) }
    }
}

/// The fault during one of its windows.
struct Active {
    grpc: Grpc,
    first: u64,
    every: u64,
    clients: Vec<(u32, u32)>,
    key: Key,
    seen: AtomicU64,
    tally: Arc<Tally>,
}

impl Active {
    fn selects(&self, caller: &Caller, method: &str) -> bool {
        let client = caller.call.client();
        let named = self.clients.is_empty() || self.clients.iter().any(|(from, to)| (*from..*to).contains(&client));
        if !named || !(self.grpc.method.is_empty() || self.grpc.method == method) {
            return false;
        }
        let number = self.seen.fetch_add(1, Ordering::Relaxed);
        number.is_multiple_of(self.every) && number / self.every < self.first
    }

    fn status(&self) -> tonic::Status {
        let mut status = tonic::Status::new(self.grpc.status, self.grpc.message.clone());
        if let Some(pushback) = self.grpc.pushback {
            status.metadata_mut().insert("grpc-retry-pushback-ms", pushback.millis().into());
        }
        status
    }
}

impl Interference for Active {
    fn interrupt(&self, caller: &Caller, method: &str) -> Option<Interruption> {
        if !self.selects(caller, method) {
            return None;
        }
        self.tally.matched.fetch_add(1, Ordering::Relaxed);
        let key = self.key.with(caller.call.bits()).with(u64::from(caller.attempt));
        if !self.grpc.rate.hits(key.named("rate").draw()) {
            return None;
        }
        self.tally.fired.fetch_add(1, Ordering::Relaxed);
        let (moment, end) = match self.grpc.when {
            // A fault that only delays lets the call go on.
            GrpcWhen::BeforeHandler if self.grpc.status == tonic::Code::Ok => (Moment::BeforeHandler, None),
            GrpcWhen::BeforeHandler => (Moment::BeforeHandler, Some(End::Status(self.status()))),
            GrpcWhen::AfterHandler if self.grpc.status == tonic::Code::Ok => (Moment::AfterHandler, None),
            GrpcWhen::AfterHandler => (Moment::AfterHandler, Some(End::Status(self.status()))),
            GrpcWhen::ResponseLost => (Moment::AfterHandler, Some(End::Reset)),
        };
        Some(Interruption { moment, pause: self.grpc.delay.sample(key.named("delay").draw()), end })
    }
}
