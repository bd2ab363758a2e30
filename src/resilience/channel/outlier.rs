//! Outlier detection: endpoints that fail more than their peers leave the rotation for a while (gRFC A50).
//!
//! Rule: nobody is ejected between sweeps, and a sweep judges by what was counted since the last one. An ejected endpoint keeps
//! its connection: it only gets no calls.

use std::time::Duration;

use crate::clock::Instant;
use crate::random::Key;
use crate::resilience::InvalidConfig;
use crate::resilience::invalid::{ensure, ensure_positive};

/// When an endpoint is ejected, and for how long. The defaults are gRFC A50's.
///
/// ```
/// use squall::resilience::{FailurePercentage, OutlierConfig};
/// use std::time::Duration;
/// // Whoever fails more than half of at least ten calls in five seconds is out for half a minute.
/// let rule = FailurePercentage { threshold: 50, request_volume: 10, minimum_hosts: 3, ..FailurePercentage::default() };
/// let config = OutlierConfig {
///     interval: Duration::from_secs(5),
///     success_rate: None,
///     failure_percentage: Some(rule),
///     ..OutlierConfig::default()
/// };
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OutlierConfig {
    /// How often to look.
    pub interval: Duration,
    /// How long an ejection lasts, times how often the endpoint was ejected.
    pub base_ejection: Duration,
    /// The longest ejection, unless the base is longer.
    pub max_ejection: Duration,
    /// No further endpoint is ejected once this share of all is, in percent. At least one always may.
    pub max_ejection_percent: u32,
    /// Ejects whose success rate lies far below the mean.
    pub success_rate: Option<SuccessRate>,
    /// Ejects who fails more than a fixed share.
    pub failure_percentage: Option<FailurePercentage>,
}

/// Ejects whose success rate lies below the mean by more than so many standard deviations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessRate {
    /// How many, in thousandths: 1900 is 1.9.
    pub stdev_factor: u32,
    /// How likely an outlier is ejected, in percent.
    pub enforcement_percentage: u32,
    /// How many endpoints must have enough calls.
    pub minimum_hosts: u32,
    /// How many calls an interval are enough.
    pub request_volume: u32,
}

/// Ejects who fails more than a fixed share of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePercentage {
    /// The share, in percent; exceeding it is needed.
    pub threshold: u32,
    /// How likely an outlier is ejected, in percent.
    pub enforcement_percentage: u32,
    /// How many endpoints must have enough calls.
    pub minimum_hosts: u32,
    /// How many calls an interval are enough.
    pub request_volume: u32,
}

impl Default for OutlierConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            base_ejection: Duration::from_secs(30),
            max_ejection: Duration::from_secs(300),
            max_ejection_percent: 10,
            success_rate: Some(SuccessRate::default()),
            failure_percentage: None,
        }
    }
}

impl Default for SuccessRate {
    fn default() -> Self {
        Self { stdev_factor: 1900, enforcement_percentage: 100, minimum_hosts: 5, request_volume: 100 }
    }
}

impl Default for FailurePercentage {
    fn default() -> Self {
        Self { threshold: 85, enforcement_percentage: 100, minimum_hosts: 5, request_volume: 50 }
    }
}

impl OutlierConfig {
    pub(crate) fn check(&self) -> Result<(), InvalidConfig> {
        ensure_positive(self.interval, "outlier.interval")?;
        ensure_positive(self.base_ejection, "outlier.base_ejection")?;
        ensure_positive(self.max_ejection, "outlier.max_ejection")?;
        let percent = |value: u32, field| ensure(value <= 100, field, "must be at most 100");
        percent(self.max_ejection_percent, "outlier.max_ejection_percent")?;
        if let Some(rule) = self.success_rate {
            percent(rule.enforcement_percentage, "outlier.success_rate.enforcement_percentage")?;
        }
        if let Some(rule) = self.failure_percentage {
            percent(rule.threshold, "outlier.failure_percentage.threshold")?;
            percent(rule.enforcement_percentage, "outlier.failure_percentage.enforcement_percentage")?;
        }
        Ok(())
    }
}

/// What detection remembers of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Host {
    ejected_at: Option<Instant>,
    /// How often it was ejected, less one for every sweep it stayed in rotation.
    multiplier: u32,
}

impl Host {
    pub(super) fn is_ejected(self) -> bool {
        self.ejected_at.is_some()
    }
}

/// What an endpoint did since the last sweep: successes and failures.
pub(super) type Tally = (u32, u32);

/// One sweep over all endpoints, in gRFC A50's order: success rate, failure percentage, then who comes back.
pub(super) fn sweep(config: &OutlierConfig, now: Instant, hosts: &mut [Host], tallies: &[Tally], key: Key) {
    if let Some(rule) = config.success_rate {
        let rates = eligible(tallies, rule.request_volume, |ok, all| ok / all);
        if rates.len() >= rule.minimum_hosts.max(1) as usize {
            let count = rates.len() as f64;
            let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / count;
            let variance = rates.iter().map(|(_, rate)| (rate - mean) * (rate - mean)).sum::<f64>() / count;
            let threshold = mean - libm::sqrt(variance) * f64::from(rule.stdev_factor) / 1000.0;
            let outliers = rates.iter().filter(|(_, rate)| *rate < threshold).map(|(at, _)| *at);
            eject(config, now, hosts, outliers, rule.enforcement_percentage, key.named("success_rate"));
        }
    }
    if let Some(rule) = config.failure_percentage {
        let rates = eligible(tallies, rule.request_volume, |ok, all| 100.0 * (all - ok) / all);
        if rates.len() >= rule.minimum_hosts.max(1) as usize {
            let outliers = rates.iter().filter(|(_, rate)| *rate > f64::from(rule.threshold)).map(|(at, _)| *at);
            eject(config, now, hosts, outliers, rule.enforcement_percentage, key.named("failure_percentage"));
        }
    }
    let longest = config.base_ejection.max(config.max_ejection);
    for host in hosts {
        match host.ejected_at {
            None => host.multiplier = host.multiplier.saturating_sub(1),
            Some(at) if now >= at + config.base_ejection.saturating_mul(host.multiplier).min(longest) && now > at => {
                host.ejected_at = None;
            }
            Some(_) => {}
        }
    }
}

/// Who had enough calls, and the rate that `of` makes of successes and all calls.
fn eligible(tallies: &[Tally], volume: u32, of: impl Fn(f64, f64) -> f64) -> Vec<(usize, f64)> {
    let enough = tallies.iter().enumerate().filter(|(_, (ok, failed))| ok + failed >= volume.max(1));
    enough.map(|(at, (ok, failed))| (at, of(f64::from(*ok), f64::from(ok + failed)))).collect()
}

/// The share already ejected is looked at *before* each ejection: at least one endpoint can always go.
fn eject(
    config: &OutlierConfig,
    now: Instant,
    hosts: &mut [Host],
    outliers: impl Iterator<Item = usize>,
    enforcement: u32,
    key: Key,
) {
    for at in outliers {
        let ejected = hosts.iter().filter(|host| host.is_ejected()).count();
        if ejected * 100 >= config.max_ejection_percent as usize * hosts.len() {
            return;
        }
        if hosts[at].is_ejected() || key.with(at as u64).draw().between(0.0, 100.0) >= f64::from(enforcement) {
            continue;
        }
        hosts[at].ejected_at = Some(now);
        hosts[at].multiplier += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FP: FailurePercentage =
        FailurePercentage { threshold: 85, enforcement_percentage: 100, minimum_hosts: 3, request_volume: 5 };
    const SR: SuccessRate =
        SuccessRate { stdev_factor: 500, enforcement_percentage: 100, minimum_hosts: 3, request_volume: 5 };

    fn config(success_rate: Option<SuccessRate>, failure_percentage: Option<FailurePercentage>) -> OutlierConfig {
        OutlierConfig { success_rate, failure_percentage, ..OutlierConfig::default() }
    }

    fn ejected(config: &OutlierConfig, tallies: &[Tally]) -> Vec<usize> {
        let mut hosts = vec![Host::default(); tallies.len()];
        sweep(config, Instant::from_nanos(1), &mut hosts, tallies, Key::from_seed(1));
        (0..hosts.len()).filter(|at| hosts[*at].is_ejected()).collect()
    }

    /// The cases of grpc-go's `TestEjectUnejectSuccessRate`, `TestEjectFailureRate` and of the gRFC's text.
    #[test]
    fn sweeps_eject_whom_the_grfc_says() {
        let check = |config: OutlierConfig, tallies: &[Tally], expected: &[usize]| {
            assert_eq!(ejected(&config, tallies), expected, "{config:?} {tallies:?}");
        };
        // Everybody well: nobody goes.
        check(config(Some(SR), None), &[(5, 0), (5, 0), (5, 0)], &[]);
        check(config(None, Some(FP)), &[(5, 0), (5, 0), (5, 0)], &[]);
        // One fails everything: two thirds on average, 0.47 off, threshold 0.43.
        check(config(Some(SR), None), &[(5, 0), (5, 0), (0, 5)], &[2]);
        check(config(None, Some(FP)), &[(5, 0), (5, 0), (0, 5)], &[2]);
        // Too few calls on one endpoint leave too few hosts.
        check(config(Some(SR), None), &[(5, 0), (5, 0), (0, 4)], &[]);
        check(config(None, Some(FP)), &[(5, 0), (5, 0), (0, 4)], &[]);
        // The threshold must be exceeded: 85 % of 20 is not enough.
        check(config(None, Some(FP)), &[(20, 0), (20, 0), (3, 17)], &[]);
        check(config(None, Some(FP)), &[(20, 0), (20, 0), (2, 18)], &[2]);
        // Ten percent of three is less than one: one may go, not two.
        check(config(None, Some(FP)), &[(5, 0), (0, 5), (0, 5)], &[1]);
        let half = OutlierConfig { max_ejection_percent: 50, ..config(None, Some(FP)) };
        check(half, &[(5, 0), (0, 5), (0, 5)], &[1, 2]);
        let none = OutlierConfig { max_ejection_percent: 0, ..config(None, Some(FP)) };
        check(none, &[(5, 0), (5, 0), (0, 5)], &[]);
        // Never enforced is only watched.
        let watched = config(None, Some(FailurePercentage { enforcement_percentage: 0, ..FP }));
        check(watched, &[(5, 0), (5, 0), (0, 5)], &[]);
    }

    /// Each further ejection lasts one base longer, up to the maximum; a healthy sweep forgives one.
    #[test]
    fn ejections_grow_and_are_forgiven() {
        let config = config(None, Some(FP));
        let second = |s: u64| Instant::from_nanos(s * 1_000_000_000);
        let mut hosts = [Host::default(); 3];
        let mut at = 0;
        let mut step = |hosts: &mut [Host; 3], failing: bool| {
            at += 10;
            let tallies = [(5, 0), (5, 0), if failing { (0, 5) } else { (5, 0) }];
            sweep(&config, second(at), hosts, &tallies, Key::from_seed(1));
            hosts[2].is_ejected()
        };
        assert!(step(&mut hosts, true));
        // 30 s: out at 10, back at 40.
        assert_eq!([step(&mut hosts, false), step(&mut hosts, false), step(&mut hosts, false)], [true, true, false]);
        // Again at once: 60 s.
        let out: Vec<bool> = (0..7).map(|n| step(&mut hosts, n == 0)).collect();
        assert_eq!(out, [true, true, true, true, true, true, false]);
        assert_eq!(hosts[2].multiplier, 2);
        step(&mut hosts, false);
        assert_eq!(hosts[2].multiplier, 1);
    }
}
