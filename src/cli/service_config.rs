//! `squall export` and `squall import`: strategies and gRPC service config, each as the other.
//!
//! Rule: what the other side cannot say is listed on stderr, never dropped in silence.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::exit::{Exit, Failure, meant};
use super::streams::Streams;
use super::{args, plans};
use crate::resilience::{
    BackoffConfig, Balance, BudgetKind, Codes, HedgeDelay, MethodPolicy, OutlierConfig, Preset, ServiceConfig,
    Strategy, code_name, export as exported,
};
use crate::scenario::made_of;
use crate::scenario::units::show_duration;

pub(super) fn export(typed: &args::Export, streams: &Streams) -> Result<Exit, Failure> {
    let strategy = strategy(typed)?;
    let exported = exported(&strategy);
    for lost in &exported.lost {
        streams.say(&format!("not exported: {lost}"));
    }
    if typed.strict && !exported.lost.is_empty() {
        return Err(Failure::Usage(format!("service config cannot say all of `{}`", typed.strategy)));
    }
    streams.data(|out| writeln!(out, "{:#}", exported.json))?;
    Ok(Exit::Good)
}

/// A preset, or a strategy of a scenario; where several scenarios have one of this name, the first counts. A scenario that is named
/// goes before a preset.
fn strategy(typed: &args::Export) -> Result<Strategy, Failure> {
    if typed.paths.is_empty()
        && let Some(preset) = Preset::named(&typed.strategy)
    {
        return Ok(preset.strategy());
    }
    let plans: Vec<_> = plans::read(&typed.paths)?.into_iter().map(|scenario| scenario.plan).collect();
    let mut all = plans.iter().flat_map(|plan| &plan.strategies);
    let found = all.find(|strategy| strategy.name == typed.strategy).map(|plan| plan.strategy.clone());
    found.or_else(|| Preset::named(&typed.strategy).map(Preset::strategy)).ok_or_else(|| {
        let mut known: Vec<&str> =
            plans.iter().flat_map(|plan| &plan.strategies).map(|one| one.name.as_str()).collect();
        known.extend(Preset::ALL.iter().map(|preset| preset.name));
        known.sort_unstable();
        known.dedup();
        let meant = meant(&typed.strategy, known);
        Failure::Usage(format!("no strategy is named `{}`; {meant}", typed.strategy))
    })
}

pub(super) fn import(typed: &args::Import, streams: &Streams) -> Result<Exit, Failure> {
    let file = &typed.file;
    let json = fs::read_to_string(file).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    let config = ServiceConfig::parse(&json).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    for ignored in &config.ignored {
        streams.say(&format!("not imported: {ignored}"));
    }
    let yaml = yaml(&config, file);
    streams.data(|out| out.write_all(yaml.as_bytes()))?;
    Ok(Exit::Good)
}

/// A strategy for `strategies:`. What differs between methods has no layers of its own: such a file is referred to.
fn yaml(config: &ServiceConfig, file: &Path) -> String {
    let name = made_of(&file.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-"), "imported");
    let uniform = match config.methods.as_slice() {
        [] => true,
        [only] => only.names.iter().any(|name| name.service.is_empty()),
        _ => false,
    };
    if !uniform {
        let file = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        return format!(
            "strategies:\n  # Its methods differ: the file stays the source, beside the scenario.\n  - name: {name}\n    service_config: {file}\n"
        );
    }
    let mut text = format!("strategies:\n  - name: {name}\n    layers:");
    let layers = layers(config);
    match layers.is_empty() {
        true => text.push_str(" []\n"),
        false => {
            text.push('\n');
            for layer in layers {
                let _ = writeln!(text, "      - {layer}");
            }
        }
    }
    let channel = channel(config);
    if !channel.is_empty() {
        let _ = writeln!(text, "    channel: {{ {} }}", channel.join(", "));
    }
    text
}

fn layers(config: &ServiceConfig) -> Vec<String> {
    let Some(method) = config.methods.first() else { return Vec::new() };
    let budget = match config.throttling {
        Some(BudgetKind::Grpc { tokens, ratio }) => format!(", budget: {{ tokens: {tokens}, ratio: {ratio} }}"),
        _ => String::new(),
    };
    let deadline = method.timeout.map(|timeout| format!("deadline: {}", show_duration(timeout)));
    let policy = method.policy.as_ref().map(|policy| match policy {
        MethodPolicy::Retry(retry) => format!(
            "retry: {{ attempts: {}, on: [{}], backoff: {}{budget} }}",
            retry.attempts,
            codes(retry.on),
            backoff(retry.backoff)
        ),
        MethodPolicy::Hedge(hedge) => {
            let delay = match hedge.delay {
                HedgeDelay::Fixed(delay) | HedgeDelay::Learned { initial: delay, .. } => show_duration(delay),
            };
            let non_fatal = codes(hedge.non_fatal);
            format!("hedge: {{ attempts: {}, delay: {delay}, non_fatal: [{non_fatal}]{budget} }}", hedge.attempts)
        }
    });
    deadline.into_iter().chain(policy).collect()
}

fn codes(codes: Codes) -> String {
    codes.iter().map(code_name).collect::<Vec<_>>().join(", ")
}

/// Service config knows gRPC's schedule alone.
fn backoff(backoff: BackoffConfig) -> String {
    match backoff {
        BackoffConfig::Grpc { initial, max, multiplier, .. } => {
            let (initial, max) = (show_duration(initial), show_duration(max));
            format!("{{ grpc: {{ initial: {initial}, max: {max}, multiplier: {multiplier} }} }}")
        }
        _ => "none".to_owned(),
    }
}

fn channel(config: &ServiceConfig) -> Vec<String> {
    let balance = config.balance.map(|balance| match balance {
        Balance::RoundRobin => "balance: round_robin",
        Balance::LeastOutstanding | Balance::PeakEwma { .. } => "balance: least_outstanding",
        _ => "balance: pick_first",
    });
    let waits = config.methods.first().and_then(|method| method.wait_for_ready);
    let wait = waits.map(|wait| format!("wait_for_ready: {wait}"));
    let health = config.health.as_ref().map(|service| format!("health: {service:?}"));
    // Without a section of either kind nobody is ever ejected.
    let active = |outlier: &&OutlierConfig| outlier.success_rate.is_some() || outlier.failure_percentage.is_some();
    let outlier = config.outlier.as_ref().filter(active).map(outlier);
    balance.map(str::to_owned).into_iter().chain(wait).chain(health).chain(outlier).collect()
}

fn outlier(outlier: &OutlierConfig) -> String {
    let time = show_duration;
    let success = outlier.success_rate.map(|it| {
        let (factor, likely) = (f64::from(it.stdev_factor) / 1000.0, it.enforcement_percentage);
        let enough = format!("minimum_hosts: {}, request_volume: {}", it.minimum_hosts, it.request_volume);
        format!(", success_rate: {{ stdev_factor: {factor}, enforcement: {likely}%, {enough} }}")
    });
    let failures = outlier.failure_percentage.map(|it| {
        let (threshold, likely) = (it.threshold, it.enforcement_percentage);
        let enough = format!("minimum_hosts: {}, request_volume: {}", it.minimum_hosts, it.request_volume);
        format!(", failure_percentage: {{ threshold: {threshold}%, enforcement: {likely}%, {enough} }}")
    });
    format!(
        "outlier: {{ interval: {}, base_ejection: {}, max_ejection: {}, max_ejection_percent: {}%{}{} }}",
        time(outlier.interval),
        time(outlier.base_ejection),
        time(outlier.max_ejection),
        outlier.max_ejection_percent,
        success.unwrap_or_default(),
        failures.unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Alone, parse};

    const CONFIG: &str = r#"{
        "loadBalancingConfig": [{ "outlier_detection_experimental": {
            "interval": "5s", "maxEjectionPercent": 30,
            "successRateEjection": { "stdevFactor": 1500 }, "failurePercentageEjection": { "enforcementPercentage": 50 },
            "childPolicy": [{ "round_robin": {} }] } }],
        "methodConfig": [{
            "name": [{}], "timeout": "2.5s", "waitForReady": true,
            "retryPolicy": { "maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 1.6,
                             "retryableStatusCodes": ["UNAVAILABLE", "aborted"] } }],
        "retryThrottling": { "maxTokens": 10, "tokenRatio": 0.1 }
    }"#;

    /// Imported, read as part of a scenario, and exported again, it says what it said.
    #[test]
    fn a_service_config_survives_the_round_trip() {
        let config = ServiceConfig::parse(CONFIG).unwrap();
        let scenario = format!(
            "name: s\nabout: A test.\nduration: 1s\nservers: {{ a: {{ replicas: 1 }} }}\n\
             clients: {{ c: {{ count: 1, calls: a, load: {{ poisson: 1/s }} }} }}\n{}",
            yaml(&config, Path::new("grpc.json"))
        );
        let plan = parse("s.yaml", &scenario, &Alone).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let again = exported(&plan.strategies[0].strategy);
        assert_eq!(again.lost, Vec::<String>::new());
        let reread = ServiceConfig::parse(&again.json.to_string()).unwrap();
        assert_eq!(reread, config);
    }

    #[test]
    fn methods_that_differ_stay_in_their_file() {
        let config = ServiceConfig::parse(r#"{ "methodConfig": [{ "name": [{ "service": "a" }], "timeout": "1s" }] }"#);
        let text = yaml(&config.unwrap(), Path::new("dir/my_config.json"));
        assert!(text.contains("name: my-config") && text.contains("service_config: my_config.json"), "{text}");
    }
}
