//! `ReportAlert`: wait for a worker, do the work, record the alert, acknowledge it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::oneshot;
use tonic::{Request, Response, Status};

use super::proto::telemetry_service_server::TelemetryService;
use super::proto::{AlertRequest, AlertResponse};
use super::work::{Gone, Work, is_late};
use super::{Admitted, AlertKey, Caller, Gate, Replica};
use crate::clock;
use crate::net::{HostId, Network};
use crate::record::{Code, HandlerOutcome, Kind};
use crate::scenario::{Durability, OnCancel};

/// The service of one process of a replica.
#[derive(Clone, Debug)]
pub struct Handler {
    replica: Arc<Replica>,
    gate: Gate,
    process: Option<Process>,
}

/// Where work goes on when its caller has gone.
#[derive(Clone, Debug)]
struct Process {
    net: Network,
    host: HostId,
}

impl Handler {
    /// A process of `replica` whose workers stand behind `gate`.
    #[must_use]
    pub fn new(replica: Arc<Replica>, gate: Gate) -> Self {
        Self { replica, gate, process: None }
    }

    /// The same, on `host`: where work goes on if the server finishes what its callers have given up.
    #[must_use]
    pub fn on(mut self, net: &Network, host: HostId) -> Self {
        if self.replica.group().on_cancel == OnCancel::Finish {
            self.process = Some(Process { net: net.clone(), host });
        }
        self
    }

    async fn report(&self, alert: AlertRequest, caller: Caller, gone: &Gone) -> Result<AlertResponse, Status> {
        if let Some(error) = self.replica.clock_error(alert.timestamp) {
            return Err(error);
        }
        let worker = self.admit(&caller).await?;
        let work = Work::begin(Arc::clone(&self.replica), caller, worker, self.gate.depth(), gone.clone());
        let answer = self.work(alert, &caller).await;
        work.end(match &answer {
            Ok(_) => HandlerOutcome::Acknowledged,
            Err(status) => HandlerOutcome::Failed(status.code().into()),
        });
        answer
    }

    async fn admit(&self, caller: &Caller) -> Result<Admitted, Status> {
        if self.replica.exceeds_share(caller) {
            return Err(self.shed(caller, "this client has had its share"));
        }
        let mut enter = pin!(self.gate.enter());
        let entered = match poll_fn(|cx| Poll::Ready(enter.as_mut().poll(cx))).await {
            Poll::Ready(entered) => entered,
            Poll::Pending => {
                self.queued(caller);
                enter.await
            }
        };
        let admitted = entered.map_err(|refused| self.shed(caller, &refused.to_string()))?;
        if self.replica.group().deadline_aware && is_late(caller) {
            drop(admitted);
            return Err(Status::deadline_exceeded("the deadline passed in the queue"));
        }
        Ok(admitted)
    }

    fn queued(&self, caller: &Caller) {
        let (server, call, attempt) = (self.replica.number(), caller.call, caller.attempt);
        let depth = u32::try_from(self.gate.depth()).unwrap_or(u32::MAX);
        self.replica.recorder().record(Kind::Queued { server, call, attempt, depth });
    }

    fn shed(&self, caller: &Caller, why: &str) -> Status {
        let full = self.replica.group().when_full;
        let (server, call, attempt) = (self.replica.number(), caller.call, caller.attempt);
        self.replica.recorder().record(Kind::Shed { server, call, attempt, code: Code::from(full.code) });
        let mut status = Status::new(full.code, why);
        if let Some(pushback) = full.pushback {
            status.metadata_mut().insert("grpc-retry-pushback-ms", pushback.millis().into());
        }
        status
    }

    async fn work(&self, alert: AlertRequest, caller: &Caller) -> Result<AlertResponse, Status> {
        let others = self.gate.busy().saturating_sub(1);
        clock::sleep(self.replica.service_time(caller, others)).await;
        for upcall in self.replica.upcalls() {
            upcall.call(alert.clone(), *caller).await?;
        }
        if let Some(error) = self.replica.disk_error(caller) {
            return Err(error);
        }
        let key = AlertKey { device_id: alert.device_id, alert_type: alert.alert_type, timestamp: alert.timestamp };
        let position = self.replica.append(&key, caller);
        if self.replica.group().durability == Durability::Sync {
            clock::sleep(self.replica.disk_time(caller)).await;
            self.replica.synced(position);
        }
        let tracking_id = format!("{:x}-{position:x}", self.replica.number());
        Ok(AlertResponse { acknowledged: true, tracking_id })
    }
}

#[tonic::async_trait]
impl TelemetryService for Handler {
    async fn report_alert(&self, request: Request<AlertRequest>) -> Result<Response<AlertResponse>, Status> {
        let (metadata, _, alert) = request.into_parts();
        let caller = Caller::of(metadata.as_ref());
        let gone = Gone::default();
        let Some(process) = &self.process else {
            return self.report(alert, caller, &gone).await.map(Response::new);
        };
        let (answer, answered) = oneshot::channel();
        let (handler, seen) = (self.clone(), gone.clone());
        process.net.spawn_on(process.host, async move {
            // Nobody may be left to hear it.
            let _ = answer.send(handler.report(alert, caller, &seen).await);
        });
        let _leaving = gone.when_dropped();
        answered.await.unwrap_or_else(|_| Err(Status::unavailable("the process has ended"))).map(Response::new)
    }
}
