//! Tiers that call tiers: the clients inside servers.
//!
//! A call keeps its identity through all tiers, and what is left of its deadline goes with it. Retries of one tier
//! multiply with those of the next: that is what scenarios with tiers are about.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::TrialSpec;
use super::observe::TierScribe;
use super::world::{Directory, FromHost};
use crate::clock::Instant;
use crate::net::{HostId, Network};
use crate::random::Key;
use crate::record::Recorder;
use crate::resilience::{self, Ambient, CallDeadline, Client, InvalidConfig};
use crate::scenario::{Plan, ServerGroup};
use crate::telemetry::proto::AlertRequest;
use crate::telemetry::proto::telemetry_service_client::TelemetryServiceClient;
use crate::telemetry::{Caller, Upcall, Way};

/// The clients of the replica numbered `number`, which runs on `host`, to the tiers it calls.
pub(super) fn upcalls(
    plan: &Plan,
    spec: TrialSpec,
    (group, host, number): (&ServerGroup, HostId, u32),
    net: &Network,
    directory: &Arc<Directory>,
    (key, recorder): (Key, &Recorder),
) -> Result<Vec<Box<dyn Upcall>>, InvalidConfig> {
    group
        .downstream
        .iter()
        .map(|downstream| {
            let strategy = downstream.strategy.resolve(&plan.strategies[spec.strategy].strategy);
            let target = &plan.servers[downstream.server];
            let ambient = Ambient::new(key.named("tier").with(u64::from(number)).named(&target.name))
                .observed_by(Arc::new(TierScribe { recorder: recorder.clone(), server: number }));
            let connector = FromHost::new(net, host, directory);
            let client = resilience::build(strategy, directory.target(target), connector, &ambient)?;
            let tier = Tier { stub: TelemetryServiceClient::new(client), fan_out: downstream.fan_out };
            Ok(Box::new(tier) as Box<dyn Upcall>)
        })
        .collect()
}

struct Tier {
    stub: TelemetryServiceClient<Client>,
    fan_out: u32,
}

impl Upcall for Tier {
    fn call(
        &self,
        alert: AlertRequest,
        caller: Caller,
    ) -> Pin<Box<dyn Future<Output = Result<(), tonic::Status>> + Send>> {
        let calls: Vec<_> = (0..self.fan_out)
            .map(|number| one(self.stub.clone(), alert.clone(), caller, caller.way_onward(number)))
            .collect();
        Box::pin(async move {
            // All at once: the first error ends the wait, and the others are dropped with it.
            futures_util::future::try_join_all(calls).await.map(|_| ())
        })
    }
}

async fn one(
    mut stub: TelemetryServiceClient<Client>,
    alert: AlertRequest,
    caller: Caller,
    way: Way,
) -> Result<(), tonic::Status> {
    let mut request = tonic::Request::new(alert);
    if let Some(state) = way.tracestate().and_then(|state| state.parse().ok()) {
        request.metadata_mut().insert("tracestate", state);
    }
    let mut call = resilience::Call::new().id(resilience::CallId(caller.call.bits()));
    if caller.deadline != Instant::NEVER {
        call = call.deadline(CallDeadline(caller.deadline));
    }
    request.extensions_mut().insert(call);
    stub.report_alert(request).await.map(|_| ())
}
