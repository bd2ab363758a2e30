//! The clients of a trial: each calls when its load says, through the strategy under test.

use std::sync::Arc;

use super::alert;
use super::inflight::InFlight;
use super::observe::Scribe;
use super::world::{FromHost, World};
use crate::clock::{self, Instant};
use crate::load::{Arrivals, OpenLoop, arrivals};
use crate::random::{Distribution, Key};
use crate::record::{CallId, Code, Kind, Origin, Recorder};
use crate::resilience::{self, Ambient, Client, Idempotency, InvalidConfig, origin_of};
use crate::scenario::{Channels, ClientGroup};
use crate::telemetry::WallClock;
use crate::telemetry::proto::telemetry_service_client::TelemetryServiceClient;

/// All clients, at work.
pub(super) struct Crowd {
    open: InFlight,
    recorder: Recorder,
}

impl Crowd {
    pub(super) fn start(world: &World<'_>) -> Result<Self, InvalidConfig> {
        let open = InFlight::default();
        let mut first = 0;
        for (index, group) in world.plan.clients.iter().enumerate() {
            let channels = channels(world, index, group, first)?;
            for number in 0..group.count {
                let client = channels[number as usize % channels.len()].clone();
                device(world, (index, group), client, first, number, &open).start();
            }
            first += group.count;
        }
        Ok(Self { open, recorder: world.recorder.clone() })
    }

    /// Lets open calls finish until `end`, and records those that do not.
    pub(super) async fn finish(self, end: Instant) {
        for call in self.open.drained(end).await {
            self.recorder.record(Kind::CallAbandoned { call });
        }
    }
}

/// The channels of a group: one a client, or the few that it shares.
fn channels(world: &World<'_>, index: usize, group: &ClientGroup, first: u32) -> Result<Vec<Client>, InvalidConfig> {
    let strategy = &world.plan.strategies[world.spec.strategy].strategy;
    let key = world.key.named("client").named(&group.name);
    let surroundings = Ambient::new(key);
    let target = world.directory.target(&world.plan.servers[group.calls]);
    let count = match group.channels {
        Channels::Own => group.count,
        Channels::Shared(count) => count.min(group.count),
    };
    (0..count)
        .map(|number| {
            let scribe = Scribe {
                recorder: world.recorder.clone(),
                directory: Arc::clone(&world.directory),
                client: first + number,
            };
            let ambient = surroundings.child(key.with(u64::from(number))).observed_by(Arc::new(scribe));
            let host = world.hosts.clients[index][number as usize];
            resilience::build(strategy, target.clone(), FromHost::new(&world.net, host, &world.directory), &ambient)
        })
        .collect()
}

fn device(
    world: &World<'_>,
    (index, group): (usize, &ClientGroup),
    client: Client,
    first: u32,
    number: u32,
    open: &InFlight,
) -> Device {
    let key = world.key.named("load").named(&group.name).with(u64::from(number));
    let start = Instant::ORIGIN + group.start + group.stagger * number / group.count.max(1);
    Device {
        arrivals: arrivals(&group.load, key, start),
        start,
        until: Instant::ORIGIN + world.plan.duration,
        max_calls: group.max_calls,
        key,
        caller: Caller {
            stub: TelemetryServiceClient::new(client),
            device_id: alert::device_id(&group.name, number, group.payload_bytes).into(),
            clock: world.stage.client_clock(index, number),
            client: first + number,
            idempotent: group.idempotent,
            recorder: world.recorder.clone(),
            open: open.clone(),
        },
    }
}

/// One client: its load and what it calls with.
struct Device {
    arrivals: Arrivals,
    start: Instant,
    until: Instant,
    max_calls: u32,
    key: Key,
    caller: Caller,
}

impl Device {
    fn start(self) {
        match self.arrivals {
            Arrivals::Open(arrivals) => {
                tokio::spawn(open_loop(self.caller, arrivals, self.until, self.max_calls));
            }
            Arrivals::Closed { think, concurrency } => {
                for lane in 0..concurrency {
                    let lane = Lane { first: lane, step: concurrency, think: think.clone(), key: self.key };
                    let caller = self.caller.clone();
                    tokio::spawn(closed_loop(caller, lane, self.start, self.until, self.max_calls));
                }
            }
        }
    }
}

async fn open_loop(caller: Caller, arrivals: OpenLoop, until: Instant, max_calls: u32) {
    for (number, at) in (0..max_calls).zip(arrivals) {
        if at >= until {
            break;
        }
        clock::sleep_until(at).await;
        tokio::spawn(caller.clone().call(number, at));
    }
}

/// One of the loops of a closed-loop client: it makes every `step`-th call of its client.
struct Lane {
    first: u32,
    step: u32,
    think: Distribution,
    key: Key,
}

async fn closed_loop(caller: Caller, lane: Lane, start: Instant, until: Instant, max_calls: u32) {
    clock::sleep_until(start).await;
    let mut number = lane.first;
    while number < max_calls && clock::now() < until {
        caller.clone().call(number, clock::now()).await;
        clock::sleep(lane.think.sample(lane.key.named("think").with(u64::from(number)).draw())).await;
        number = number.saturating_add(lane.step);
    }
}

/// What a client needs for a call.
#[derive(Clone)]
struct Caller {
    stub: TelemetryServiceClient<Client>,
    device_id: Arc<str>,
    clock: Arc<WallClock>,
    client: u32,
    idempotent: bool,
    recorder: Recorder,
    open: InFlight,
}

impl Caller {
    async fn call(mut self, number: u32, scheduled: Instant) {
        let call = CallId::new(self.client, number);
        self.open.begin(call);
        self.recorder.record(Kind::CallStarted { call, scheduled_ns: scheduled.as_nanos() });
        let mut request = tonic::Request::new(alert::alert(&self.device_id, call, scheduled, &self.clock));
        let idempotency = if self.idempotent { Idempotency::Idempotent } else { Idempotency::Unmarked };
        let said = resilience::Call::new().id(resilience::CallId(call.bits())).idempotency(idempotency);
        request.extensions_mut().insert(said);
        let (code, origin) = match self.stub.report_alert(request).await {
            Ok(_) => (Code::Ok, Origin::Server),
            Err(status) => (status.code().into(), origin_of(&status).into()),
        };
        self.recorder.record(Kind::CallEnded { call, code, origin });
        self.open.end(call);
    }
}
