//! The catalogue means what it says: take the key layer out of a strategy that is expected to win, and an expectation fails.
//!
//! A scenario whose expectations hold whatever the strategy does teaches nothing and guards nothing. One row a strategy that
//! wins; a scenario without a row must be on the list of those in which no layer is the point, with the reason.
#![cfg(feature = "sim")]

use std::collections::BTreeMap;
use std::sync::Arc;

use squall::analysis::{Scopes, Trial, TrialFold, TrialMetrics, judge};
use squall::resilience::{BackoffConfig, Balance, LayerConfig, Strategy};
use squall::scenario::{self, Bound, Plan, Strategies};
use squall::trial::{self, TrialSpec};

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
}

use Key::{
    AttemptTimeout, Balance as Balancing, Breaker, Budget, Deadline, EndpointBreaker, Hedge, Keepalive, Limit, Outlier,
    RateLimit, Retry, Throttle, WaitForReady,
};

const ROWS: &[(&str, &str, Key)] = &[
    ("connection-refused", "wait-for-ready", WaitForReady),
    ("latency-spike", "full-jitter", AttemptTimeout),
    ("packet-loss", "full-jitter", AttemptTimeout),
    ("partition-heal", "full-jitter", AttemptTimeout),
    ("half-open", "keepalive", Keepalive),
    ("nat-expiry", "pings", Keepalive),
    ("flapping-link", "retry-elsewhere", Retry),
    ("flapping-link", "breaker-each", EndpointBreaker),
    ("one-way-partition", "retry-keepalive", Keepalive),
    ("crash-restart", "full-jitter", Retry),
    ("reconnect-herd", "breaker", Breaker),
    ("slow-server", "breaker", Breaker),
    ("gray-failure", "hedging", Hedge),
    ("gray-failure", "outlier-detection", Outlier),
    ("shared-breaker", "breaker-each", EndpointBreaker),
    ("rolling-restart", "retry", Retry),
    ("rolling-kill", "full-jitter", Retry),
    ("gc-pause", "hedging", Hedge),
    ("gc-pause", "full-jitter", AttemptTimeout),
    ("slow-start", "peak-ewma", Balancing),
    ("crash-loop", "full-jitter", Retry),
    ("correlated-crash", "retry-keepalive", Keepalive),
    ("bad-deploy", "outlier-detection", Outlier),
    ("autoscale", "full-jitter", Budget),
    ("retry-storm", "budget", Budget),
    ("queue-fifo", "full-jitter", Budget),
    ("queue-lifo", "full-jitter", Budget),
    ("queue-codel", "full-jitter", Budget),
    ("deadline-propagation", "propagated", Deadline),
    ("adaptive-throttling", "throttle", Throttle),
    ("noisy-neighbour", "limited", RateLimit),
    ("adaptive-limit", "vegas", Limit),
    ("adaptive-limit", "bulkhead", Limit),
    ("synchronized-clients", "full-jitter", Key::Backoff),
    ("pushback", "obeys", Retry),
    ("transient-errors", "thrice", Retry),
    ("response-lost", "careless", Retry),
    ("refused-stream", "retry", Retry),
    ("proxy-errors", "retry", Retry),
    ("max-streams", "bulkhead", Limit),
    ("stalled-window", "max-age", Retry),
    ("deduplication", "retry-all", Retry),
    ("write-behind", "full-jitter", Retry),
    ("sync-log", "full-jitter", Retry),
    ("lying-disk", "full-jitter", Retry),
    ("full-disk", "breaker-each", EndpointBreaker),
    ("slow-disk", "peak-ewma", Balancing),
    ("clock-skew", "elsewhere", Retry),
    ("cascading-retries", "budgets", Budget),
    ("overloaded-storage", "travelling-deadline", Deadline),
    ("fan-out-tail", "hedging", Hedge),
];

/// Where no layer is what makes the difference, and why.
const NO_LAYER_WINS: &[(&str, &str)] = &[
    ("calm", "nothing goes wrong"),
    ("connection-age", "a polite server needs no layer"),
    ("spoilt-answers", "what is committed is not repeated by any"),
];

impl Key {
    /// The strategy without it.
    fn taken_from(self, mut strategy: Strategy) -> Strategy {
        let channel = &mut strategy.channel;
        match self {
            Self::Keepalive => channel.keepalive = None,
            Self::EndpointBreaker => channel.endpoint_breaker = None,
            Self::Outlier => channel.outlier = None,
            Self::WaitForReady => channel.wait_for_ready = false,
            Self::Balance => channel.balance = Balance::RoundRobin,
            Self::Budget | Self::Backoff => {
                for layer in &mut strategy.layers {
                    if let LayerConfig::Retry(retry) = layer {
                        match self {
                            Self::Budget => retry.budget = None,
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
        let mut without = plan.clone();
        without.strategies[place].strategy = key.taken_from(plan.strategies[place].strategy.clone());
        let (whole, broken) = (holds(plan, place), holds(&without, place));
        if !whole.iter().any(|(text, holds)| *holds && !broken[text]) {
            wrong.push(format!("{name}: {strategy} needs no {key:?}: {broken:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_scenario_has_a_winner_or_a_reason() {
    for (name, plan) in plans() {
        let has_row = ROWS.iter().any(|(scenario, ..)| *scenario == name);
        let has_reason = NO_LAYER_WINS.iter().any(|(scenario, _)| *scenario == name);
        assert!(has_row != has_reason, "{name} needs a row, or a reason why it has none");
        assert!(!plan.expectations.is_empty(), "{name} expects nothing");
    }
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
