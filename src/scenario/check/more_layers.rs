//! Hedges, limits, throttles and tower's own layers, in the terms of [`resilience`](crate::resilience).

use std::time::Duration;

use super::Checker;
use super::layers::scope;
use crate::resilience::{
    AdaptiveRateConfig, Codes, Discipline, HedgeConfig, HedgeDelay, LimitAlgorithm, LimitConfig, RateLimitConfig,
    ThrottleConfig, ThrottleRule, TowerConfig, TpsBudgetConfig,
};
use crate::scenario::diagnostics::Span;
use crate::scenario::raw::{self, ScalarOr};

impl Checker<'_> {
    pub(super) fn hedge(&mut self, hedge: &raw::Hedge) -> HedgeConfig {
        let usual = HedgeConfig::default();
        let delay = match hedge.delay.get() {
            None => usual.delay,
            Some(ScalarOr::Scalar(delay)) => HedgeDelay::Fixed(delay.0),
            Some(ScalarOr::Full(raw::HedgeDelay::Learned(it))) => HedgeDelay::Learned {
                quantile: it.quantile.get().map_or(0.95, |share| share.0.value()),
                initial: Self::time(&it.initial, Duration::from_secs(1)),
                min: Self::time(&it.min, Duration::from_millis(1)),
                max: Self::time(&it.max, Duration::from_secs(10)),
            },
        };
        HedgeConfig {
            attempts: hedge.attempts.or(usual.attempts),
            delay,
            non_fatal: self.codes(&hedge.non_fatal, usual.non_fatal),
            budget: hedge.budget.with_span().and_then(|(budget, at)| self.budget(budget, at)),
            buffer_bytes: hedge.buffer_bytes.get().map_or(usual.buffer_bytes, |bytes| *bytes as usize),
        }
    }

    pub(super) fn limit(&mut self, limit: &raw::Limit, span: Span) -> Option<LimitConfig> {
        let algorithm = match self.required(&limit.algorithm, "algorithm", span)? {
            raw::Algorithm::Fixed(max) => LimitAlgorithm::Fixed { max: *max },
            raw::Algorithm::Aimd => LimitAlgorithm::AIMD,
            raw::Algorithm::Vegas => LimitAlgorithm::VEGAS,
            raw::Algorithm::Gradient2 => LimitAlgorithm::GRADIENT2,
            raw::Algorithm::EnvoyAdaptive => LimitAlgorithm::ENVOY,
        };
        let discipline = match limit.discipline.get() {
            None | Some(raw::Discipline::Fifo) => Discipline::Fifo { max_wait: None },
            Some(raw::Discipline::Lifo) => Discipline::Lifo { max_wait: None },
            Some(raw::Discipline::Codel(codel)) => Discipline::CoDel {
                target: Self::time(&codel.target, Duration::from_millis(5)),
                interval: Self::time(&codel.interval, Duration::from_millis(100)),
            },
        };
        Some(LimitConfig {
            queue: limit.queue.or(0) as usize,
            discipline,
            by_criticality: limit.by_criticality.or(false),
            scope: scope(&limit.scope),
            ..LimitConfig::new(algorithm)
        })
    }

    pub(super) fn throttle(&mut self, throttle: &raw::Throttle) -> ThrottleConfig {
        let usual = match throttle.rule.get() {
            None | Some(raw::ThrottleRule::Sre) => ThrottleConfig::sre(),
            Some(raw::ThrottleRule::EnvoyAdmission) => ThrottleConfig::envoy_admission(),
        };
        let rule = match usual.rule {
            ThrottleRule::EnvoyAdmission { threshold, aggression, max } => ThrottleRule::EnvoyAdmission {
                threshold: throttle.threshold.get().map_or(threshold, |share| share.0.value()),
                aggression: throttle.aggression.or(aggression),
                max: throttle.max.get().map_or(max, |share| share.0.value()),
            },
            ThrottleRule::Sre { k } => ThrottleRule::Sre { k: throttle.k.or(k) },
        };
        let window = Self::time(&throttle.window, usual.window);
        let rejected = self.codes(&throttle.rejected, usual.rejected);
        ThrottleConfig { rule, window, rejected, scope: scope(&throttle.scope) }
    }

    pub(super) fn rate_limit(&mut self, limit: &raw::RateLimit, span: Span) -> Option<RateLimitConfig> {
        let per_second = self.required(&limit.rate, "rate", span)?.0.value();
        let max_wait = Self::time(&limit.max_wait, Duration::ZERO);
        Some(RateLimitConfig { per_second, burst: limit.burst.or(1), max_wait, scope: scope(&limit.scope) })
    }

    pub(super) fn adaptive_rate(&mut self, rate: &raw::AdaptiveRate) -> AdaptiveRateConfig {
        let usual = AdaptiveRateConfig::default();
        let throttled = self.codes(&rate.throttled, usual.throttled);
        AdaptiveRateConfig {
            throttled,
            max_wait: Self::time(&rate.max_wait, usual.max_wait),
            scope: scope(&rate.scope),
        }
    }

    pub(super) fn tower(&mut self, tower: &raw::Tower, span: Span) -> Option<TowerConfig> {
        Some(match tower {
            raw::Tower::Timeout(time) => TowerConfig::Timeout(time.0),
            raw::Tower::ConcurrencyLimit(max) => TowerConfig::ConcurrencyLimit { max: *max as usize },
            raw::Tower::Retry(retry) => {
                let attempts = *self.required(&retry.attempts, "attempts", span)?;
                let budget = retry.budget.get().map(|it| TpsBudgetConfig {
                    ttl: Self::time(&it.ttl, Duration::from_secs(10)),
                    min_per_s: it.min_per_s.or(10.0).clamp(0.0, 1e6) as u32,
                    percent: it.percent.get().map_or(0.2, |share| share.0.value()) as f32,
                });
                TowerConfig::Retry { attempts, on: self.codes(&retry.on, Codes::UNAVAILABLE), budget }
            }
            raw::Tower::Hedge(hedge) => TowerConfig::Hedge {
                min_data_points: hedge.min_data_points.or(100),
                percentile: hedge.percentile.get().map_or(0.95, |share| share.0.value()) as f32,
                period: Self::time(&hedge.period, Duration::from_secs(10)),
            },
        })
    }
}
