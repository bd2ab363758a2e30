//! JSON to service config, with the validation of gRFC A6.

use std::time::Duration;

use serde_json::{Map, Value};
use tonic::Code;

use super::{MethodConfig, MethodName, MethodPolicy, ServiceConfig};
use crate::resilience::backoff::BackoffConfig;
use crate::resilience::budget::BudgetKind;
use crate::resilience::channel::Balance;
use crate::resilience::hedge::{HedgeConfig, HedgeDelay};
use crate::resilience::retry::{RetryConfig, effective_attempts};
use crate::resilience::{ChannelConfig, Codes, InvalidConfig, LayerConfig, Strategy, code_from_name};

/// gRPC's cap on attempts where the channel sets none.
const ATTEMPTS_MAX: i64 = 5;

type Object = Map<String, Value>;

impl ServiceConfig {
    /// Reads the JSON.
    ///
    /// # Errors
    ///
    /// What a standard client would reject, with the path and the reason.
    pub fn parse(json: &str) -> Result<Self, InvalidConfig> {
        let value: Value = serde_json::from_str(json).map_err(|error| InvalidConfig::new("service_config", error))?;
        let root = object(&value, "service_config")?;
        let mut config = Self::default();
        for (key, value) in root {
            match key.as_str() {
                "methodConfig" => {
                    for (at, method) in array(value, "methodConfig")?.iter().enumerate() {
                        let method = method_config(object(method, "methodConfig")?, at, &mut config.ignored)?;
                        config.methods.push(method);
                    }
                }
                "retryThrottling" => config.throttling = Some(throttling(object(value, "retryThrottling")?)?),
                "loadBalancingConfig" => {
                    let policies = array(value, "loadBalancingConfig")?;
                    config.balance = policies.iter().find_map(balance);
                    if config.balance.is_none() {
                        config.ignored.push("loadBalancingConfig".to_owned());
                    }
                }
                "loadBalancingPolicy" => {
                    let name = string(value, "loadBalancingPolicy")?.to_ascii_lowercase();
                    config.balance = config.balance.or_else(|| balance_named(&name));
                }
                "healthCheckConfig" => {
                    let service = object(value, "healthCheckConfig")?.get("serviceName");
                    config.health = service.map(|name| string(name, "serviceName").map(str::to_owned)).transpose()?;
                }
                other => config.ignored.push(other.to_owned()),
            }
        }
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
        let channel = ChannelConfig { balance, health, ..ChannelConfig::default() };
        Strategy { name: name.to_owned(), layers: vec![LayerConfig::ServiceConfig(self)], channel }
    }
}

fn method_config(config: &Object, at: usize, ignored: &mut Vec<String>) -> Result<MethodConfig, InvalidConfig> {
    let mut method = MethodConfig::default();
    for (key, value) in config {
        match key.as_str() {
            "name" => {
                for name in array(value, "name")? {
                    method.names.push(method_name(object(name, "name")?)?);
                }
            }
            "waitForReady" => {
                let wait =
                    value.as_bool().ok_or_else(|| InvalidConfig::new("waitForReady", "must be true or false"))?;
                method.wait_for_ready = Some(wait);
            }
            "timeout" => method.timeout = Some(duration(value, "timeout")?),
            "retryPolicy" | "hedgingPolicy" if method.policy.is_some() => {
                return Err(InvalidConfig::new("methodConfig", "has both a retryPolicy and a hedgingPolicy"));
            }
            "retryPolicy" => method.policy = Some(MethodPolicy::Retry(retry(object(value, "retryPolicy")?)?)),
            "hedgingPolicy" => method.policy = Some(MethodPolicy::Hedge(hedge(object(value, "hedgingPolicy")?)?)),
            other => ignored.push(format!("methodConfig[{at}].{other}")),
        }
    }
    Ok(method)
}

fn method_name(name: &Object) -> Result<MethodName, InvalidConfig> {
    let part = |key: &'static str| match name.get(key) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(value) => string(value, key).map(str::to_owned),
    };
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

fn retry(policy: &Object) -> Result<RetryConfig, InvalidConfig> {
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
        attempts: attempts(policy)?,
        on,
        // gRPC takes the smaller of the two for the first pause as well.
        backoff: BackoffConfig::grpc(initial.min(max), max, multiplier),
        ..RetryConfig::default()
    })
}

fn hedge(policy: &Object) -> Result<HedgeConfig, InvalidConfig> {
    let delay = policy.get("hedgingDelay").map_or(Ok(Duration::ZERO), |value| duration(value, "hedgingDelay"))?;
    let non_fatal =
        policy.get("nonFatalStatusCodes").map_or(Ok(Codes::NONE), |value| codes(value, "nonFatalStatusCodes"))?;
    Ok(HedgeConfig {
        attempts: attempts(policy)?,
        delay: HedgeDelay::Fixed(delay),
        non_fatal,
        ..HedgeConfig::default()
    })
}

fn attempts(policy: &Object) -> Result<u32, InvalidConfig> {
    let attempts = required(policy, "maxAttempts")?;
    match attempts.as_u64() {
        Some(attempts @ 2..) => Ok(effective_attempts(u32::try_from(attempts).unwrap_or(u32::MAX), ATTEMPTS_MAX).get()),
        _ => {
            Err(InvalidConfig::new("maxAttempts", format_args!("must be a whole number of at least 2, not {attempts}")))
        }
    }
}

fn throttling(config: &Object) -> Result<BudgetKind, InvalidConfig> {
    let tokens = required(config, "maxTokens")?;
    let ratio = number(required(config, "tokenRatio")?, "tokenRatio")?;
    match tokens.as_u64() {
        Some(tokens @ 1..=1000) if ratio > 0.0 => Ok(BudgetKind::Grpc { tokens: tokens as u32, ratio }),
        Some(1..=1000) => Err(InvalidConfig::new("tokenRatio", format_args!("must be above zero, not {ratio}"))),
        _ => Err(InvalidConfig::new("maxTokens", format_args!("must be a whole number from 1 to 1000, not {tokens}"))),
    }
}

/// The first policy of the list that is known, as in every gRPC client.
fn balance(policy: &Value) -> Option<Balance> {
    policy.as_object()?.keys().find_map(|name| balance_named(name))
}

fn balance_named(name: &str) -> Option<Balance> {
    match name {
        "pick_first" => Some(Balance::PickFirst),
        "round_robin" => Some(Balance::RoundRobin),
        "least_request_experimental" => Some(Balance::LeastOutstanding),
        _ => None,
    }
}

fn codes(value: &Value, field: &'static str) -> Result<Codes, InvalidConfig> {
    let code = |value: &Value| -> Result<Code, InvalidConfig> {
        let found = match value {
            Value::String(name) => code_from_name(name),
            Value::Number(number) => code_from_name(&number.to_string()),
            _ => None,
        };
        found.ok_or_else(|| InvalidConfig::new(field, format_args!("{value} is no status code")))
    };
    array(value, field)?.iter().map(code).collect()
}

/// A protobuf duration: decimal seconds with up to nine decimals, then `s`.
fn duration(value: &Value, field: &'static str) -> Result<Duration, InvalidConfig> {
    let text = string(value, field)?;
    parse_duration(text)
        .ok_or_else(|| InvalidConfig::new(field, format_args!("{text:?} is no duration such as \"1.5s\"")))
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (seconds, nanos) = match text.strip_suffix('s')?.split_once('.') {
        None => (text.strip_suffix('s')?, ""),
        Some(parts) => parts,
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || !digits(seconds) || !digits(nanos) || nanos.len() > 9 {
        return None;
    }
    Some(Duration::new(seconds.parse().ok()?, format!("{nanos:0<9}").parse().ok()?))
}

fn required<'a>(object: &'a Object, field: &'static str) -> Result<&'a Value, InvalidConfig> {
    object.get(field).ok_or_else(|| InvalidConfig::new(field, "is required"))
}

fn object<'a>(value: &'a Value, field: &'static str) -> Result<&'a Object, InvalidConfig> {
    value.as_object().ok_or_else(|| InvalidConfig::new(field, "must be an object"))
}

fn array<'a>(value: &'a Value, field: &'static str) -> Result<&'a Vec<Value>, InvalidConfig> {
    value.as_array().ok_or_else(|| InvalidConfig::new(field, "must be a list"))
}

fn string<'a>(value: &'a Value, field: &'static str) -> Result<&'a str, InvalidConfig> {
    value.as_str().ok_or_else(|| InvalidConfig::new(field, "must be a string"))
}

fn number(value: &Value, field: &'static str) -> Result<f64, InvalidConfig> {
    value.as_f64().ok_or_else(|| InvalidConfig::new(field, "must be a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        check(retry(r#""0.1s""#, r#""-0.1s""#), "no duration");
        check(retry(r#""0.1s""#, r#""100ms""#), "no duration");
        check(retry(r#""0.1s""#, "0.1"), "must be a string");
        check(retry(r#""1s""#, r#""1.0000000001s""#), "no duration");
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
        let throttling = |tokens: &str, ratio: &str| {
            format!(r#"{{"retryThrottling": {{"maxTokens": {tokens}, "tokenRatio": {ratio}}}}}"#)
        };
        check(throttling("0", "1"), "maxTokens");
        check(throttling("1001", "1"), "maxTokens");
        check(throttling("1.5", "1"), "maxTokens");
        check(throttling("10", "0"), "tokenRatio");
        check(throttling("10", "-1"), "tokenRatio");
    }
}
