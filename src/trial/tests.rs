//! A small storm, run twice.

use std::num::NonZeroU64;
use std::time::Duration;

use super::{TrialSpec, run, run_in};
use crate::clock::Simulation;
use crate::net::TcpSettings;
use crate::random::{Distribution, Probability};
use crate::record::{Event, Kind};
use crate::resilience::{LayerConfig, Strategy, TowerConfig};
use crate::scenario::units::CallRate;
use crate::scenario::*;

fn plan(clients: u32, load: Load, faults: Vec<FaultPlan>) -> Plan {
    Plan {
        name: "test".into(),
        about: String::new(),
        file: "test.yaml".into(),
        duration: Duration::from_secs(10),
        drain: Duration::from_secs(5),
        warmup: Duration::ZERO,
        seeds: Seeds { first: 1, count: 1 },
        enough: Enough::default(),
        servers: vec![ServerGroup {
            name: "telemetry".into(),
            replicas: 2,
            capacity: Capacity::Workers(64),
            service_time: Distribution::constant(Duration::from_millis(50)),
            concurrency: Concurrency { per_call: Duration::ZERO },
            queue: QueuePlan { limit: 256, discipline: Discipline::Fifo },
            when_full: WhenFull { code: tonic::Code::ResourceExhausted, pushback: None },
            deadline_aware: false,
            on_cancel: OnCancel::Stop,
            drawn_by: DrawnBy::Call,
            durability: Durability::WriteBehind(Duration::from_millis(200)),
            dedup: false,
            startup: Duration::from_millis(100),
            cold_for: Duration::ZERO,
            cold_factor: 1.0,
            disk: Distribution::constant(Duration::from_millis(1)),
            backlog: 128,
            max_streams: 1000,
            fairness: CallRate::UNLIMITED,
            max_skew: Duration::MAX,
            tcp: TcpSettings::default(),
            downstream: Vec::new(),
        }],
        clients: vec![ClientGroup {
            name: "devices".into(),
            count: clients,
            calls: 0,
            load,
            channels: Channels::Own,
            payload_bytes: 0,
            start: Duration::ZERO,
            stagger: Duration::ZERO,
            max_calls: u32::MAX,
            idempotent: false,
            tcp: TcpSettings::default(),
        }],
        links: Vec::new(),
        faults,
        strategies: vec![StrategyPlan {
            name: "none".into(),
            about: String::new(),
            line: 1,
            strategy: Strategy { name: "none".into(), ..Strategy::default() },
        }],
        expectations: Vec::new(),
    }
}

fn crash() -> FaultPlan {
    FaultPlan {
        id: "crash-1".into(),
        line: 1,
        windows: vec![TimeWindow { start: Duration::from_secs(3), end: Duration::from_secs(5) }],
        ramp: Duration::ZERO,
        probability: Probability::ALWAYS,
        selector: Selector { first: u64::MAX, every: NonZeroU64::MIN, clients: Vec::new() },
        may_not_fire: false,
        kind: FaultKind::Crash {
            server: Members { group: Group::Servers(0), range: 0..1 },
            some: 1,
            how: CrashHow::Kill,
            lose: Lose::Unsynced,
        },
    }
}

fn events(plan: &Plan, seed: u64) -> Vec<Event> {
    run(plan, TrialSpec { strategy: 0, seed, control: false }, Vec::new()).unwrap()
}

fn count(events: &[Event], which: impl Fn(&Kind) -> bool) -> usize {
    events.iter().filter(|event| which(&event.kind)).count()
}

#[test]
fn on_a_calm_day_every_call_succeeds() {
    let events = events(&plan(20, Load::Constant(CallRate::per_second(10.0).unwrap()), Vec::new()), 1);
    let ok = count(&events, |kind| matches!(kind, Kind::CallEnded { code: crate::record::Code::Ok, .. }));
    assert_eq!(ok, 20 * 10 * 10);
    assert_eq!(count(&events, |kind| matches!(kind, Kind::HandlerEnded { .. })), ok);
    assert_eq!(count(&events, |kind| matches!(kind, Kind::AttemptStarted { .. })), ok);
    assert!(matches!(events.last().unwrap().kind, Kind::Ended { .. }));
}

#[test]
fn a_crash_is_felt_and_counted_and_repeats_to_the_byte() {
    let plan = plan(20, Load::Poisson(CallRate::per_second(10.0).unwrap()), vec![crash()]);
    let first = events(&plan, 1);
    let failed = count(&first, |kind| matches!(kind, Kind::CallEnded { code, .. } if *code != crate::record::Code::Ok));
    assert!(failed > 0, "nobody noticed");
    assert!(first.iter().any(|event| matches!(event.kind, Kind::FaultCounted { fault: 0, matched: 1, fired: 1 })));
    assert_eq!(first, events(&plan, 1));
    assert_ne!(first, events(&plan, 2));
}

/// Time that jumps where tokio has no timers is the same time, to the nanosecond; who has tokio's timers in a strategy is given them.
#[test]
fn time_is_the_same_with_and_without_timers_of_tokio() {
    let mut plan = plan(20, Load::Poisson(CallRate::per_second(10.0).unwrap()), vec![crash()]);
    let spec = TrialSpec { strategy: 0, seed: 1, control: false };
    let jumping = run_in(Simulation::without_tokio_timers(), &plan, spec, Vec::<Event>::new(), None).unwrap();
    assert_eq!(jumping, run_in(Simulation::new(), &plan, spec, Vec::new(), None).unwrap());
    let timeout = TowerConfig::Timeout(Duration::from_millis(10));
    plan.strategies[0].strategy.layers = vec![LayerConfig::Tower(timeout)];
    let ok = |kind: &Kind| matches!(kind, Kind::CallEnded { code: crate::record::Code::Ok, .. });
    assert_eq!(count(&events(&plan, 1), ok), 0, "tower's timeout strikes in virtual time");
}

/// One worker, work of 50 ms, and callers who give up after 10 ms: what is dropped costs little, what is finished costs all.
#[test]
fn work_stops_with_its_caller_or_goes_on_without() {
    let finished = |on_cancel| {
        let mut plan = plan(5, Load::Once, Vec::new());
        plan.servers[0].on_cancel = on_cancel;
        plan.strategies[0].strategy.layers = vec![LayerConfig::AttemptTimeout(Duration::from_millis(10))];
        let events = events(&plan, 1);
        assert_eq!(count(&events, |kind| matches!(kind, Kind::HandlerEnded { caller_gone: false, .. })), 0);
        count(&events, |kind| matches!(kind, Kind::Recorded { .. }))
    };
    assert_eq!((finished(OnCancel::Stop), finished(OnCancel::Finish)), (0, 5));
}
