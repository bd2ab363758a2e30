//! `loadBalancingConfig`: the first policy of a list that is known, and outlier detection around it (gRFC A50).
//!
//! Rule: a list in which no gRPC client knows a policy is an error, as in every gRPC client; one whose policies are others'
//! has no effect here, and is listed as that.

use serde_json::Value;

use super::ServiceConfig;
use super::read::{Object, array, count, duration, object, or, required};
use crate::resilience::InvalidConfig;
use crate::resilience::channel::{Balance, FailurePercentage, OutlierConfig, SuccessRate};

/// Policies of other gRPC clients.
const ELSEWHERE: [&str; 14] = [
    "cds_experimental",
    "eds_experimental",
    "grpclb",
    "pick_first_leaf",
    "priority_experimental",
    "random_subsetting_experimental",
    "ring_hash_experimental",
    "rls_experimental",
    "weighted_round_robin",
    "weighted_target_experimental",
    "xds_cluster_impl_experimental",
    "xds_cluster_manager_experimental",
    "xds_cluster_resolver_experimental",
    "xds_wrr_locality_experimental",
];

const OUTLIER: &str = "outlier_detection_experimental";

/// What a policy of the list is here.
enum Known {
    Balance(Balance),
    /// Outlier detection around another policy.
    Outlier(Box<OutlierConfig>, Option<Balance>),
    Elsewhere,
}

/// Reads the list into `config`.
pub(super) fn read(value: &Value, config: &mut ServiceConfig) -> Result<(), InvalidConfig> {
    match first_known(value, "loadBalancingConfig")? {
        Known::Balance(balance) => config.balance = Some(balance),
        Known::Outlier(outlier, balance) => {
            config.balance = balance;
            config.outlier = Some(*outlier);
        }
        Known::Elsewhere => config.ignored.push("loadBalancingConfig".to_owned()),
    }
    Ok(())
}

fn first_known(value: &Value, name: &'static str) -> Result<Known, InvalidConfig> {
    let mut elsewhere = None;
    for entry in array(value, name)? {
        let entry = object(entry, name)?;
        let mut policies = entry.iter();
        let (Some((policy, options)), None) = (policies.next(), policies.next()) else {
            return Err(InvalidConfig::new(name, format_args!("an entry names {} policies, not one", entry.len())));
        };
        if policy == OUTLIER {
            return outlier(object(options, OUTLIER)?);
        }
        if let Some(balance) = named(policy) {
            return Ok(Known::Balance(balance));
        }
        if ELSEWHERE.contains(&policy.as_str()) {
            elsewhere.get_or_insert(Known::Elsewhere);
        }
    }
    elsewhere.ok_or_else(|| InvalidConfig::new(name, "names no policy that a gRPC client knows"))
}

/// The balance of this name.
pub(super) fn named(name: &str) -> Option<Balance> {
    match name {
        "pick_first" => Some(Balance::PickFirst),
        "round_robin" => Some(Balance::RoundRobin),
        "least_request_experimental" => Some(Balance::LeastOutstanding),
        _ => None,
    }
}

/// gRFC A50, "Configuration", with its defaults; what has no section is not looked at.
fn outlier(options: &Object) -> Result<Known, InvalidConfig> {
    let usual = OutlierConfig::default();
    let child = required(options, "childPolicy")?;
    let balance = match first_known(child, "childPolicy")? {
        Known::Balance(balance) => Some(balance),
        Known::Outlier(..) => return Err(InvalidConfig::new("childPolicy", "is outlier detection again")),
        Known::Elsewhere => None,
    };
    let config = OutlierConfig {
        interval: or(options, "interval", usual.interval, duration)?,
        base_ejection: or(options, "baseEjectionTime", usual.base_ejection, duration)?,
        max_ejection: or(options, "maxEjectionTime", usual.max_ejection, duration)?,
        max_ejection_percent: or(options, "maxEjectionPercent", usual.max_ejection_percent, percent)?,
        success_rate: or(options, "successRateEjection", None, |value, name| success_rate(object(value, name)?))?,
        failure_percentage: or(options, "failurePercentageEjection", None, |value, name| {
            failure_percentage(object(value, name)?)
        })?,
    };
    config.check()?;
    Ok(Known::Outlier(Box::new(config), balance))
}

fn success_rate(options: &Object) -> Result<Option<SuccessRate>, InvalidConfig> {
    let usual = SuccessRate::default();
    Ok(Some(SuccessRate {
        stdev_factor: or(options, "stdevFactor", usual.stdev_factor, count)?,
        enforcement_percentage: or(options, "enforcementPercentage", usual.enforcement_percentage, percent)?,
        minimum_hosts: or(options, "minimumHosts", usual.minimum_hosts, count)?,
        request_volume: or(options, "requestVolume", usual.request_volume, count)?,
    }))
}

fn failure_percentage(options: &Object) -> Result<Option<FailurePercentage>, InvalidConfig> {
    let usual = FailurePercentage::default();
    Ok(Some(FailurePercentage {
        threshold: or(options, "threshold", usual.threshold, percent)?,
        enforcement_percentage: or(options, "enforcementPercentage", usual.enforcement_percentage, percent)?,
        minimum_hosts: or(options, "minimumHosts", usual.minimum_hosts, count)?,
        request_volume: or(options, "requestVolume", usual.request_volume, count)?,
    }))
}

fn percent(value: &Value, name: &'static str) -> Result<u32, InvalidConfig> {
    let percent = count(value, name)?;
    if percent > 100 {
        return Err(InvalidConfig::new(name, format_args!("must be at most 100, not {percent}")));
    }
    Ok(percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn parse(policies: &str) -> Result<ServiceConfig, String> {
        ServiceConfig::parse(&format!(r#"{{"loadBalancingConfig": {policies}}}"#)).map_err(|error| error.to_string())
    }

    fn outlier(options: &str) -> Result<ServiceConfig, String> {
        parse(&format!(r#"[{{"outlier_detection_experimental": {{{options}}}}}]"#))
    }

    const CHILD: &str = r#""childPolicy": [{"not_known": {}}, {"round_robin": {}}]"#;

    /// The first known policy counts, whatever stands before it.
    #[test]
    fn the_first_known_policy_counts() {
        let balance = |policies: &str| parse(policies).unwrap().balance;
        assert_eq!(balance(r#"[{"round_robin": {}}]"#), Some(Balance::RoundRobin));
        assert_eq!(balance(r#"[{"x": 1}, {"grpclb": {}}, {"pick_first": {}}]"#), Some(Balance::PickFirst));
        assert_eq!(balance(r#"[{"least_request_experimental": {"choiceCount": 2}}]"#), Some(Balance::LeastOutstanding));
        let others = parse(r#"[{"weighted_round_robin": {}}]"#).unwrap();
        assert_eq!((others.balance, others.ignored), (None, vec!["loadBalancingConfig".to_owned()]));
    }

    #[test]
    fn what_no_client_knows_is_an_error() {
        let check = |policies: &str, reason: &str| {
            let error = parse(policies).expect_err(policies);
            assert!(error.contains(reason), "{policies}: {error}");
        };
        check("[]", "no policy that a gRPC client knows");
        check(r#"[{"not_a_balancer1": {}}, {"not_a_balancer2": {}}]"#, "no policy that a gRPC client knows");
        check(r#"[{}]"#, "an entry names 0 policies");
        check(r#"[{"round_robin": {}, "pick_first": {}}]"#, "an entry names 2 policies");
        check(r#"["round_robin"]"#, "must be an object");
        check(r#"{"round_robin": {}}"#, "must be a list");
    }

    /// grpc-go's `TestParseConfig` of outlier detection: every field has gRFC A50's default, and its section is off without one.
    #[test]
    fn outlier_detection_has_the_defaults_of_its_grfc() {
        let plain = outlier(CHILD).unwrap();
        assert_eq!(plain.balance, Some(Balance::RoundRobin));
        let none = OutlierConfig { success_rate: None, failure_percentage: None, ..OutlierConfig::default() };
        assert_eq!(plain.outlier, Some(none.clone()));
        let sections = outlier(&format!(r#""successRateEjection": {{}}, "failurePercentageEjection": {{}}, {CHILD}"#));
        let both = OutlierConfig {
            success_rate: Some(SuccessRate::default()),
            failure_percentage: Some(FailurePercentage::default()),
            ..none.clone()
        };
        assert_eq!(sections.unwrap().outlier, Some(both));
        let all = outlier(&format!(
            r#""interval": "15s", "baseEjectionTime": "31s", "maxEjectionTime": "310s", "maxEjectionPercent": 25,
               "successRateEjection": {{"stdevFactor": 1901, "enforcementPercentage": 51, "minimumHosts": 6, "requestVolume": 101}},
               {CHILD}"#
        ));
        let rule =
            SuccessRate { stdev_factor: 1901, enforcement_percentage: 51, minimum_hosts: 6, request_volume: 101 };
        let seconds = Duration::from_secs;
        let expected = OutlierConfig {
            interval: seconds(15),
            base_ejection: seconds(31),
            max_ejection: seconds(310),
            max_ejection_percent: 25,
            success_rate: Some(rule),
            ..none
        };
        assert_eq!(all.unwrap().outlier, Some(expected));
    }

    #[test]
    fn what_the_grfc_forbids_is_an_error() {
        let check = |options: &str, reason: &str| {
            let error = outlier(options).expect_err(options);
            assert!(error.contains(reason), "{options}: {error}");
        };
        let with = |options: &str| format!("{options}, {CHILD}");
        check("", "childPolicy: is required");
        check(r#""childPolicy": [{"not_known": {}}]"#, "childPolicy: names no policy");
        check(&with(r#""interval": "-1s""#), "is negative");
        check(&with(r#""baseEjectionTime": "-1s""#), "is negative");
        check(&with(r#""maxEjectionTime": "forever""#), "no duration");
        check(&with(r#""interval": "0s""#), "outlier.interval: must be above zero");
        check(&with(r#""maxEjectionPercent": 150"#), "maxEjectionPercent: must be at most 100, not 150");
        check(&with(r#""maxEjectionPercent": -1"#), "maxEjectionPercent: must be a whole number");
        let success = |options: &str| with(&format!(r#""successRateEjection": {{{options}}}"#));
        check(&success(r#""enforcementPercentage": 150"#), "enforcementPercentage: must be at most 100");
        check(&success(r#""stdevFactor": 1.9"#), "stdevFactor: must be a whole number");
        let failures = |options: &str| with(&format!(r#""failurePercentageEjection": {{{options}}}"#));
        check(&failures(r#""threshold": 150"#), "threshold: must be at most 100");
        check(&failures(r#""enforcementPercentage": 101"#), "enforcementPercentage: must be at most 100");
        check(&failures(r#""minimumHosts": "5""#), "minimumHosts: must be a whole number");
    }
}
