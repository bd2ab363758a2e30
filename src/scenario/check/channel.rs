//! The channel of a strategy, in the terms of [`resilience`](crate::resilience).

use std::time::Duration;

use super::Checker;
use crate::resilience::{
    Balance, ChannelConfig, ConnectBackoff, FailurePercentage, Keepalive, OutlierConfig, SuccessRate, Transport,
};
use crate::scenario::diagnostics::Span;
use crate::scenario::raw::{self, ScalarOr};

/// How fast a balancer by latency forgets a peak.
const DECAY: Duration = Duration::from_secs(10);
/// gRPC's own default (gRFC A8).
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

impl Checker<'_> {
    pub(super) fn channel(&mut self, channel: &raw::Channel, span: Span) -> ChannelConfig {
        let transport = match channel.transport.get() {
            None | Some(raw::Transport::Squall) => Transport::Own,
            Some(raw::Transport::Tonic) => Transport::Tonic,
        };
        let balance = match channel.balance.get() {
            None | Some(ScalarOr::Scalar(raw::Balance::PickFirst)) => Balance::PickFirst,
            Some(ScalarOr::Scalar(raw::Balance::RoundRobin)) => Balance::RoundRobin,
            Some(ScalarOr::Scalar(raw::Balance::LeastOutstanding)) => Balance::LeastOutstanding,
            Some(ScalarOr::Scalar(raw::Balance::PeakEwma)) => Balance::PeakEwma { decay: DECAY },
            Some(ScalarOr::Full(raw::BalanceWith::PeakEwma(it))) => {
                Balance::PeakEwma { decay: Self::time(&it.decay, DECAY) }
            }
        };
        let keepalive = channel.keepalive.with_span().and_then(|(keepalive, at)| {
            let time = self.required(&keepalive.time, "time", at)?.0;
            let timeout = Self::time(&keepalive.timeout, KEEPALIVE_TIMEOUT);
            Some(Keepalive { time, timeout, without_calls: keepalive.without_calls.or(false) })
        });
        let endpoint_breaker = channel.endpoint_breaker.with_span().and_then(|(it, at)| self.breaker(it, at));
        let config = ChannelConfig {
            transport,
            balance,
            connect_backoff: self.connect_backoff(channel),
            wait_for_ready: channel.wait_for_ready.or(false),
            keepalive,
            max_age: channel.max_age.get().map(|time| time.0),
            outlier: channel.outlier.get().map(Self::outlier),
            health: channel.health.get().cloned(),
            endpoint_breaker,
        };
        self.sound(config.check(), span);
        config
    }

    fn connect_backoff(&mut self, channel: &raw::Channel) -> ConnectBackoff {
        let usual = ConnectBackoff::default();
        let backoff = match channel.connect_backoff.with_span() {
            None | Some((raw::ConnectBackoff::Grpc, _)) => usual,
            Some((raw::ConnectBackoff::None, _)) => ConnectBackoff::IMMEDIATE,
            Some((raw::ConnectBackoff::Constant(pause), _)) => {
                ConnectBackoff { initial: pause.0, max: pause.0, multiplier: 1.0, jitter: 0.0, ..usual }
            }
            Some((raw::ConnectBackoff::Custom(it), at)) => {
                let initial = self.required(&it.initial, "initial", at).map_or(usual.initial, |time| time.0);
                let max = self.required(&it.max, "max", at).map_or(usual.max, |time| time.0);
                let jitter = it.jitter.get().map_or(usual.jitter, |share| share.0.value());
                ConnectBackoff { initial, max, multiplier: it.multiplier.or(usual.multiplier), jitter, ..usual }
            }
        };
        let min_connect_timeout = Self::time(&channel.connect_timeout, usual.min_connect_timeout);
        ConnectBackoff { min_connect_timeout, ..backoff }
    }

    fn outlier(outlier: &raw::Outlier) -> OutlierConfig {
        let usual = OutlierConfig::default();
        let percent = |share: &raw::Share| (share.0.value() * 100.0).round() as u32;
        let by_success = outlier.success_rate.get().map(|it| {
            let usual = SuccessRate::default();
            let factor = it.stdev_factor.or(1.9);
            SuccessRate {
                stdev_factor: (factor.clamp(0.0, 1000.0) * 1000.0).round() as u32,
                enforcement_percentage: it.enforcement.get().map_or(usual.enforcement_percentage, percent),
                minimum_hosts: it.minimum_hosts.or(usual.minimum_hosts),
                request_volume: it.request_volume.or(usual.request_volume),
            }
        });
        let by_failures = outlier.failure_percentage.get().map(|it| {
            let usual = FailurePercentage::default();
            FailurePercentage {
                threshold: it.threshold.get().map_or(usual.threshold, percent),
                enforcement_percentage: it.enforcement.get().map_or(usual.enforcement_percentage, percent),
                minimum_hosts: it.minimum_hosts.or(usual.minimum_hosts),
                request_volume: it.request_volume.or(usual.request_volume),
            }
        });
        OutlierConfig {
            interval: Self::time(&outlier.interval, usual.interval),
            base_ejection: Self::time(&outlier.base_ejection, usual.base_ejection),
            max_ejection: Self::time(&outlier.max_ejection, usual.max_ejection),
            max_ejection_percent: outlier.max_ejection_percent.get().map_or(usual.max_ejection_percent, percent),
            success_rate: if outlier.failure_percentage.is_absent() {
                by_success.or(usual.success_rate)
            } else {
                by_success
            },
            failure_percentage: by_failures,
        }
    }
}
