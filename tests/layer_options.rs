//! Every option of every layer and of the channel can be said in a scenario file.
//!
//! Each row is a line of a file with every option set to something unusual, and the configuration it stands for, written out
//! without `..`: an option that is added to a layer does not compile here until a file can say it.
#![cfg(feature = "sim")]

use std::time::Duration;

use squall::resilience::{
    AdaptiveRateConfig, BackoffConfig, Balance, BreakerConfig, BreakerWindow, BudgetConfig, BudgetKind, ChannelConfig,
    Codes, ConnectBackoff, Discipline, FailurePercentage, FallbackConfig, HedgeConfig, HedgeDelay, Keepalive,
    LayerConfig, LimitAlgorithm, LimitConfig, OutlierConfig, RateLimitConfig, RetryConfig, Scope, Side, SlowCalls,
    Strategy, SuccessRate, ThrottleConfig, ThrottleRule, TowerConfig, TpsBudgetConfig, Transport, Trip,
};
use squall::scenario::{Alone, parse, schema};
use tonic::Code;

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// A scenario with one strategy, of these lines.
fn scenario(strategy: &str) -> String {
    format!(
        "name: options\nabout: A test.\nduration: 1s\nservers: {{ a: {{ replicas: 1 }} }}\n\
         clients: {{ c: {{ count: 1, calls: a, load: {{ poisson: 1/s }} }} }}\n\
         strategies:\n  - name: s\n    {strategy}\nexpect: [{{ s: success_rate >= 0% }}]\n"
    )
}

/// What a file means; a schema that an editor uses must agree that it is one.
fn read(strategy: &str) -> Strategy {
    let text = scenario(strategy);
    let plan = parse("options.yaml", &text, &Alone).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}"));
    let instance = serde_saphyr::from_str(&text).expect("YAML");
    let validator = jsonschema::draft202012::new(&schema()).expect("the schema is a schema");
    let wrong: Vec<String> = validator.iter_errors(&instance).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{text}: {wrong:#?}");
    plan.strategies[0].strategy.clone()
}

fn layer(written: &str, expected: LayerConfig) {
    assert_eq!(read(&format!("layers: [{{ {written} }}]")).layers, [expected], "{written}");
}

fn channel(written: &str, expected: ChannelConfig) {
    assert_eq!(read(&format!("channel: {{ {written} }}")).channel, expected, "{written}");
}

fn wrong(strategy: &str, reason: &str) {
    let text = scenario(strategy);
    let mistakes = parse("options.yaml", &text, &Alone).expect_err(strategy).to_string();
    assert!(mistakes.contains(reason), "{strategy}: {mistakes}");
}

#[test]
fn retries() {
    let (base, cap) = (10 * MS, 90 * MS);
    let retry = |backoff, budget| {
        LayerConfig::Retry(RetryConfig {
            attempts: 7,
            on: Codes::of(&[Code::Aborted, Code::Internal]),
            backoff,
            budget,
            on_attempt_timeout: false,
            on_rejection: true,
            unmarked_is_idempotent: false,
            buffer_bytes: 1000,
        })
    };
    let write = |backoff: &str, budget: &str| {
        format!(
            "retry: {{ attempts: 7, on: [ABORTED, INTERNAL], backoff: {backoff}, {budget} on_attempt_timeout: false, \
             on_rejection: true, unmarked_is_idempotent: false, buffer_bytes: 1000 }}"
        )
    };
    let grpc = BackoffConfig::Grpc { initial: base, max: cap, multiplier: 1.5, jitter: 0.5 };
    for (written, expected) in [
        ("none", BackoffConfig::None),
        ("{ constant: 10ms }", BackoffConfig::Constant { pause: base }),
        ("{ linear: { base: 10ms, cap: 90ms } }", BackoffConfig::Linear { base, cap }),
        ("{ fibonacci: { base: 10ms, cap: 90ms } }", BackoffConfig::Fibonacci { base, cap }),
        (
            "{ exponential: { base: 10ms, cap: 90ms, multiplier: 3 } }",
            BackoffConfig::Exponential { base, cap, multiplier: 3.0 },
        ),
        ("{ full_jitter: { base: 10ms, cap: 90ms } }", BackoffConfig::FullJitter { base, cap }),
        ("{ equal_jitter: { base: 10ms, cap: 90ms } }", BackoffConfig::EqualJitter { base, cap }),
        ("{ decorrelated: { base: 10ms, cap: 90ms } }", BackoffConfig::Decorrelated { base, cap }),
        ("{ grpc: { initial: 10ms, max: 90ms, multiplier: 1.5, jitter: 50% } }", grpc),
        ("{ aws_sdk: { base: 10ms, cap: 90ms } }", BackoffConfig::AwsSdk { base, cap }),
        ("{ envoy: { base: 10ms, cap: 90ms } }", BackoffConfig::Envoy { base, cap }),
    ] {
        layer(&write(written, ""), retry(expected, None));
    }
    for (written, kind) in [
        ("tokens: 7, ratio: 0.3", BudgetKind::Grpc { tokens: 7, ratio: 0.3 }),
        (
            "finagle: { ttl: 3s, min_per_s: 4, percent: 30% }",
            BudgetKind::Finagle { ttl: 3 * S, min_per_s: 4.0, percent: 0.3 },
        ),
        (
            "aws_sdk: { capacity: 9, cost: 2, timeout_cost: 3 }",
            BudgetKind::AwsSdk { capacity: 9, cost: 2, timeout_cost: 3 },
        ),
        ("envoy: { percent: 30%, min: 4 }", BudgetKind::Envoy { percent: 0.3, min: 4 }),
        ("sre: { percent: 30%, window: 4s }", BudgetKind::Sre { percent: 0.3, window: 4 * S }),
        ("token_bucket: { per_call: 0.3, size: 4 }", BudgetKind::TokenBucket { per_call: 0.3, size: 4.0 }),
        ("cumulative_breaker: 30%", BudgetKind::CumulativeBreaker { failure_rate: 0.3 }),
    ] {
        let budget = Some(BudgetConfig { kind, scope: Scope::Shared });
        layer(&write("none", &format!("budget: {{ {written}, scope: shared }},")), retry(BackoffConfig::None, budget));
    }
}

#[test]
fn bounds_hedges_and_answers() {
    layer("deadline: 2s", LayerConfig::Deadline(2 * S));
    layer("attempt_timeout: 2s", LayerConfig::AttemptTimeout(2 * S));
    let hedge = |delay, budget| {
        let non_fatal = Codes::of(&[Code::Aborted]);
        LayerConfig::Hedge(HedgeConfig { attempts: 3, delay, non_fatal, budget, buffer_bytes: 7 })
    };
    layer(
        "hedge: { attempts: 3, delay: 20ms, non_fatal: [ABORTED], buffer_bytes: 7 }",
        hedge(HedgeDelay::Fixed(20 * MS), None),
    );
    let learned = HedgeDelay::Learned { quantile: 0.9, initial: 20 * MS, min: 10 * MS, max: 30 * MS };
    let budget = Some(BudgetConfig { kind: BudgetKind::Envoy { percent: 0.1, min: 1 }, scope: Scope::Client });
    layer(
        "hedge: { attempts: 3, delay: { learned: { quantile: 90%, initial: 20ms, min: 10ms, max: 30ms } }, \
         non_fatal: [ABORTED], budget: { envoy: { percent: 10%, min: 1 } }, buffer_bytes: 7 }",
        hedge(learned, budget),
    );
    // Field 1 is true; field 2 has the six letters.
    let message = bytes::Bytes::from_static(b"\x08\x01\x12\x06cached");
    layer(
        "fallback: { on: [INTERNAL], message: { acknowledged: true, tracking_id: cached } }",
        LayerConfig::Fallback(FallbackConfig { on: Codes::of(&[Code::Internal]), message }),
    );
    layer(
        "fallback: {}",
        LayerConfig::Fallback(FallbackConfig { on: Codes::UNAVAILABLE, message: bytes::Bytes::new() }),
    );
}

#[test]
fn breakers() {
    let breaker = |trip, slow| {
        LayerConfig::Breaker(BreakerConfig {
            name: "fuse".to_owned(),
            trip,
            slow,
            open: 2 * S,
            probes: 4,
            failures: Codes::of(&[Code::Internal]),
            scope: Scope::Shared,
        })
    };
    let write = |trip: &str| {
        format!("breaker: {{ name: fuse, {trip}, open: 2s, probes: 4, failures: [INTERNAL], scope: shared }}")
    };
    let rate = |window| Trip::FailureRate { rate: 0.3, window, min_calls: 6 };
    layer(&write("consecutive: 3"), breaker(Trip::Consecutive { failures: 3 }, None));
    layer(&write("failure_rate: 30%, window: 3s, min_calls: 6"), breaker(rate(BreakerWindow::Time(3 * S)), None));
    layer(
        &write("failure_rate: 30%, window: { calls: 8 }, min_calls: 6"),
        breaker(rate(BreakerWindow::Count(8)), None),
    );
    let ewma = Trip::Ewma { rate: 0.3, half_life: 3 * S, min_calls: 6 };
    let slow = Some(SlowCalls { threshold: 200 * MS, rate: 0.4 });
    layer(
        &write("ewma: { rate: 30%, half_life: 3s }, min_calls: 6, slow: { threshold: 200ms, rate: 40% }"),
        breaker(ewma, slow),
    );
}

#[test]
fn limits() {
    let limit = |algorithm, discipline| {
        let (by_criticality, side, scope) = (true, Side::Client, Scope::Shared);
        LayerConfig::Limit(LimitConfig { algorithm, queue: 5, discipline, by_criticality, side, scope })
    };
    let write = |algorithm: &str, discipline: &str| {
        format!("limit: {{ algorithm: {algorithm}, queue: 5, {discipline}, by_criticality: true, scope: shared }}")
    };
    let fifo = Discipline::Fifo { max_wait: Some(40 * MS) };
    for (written, algorithm) in [
        ("{ fixed: 9 }", LimitAlgorithm::Fixed { max: 9 }),
        ("aimd", LimitAlgorithm::AIMD),
        ("{ aimd: {} }", LimitAlgorithm::AIMD),
        ("vegas", LimitAlgorithm::VEGAS),
        ("{ vegas: {} }", LimitAlgorithm::VEGAS),
        ("gradient2", LimitAlgorithm::GRADIENT2),
        ("{ gradient2: {} }", LimitAlgorithm::GRADIENT2),
        ("envoy_adaptive", LimitAlgorithm::ENVOY),
        ("{ envoy_adaptive: {} }", LimitAlgorithm::ENVOY),
        (
            "{ aimd: { initial: 7, min: 6, max: 8, backoff: 50%, timeout: 2s } }",
            LimitAlgorithm::Aimd { initial: 7, min: 6, max: 8, backoff: 0.5, timeout: 2 * S },
        ),
        ("{ vegas: { initial: 7, max: 8 } }", LimitAlgorithm::Vegas { initial: 7, max: 8 }),
        (
            "{ gradient2: { initial: 7, min: 6, max: 8, queue: 2, tolerance: 2.5, smoothing: 30%, long_window: 60 } }",
            LimitAlgorithm::Gradient2 {
                initial: 7,
                min: 6,
                max: 8,
                queue: 2,
                tolerance: 2.5,
                smoothing: 0.3,
                long_window: 60,
            },
        ),
        (
            "{ envoy_adaptive: { min_concurrency: 2, max: 8, requests: 9, interval: 3s, window: 20ms, buffer: 50% } }",
            LimitAlgorithm::EnvoyAdaptive {
                min_concurrency: 2,
                max: 8,
                requests: 9,
                interval: 3 * S,
                window: 20 * MS,
                buffer: 0.5,
            },
        ),
    ] {
        layer(&write(written, "discipline: fifo, max_wait: 40ms"), limit(algorithm, fifo));
    }
    let fixed = LimitAlgorithm::Fixed { max: 9 };
    let lifo = Discipline::Lifo { max_wait: Some(40 * MS) };
    layer(&write("{ fixed: 9 }", "discipline: lifo, max_wait: 40ms"), limit(fixed, lifo));
    let codel = Discipline::CoDel { target: 4 * MS, interval: 50 * MS };
    layer(&write("{ fixed: 9 }", "discipline: { codel: { target: 4ms, interval: 50ms } }"), limit(fixed, codel));
}

#[test]
fn throttles_and_rates() {
    let throttle = |rule| {
        let rejected = Codes::of(&[Code::Internal]);
        LayerConfig::Throttle(ThrottleConfig { rule, window: 20 * S, rejected, scope: Scope::Shared })
    };
    layer(
        "throttle: { rule: sre, k: 1.5, window: 20s, rejected: [INTERNAL], scope: shared }",
        throttle(ThrottleRule::Sre { k: 1.5 }),
    );
    layer(
        "throttle: { rule: envoy_admission, threshold: 90%, aggression: 2, max: 70%, window: 20s, rejected: [INTERNAL], \
         scope: shared }",
        throttle(ThrottleRule::EnvoyAdmission { threshold: 0.9, aggression: 2.0, max: 0.7 }),
    );
    let (max_wait, scope) = (40 * MS, Scope::Shared);
    layer(
        "rate_limit: { rate: 20/s, burst: 3, max_wait: 40ms, scope: shared }",
        LayerConfig::RateLimit(RateLimitConfig { per_second: 20.0, burst: 3, max_wait, scope }),
    );
    layer(
        "adaptive_rate: { throttled: [INTERNAL], max_wait: 40ms, scope: shared }",
        LayerConfig::AdaptiveRate(AdaptiveRateConfig { throttled: Codes::of(&[Code::Internal]), max_wait, scope }),
    );
}

#[test]
fn layers_of_tower() {
    layer("tower: { timeout: 2s }", LayerConfig::Tower(TowerConfig::Timeout(2 * S)));
    layer("tower: { concurrency_limit: 9 }", LayerConfig::Tower(TowerConfig::ConcurrencyLimit { max: 9 }));
    let budget = Some(TpsBudgetConfig { ttl: 3 * S, min_per_s: 4, percent: 0.25 });
    let on = Codes::of(&[Code::Internal]);
    layer(
        "tower: { retry: { attempts: 5, on: [INTERNAL], budget: { ttl: 3s, min_per_s: 4, percent: 25% } } }",
        LayerConfig::Tower(TowerConfig::Retry { attempts: 5, on, budget }),
    );
    layer(
        "tower: { hedge: { min_data_points: 9, percentile: 75%, period: 3s } }",
        LayerConfig::Tower(TowerConfig::Hedge { min_data_points: 9, percentile: 0.75, period: 3 * S }),
    );
}

#[test]
fn channels() {
    let breaker = BreakerConfig { trip: Trip::Consecutive { failures: 3 }, ..BreakerConfig::default() };
    channel(
        "transport: squall, balance: { peak_ewma: { decay: 3s } }, \
         connect_backoff: { custom: { initial: 2s, max: 9s, multiplier: 3, jitter: 10% } }, connect_timeout: 4s, \
         wait_for_ready: true, keepalive: { time: 5s, timeout: 6s, without_calls: true }, max_age: 1m, health: svc, \
         endpoint_breaker: { consecutive: 3 }, \
         outlier: { interval: 2s, base_ejection: 3s, max_ejection: 4s, max_ejection_percent: 40%, \
           success_rate: { stdev_factor: 1.5, enforcement: 60%, minimum_hosts: 3, request_volume: 7 }, \
           failure_percentage: { threshold: 70%, enforcement: 80%, minimum_hosts: 4, request_volume: 8 } }",
        ChannelConfig {
            transport: Transport::Own,
            balance: Balance::PeakEwma { decay: 3 * S },
            connect_backoff: ConnectBackoff {
                initial: 2 * S,
                multiplier: 3.0,
                max: 9 * S,
                jitter: 0.1,
                min_connect_timeout: 4 * S,
            },
            wait_for_ready: true,
            keepalive: Some(Keepalive { time: 5 * S, timeout: 6 * S, without_calls: true }),
            max_age: Some(60 * S),
            outlier: Some(OutlierConfig {
                interval: 2 * S,
                base_ejection: 3 * S,
                max_ejection: 4 * S,
                max_ejection_percent: 40,
                success_rate: Some(SuccessRate {
                    stdev_factor: 1500,
                    enforcement_percentage: 60,
                    minimum_hosts: 3,
                    request_volume: 7,
                }),
                failure_percentage: Some(FailurePercentage {
                    threshold: 70,
                    enforcement_percentage: 80,
                    minimum_hosts: 4,
                    request_volume: 8,
                }),
            }),
            health: Some("svc".to_owned()),
            endpoint_breaker: Some(breaker),
        },
    );
    let balance = |balance| ChannelConfig { balance, ..ChannelConfig::default() };
    channel("balance: pick_first", balance(Balance::PickFirst));
    channel("balance: round_robin", balance(Balance::RoundRobin));
    channel("balance: least_outstanding", balance(Balance::LeastOutstanding));
    channel("balance: peak_ewma", balance(Balance::PeakEwma { decay: 10 * S }));
    channel("transport: tonic", ChannelConfig { transport: Transport::Tonic, ..ChannelConfig::default() });
    let backoff = |connect_backoff| ChannelConfig { connect_backoff, ..ChannelConfig::default() };
    channel("connect_backoff: grpc", backoff(ConnectBackoff::default()));
    channel("connect_backoff: none", backoff(ConnectBackoff::IMMEDIATE));
    let constant =
        ConnectBackoff { initial: 2 * S, max: 2 * S, multiplier: 1.0, jitter: 0.0, ..ConnectBackoff::default() };
    channel("connect_backoff: { constant: 2s }", backoff(constant));
}

/// What is out of range, or goes with something else, is said where it stands.
#[test]
fn what_makes_no_sense_is_told() {
    let layer = |written: &str, reason: &str| wrong(&format!("layers: [{{ {written} }}]"), reason);
    let limit = |written: &str, reason: &str| layer(&format!("limit: {{ algorithm: {written} }}"), reason);
    limit("amid", "expected `aimd` or `vegas` or `gradient2` or `envoy_adaptive`, found `amid`");
    limit("fixed", "a limit that is given is written `{ fixed: 20 }`");
    limit("{ aimd: { initial: 300 } }", "`limit.initial` must lie between the minimum and the maximum");
    limit("{ aimd: { min: 0 } }", "`limit.min` must be at least 1");
    limit("{ aimd: { backoff: 100% } }", "`limit.backoff` must be between 0.01 and 0.999");
    limit("{ aimd: { timeout: 0s } }", "`limit.timeout` must be above zero");
    limit("{ vegas: { alpha: 3 } }", "unknown field `alpha`");
    limit("{ vegas: { initial: 9, max: 8 } }", "`limit.initial` must lie between");
    limit("{ gradient2: { tolerance: 0.5 } }", "`limit.tolerance` must be between 1 and 100, not 0.5");
    limit("{ gradient2: { smoothing: 0% } }", "`limit.smoothing` must be between 0.001 and 1, not 0");
    limit("{ gradient2: { long_window: 0 } }", "`limit.long_window` must be at least 1");
    limit("{ envoy_adaptive: { requests: 0 } }", "`limit.requests` must be at least 1");
    limit("{ envoy_adaptive: { interval: 0s } }", "`limit.interval` must be above zero");
    limit("{ envoy_adaptive: { min_concurrency: 9, max: 8 } }", "`limit.initial` must lie between");
    limit("{ fixed: 3 }, queue: 2, discipline: { codel: {} }, max_wait: 1s", "`max_wait` goes with `fifo` and `lifo`");
    limit("{ fixed: 3 }, queue: 2, max_wait: 0s", "`limit.max_wait` must be above zero");
    limit("{ fixed: 3 }, max_wait: 1s", "`max_wait` without a `queue`: nobody waits for a place");
    limit("{ fixed: 3 }, discipline: lifo", "`discipline` without a `queue`: nobody waits for a place");
    layer("throttle: { rule: envoy_admission, k: 2 }", "`k` goes with `rule: sre`");
    layer("throttle: { threshold: 90% }", "`threshold` goes with `rule: envoy_admission`");
    layer("fallback: { on: [OK] }", "`fallback.on` OK is not a failure");
    layer("fallback: { message: { acknowledge: true } }", "unknown field `acknowledge`");
    layer("breaker: { name: '' }", "the name of a breaker is empty");
    let channel = |written: &str, reason: &str| wrong(&format!("channel: {{ {written} }}"), reason);
    channel("balance: random", "expected `pick_first` or `round_robin` or `least_outstanding` or `peak_ewma`");
    channel("balance: { peak_ewma: { decay: 0s } }", "`balance.decay` must be above zero");
    channel("balance: { round_robin: {} }", "expected `peak_ewma`, found `round_robin`");
    channel("balance: round_robin, outlier: { success_rate: { enforcement: 101% } }", "101");
    wrong("layers: []\n    max_call_attempts: 3", "`max_call_attempts` goes with `service_config`");
}
