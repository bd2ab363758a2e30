//! Hedges, limits, throttles, fallbacks and tower's own layers, in the terms of [`resilience`](crate::resilience).

use std::time::Duration;

use bytes::Bytes;

use super::Checker;
use super::layers::scope;
use crate::resilience::{
    AdaptiveRateConfig, Codes, Discipline, FallbackConfig, HedgeConfig, HedgeDelay, LimitAlgorithm, LimitConfig,
    RateLimitConfig, ThrottleConfig, ThrottleRule, TowerConfig, TpsBudgetConfig,
};
use crate::scenario::diagnostics::Span;
use crate::scenario::raw::{self, Field, ScalarOr, Share, Time};

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
        let algorithm = algorithm(self.required(&limit.algorithm, "algorithm", span)?);
        let max_wait = limit.max_wait.get().map(|time| time.0);
        let discipline = match limit.discipline.get() {
            None | Some(raw::Discipline::Fifo) => Discipline::Fifo { max_wait },
            Some(raw::Discipline::Lifo) => Discipline::Lifo { max_wait },
            Some(raw::Discipline::Codel(codel)) => {
                if let Some(at) = limit.max_wait.span() {
                    self.wrong(at, "`max_wait` goes with `fifo` and `lifo`: codel has a `target` and an `interval`");
                }
                Discipline::CoDel {
                    target: Self::time(&codel.target, Duration::from_millis(5)),
                    interval: Self::time(&codel.interval, Duration::from_millis(100)),
                }
            }
        };
        let queue = limit.queue.or(0) as usize;
        for (name, place) in [("max_wait", limit.max_wait.span()), ("discipline", limit.discipline.span())] {
            if let Some(at) = place.filter(|_| queue == 0) {
                self.wrong(at, format!("`{name}` without a `queue`: nobody waits for a place"));
            }
        }
        Some(LimitConfig {
            queue,
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
        let envoys = [
            ("threshold", throttle.threshold.span()),
            ("aggression", throttle.aggression.span()),
            ("max", throttle.max.span()),
        ];
        let (options, other) = match usual.rule {
            ThrottleRule::EnvoyAdmission { .. } => (vec![("k", throttle.k.span())], "sre"),
            _ => (envoys.to_vec(), "envoy_admission"),
        };
        for (name, at) in options.into_iter().filter_map(|(name, place)| Some((name, place?))) {
            self.wrong(at, format!("`{name}` goes with `rule: {other}`"));
        }
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

    pub(super) fn fallback(&mut self, fallback: &raw::Fallback) -> FallbackConfig {
        let message = fallback.message.get().map_or_else(Bytes::new, |message| {
            let tracking_id = message.tracking_id.get().map_or("", String::as_str);
            alert_response(message.acknowledged.or(false), tracking_id)
        });
        FallbackConfig { on: self.codes(&fallback.on, Codes::UNAVAILABLE), message }
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

fn algorithm(algorithm: &ScalarOr<raw::AlgorithmName, raw::Algorithm>) -> LimitAlgorithm {
    let share = |field: &Field<Share>, usual: f64| field.get().map_or(usual, |share| share.0.value());
    let time = |field: &Field<Time>, usual: Duration| field.get().map_or(usual, |time| time.0);
    // The name alone is the name with nothing said, so the figures stand in one place.
    let named;
    let algorithm = match algorithm {
        ScalarOr::Full(algorithm) => algorithm,
        ScalarOr::Scalar(name) => {
            named = match name {
                raw::AlgorithmName::Aimd => raw::Algorithm::Aimd(raw::Aimd::default()),
                raw::AlgorithmName::Vegas => raw::Algorithm::Vegas(raw::Vegas::default()),
                raw::AlgorithmName::Gradient2 => raw::Algorithm::Gradient2(raw::Gradient2::default()),
                raw::AlgorithmName::EnvoyAdaptive => raw::Algorithm::EnvoyAdaptive(raw::EnvoyAdaptive::default()),
            };
            &named
        }
    };
    match algorithm {
        raw::Algorithm::Fixed(max) => LimitAlgorithm::Fixed { max: *max },
        raw::Algorithm::Aimd(it) => LimitAlgorithm::Aimd {
            initial: it.initial.or(20),
            min: it.min.or(20),
            max: it.max.or(200),
            backoff: share(&it.backoff, 0.9),
            timeout: time(&it.timeout, Duration::from_secs(5)),
        },
        raw::Algorithm::Vegas(it) => LimitAlgorithm::Vegas { initial: it.initial.or(20), max: it.max.or(1000) },
        raw::Algorithm::Gradient2(it) => LimitAlgorithm::Gradient2 {
            initial: it.initial.or(20),
            min: it.min.or(20),
            max: it.max.or(200),
            queue: it.queue.or(4),
            tolerance: it.tolerance.or(1.5),
            smoothing: share(&it.smoothing, 0.2),
            long_window: it.long_window.or(600),
        },
        raw::Algorithm::EnvoyAdaptive(it) => LimitAlgorithm::EnvoyAdaptive {
            min_concurrency: it.min_concurrency.or(3),
            max: it.max.or(1000),
            requests: it.requests.or(50),
            interval: time(&it.interval, Duration::from_secs(60)),
            window: time(&it.window, Duration::from_millis(100)),
            buffer: share(&it.buffer, 0.25),
        },
    }
}

/// An `AlertResponse` as protobuf has it: what is default is not written.
fn alert_response(acknowledged: bool, tracking_id: &str) -> Bytes {
    let mut message = Vec::new();
    if acknowledged {
        prost::encoding::bool::encode(1, &true, &mut message);
    }
    if !tracking_id.is_empty() {
        prost::encoding::string::encode(2, &tracking_id.to_owned(), &mut message);
    }
    message.into()
}
