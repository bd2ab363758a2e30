//! A strategy as service config, and what of it cannot be said there.

use std::time::Duration;

use serde_json::{Value, json};

use super::{MethodConfig, MethodName, MethodPolicy, ServiceConfig};
use crate::resilience::backoff::BackoffConfig;
use crate::resilience::budget::{BudgetConfig, BudgetKind};
use crate::resilience::channel::{Balance, ChannelConfig, OutlierConfig};
use crate::resilience::hedge::{HedgeConfig, HedgeDelay};
use crate::resilience::retry::RetryConfig;
use crate::resilience::{Codes, LayerConfig, Scope, Strategy, code_name};

/// A service config, and what did not fit into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// The JSON.
    pub json: Value,
    /// What cannot be expressed, one clause each: `breaker: gRPC has no circuit breaker`.
    pub lost: Vec<String>,
}

/// Writes a strategy as service config.
///
/// ```
/// use squall::resilience::{LayerConfig, Strategy, export};
/// let layers = vec![LayerConfig::Deadline(std::time::Duration::from_secs(2))];
/// let exported = export(&Strategy { layers, ..Strategy::default() });
/// assert_eq!(exported.json["methodConfig"][0]["timeout"], "2s");
/// assert!(exported.lost.is_empty());
/// ```
#[must_use]
pub fn export(strategy: &Strategy) -> Exported {
    let mut export = Export { config: ServiceConfig::default(), lost: Vec::new() };
    let mut method = MethodConfig { names: vec![MethodName::default()], ..MethodConfig::default() };
    for layer in &strategy.layers {
        export.layer(layer, &mut method);
    }
    export.channel(&strategy.channel, &mut method);
    export.everywhere(method);
    Exported { json: write(&export.config), lost: export.lost }
}

struct Export {
    config: ServiceConfig,
    lost: Vec<String>,
}

impl Export {
    fn layer(&mut self, layer: &LayerConfig, method: &mut MethodConfig) {
        match layer {
            LayerConfig::Deadline(timeout) if method.policy.is_none() => {
                method.timeout = Some(method.timeout.map_or(*timeout, |outer| outer.min(*timeout)));
            }
            LayerConfig::Retry(retry) if method.policy.is_none() => self.retry(retry, method),
            LayerConfig::Hedge(hedge) if method.policy.is_none() => self.hedge(hedge, method),
            LayerConfig::ServiceConfig(config) => {
                self.config.methods.extend(config.methods.iter().cloned());
                self.config.throttling = self.config.throttling.or(config.throttling);
            }
            LayerConfig::Deadline(_) | LayerConfig::AttemptTimeout(_) => {
                self.lose("attempt_timeout: gRFC A6 has no timeout an attempt");
            }
            LayerConfig::Retry(_) | LayerConfig::Hedge(_) => {
                self.lose("retry: a method has one policy, the outermost was taken");
            }
            LayerConfig::Breaker(_) => self.lose("breaker: gRPC has no circuit breaker"),
            LayerConfig::Limit(_) => self.lose("limit: gRPC has no concurrency limit"),
            LayerConfig::Throttle(_) => self.lose("throttle: gRPC throttles retries only"),
            LayerConfig::RateLimit(_) => self.lose("rate_limit: gRPC has no rate limit"),
            LayerConfig::AdaptiveRate(_) => self.lose("adaptive_rate: gRPC has no rate limit"),
            LayerConfig::Fallback(_) => self.lose("fallback: gRPC has no default answers"),
            LayerConfig::Tower(_) => self.lose("tower: a layer of another crate"),
        }
    }

    fn retry(&mut self, retry: &RetryConfig, method: &mut MethodConfig) {
        let mut retry = retry.clone();
        if retry.attempts < 2 || retry.on.is_empty() {
            return;
        }
        if retry.attempts > 5 {
            self.lose("retry.attempts: gRPC makes 5 at most");
        }
        match retry.backoff {
            BackoffConfig::Grpc { initial, jitter, .. } if !initial.is_zero() => {
                if (jitter - 0.2).abs() > 1e-9 {
                    self.lose("retry.backoff.jitter: gRPC's is ±20 %");
                }
            }
            other => {
                let (initial, max, multiplier) = nearest(other);
                retry.backoff = BackoffConfig::grpc(initial, max, multiplier);
                self.lose("retry.backoff: gRPC has only its own exponential backoff with ±20 %; the nearest was taken");
            }
        }
        if retry.on_rejection {
            self.lose("retry.on_rejection: gRPC has no layers that turn calls away");
        }
        if !retry.unmarked_is_idempotent {
            self.lose("retry.unmarked_is_idempotent: gRPC retries every call that fails with one of the codes");
        }
        self.buffer(retry.buffer_bytes);
        self.budget(retry.budget.take());
        method.policy = Some(MethodPolicy::Retry(retry));
    }

    fn hedge(&mut self, hedge: &HedgeConfig, method: &mut MethodConfig) {
        let mut hedge = hedge.clone();
        if hedge.attempts > 5 {
            self.lose("hedge.attempts: gRPC makes 5 at most");
        }
        if let HedgeDelay::Learned { initial, .. } = hedge.delay {
            self.lose("hedge.delay: gRPC's is fixed; the initial one was taken");
            hedge.delay = HedgeDelay::Fixed(initial);
        }
        self.buffer(hedge.buffer_bytes);
        self.budget(hedge.budget.take());
        method.policy = Some(MethodPolicy::Hedge(hedge));
    }

    fn buffer(&mut self, bytes: usize) {
        if bytes != RetryConfig::default().buffer_bytes {
            self.lose("buffer_bytes: set on the channel in code");
        }
    }

    fn budget(&mut self, budget: Option<BudgetConfig>) {
        let Some(BudgetConfig { kind, scope }) = budget else { return };
        if !matches!(kind, BudgetKind::Grpc { .. }) {
            return self.lose("budget: gRPC has only its own throttling of retries");
        }
        if scope == Scope::Shared {
            self.lose("budget.scope: gRPC keeps one a client");
        }
        self.config.throttling = Some(kind);
    }

    fn channel(&mut self, channel: &ChannelConfig, method: &mut MethodConfig) {
        let plain = ChannelConfig::default();
        if channel.balance != Balance::PickFirst {
            self.config.balance = Some(channel.balance);
            self.config.outlier.clone_from(&channel.outlier);
        }
        if matches!(channel.balance, Balance::PeakEwma { .. }) {
            self.lose("channel.balance: gRPC has no peak EWMA; least_request was taken");
        }
        if channel.wait_for_ready {
            method.wait_for_ready = Some(true);
        }
        self.config.health.clone_from(&channel.health);
        let rest = [
            (channel.transport != plain.transport, "channel.transport: tonic's own channel"),
            (channel.connect_backoff != plain.connect_backoff, "channel.connect_backoff: set on the channel in code"),
            (channel.keepalive.is_some(), "channel.keepalive: set on the channel in code"),
            (channel.max_age.is_some(), "channel.max_age: set on the server"),
            (channel.endpoint_breaker.is_some(), "channel.endpoint_breaker: gRPC has no circuit breaker"),
        ];
        for (lost, why) in rest {
            if lost {
                self.lose(why);
            }
        }
    }

    /// What holds for all methods: in a service config the most specific name inherits nothing, and each name stands once.
    fn everywhere(&mut self, all: MethodConfig) {
        let mut clash = false;
        for method in &mut self.config.methods {
            method.timeout = method.timeout.into_iter().chain(all.timeout).min();
            method.wait_for_ready = method.wait_for_ready.or(all.wait_for_ready);
            clash |= method.policy.is_some() && all.policy.is_some();
            method.policy = method.policy.take().or_else(|| all.policy.clone());
        }
        if clash {
            self.lose("retry: a method has one policy, its own was taken");
        }
        let says = all.timeout.is_some() || all.policy.is_some() || all.wait_for_ready.is_some();
        let default = MethodName::default();
        if says && !self.config.methods.iter().any(|method| method.names.contains(&default)) {
            self.config.methods.push(all);
        }
    }

    fn lose(&mut self, what: &str) {
        if !self.lost.iter().any(|lost| lost == what) {
            self.lost.push(what.to_owned());
        }
    }
}

/// The exponential schedule that comes closest: first pause, longest pause, growth.
fn nearest(backoff: BackoffConfig) -> (Duration, Duration, f64) {
    let tiny = Duration::from_millis(1);
    let (initial, max, multiplier) = match backoff {
        BackoffConfig::None => (tiny, tiny, 1.0),
        BackoffConfig::Constant { pause } => (pause, pause, 1.0),
        BackoffConfig::Linear { base, cap } => (base, cap, 1.5),
        BackoffConfig::Fibonacci { base, cap } => (base, cap, 1.618),
        BackoffConfig::Exponential { base, cap, multiplier } => (base, cap, multiplier),
        BackoffConfig::Grpc { initial, max, multiplier, .. } => (initial, max, multiplier),
        BackoffConfig::Decorrelated { base, cap } => (base, cap, 2.0),
        // Jitter down to zero halves the mean.
        BackoffConfig::FullJitter { base, cap }
        | BackoffConfig::AwsSdk { base, cap }
        | BackoffConfig::Envoy { base, cap } => (base / 2, cap / 2, 2.0),
        BackoffConfig::EqualJitter { base, cap } => (base * 3 / 4, cap * 3 / 4, 2.0),
    };
    (initial.max(tiny), max.max(tiny), multiplier)
}

fn write(config: &ServiceConfig) -> Value {
    let mut root = json!({});
    if let Some(balance) = config.balance {
        let name = match balance {
            Balance::PickFirst => "pick_first",
            Balance::RoundRobin => "round_robin",
            Balance::LeastOutstanding | Balance::PeakEwma { .. } => "least_request_experimental",
        };
        let policy = json!([{ name: {} }]);
        root["loadBalancingConfig"] = match &config.outlier {
            None => policy,
            Some(outlier) => json!([{ "outlier_detection_experimental": write_outlier(outlier, policy) }]),
        };
    }
    if !config.methods.is_empty() {
        root["methodConfig"] = config.methods.iter().map(write_method).collect();
    }
    if let Some(BudgetKind::Grpc { tokens, ratio }) = config.throttling {
        root["retryThrottling"] = json!({ "maxTokens": tokens, "tokenRatio": ratio });
    }
    if let Some(health) = &config.health {
        root["healthCheckConfig"] = json!({ "serviceName": health });
    }
    root
}

fn write_outlier(outlier: &OutlierConfig, child: Value) -> Value {
    let mut object = json!({
        "interval": write_duration(outlier.interval),
        "baseEjectionTime": write_duration(outlier.base_ejection),
        "maxEjectionTime": write_duration(outlier.max_ejection),
        "maxEjectionPercent": outlier.max_ejection_percent,
    });
    if let Some(rule) = outlier.success_rate {
        object["successRateEjection"] = json!({
            "stdevFactor": rule.stdev_factor,
            "enforcementPercentage": rule.enforcement_percentage,
            "minimumHosts": rule.minimum_hosts,
            "requestVolume": rule.request_volume,
        });
    }
    if let Some(rule) = outlier.failure_percentage {
        object["failurePercentageEjection"] = json!({
            "threshold": rule.threshold,
            "enforcementPercentage": rule.enforcement_percentage,
            "minimumHosts": rule.minimum_hosts,
            "requestVolume": rule.request_volume,
        });
    }
    object["childPolicy"] = child;
    object
}

fn write_method(method: &MethodConfig) -> Value {
    let name = |name: &MethodName| {
        let mut object = json!({});
        for (key, value) in [("service", &name.service), ("method", &name.method)] {
            if !value.is_empty() {
                object[key] = json!(value);
            }
        }
        object
    };
    let mut object = json!({ "name": method.names.iter().map(name).collect::<Vec<_>>() });
    if let Some(wait) = method.wait_for_ready {
        object["waitForReady"] = json!(wait);
    }
    if let Some(timeout) = method.timeout {
        object["timeout"] = json!(write_duration(timeout));
    }
    match &method.policy {
        None => {}
        Some(MethodPolicy::Retry(retry)) => {
            let (initial, max, multiplier) = nearest(retry.backoff);
            object["retryPolicy"] = json!({
                "maxAttempts": retry.attempts.min(5),
                "initialBackoff": write_duration(initial),
                "maxBackoff": write_duration(max),
                "backoffMultiplier": multiplier,
                "retryableStatusCodes": write_codes(retry.on),
            });
        }
        Some(MethodPolicy::Hedge(hedge)) => {
            let delay = if let HedgeDelay::Fixed(delay) = hedge.delay { delay } else { Duration::ZERO };
            object["hedgingPolicy"] = json!({
                "maxAttempts": hedge.attempts.min(5),
                "hedgingDelay": write_duration(delay),
                "nonFatalStatusCodes": write_codes(hedge.non_fatal),
            });
        }
    }
    object
}

fn write_codes(codes: Codes) -> Vec<&'static str> {
    codes.iter().map(code_name).collect()
}

fn write_duration(duration: Duration) -> String {
    let nanos = format!("{:09}", duration.subsec_nanos());
    let decimals = nanos.trim_end_matches('0');
    let dot = if decimals.is_empty() { "" } else { "." };
    format!("{}{dot}{decimals}s", duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What can be said, can be read back, and is the same.
    #[test]
    fn an_exported_strategy_is_imported_as_it_was() {
        let ms = Duration::from_millis;
        let retry = RetryConfig {
            attempts: 4,
            on: Codes::of(&[tonic::Code::Unavailable, tonic::Code::Aborted]),
            backoff: BackoffConfig::grpc(ms(100), ms(1500), 1.6),
            budget: Some(BudgetConfig::per_client(BudgetKind::Grpc { tokens: 10, ratio: 0.1 })),
            ..RetryConfig::default()
        };
        let channel = ChannelConfig { balance: Balance::RoundRobin, wait_for_ready: true, ..ChannelConfig::default() };
        let layers = vec![LayerConfig::Deadline(ms(2500)), LayerConfig::Retry(retry.clone())];
        let exported = export(&Strategy { name: "s".to_owned(), layers, channel });
        assert_eq!(exported.lost, Vec::<String>::new());
        let config = ServiceConfig::parse(&exported.json.to_string()).unwrap();
        let method = config.of("/any.Service/Method").unwrap();
        assert_eq!((method.timeout, method.wait_for_ready), (Some(ms(2500)), Some(true)));
        assert_eq!(method.policy, Some(MethodPolicy::Retry(RetryConfig { budget: None, ..retry })));
        assert_eq!(
            (config.throttling, config.balance),
            (Some(BudgetKind::Grpc { tokens: 10, ratio: 0.1 }), Some(Balance::RoundRobin))
        );
    }

    /// A deadline around a service config bounds every method of it, and the channel's patience is every method's: standard
    /// clients accept the result, which has each name once.
    #[test]
    fn what_holds_for_all_methods_is_written_into_each() {
        let seconds = Duration::from_secs;
        let json = r#"{"methodConfig": [{"name": [{}], "timeout": "5s"}, {"name": [{"service": "a.B"}], "timeout": "1s"},
            {"name": [{"service": "c.D"}], "waitForReady": false}]}"#;
        let config = ServiceConfig::parse(json).unwrap();
        let layers = vec![LayerConfig::Deadline(seconds(2)), LayerConfig::ServiceConfig(config)];
        let channel = ChannelConfig { wait_for_ready: true, ..ChannelConfig::default() };
        let exported = export(&Strategy { layers, channel, ..Strategy::default() });
        let config = ServiceConfig::parse(&exported.json.to_string()).unwrap();
        let found = |path: &str| config.of(path).map(|method| (method.timeout, method.wait_for_ready)).unwrap();
        assert_eq!(found("/x.Y/Z"), (Some(seconds(2)), Some(true)));
        assert_eq!(found("/a.B/Z"), (Some(seconds(1)), Some(true)));
        assert_eq!(found("/c.D/Z"), (Some(seconds(2)), Some(false)));
        assert_eq!(config.methods.len(), 3);
    }

    #[test]
    fn what_cannot_be_said_is_listed() {
        let layers = vec![
            LayerConfig::Retry(RetryConfig { attempts: 9, ..RetryConfig::default() }),
            LayerConfig::AttemptTimeout(Duration::from_secs(1)),
            LayerConfig::Breaker(Default::default()),
        ];
        let exported = export(&Strategy { layers, ..Strategy::default() });
        assert_eq!(exported.lost.len(), 4, "{:?}", exported.lost);
        let odd = RetryConfig {
            on_rejection: true,
            unmarked_is_idempotent: false,
            buffer_bytes: 1,
            backoff: BackoffConfig::grpc(Duration::from_secs(1), Duration::from_secs(2), 2.0),
            budget: Some(BudgetConfig { kind: BudgetKind::Grpc { tokens: 10, ratio: 0.1 }, scope: Scope::Shared }),
            ..RetryConfig::default()
        };
        let lost = export(&Strategy { layers: vec![LayerConfig::Retry(odd)], ..Strategy::default() }).lost;
        let fields: Vec<&str> = lost.iter().filter_map(|lost| lost.split(':').next()).collect();
        let expected = ["retry.on_rejection", "retry.unmarked_is_idempotent", "buffer_bytes", "budget.scope"];
        assert_eq!(fields, expected);
        assert_eq!(exported.json["methodConfig"][0]["retryPolicy"]["maxAttempts"], 5);
        ServiceConfig::parse(&exported.json.to_string()).unwrap();
    }
}
