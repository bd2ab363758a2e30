//! Random storms: servers, load, a strategy and a schedule of faults, written as scenario files so that whatever fails can be run.

use proptest::prelude::*;
use proptest::sample::select;
use squall::scenario::{self, Alone, Plan};

/// Until when load is offered; faults begin before.
const DURATION_MS: u64 = 8_000;

/// When an alert is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    Memory,
    Behind,
    Sync,
}

/// A storm, before it is written down.
#[derive(Clone, Debug)]
pub(crate) struct Storm {
    servers: Servers,
    clients: u32,
    load: &'static str,
    strategy: &'static str,
    faults: Vec<Trouble>,
    pub(crate) seed: u64,
}

#[derive(Clone, Debug)]
struct Servers {
    durability: String,
    replicas: u32,
    workers: u32,
    service_ms: u32,
    dedup: bool,
    finish: bool,
    /// Whether another service stands behind, with a log of its own.
    storage: bool,
}

/// A fault of the schedule. Which members it strikes is decided when it is known how many there are.
#[derive(Clone, Debug)]
struct Trouble {
    what: &'static str,
    at_ms: u64,
    for_ms: u64,
    who: u32,
    storage: bool,
}

/// What takes processes down: `@S` is a replica, `@G` all of its group.
const DEATHS: [&str; 9] = [
    "crash: { server: @S, how: kill }",
    "crash: { server: @S, how: power_loss }",
    "crash: { server: @S, how: { graceful: 300ms } }",
    "crash: { server: @S, how: kill, lose: nothing }",
    "crash: { server: @G, some: 1, how: power_loss }",
    "crash_loop: { server: @S, up: 300ms, down: 100ms, cap: 400ms }",
    "rolling_restart: { server: @G, down: 50ms, how: kill }",
    "deploy: { server: @G, down: 50ms, how: { graceful: 20ms }, errors: 30% }",
    "autoscale: { server: @G, to: 1, grace: 200ms }",
];

/// What makes calls fail, or seem to, and clients try again. `@C` is one client, `@D` all of them.
const TROUBLES: [&str; 26] = [
    "grpc: { server: @G, when: response_lost, rate: 30% }",
    "grpc: { server: @G, when: after_handler, status: UNAVAILABLE, rate: 40% }",
    "grpc: { server: @G, status: UNAVAILABLE, rate: 40% }",
    "grpc: { server: @S, when: after_handler, delay: 400ms }",
    "grpc: { server: @G, answer: corrupt, rate: 20% }",
    "grpc: { server: @S, reset: REFUSED_STREAM, every: 3 }",
    "pause: { server: @S }",
    "slow_server: { server: @S, factor: 8 }",
    "slow_disk: { server: @S, factor: 20 }",
    "full_disk: { server: @S }",
    "partition: { between: [@D, @S] }",
    "partition: { from: @S, to: @D }",
    "black_hole: { hosts: @S }",
    "loss: { between: [@D, @G], rate: 20% }",
    "duplicate: { between: [@D, @G], rate: 30% }",
    "reorder: { between: [@D, @G], rate: 30% }",
    "jitter: { between: [@D, @G], up_to: 300ms }",
    "flap: { between: [@C, @G], down: 100ms, up: 200ms }",
    "slow_link: { between: [@D, @S], add: 250ms }",
    "refuse: { server: @S }",
    "idle_kill: { server: @S, idle: 200ms }",
    "withhold: { server: @S, frames: window_update }",
    "capacity: { server: @S, workers: 1 }",
    "only: { every: 3 }, full_disk: { server: @G }",
    "only: { clients: [@C] }, slow_disk: { server: @G, factor: 30 }",
    "only: { first: 20, every: 2 }, loss: { between: [@D, @G], rate: 100% }",
];

/// The same, at one moment.
const BLOWS: [&str; 4] = [
    "reset: { between: [@D, @G] }",
    "half_open: { clients: @D, server: @S }",
    "goaway: { server: @G }",
    "goaway: { server: @S, code: INTERNAL_ERROR }",
];

/// What takes from a log what was promised to be safe.
const LIES: [&str; 3] =
    ["lying_disk: { server: @S }", "lying_disk: { server: @G }", "crash: { server: @S, how: power_loss, lose: all }"];

const LOADS: [&str; 5] = [
    "poisson: 6/s",
    "constant: 5/s",
    "bursts: { size: 4, every: 900ms, spread: 50ms }",
    "closed_loop: { think: 100ms, concurrency: 2 }",
    "phases: [{ for: 3s, rate: 2/s }, { rate: 12/s }]",
];

const STRATEGIES: [&str; 6] = [
    "layers: []",
    "layers: [{ deadline: 800ms }], channel: { balance: round_robin }",
    "layers: [{ deadline: 2s }, { retry: { attempts: 5, on: [UNAVAILABLE, INTERNAL, RESOURCE_EXHAUSTED] } }, \
     { attempt_timeout: 150ms }], channel: { balance: round_robin, connect_backoff: { constant: 100ms } }",
    "layers: [{ deadline: 3s }, { retry: { attempts: 4, on: [UNAVAILABLE, INTERNAL, CANCELLED], \
     backoff: { full_jitter: { base: 50ms, cap: 1s } }, budget: { tokens: 20, ratio: 0.2 } } }, { attempt_timeout: 400ms }], \
     channel: { balance: round_robin, connect_backoff: { constant: 200ms }, keepalive: { time: 500ms, timeout: 300ms } }",
    "layers: [{ deadline: 2s }, { hedge: { attempts: 3, delay: 40ms } }], channel: { balance: round_robin }",
    "layers: [{ deadline: 2s }, { retry: { attempts: 3 } }, { breaker: { consecutive: 3, open: 500ms, probes: 1 } }, \
     { attempt_timeout: 200ms }], channel: { balance: pick_first, connect_backoff: { constant: 100ms } }",
];

/// Storms over logs of one kind; with `lies`, disks may break their word.
pub(crate) fn storms(disk: Disk, lies: bool) -> impl Strategy<Value = Storm> {
    let parts = (servers(disk), 2_u32..8, select(&LOADS[..]), select(&STRATEGIES[..]));
    // One process at least goes down in nearly every storm: where none does, nothing can be lost.
    let deaths = proptest::collection::vec(trouble(&DEATHS, 100), 1..4);
    let troubles = proptest::collection::vec(trouble(&TROUBLES, 200), 0..4);
    let blows = proptest::collection::vec(trouble(&BLOWS, 0), 0..2);
    let broken = proptest::collection::vec(trouble(&LIES, 400), if lies { 1..3 } else { 0..1 });
    (parts, deaths, troubles, blows, broken, any::<u16>()).prop_map(|(parts, deaths, troubles, blows, broken, seed)| {
        let (servers, clients, load, strategy) = parts;
        let faults = [deaths, troubles, blows, broken].concat();
        Storm { servers, clients, load, strategy, faults, seed: u64::from(seed) }
    })
}

fn servers(disk: Disk) -> impl Strategy<Value = Servers> {
    let durability = match disk {
        Disk::Memory => Just("memory".to_owned()).boxed(),
        Disk::Behind => (5_u32..900).prop_map(|lag| format!("{{ write_behind: {lag}ms }}")).boxed(),
        Disk::Sync => (0_u32..30).prop_map(|write| format!("sync, disk: {write}ms")).boxed(),
    };
    let flags = (any::<bool>(), any::<bool>(), proptest::bool::weighted(0.25));
    (durability, 1_u32..4, 1_u32..10, 1_u32..60, flags).prop_map(
        |(durability, replicas, workers, service_ms, (dedup, finish, storage))| Servers {
            durability,
            replicas,
            workers,
            service_ms,
            dedup,
            finish,
            storage,
        },
    )
}

/// `for_ms` 0: at one moment.
fn trouble(kinds: &'static [&'static str], for_ms: u64) -> impl Strategy<Value = Trouble> {
    let lasts = if for_ms == 0 { 0..=0 } else { for_ms..=for_ms * 8 };
    (select(kinds), 500..DURATION_MS - 500, lasts, any::<u8>(), proptest::bool::weighted(0.3))
        .prop_map(|(what, at_ms, for_ms, who, storage)| Trouble { what, at_ms, for_ms, who: u32::from(who), storage })
}

impl Servers {
    /// As a scenario has it; `calls` says who stands behind.
    fn text(&self, calls: &str) -> String {
        let Self { durability, replicas, workers, service_ms, dedup, finish, .. } = self;
        let on_cancel = if *finish { "finish" } else { "stop" };
        format!(
            "{{ replicas: {replicas}, workers: {workers}, service_time: {{ lognormal: {{ median: {service_ms}ms, p99: {}ms }} }}, \
             durability: {durability}, dedup: {dedup}, on_cancel: {on_cancel}, startup: 20ms{calls} }}",
            service_ms * 4
        )
    }
}

impl Trouble {
    fn text(&self, storm: &Storm) -> String {
        let group = if self.storage && storm.servers.storage { "storage" } else { "telemetry" };
        let replica = format!("{group}/{}", self.who % storm.servers.replicas);
        let client = format!("devices/{}", self.who % storm.clients);
        let near = if group == "storage" { "telemetry" } else { "devices" };
        let client = if near == "devices" { &client } else { near };
        let places = [("@S", &*replica), ("@G", group), ("@D", near), ("@C", client)];
        let what = places.iter().fold(self.what.to_owned(), |what, (place, name)| what.replace(place, name));
        let lasts = if self.for_ms == 0 { String::new() } else { format!(", for: {}ms", self.for_ms) };
        format!("  - {{ at: {}ms{lasts}, {what} }}\n", self.at_ms)
    }
}

impl Storm {
    /// The scenario. Faults that cannot be there, such as a second death of the dead, are left out.
    pub(crate) fn plan(&self) -> (Plan, String) {
        let mut faults = String::new();
        let mut plan = self.parse(&faults).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        for fault in &self.faults {
            let more = faults.clone() + &fault.text(self);
            if let Ok(better) = self.parse(&more) {
                (plan, faults) = (better, more);
            }
        }
        let text = self.text(&faults);
        (plan, text)
    }

    fn parse(&self, faults: &str) -> Result<Plan, scenario::Diagnostics> {
        scenario::parse("storm.yaml", &self.text(faults), &Alone)
    }

    fn text(&self, faults: &str) -> String {
        let (calls, storage) = match self.servers.storage {
            true => (", calls: [{ server: storage, fan_out: 2 }]", format!("  storage: {}\n", self.servers.text(""))),
            false => ("", String::new()),
        };
        let faults = if faults.is_empty() { String::new() } else { format!("faults:\n{faults}") };
        format!(
            "name: storm\nabout: A random storm.\nduration: {DURATION_MS}ms\ndrain: 4s\nservers:\n  telemetry: {}\n{storage}\
             clients:\n  devices: {{ count: {}, calls: telemetry, load: {{ {} }} }}\n{faults}strategies:\n  - {{ name: one, {} }}\n",
            self.servers.text(calls),
            self.clients,
            self.load,
            self.strategy
        )
    }
}
