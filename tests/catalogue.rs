//! The catalogue means what it says: take the key layer out of a strategy that is expected to win, and an expectation fails.
//!
//! A scenario whose expectations hold whatever the strategy does teaches nothing and guards nothing. One row for each strategy that
//! is expected to do well: what is taken from it, or, where the server's own way is the lesson, from the server. Whoever has no row
//! must be on the list of those for whom no layer is the point, with the reason.
#![cfg(feature = "sim")]

use std::collections::BTreeMap;
use std::sync::Arc;

use squall::analysis::{Scopes, Trial, TrialFold, TrialMetrics, judge};
use squall::resilience::{BackoffConfig, Balance, Codes, ConnectBackoff, LayerConfig, Strategy};
use squall::scenario::metric::Better;
use squall::scenario::units::CallRate;
use squall::scenario::{self, Bound, Discipline, Durability, Expectation, Op, Plan, Strategies};
use squall::trial::{self, TrialSpec};
use tonic::Code;

/// What is taken out.
#[derive(Clone, Copy, Debug)]
enum Key {
    AttemptTimeout,
    Backoff,
    Balance,
    Breaker,
    Budget,
    Deadline,
    EndpointBreaker,
    Hedge,
    Keepalive,
    Limit,
    Outlier,
    RateLimit,
    Retry,
    Throttle,
    WaitForReady,
    /// Connections are made again at gRPC's own pace.
    Reconnect,
    /// The restraint to repeat only what is known not to have run.
    Restraint,
    /// The server's queue is an ordinary one.
    Discipline,
    /// The server knows no shares.
    Shares,
    /// The server does not tell alerts apart.
    Dedup,
    /// The server does not wait for its disk.
    Sync,
}

use Key::{
    AttemptTimeout, Balance as Balancing, Breaker, Budget, Deadline, EndpointBreaker, Hedge, Keepalive, Limit, Outlier,
    RateLimit, Retry, Throttle, WaitForReady,
};

const ROWS: &[(&str, &str, Key)] = &[
    ("connection-refused", "wait-for-ready", WaitForReady),
    ("connection-refused", "full-jitter", Key::Reconnect),
    ("latency-spike", "full-jitter", AttemptTimeout),
    ("packet-loss", "full-jitter", AttemptTimeout),
    ("partition-heal", "full-jitter", AttemptTimeout),
    ("half-open", "keepalive", Keepalive),
    ("nat-expiry", "pings", Keepalive),
    ("flapping-link", "retry-elsewhere", Retry),
    ("flapping-link", "breaker-each", EndpointBreaker),
    ("one-way-partition", "retry", Retry),
    ("one-way-partition", "retry-keepalive", Keepalive),
    ("crash-restart", "full-jitter", Retry),
    ("reconnect-herd", "breaker", Breaker),
    ("reconnect-herd", "budget", Budget),
    ("slow-server", "breaker", Breaker),
    ("gray-failure", "hedging", Hedge),
    ("gray-failure", "outlier-detection", Outlier),
    ("shared-breaker", "breaker-each", EndpointBreaker),
    ("rolling-restart", "retry", Retry),
    ("rolling-kill", "full-jitter", Retry),
    ("gc-pause", "hedging", Hedge),
    ("gc-pause", "full-jitter", AttemptTimeout),
    ("slow-start", "least-outstanding", Balancing),
    ("slow-start", "peak-ewma", Balancing),
    ("crash-loop", "full-jitter", Retry),
    ("correlated-crash", "retry-keepalive", Keepalive),
    ("bad-deploy", "outlier-detection", Outlier),
    ("autoscale", "full-jitter", Budget),
    ("retry-storm", "budget", Budget),
    ("queue-fifo", "full-jitter", Budget),
    ("queue-lifo", "full-jitter", Budget),
    ("queue-lifo", "deadline", Key::Discipline),
    ("queue-codel", "full-jitter", Budget),
    ("queue-codel", "deadline", Key::Discipline),
    ("deadline-propagation", "propagated", Deadline),
    ("adaptive-throttling", "throttle", Throttle),
    ("noisy-neighbour", "limited", RateLimit),
    ("noisy-neighbour", "deadline", Key::Shares),
    ("adaptive-limit", "vegas", Limit),
    ("adaptive-limit", "bulkhead", Limit),
    ("synchronized-clients", "full-jitter", Key::Backoff),
    ("pushback", "obeys", Retry),
    ("transient-errors", "twice", Retry),
    ("transient-errors", "thrice", Retry),
    ("response-lost", "careless", Retry),
    ("response-lost", "careful", Key::Restraint),
    ("refused-stream", "retry", Retry),
    ("proxy-errors", "retry", Retry),
    ("max-streams", "bulkhead", Limit),
    ("stalled-window", "max-age", Retry),
    ("deduplication", "retry-all", Retry),
    ("deduplication", "retry-all", Key::Dedup),
    ("write-behind", "full-jitter", Retry),
    ("sync-log", "full-jitter", Retry),
    ("sync-log", "full-jitter", Key::Sync),
    ("lying-disk", "full-jitter", Retry),
    ("full-disk", "retry", Retry),
    ("full-disk", "breaker-each", EndpointBreaker),
    ("slow-disk", "peak-ewma", Balancing),
    ("clock-skew", "elsewhere", Retry),
    ("cascading-retries", "budgets", Budget),
    ("overloaded-storage", "travelling-deadline", Deadline),
    ("fan-out-tail", "hedging", Hedge),
];

/// For whom no layer is what makes the difference, and why.
const NO_LAYER_WINS: &[(&str, &str, &str)] = &[
    ("calm", "all", "nothing goes wrong"),
    ("connection-age", "full-jitter", "a polite server needs no layer"),
    ("spoilt-answers", "retry-all", "what is committed is not repeated by any"),
    ("cascading-retries", "no-retry", "it has nothing that could be taken: that is its merit"),
];

impl Key {
    /// The plan in which the strategy at `place`, or its servers, are without it.
    fn taken_from(self, plan: &Plan, place: usize) -> Plan {
        let mut plan = plan.clone();
        for server in &mut plan.servers {
            match self {
                Self::Discipline => server.queue.discipline = Discipline::Fifo,
                Self::Shares => server.fairness = CallRate::UNLIMITED,
                Self::Dedup => server.dedup = false,
                Self::Sync => server.durability = Durability::Memory,
                _ => {}
            }
        }
        if !matches!(self, Self::Discipline | Self::Shares | Self::Dedup | Self::Sync) {
            let strategy = &mut plan.strategies[place].strategy;
            *strategy = self.taken_from_client(strategy.clone());
        }
        plan
    }

    fn taken_from_client(self, mut strategy: Strategy) -> Strategy {
        let channel = &mut strategy.channel;
        match self {
            Self::Keepalive => channel.keepalive = None,
            Self::EndpointBreaker => channel.endpoint_breaker = None,
            Self::Outlier => channel.outlier = None,
            Self::WaitForReady => channel.wait_for_ready = false,
            Self::Reconnect => channel.connect_backoff = ConnectBackoff::default(),
            Self::Balance => channel.balance = Balance::RoundRobin,
            Self::Budget | Self::Backoff | Self::Restraint => {
                for layer in &mut strategy.layers {
                    if let LayerConfig::Retry(retry) = layer {
                        match self {
                            Self::Budget => retry.budget = None,
                            Self::Restraint => retry.on = Codes::of(&[Code::Unavailable, Code::Internal]),
                            _ => retry.backoff = BackoffConfig::None,
                        }
                    }
                }
            }
            layer => {
                let before = strategy.layers.len();
                strategy.layers.retain(|other| !layer.is(other));
                assert!(strategy.layers.len() < before, "{} has no {self:?}", strategy.name);
            }
        }
        strategy
    }

    fn is(self, layer: &LayerConfig) -> bool {
        match self {
            Self::AttemptTimeout => matches!(layer, LayerConfig::AttemptTimeout(_)),
            Self::Breaker => matches!(layer, LayerConfig::Breaker(_)),
            Self::Deadline => matches!(layer, LayerConfig::Deadline(_)),
            Self::Hedge => matches!(layer, LayerConfig::Hedge(_)),
            Self::Limit => matches!(layer, LayerConfig::Limit(_)),
            Self::RateLimit => matches!(layer, LayerConfig::RateLimit(_)),
            Self::Retry => matches!(layer, LayerConfig::Retry(_)),
            Self::Throttle => matches!(layer, LayerConfig::Throttle(_)),
            _ => false,
        }
    }
}

fn plans() -> BTreeMap<String, Plan> {
    let load = |embedded: &scenario::Embedded| embedded.load().unwrap_or_else(|mistakes| panic!("{mistakes}"));
    scenario::catalogue().map(load).map(|plan| (plan.name.clone(), plan)).collect()
}

/// Which expectations of a strategy hold with the first seed, by their texts.
fn holds(plan: &Plan, strategy: usize) -> BTreeMap<String, bool> {
    let parts = Arc::new(Scopes::of(plan).parts().clone());
    let rivals =
        plan.expectations.iter().filter_map(|expectation| match (&expectation.strategies, &expectation.bound) {
            (Strategies::One(one), Bound::Strategy { strategy: rival, .. }) if *one == strategy => Some(*rival),
            _ => None,
        });
    let mut run: Vec<usize> = rivals.chain([strategy]).collect();
    run.sort_unstable();
    run.dedup();
    let twins = run.iter().flat_map(|strategy| [false, true].map(|control| (*strategy, control)));
    let runs: Vec<(TrialSpec, TrialMetrics)> = twins
        .map(|(strategy, control)| {
            let spec = TrialSpec { strategy, seed: plan.seeds.first, control };
            let fold = TrialFold::new(&trial::header(plan, spec), Arc::clone(&parts));
            (spec, trial::run(plan, spec, fold).unwrap().finish())
        })
        .collect();
    let trials: Vec<Trial<'_>> = runs
        .iter()
        .map(|(TrialSpec { strategy, seed, control }, metrics)| {
            let (strategy, seed, control) = (*strategy, *seed, *control);
            Trial { strategy, seed, control, metrics }
        })
        .collect();
    let outcome = judge(plan, &trials);
    let name = &plan.strategies[strategy].name;
    let own = outcome.strategies.into_iter().find(|outcome| &outcome.name == name).expect("it was run");
    own.expectations.into_iter().map(|judgement| (judgement.text, judgement.holds)).collect()
}

#[test]
fn without_its_key_layer_a_winner_fails() {
    let plans = plans();
    let mut wrong = Vec::new();
    for (name, strategy, key) in ROWS {
        let plan = &plans[*name];
        let place = plan.strategies.iter().position(|known| known.name == *strategy).expect("a strategy of this name");
        let without = key.taken_from(plan, place);
        let (whole, broken) = (holds(plan, place), holds(&without, place));
        if !whole.iter().any(|(text, holds)| *holds && !broken[text]) {
            wrong.push(format!("{name}: {strategy} needs no {key:?}: {broken:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Whether it expects something good of one strategy.
fn praises(expectation: &Expectation) -> Option<usize> {
    let Strategies::One(strategy) = expectation.strategies else { return None };
    let praise = match (expectation.op, expectation.metric.better()) {
        (Op::AtLeast | Op::Above, Better::Higher) | (Op::AtMost | Op::Below, Better::Lower) => true,
        // Equal to nothing lost, or to everything won; not to `never`.
        (Op::Equal, better) => better != Better::Neither && expectation.bound != Bound::Value(f64::INFINITY),
        _ => false,
    };
    praise.then_some(strategy)
}

#[test]
fn every_strategy_that_is_praised_has_a_row_or_a_reason() {
    for (name, plan) in plans() {
        assert!(!plan.expectations.is_empty(), "{name} expects nothing");
        let has_row = |who: &str| ROWS.iter().any(|(scenario, strategy, _)| *scenario == name && *strategy == who);
        let has_reason = |who: &str| NO_LAYER_WINS.iter().any(|row| (row.0, row.1) == (name.as_str(), who));
        for praised in plan.expectations.iter().filter_map(praises) {
            let who = &plan.strategies[praised].name;
            assert!(has_row(who) != has_reason(who), "{who} in {name} needs a row, or a reason why it has none");
        }
        let somebody = plan.strategies.iter().any(|strategy| has_row(&strategy.name) || has_reason(&strategy.name));
        assert!(somebody || has_reason("all"), "{name} has no winner, and no reason why");
    }
}

/// The same wave, the same clients: the newest first, or the late sent away, beats first come first served.
#[test]
fn a_queue_for_overload_beats_an_ordinary_one() {
    let plans = plans();
    let success = |name: &str| {
        let plan = &plans[name];
        let place = plan.strategies.iter().position(|known| known.name == "deadline").unwrap();
        let scopes = Scopes::of(plan);
        let spec = TrialSpec { strategy: place, seed: plan.seeds.first, control: false };
        let fold = TrialFold::new(&trial::header(plan, spec), Arc::new(scopes.parts().clone()));
        let metrics = trial::run(plan, spec, fold).unwrap().finish();
        metrics.whole().ok as f64 / metrics.whole().calls as f64
    };
    let (fifo, lifo, codel) = (success("queue-fifo"), success("queue-lifo"), success("queue-codel"));
    assert!(lifo > fifo + 0.05 && codel > fifo + 0.05, "fifo {fifo}, lifo {lifo}, codel {codel}");
}

/// What the catalogue must have at least, and that each tells a story.
#[test]
fn the_catalogue_is_broad_and_teaches() {
    let plans = plans();
    assert!(plans.len() >= 30, "{} scenarios", plans.len());
    for folder in ["network", "server", "overload", "grpc", "data", "tiers"] {
        let count = plans.values().filter(|plan| plan.file.contains(&format!("{folder}/"))).count();
        assert!(count >= 3, "{count} scenarios in {folder}");
    }
    for plan in plans.values() {
        assert!(plan.about.len() >= 250, "{} says little", plan.name);
        assert!(plan.about.to_lowercase().contains("look at"), "{} does not say what to look at", plan.name);
    }
}
