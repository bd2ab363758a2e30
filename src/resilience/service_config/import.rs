//! JSON to service config, with the validation of gRFC A6.

use std::time::Duration;

use serde_json::Value;

use super::read::{
    Object, array, codes, count, duration, field, number, object, or, required, strangers, string, truth, whole,
};
use super::{MethodConfig, MethodName, MethodPolicy, ServiceConfig, balancer, read};
use crate::resilience::backoff::BackoffConfig;
use crate::resilience::budget::BudgetKind;
use crate::resilience::channel::Balance;
use crate::resilience::hedge::{HedgeConfig, HedgeDelay};
use crate::resilience::retry::{RetryConfig, effective_attempts};
use crate::resilience::{ChannelConfig, Codes, InvalidConfig, LayerConfig, Strategy};

/// The channel's own cap on attempts where it sets none, which makes it 5.
const NO_CAP: i64 = 0;

const RETRY_FIELDS: [&str; 5] =
    ["maxAttempts", "initialBackoff", "maxBackoff", "backoffMultiplier", "retryableStatusCodes"];
const HEDGING_FIELDS: [&str; 3] = ["maxAttempts", "hedgingDelay", "nonFatalStatusCodes"];

impl ServiceConfig {
    /// Reads the JSON.
    ///
    /// # Errors
    ///
    /// What a standard client would reject, with the path and the reason.
    pub fn parse(json: &str) -> Result<Self, InvalidConfig> {
        Self::parse_capped(json, NO_CAP)
    }

    /// Reads the JSON for a channel with a cap of its own on attempts, as grpc-go's `WithMaxCallAttempts` sets it: 5 if it is below 2.
    ///
    /// # Errors
    ///
    /// What a standard client would reject, with the path and the reason.
    pub fn parse_capped(json: &str, attempts_cap: i64) -> Result<Self, InvalidConfig> {
        let value = read::parse(json)?;
        let root = object(&value, "service_config")?;
        let mut config = Self::default();
        if let Some(methods) = field(root, "methodConfig") {
            for (at, method) in array(methods, "methodConfig")?.iter().enumerate() {
                let method = object(method, "methodConfig")?;
                config.methods.push(method_config(method, at, attempts_cap, &mut config.ignored)?);
            }
        }
        if let Some(throttle) = field(root, "retryThrottling") {
            let throttle = object(throttle, "retryThrottling")?;
            config.throttling = Some(throttling(throttle)?);
            strangers(throttle, &["maxTokens", "tokenRatio"], "retryThrottling", &mut config.ignored);
        }
        if let Some(policy) = field(root, "loadBalancingPolicy") {
            config.balance = balancer::named(&string(policy, "loadBalancingPolicy")?.to_ascii_lowercase());
        }
        // It goes before the older form.
        if let Some(policies) = field(root, "loadBalancingConfig") {
            balancer::read(policies, &mut config)?;
        }
        if let Some(health) = field(root, "healthCheckConfig") {
            let name = |name: &Value, key| string(name, key).map(|name| Some(name.to_owned()));
            config.health = or(object(health, "healthCheckConfig")?, "serviceName", None, name)?;
        }
        let known =
            ["methodConfig", "retryThrottling", "loadBalancingPolicy", "loadBalancingConfig", "healthCheckConfig"];
        strangers(root, &known, "", &mut config.ignored);
        unique_names(&config.methods)?;
        config.check()?;
        Ok(config)
    }

    /// The strategy of a client that obeys this config and nothing else.
    #[must_use]
    pub fn into_strategy(self, name: &str) -> Strategy {
        let balance = self.balance.unwrap_or_default();
        // pick_first opts out of health watching (gRFC A17).
        let health = self.health.clone().filter(|_| balance != Balance::PickFirst);
        // It has one endpoint at a time: nothing to compare, and nowhere else to go.
        let outlier = self.outlier.clone().filter(|_| balance != Balance::PickFirst);
        let channel = ChannelConfig { balance, health, outlier, ..ChannelConfig::default() };
        Strategy { name: name.to_owned(), layers: vec![LayerConfig::ServiceConfig(self)], channel }
    }
}

fn method_config(
    config: &Object,
    at: usize,
    attempts_cap: i64,
    ignored: &mut Vec<String>,
) -> Result<MethodConfig, InvalidConfig> {
    let path = format!("methodConfig[{at}]");
    let mut method = MethodConfig {
        wait_for_ready: or(config, "waitForReady", None, |value, name| truth(value, name).map(Some))?,
        timeout: or(config, "timeout", None, |value, name| duration(value, name).map(Some))?,
        ..MethodConfig::default()
    };
    for name in field(config, "name").map_or(Ok(&Vec::new()), |names| array(names, "name"))? {
        method.names.push(method_name(object(name, "name")?)?);
    }
    method.policy = match (field(config, "retryPolicy"), field(config, "hedgingPolicy")) {
        (None, None) => None,
        (Some(policy), None) => {
            let policy = object(policy, "retryPolicy")?;
            strangers(policy, &RETRY_FIELDS, &format!("{path}.retryPolicy"), ignored);
            Some(MethodPolicy::Retry(retry(policy, attempts_cap)?))
        }
        (None, Some(policy)) => {
            let policy = object(policy, "hedgingPolicy")?;
            strangers(policy, &HEDGING_FIELDS, &format!("{path}.hedgingPolicy"), ignored);
            Some(MethodPolicy::Hedge(hedge(policy, attempts_cap)?))
        }
        _ => return Err(InvalidConfig::new("methodConfig", "has both a retryPolicy and a hedgingPolicy")),
    };
    for size in ["maxRequestMessageBytes", "maxResponseMessageBytes"] {
        or(config, size, 0, count)?;
    }
    strangers(config, &["name", "waitForReady", "timeout", "retryPolicy", "hedgingPolicy"], &path, ignored);
    Ok(method)
}

fn method_name(name: &Object) -> Result<MethodName, InvalidConfig> {
    let part = |key: &'static str| or(name, key, String::new(), |value, key| string(value, key).map(str::to_owned));
    let name = MethodName { service: part("service")?, method: part("method")? };
    if name.service.is_empty() && !name.method.is_empty() {
        return Err(InvalidConfig::new("name", format_args!("method {} has no service", name.method)));
    }
    Ok(name)
}

/// The same method named twice: a standard client rejects the whole config.
fn unique_names(methods: &[MethodConfig]) -> Result<(), InvalidConfig> {
    let mut names: Vec<&MethodName> = methods.iter().flat_map(|method| &method.names).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => {
            Err(InvalidConfig::new("name", format_args!("{}/{} is named twice", pair[0].service, pair[0].method)))
        }
    }
}

fn retry(policy: &Object, attempts_cap: i64) -> Result<RetryConfig, InvalidConfig> {
    let initial = duration(required(policy, "initialBackoff")?, "initialBackoff")?;
    let max = duration(required(policy, "maxBackoff")?, "maxBackoff")?;
    for (value, field) in [(initial, "initialBackoff"), (max, "maxBackoff")] {
        if value.is_zero() {
            return Err(InvalidConfig::new(field, "must be above zero"));
        }
    }
    let multiplier = number(required(policy, "backoffMultiplier")?, "backoffMultiplier")?;
    if multiplier <= 0.0 {
        return Err(InvalidConfig::new("backoffMultiplier", "must be above zero"));
    }
    let on = codes(required(policy, "retryableStatusCodes")?, "retryableStatusCodes")?;
    if on.is_empty() {
        return Err(InvalidConfig::new("retryableStatusCodes", "must name at least one code"));
    }
    Ok(RetryConfig {
        attempts: attempts(policy, attempts_cap)?,
        on,
        // gRPC takes the smaller of the two for the first pause as well.
        backoff: BackoffConfig::grpc(initial.min(max), max, multiplier),
        ..RetryConfig::default()
    })
}

fn hedge(policy: &Object, attempts_cap: i64) -> Result<HedgeConfig, InvalidConfig> {
    let delay = or(policy, "hedgingDelay", Duration::ZERO, duration)?;
    let non_fatal = or(policy, "nonFatalStatusCodes", Codes::NONE, codes)?;
    Ok(HedgeConfig {
        attempts: attempts(policy, attempts_cap)?,
        delay: HedgeDelay::Fixed(delay),
        non_fatal,
        ..HedgeConfig::default()
    })
}

fn attempts(policy: &Object, cap: i64) -> Result<u32, InvalidConfig> {
    let attempts = required(policy, "maxAttempts")?;
    match whole(attempts) {
        Some(attempts @ 2..) => Ok(effective_attempts(u32::try_from(attempts).unwrap_or(u32::MAX), cap).get()),
        _ => {
            Err(InvalidConfig::new("maxAttempts", format_args!("must be a whole number of at least 2, not {attempts}")))
        }
    }
}

fn throttling(config: &Object) -> Result<BudgetKind, InvalidConfig> {
    let tokens = required(config, "maxTokens")?;
    let ratio = number(required(config, "tokenRatio")?, "tokenRatio")?;
    match whole(tokens) {
        Some(tokens @ 1..=1000) if ratio > 0.0 => Ok(BudgetKind::Grpc { tokens: tokens as u32, ratio }),
        Some(1..=1000) => Err(InvalidConfig::new("tokenRatio", format_args!("must be above zero, not {ratio}"))),
        _ => Err(InvalidConfig::new("maxTokens", format_args!("must be a whole number from 1 to 1000, not {tokens}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    const RETRY: &str = r#""maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", 4, "aborted"]"#;

    fn method(inner: &str) -> String {
        format!(r#"{{"methodConfig": [{{"name": [{{}}], {inner}}}]}}"#)
    }

    #[test]
    fn a_full_config_is_read() {
        let json = format!(
            r#"{{"loadBalancingConfig": [{{"grpclb": {{}}}}, {{"round_robin": {{}}}}],
                "methodConfig": [
                    {{"name": [{{}}], "timeout": "10s", "retryPolicy": {{{RETRY}}}}},
                    {{"name": [{{"service": "a.B"}}], "waitForReady": true, "timeout": "0.250000001s"}},
                    {{"name": [{{"service": "a.B", "method": "C"}}],
                      "hedgingPolicy": {{"maxAttempts": 9, "hedgingDelay": "0.5s", "nonFatalStatusCodes": ["14"]}},
                      "maxRequestMessageBytes": 4}}],
                "retryThrottling": {{"maxTokens": 10, "tokenRatio": 0.1}},
                "healthCheckConfig": {{"serviceName": "a.B"}}, "channelz": 1}}"#
        );
        let config = ServiceConfig::parse(&json).unwrap();
        assert_eq!(config.balance, Some(Balance::RoundRobin));
        assert_eq!(config.throttling, Some(BudgetKind::Grpc { tokens: 10, ratio: 0.1 }));
        assert_eq!(config.health.as_deref(), Some("a.B"));
        assert_eq!(config.ignored, ["methodConfig[2].maxRequestMessageBytes", "channelz"]);
        let Some(MethodPolicy::Retry(retry)) = &config.of("/x.Y/Z").unwrap().policy else { panic!("no retry") };
        assert_eq!(retry.attempts, 4);
        assert_eq!(retry.on, Codes::of(&[Code::DeadlineExceeded, Code::Aborted, Code::Unavailable]));
        assert_eq!(config.of("/a.B/Z").unwrap().timeout, Some(Duration::new(0, 250_000_001)));
        let Some(MethodPolicy::Hedge(hedge)) = &config.of("/a.B/C").unwrap().policy else { panic!("no hedge") };
        assert_eq!((hedge.attempts, hedge.delay), (5, HedgeDelay::Fixed(Duration::from_millis(500))));
    }

    /// The validation rules of gRFC A6, "Retry Policy" to "Throttling", and of the service config's own format.
    #[test]
    fn what_a_standard_client_rejects_is_rejected() {
        let check = |json: String, reason: &str| {
            let error = ServiceConfig::parse(&json).expect_err(&json).to_string();
            assert!(error.contains(reason), "{json}\n{error}");
        };
        let retry = |from: &str, to: &str| method(&format!(r#""retryPolicy": {{{}}}"#, RETRY.replace(from, to)));
        assert!(ServiceConfig::parse(&retry("", "")).is_ok());
        check("{".to_owned(), "EOF");
        check("[]".to_owned(), "must be an object");
        check(retry(r#""maxAttempts": 4,"#, ""), "maxAttempts: is required");
        check(retry(": 4,", ": 1,"), "at least 2");
        check(retry(": 4,", ": 2.5,"), "whole number");
        check(retry(": 4,", ": -3,"), "at least 2");
        check(retry(r#""0.1s""#, r#""0s""#), "initialBackoff: must be above zero");
        check(retry(r#""0.1s""#, r#""-0.1s""#), "is negative");
        check(retry(r#""0.1s""#, r#""100ms""#), "no duration");
        check(retry(r#""0.1s""#, "0.1"), "must be a string");
        check(retry(r#""1s""#, r#""1.0000000001s""#), "more than nine decimals");
        check(retry(r#": 2,"#, ": 0,"), "backoffMultiplier: must be above zero");
        check(retry(r#": 2,"#, ": -1,"), "backoffMultiplier: must be above zero");
        check(retry(r#"["UNAVAILABLE", 4, "aborted"]"#, "[]"), "at least one code");
        check(retry(r#"4, "aborted""#, "17"), "17 is no status code");
        check(retry("aborted", "ABORT"), "no status code");
        check(method(&format!(r#""retryPolicy": {{{RETRY}}}, "hedgingPolicy": {{"maxAttempts": 2}}"#)), "both");
        check(method(r#""hedgingPolicy": {}"#), "maxAttempts: is required");
        check(method(r#""hedgingPolicy": {"maxAttempts": 1}"#), "at least 2");
        check(method(r#""timeout": "soon""#), "no duration");
        check(method(r#""waitForReady": "yes""#), "true or false");
        check(r#"{"methodConfig": [{"name": [{"method": "M"}]}]}"#.to_owned(), "has no service");
        check(r#"{"methodConfig": [{"name": [{}]}, {"name": [{}]}]}"#.to_owned(), "named twice");
        check(r#"{"methodConfig": [{"name": [{"service": "a"}, {"service": "a"}]}]}"#.to_owned(), "named twice");
        check(r#"{"methodConfig": [{"name": [{"service": "a", "method": "B"}]}, {"name": [{"service": "a", "method": "B"}]}]}"#.to_owned(), "a/B is named twice");
        check(r#"{"methodConfig": [{"name": [{"service": 1}]}]}"#.to_owned(), "service: must be a string");
        check(r#"{"methodConfig": [{"name": {"service": "a"}}]}"#.to_owned(), "name: must be a list");
        check(r#"{"methodConfig": {"name": []}}"#.to_owned(), "methodConfig: must be a list");
        for field in ["maxAttempts", "initialBackoff", "maxBackoff", "backoffMultiplier", "retryableStatusCodes"] {
            let mut policy: Value = serde_json::from_str(&format!("{{{RETRY}}}")).unwrap();
            for (absent, reason) in [(Value::Null, "is required"), (Value::from("?"), "")] {
                policy[field] = absent;
                check(method(&format!(r#""retryPolicy": {policy}"#)), &format!("{field}: {reason}"));
            }
        }
        check(method(r#""hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": "soon"}"#), "hedgingDelay");
        check(method(r#""hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": "-1s"}"#), "is negative");
        check(method(r#""hedgingPolicy": {"maxAttempts": 2, "nonFatalStatusCodes": ["OK"]}"#), "OK is not a failure");
        check(retry(r#""aborted""#, r#""OK""#), "OK is not a failure");
        check(method(r#""timeout": "3c""#), "no duration");
        check(method(r#""timeout": 1"#), "must be a string");
        check(method(r#""timeout": "-1s""#), "is negative");
        check(method(r#""maxRequestMessageBytes": "1024""#), "maxRequestMessageBytes: must be a whole number");
        check(method(r#""maxResponseMessageBytes": -1"#), "maxResponseMessageBytes: must be a whole number");
        check(r#"{"healthCheckConfig": {"serviceName": 7}}"#.to_owned(), "serviceName: must be a string");
        check(r#"{"retryThrottling": {"maxTokens": 10}}"#.to_owned(), "tokenRatio: is required");
        check(r#"{"retryThrottling": {"tokenRatio": 1}}"#.to_owned(), "maxTokens: is required");
        check(r#"{"retryThrottling": null, "retryThrottling": null}"#.to_owned(), "stands twice");
        let throttling = |tokens: &str, ratio: &str| {
            format!(r#"{{"retryThrottling": {{"maxTokens": {tokens}, "tokenRatio": {ratio}}}}}"#)
        };
        check(throttling("0", "1"), "maxTokens");
        check(throttling("1001", "1"), "maxTokens");
        check(throttling("1.5", "1"), "maxTokens");
        check(throttling("10", "0"), "tokenRatio");
        check(throttling("10", "-1"), "tokenRatio");
    }

    /// The config of grpc-go's `TestRetryThrottling` as it stands there.
    #[test]
    fn names_are_read_in_any_case_and_with_underscores() {
        let json = r#"{"methodConfig": [{"name": [{"service": "grpc.testing.TestService"}], "waitForReady": true,
            "retryPolicy": {"MaxAttempts": 4, "InitialBackoff": ".01s", "MaxBackoff": ".01s", "BackoffMultiplier": 1.0,
            "RetryableStatusCodes": ["UNAVAILABLE"], "perAttemptRecvTimeout": "1s"}}],
            "retry_throttling": {"max_tokens": 10.0, "token_ratio": 0.5}}"#;
        let config = ServiceConfig::parse(json).unwrap();
        let Some(MethodPolicy::Retry(retry)) = &config.methods[0].policy else { panic!("no retry") };
        let pause = Duration::from_millis(10);
        assert_eq!((retry.attempts, retry.backoff), (4, BackoffConfig::grpc(pause, pause, 1.0)));
        assert_eq!(config.throttling, Some(BudgetKind::Grpc { tokens: 10, ratio: 0.5 }));
        assert_eq!(config.ignored, ["methodConfig[0].retryPolicy.perAttemptRecvTimeout"]);
    }

    /// As in JSON for protobuf: `null` is as good as nothing, and an empty name is the default for all methods.
    #[test]
    fn what_says_nothing_is_the_default() {
        for name in ["{}", r#"{"service": null}"#, r#"{"service": ""}"#, r#"{"method": null}"#, r#"{"method": ""}"#] {
            let json = format!(r#"{{"methodConfig": [{{"name": [{name}], "waitForReady": true, "timeout": null}}]}}"#);
            let config = ServiceConfig::parse(&json).unwrap();
            let found = config.of("/any.Service/Method").unwrap();
            assert_eq!((found.wait_for_ready, found.timeout), (Some(true), None), "{json}");
        }
        let nothing = r#"{"methodConfig": null, "loadBalancingConfig": null, "retryThrottling": null}"#;
        assert_eq!(ServiceConfig::parse(nothing).unwrap(), ServiceConfig::default());
    }
}
