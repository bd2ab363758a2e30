//! Bad configuration is an error with a reason, at construction: one row for each option of each layer and of the channel.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::ready;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use squall::resilience::{
    AdaptiveRate, AdaptiveRateConfig, Ambient, AttemptTimeout, BackoffConfig, Balance, Breaker, BreakerConfig,
    BreakerWindow, BudgetConfig, BudgetKind, Channel, ChannelConfig, Client, Codes, ConnectBackoff, Deadline,
    Discipline, FailurePercentage, Fallback, FallbackConfig, Hedge, HedgeConfig, HedgeDelay, InvalidConfig, Keepalive,
    LayerConfig, Layers, Limit, LimitAlgorithm, LimitConfig, OutlierConfig, RateLimit, RateLimitConfig, Retry,
    RetryConfig, Scope, ServiceConfig, SlowCalls, Strategy, SuccessRate, Target, Tcp, Throttle, ThrottleConfig,
    ThrottleRule, TonicChannel, TowerConfig, TpsBudgetConfig, Transport, Trip, build,
};
use tonic::Code;
use tonic::body::Body;

const MS: Duration = Duration::from_millis(1);
const ZERO: Duration = Duration::ZERO;
const FOREVER: Duration = Duration::MAX;
const OK: Codes = Codes::of(&[Code::Ok]);

fn refused<T>(what: &dyn Debug, made: Result<T, InvalidConfig>, reason: &str) {
    match made {
        Ok(_) => panic!("{what:?} was taken; expected {reason:?}"),
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains(reason), "{what:?}: {error:?}, expected {reason:?}");
        }
    }
}

fn check(strategy: &Strategy, reason: &str) {
    refused(strategy, strategy.check(), reason);
    let target = Target::fixed("t", ["127.0.0.1:1"]);
    refused(strategy, build(strategy, target, Tcp, &Ambient::default()), reason);
}

/// Whoever makes a layer of it: a client, a run of layers, and the layer's own constructor.
fn layers(cases: Vec<(LayerConfig, &str)>) {
    for (layer, reason) in cases {
        let nothing =
            tower::service_fn(|_: http::Request<Body>| ready(Ok::<_, Infallible>(Response::new(Body::empty()))));
        let strategy = Strategy { layers: vec![layer.clone()], ..Strategy::default() };
        check(&strategy, reason);
        refused(&layer, Client::around(&strategy, nothing, &Ambient::default()), reason);
        refused(&layer, Layers::new(std::slice::from_ref(&layer), &Ambient::default()), reason);
        let what = layer.clone();
        match layer {
            LayerConfig::Deadline(timeout) => refused(&what, Deadline::new(timeout), reason),
            LayerConfig::AttemptTimeout(timeout) => refused(&what, AttemptTimeout::new(timeout), reason),
            LayerConfig::Retry(config) => refused(&what, Retry::new(config), reason),
            LayerConfig::Breaker(config) => refused(&what, Breaker::new(config), reason),
            LayerConfig::Hedge(config) => refused(&what, Hedge::new(config), reason),
            LayerConfig::Limit(config) => refused(&what, Limit::new(config), reason),
            LayerConfig::Throttle(config) => refused(&what, Throttle::new(config), reason),
            LayerConfig::RateLimit(config) => refused(&what, RateLimit::new(config), reason),
            LayerConfig::AdaptiveRate(config) => refused(&what, AdaptiveRate::new(config), reason),
            LayerConfig::Fallback(config) => refused(&what, Fallback::new(&config), reason),
            // These have no constructor of their own.
            LayerConfig::ServiceConfig(_) | LayerConfig::Tower(_) => {}
            other => panic!("{other:?} is a layer that nobody has thought of here"),
        }
    }
}

#[test]
fn times() {
    layers(vec![
        (LayerConfig::Deadline(ZERO), "deadline: must be above zero"),
        (LayerConfig::Deadline(FOREVER), "deadline: must be at most a year"),
        (LayerConfig::AttemptTimeout(ZERO), "attempt_timeout: must be above zero"),
        (LayerConfig::AttemptTimeout(FOREVER), "attempt_timeout: must be at most a year"),
    ]);
}

#[test]
fn retries() {
    let retry = |config: RetryConfig| LayerConfig::Retry(config);
    let plain = RetryConfig::default;
    layers(vec![
        (retry(RetryConfig { attempts: 0, ..plain() }), "retry.attempts: must be at least 1"),
        (retry(RetryConfig { on: OK, ..plain() }), "retry.on: OK is not a failure"),
    ]);
    let backoff = |backoff| LayerConfig::Retry(RetryConfig { backoff, ..RetryConfig::default() });
    let (base, cap) = (2 * MS, MS);
    let reversed = "backoff.base: must be at most the cap of 1ms, not 2ms";
    layers(vec![
        (backoff(BackoffConfig::Constant { pause: FOREVER }), "backoff.pause: must be at most a year"),
        (backoff(BackoffConfig::Linear { base, cap }), reversed),
        (backoff(BackoffConfig::Fibonacci { base, cap }), reversed),
        (backoff(BackoffConfig::Exponential { base, cap, multiplier: 2.0 }), reversed),
        (
            backoff(BackoffConfig::Exponential { base: MS, cap, multiplier: 0.5 }),
            "backoff.multiplier: must be between 1",
        ),
        (backoff(BackoffConfig::FullJitter { base, cap }), reversed),
        (backoff(BackoffConfig::EqualJitter { base, cap }), reversed),
        (backoff(BackoffConfig::Decorrelated { base, cap }), reversed),
        (backoff(BackoffConfig::AwsSdk { base, cap }), reversed),
        (backoff(BackoffConfig::Envoy { base, cap: FOREVER }), "backoff.cap: must be at most a year"),
        (backoff(BackoffConfig::grpc(MS, MS, f64::NAN)), "not NaN"),
        (backoff(BackoffConfig::grpc(MS, MS, 0.0)), "backoff.multiplier"),
        (backoff(BackoffConfig::Grpc { initial: MS, max: MS, multiplier: 2.0, jitter: 1.5 }), "backoff.jitter"),
    ]);
}

#[test]
fn budgets() {
    let budget = |kind| {
        LayerConfig::Retry(RetryConfig { budget: Some(BudgetConfig::per_client(kind)), ..RetryConfig::default() })
    };
    layers(vec![
        (budget(BudgetKind::Grpc { tokens: 0, ratio: 1.0 }), "budget.tokens: must be 1 to 1000, not 0"),
        (budget(BudgetKind::Grpc { tokens: 1001, ratio: 1.0 }), "budget.tokens: must be 1 to 1000, not 1001"),
        (budget(BudgetKind::Grpc { tokens: 10, ratio: f64::NAN }), "budget.ratio: must be 0.001 to 1000, not NaN"),
        (budget(BudgetKind::Finagle { ttl: ZERO, min_per_s: 1.0, percent: 0.2 }), "budget.ttl: must be above zero"),
        (budget(BudgetKind::Finagle { ttl: MS, min_per_s: -1.0, percent: 0.2 }), "budget.min_per_s"),
        (budget(BudgetKind::Finagle { ttl: MS, min_per_s: 1.0, percent: f64::INFINITY }), "budget.percent"),
        (budget(BudgetKind::AwsSdk { capacity: 0, cost: 5, timeout_cost: 10 }), "budget.capacity: must be at least 1"),
        (budget(BudgetKind::AwsSdk { capacity: 9, cost: 0, timeout_cost: 10 }), "budget.cost: must be at least 1"),
        (budget(BudgetKind::Envoy { percent: 1.5, min: 3 }), "budget.percent: must be between 0 and 1, not 1.5"),
        (budget(BudgetKind::Sre { percent: 2.0, window: MS }), "budget.percent"),
        (budget(BudgetKind::Sre { percent: 0.1, window: ZERO }), "budget.window: must be above zero"),
        (budget(BudgetKind::TokenBucket { per_call: f64::NAN, size: 5.0 }), "budget.per_call"),
        (budget(BudgetKind::TokenBucket { per_call: 0.1, size: 0.5 }), "budget.size"),
        (budget(BudgetKind::CumulativeBreaker { failure_rate: -0.1 }), "budget.failure_rate"),
    ]);
}

#[test]
fn hedges() {
    let hedge = |config: HedgeConfig| LayerConfig::Hedge(config);
    let delay = |delay| hedge(HedgeConfig { delay, ..HedgeConfig::default() });
    let learned = |quantile, initial, min, max| delay(HedgeDelay::Learned { quantile, initial, min, max });
    layers(vec![
        (hedge(HedgeConfig { attempts: 1, ..HedgeConfig::default() }), "hedge.attempts: must be at least 2"),
        (hedge(HedgeConfig { attempts: 0, ..HedgeConfig::default() }), "hedge.attempts: must be at least 2"),
        (
            hedge(HedgeConfig {
                budget: Some(BudgetConfig::per_client(BudgetKind::Envoy { percent: f64::NAN, min: 3 })),
                ..HedgeConfig::default()
            }),
            "budget.percent",
        ),
        (hedge(HedgeConfig { non_fatal: OK, ..HedgeConfig::default() }), "hedge.non_fatal: OK is not a failure"),
        (delay(HedgeDelay::Fixed(FOREVER)), "hedge.delay: must be at most a year"),
        (learned(1.0, MS, MS, MS), "hedge.quantile"),
        (learned(0.9, MS, ZERO, MS), "hedge.min: must be above zero"),
        (learned(0.9, MS, MS, FOREVER), "hedge.max: must be at most a year"),
        (learned(0.9, 3 * MS, MS, 2 * MS), "hedge.initial: must lie between"),
    ]);
}

#[test]
fn breakers() {
    let plain = BreakerConfig::default;
    let breaker = |config: BreakerConfig| LayerConfig::Breaker(config);
    let trip = |trip| breaker(BreakerConfig { trip, ..BreakerConfig::default() });
    let rate = |rate, window, min_calls| trip(Trip::FailureRate { rate, window, min_calls });
    let slow = |threshold, rate| {
        breaker(BreakerConfig { slow: Some(SlowCalls { threshold, rate }), ..BreakerConfig::default() })
    };
    layers(vec![
        (breaker(BreakerConfig { probes: 0, ..plain() }), "breaker.probes: must be at least 1"),
        (breaker(BreakerConfig { open: ZERO, ..plain() }), "breaker.open: must be above zero"),
        (breaker(BreakerConfig { failures: OK, ..plain() }), "breaker.failures: OK is not a failure"),
        (trip(Trip::Consecutive { failures: 0 }), "breaker.failures: must be at least 1"),
        (rate(0.0, BreakerWindow::Count(10), 5), "breaker.failure_rate"),
        (rate(f64::NAN, BreakerWindow::Count(10), 5), "breaker.failure_rate"),
        (rate(0.5, BreakerWindow::Count(0), 1), "breaker.window"),
        (rate(0.5, BreakerWindow::Count(10), 11), "breaker.min_calls: must be at most the window"),
        (rate(0.5, BreakerWindow::Time(ZERO), 5), "breaker.window: must be above zero"),
        (rate(0.5, BreakerWindow::Time(MS), 0), "breaker.min_calls: must be at least 1"),
        (trip(Trip::Ewma { rate: 1.5, half_life: MS, min_calls: 1 }), "breaker.failure_rate"),
        (trip(Trip::Ewma { rate: 0.5, half_life: ZERO, min_calls: 1 }), "breaker.half_life: must be above zero"),
        (trip(Trip::Ewma { rate: 0.5, half_life: MS, min_calls: 0 }), "breaker.min_calls: must be at least 1"),
        (slow(ZERO, 0.5), "breaker.slow.threshold: must be above zero"),
        (slow(MS, 0.0), "breaker.slow.rate"),
        (
            breaker(BreakerConfig {
                trip: Trip::Consecutive { failures: 3 },
                slow: Some(SlowCalls { threshold: MS, rate: 0.5 }),
                ..plain()
            }),
            "breaker.slow: needs a window",
        ),
    ]);
}

#[test]
fn limits() {
    let limit = |algorithm| LayerConfig::Limit(LimitConfig::new(algorithm));
    let queued = |discipline| {
        let plain = LimitConfig::new(LimitAlgorithm::Fixed { max: 1 });
        LayerConfig::Limit(LimitConfig { queue: 1, discipline, ..plain })
    };
    let aimd =
        |initial, min, max, backoff, timeout| limit(LimitAlgorithm::Aimd { initial, min, max, backoff, timeout });
    let gradient = |tolerance, smoothing, long_window| {
        limit(LimitAlgorithm::Gradient2 { initial: 20, min: 20, max: 200, queue: 4, tolerance, smoothing, long_window })
    };
    let envoy = |min_concurrency, requests, interval, window, buffer| {
        limit(LimitAlgorithm::EnvoyAdaptive { min_concurrency, max: 10, requests, interval, window, buffer })
    };
    layers(vec![
        (limit(LimitAlgorithm::Fixed { max: 0 }), "limit.max: must be at least 1"),
        (limit(LimitAlgorithm::Vegas { initial: 9, max: 8 }), "limit.initial: must lie between"),
        (aimd(5, 10, 20, 0.9, MS), "limit.initial: must lie between"),
        (aimd(10, 10, 20, 1.0, MS), "limit.backoff"),
        (aimd(10, 10, 20, 0.9, ZERO), "limit.timeout: must be above zero"),
        (gradient(0.5, 0.2, 600), "limit.tolerance"),
        (gradient(1.5, f64::NAN, 600), "limit.smoothing"),
        (gradient(1.5, 0.2, 0), "limit.long_window: must be at least 1"),
        (envoy(11, 50, MS, MS, 0.25), "limit."),
        (envoy(3, 0, MS, MS, 0.25), "limit.requests: must be at least 1"),
        (envoy(3, 50, ZERO, MS, 0.25), "limit.interval: must be above zero"),
        (envoy(3, 50, MS, ZERO, 0.25), "limit.window: must be above zero"),
        (envoy(3, 50, MS, MS, -1.0), "limit.buffer"),
        (queued(Discipline::Fifo { max_wait: Some(ZERO) }), "limit.max_wait: must be above zero"),
        (queued(Discipline::Lifo { max_wait: Some(FOREVER) }), "limit.max_wait: must be at most a year"),
        (queued(Discipline::CoDel { target: ZERO, interval: MS }), "limit.target: must be above zero"),
        (queued(Discipline::CoDel { target: 2 * MS, interval: MS }), "limit.target: must be at most the interval"),
    ]);
}

#[test]
fn throttles_rates_and_answers() {
    let throttle = |config: ThrottleConfig| LayerConfig::Throttle(config);
    let sre = |k| throttle(ThrottleConfig { rule: ThrottleRule::Sre { k }, ..ThrottleConfig::sre() });
    let envoy = |threshold, aggression, max| {
        let rule = ThrottleRule::EnvoyAdmission { threshold, aggression, max };
        throttle(ThrottleConfig { rule, ..ThrottleConfig::envoy_admission() })
    };
    let rate = |per_second, burst, max_wait| {
        LayerConfig::RateLimit(RateLimitConfig { per_second, burst, max_wait, scope: Scope::Client })
    };
    let fallback = |on| LayerConfig::Fallback(FallbackConfig { on, message: Bytes::new() });
    layers(vec![
        (throttle(ThrottleConfig { window: ZERO, ..ThrottleConfig::sre() }), "throttle.window: must be above zero"),
        (
            throttle(ThrottleConfig { rejected: OK, ..ThrottleConfig::sre() }),
            "throttle.rejected: OK is not a rejection",
        ),
        (sre(0.5), "throttle.k"),
        (sre(f64::NAN), "throttle.k"),
        (envoy(0.0, 1.0, 0.8), "throttle.threshold"),
        (envoy(0.95, 0.0, 0.8), "throttle.aggression"),
        (envoy(0.95, 1.0, 1.1), "throttle.max"),
        (rate(0.0, 1, ZERO), "rate_limit.per_second"),
        (rate(f64::INFINITY, 1, ZERO), "rate_limit.per_second"),
        (rate(1.0, 0, ZERO), "rate_limit.burst: must be at least 1"),
        (rate(1.0, 1, FOREVER), "rate_limit.max_wait: must be at most a year"),
        (
            LayerConfig::AdaptiveRate(AdaptiveRateConfig { throttled: Codes::NONE, ..AdaptiveRateConfig::default() }),
            "adaptive_rate.throttled: must name at least one code",
        ),
        (
            LayerConfig::AdaptiveRate(AdaptiveRateConfig { max_wait: FOREVER, ..AdaptiveRateConfig::default() }),
            "adaptive_rate.max_wait: must be at most a year",
        ),
        (fallback(Codes::NONE), "fallback.on: must name at least one code"),
        (fallback(OK), "fallback.on: OK is not a failure"),
    ]);
}

#[test]
fn layers_of_others() {
    let tower = |config: TowerConfig| LayerConfig::Tower(config);
    let budget = |ttl, min_per_s, percent| {
        let budget = Some(TpsBudgetConfig { ttl, min_per_s, percent });
        tower(TowerConfig::Retry { attempts: 2, on: Codes::UNAVAILABLE, budget })
    };
    let config =
        ServiceConfig { throttling: Some(BudgetKind::Grpc { tokens: 0, ratio: 1.0 }), ..ServiceConfig::default() };
    layers(vec![
        (LayerConfig::ServiceConfig(config), "budget.tokens: must be 1 to 1000, not 0"),
        (tower(TowerConfig::Timeout(ZERO)), "tower.timeout: must be above zero"),
        (tower(TowerConfig::ConcurrencyLimit { max: 0 }), "tower.concurrency_limit: must be at least 1"),
        (
            tower(TowerConfig::Retry { attempts: 0, on: Codes::UNAVAILABLE, budget: None }),
            "tower.retry.attempts: must be at least 1",
        ),
        (budget(MS, 1, 0.2), "tower.retry.budget.ttl: must be 1 to 60 s"),
        (budget(1000 * MS, 1 << 20, 0.2), "tower.retry.budget.min_per_s"),
        (budget(1000 * MS, 1, f32::NAN), "tower.retry.budget.percent"),
        (tower(TowerConfig::Hedge { min_data_points: 1, percentile: 1.5, period: MS }), "tower.hedge.percentile"),
        (
            tower(TowerConfig::Hedge { min_data_points: 1, percentile: 0.9, period: ZERO }),
            "tower.hedge.period: must be above zero",
        ),
    ]);
}

#[test]
fn channels() {
    let plain = ChannelConfig::default;
    let backoff = |connect_backoff| ChannelConfig { connect_backoff, ..ChannelConfig::default() };
    let turns = || ChannelConfig { balance: Balance::RoundRobin, ..ChannelConfig::default() };
    let keepalive = |time, timeout| {
        let keepalive = Some(Keepalive { time, timeout, without_calls: false });
        ChannelConfig { keepalive, ..ChannelConfig::default() }
    };
    let outlier = |change: fn(&mut OutlierConfig)| {
        let mut outlier = OutlierConfig::default();
        change(&mut outlier);
        ChannelConfig { outlier: Some(outlier), balance: Balance::RoundRobin, ..ChannelConfig::default() }
    };
    let grpc = ConnectBackoff::default();
    let cases = [
        (
            backoff(ConnectBackoff { initial: 2 * MS, max: MS, ..grpc }),
            "connect_backoff.initial: must be at most the maximum",
        ),
        (backoff(ConnectBackoff { multiplier: 0.5, ..grpc }), "connect_backoff.multiplier"),
        (backoff(ConnectBackoff { multiplier: f64::INFINITY, ..grpc }), "connect_backoff.multiplier"),
        (backoff(ConnectBackoff { min_connect_timeout: FOREVER, ..grpc }), "connect_backoff.min_connect_timeout"),
        (keepalive(FOREVER, MS), "keepalive.time: must be at most a year"),
        (ChannelConfig { max_age: Some(FOREVER), ..plain() }, "max_age: must be at most a year"),
        (backoff(ConnectBackoff { jitter: f64::NAN, ..grpc }), "connect_backoff.jitter"),
        (backoff(ConnectBackoff { max: FOREVER, ..grpc }), "connect_backoff.max: must be at most a year"),
        (backoff(ConnectBackoff { min_connect_timeout: ZERO, ..grpc }), "connect_backoff.min_connect_timeout"),
        (keepalive(ZERO, MS), "keepalive.time: must be above zero"),
        (keepalive(MS, ZERO), "keepalive.timeout: must be above zero"),
        (ChannelConfig { max_age: Some(ZERO), ..plain() }, "max_age: must be above zero"),
        (ChannelConfig { balance: Balance::PeakEwma { decay: ZERO }, ..plain() }, "balance.decay: must be above zero"),
        (ChannelConfig { health: Some(String::new()), ..plain() }, "balance: pick_first sticks to one endpoint"),
        (
            ChannelConfig {
                endpoint_breaker: Some(BreakerConfig { probes: 0, ..BreakerConfig::default() }),
                ..turns()
            },
            "breaker.probes: must be at least 1",
        ),
        (outlier(|outlier| outlier.interval = ZERO), "outlier.interval: must be above zero"),
        (outlier(|outlier| outlier.base_ejection = ZERO), "outlier.base_ejection: must be above zero"),
        (outlier(|outlier| outlier.max_ejection = FOREVER), "outlier.max_ejection: must be at most a year"),
        (
            outlier(|outlier| {
                outlier.success_rate = Some(SuccessRate { enforcement_percentage: 101, ..SuccessRate::default() });
            }),
            "outlier.success_rate.enforcement_percentage: must be at most 100",
        ),
        (
            outlier(|outlier| {
                let rule = FailurePercentage { threshold: 101, ..FailurePercentage::default() };
                outlier.failure_percentage = Some(rule);
            }),
            "outlier.failure_percentage.threshold: must be at most 100",
        ),
        (outlier(|outlier| outlier.max_ejection_percent = 101), "outlier.max_ejection_percent: must be at most 100"),
        (
            ChannelConfig { transport: Transport::Tonic, wait_for_ready: true, ..plain() },
            "channel: tonic's own channel takes only keepalive",
        ),
    ];
    for (channel, reason) in cases {
        let target = Target::fixed("t", ["127.0.0.1:1"]);
        match channel.transport {
            Transport::Own => {
                refused(&channel, Channel::new(target, Tcp, channel.clone(), &Ambient::default()), reason);
            }
            Transport::Tonic => {
                refused(&channel, TonicChannel::new(target, Tcp, &channel, &Ambient::default()), reason);
            }
        }
        check(&Strategy { channel, ..Strategy::default() }, reason);
    }
}
