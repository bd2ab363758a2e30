//! The layers of a strategy, in the terms of [`resilience`](crate::resilience).
//!
//! Whether options go together is known to the layers themselves: they are asked, and their answer is shown where the layer
//! stands. Here are only the rules of the file: what is missing, and what cannot be said at once.

use std::time::Duration;

use super::Checker;
use crate::resilience::{
    BackoffConfig, BreakerConfig, BreakerWindow, BudgetConfig, BudgetKind, ChannelConfig, Codes, InvalidConfig,
    LayerConfig, RetryConfig, Scope, SlowCalls, Strategy, Trip,
};
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::raw::{self, Field, List, ScalarOr, Share};

impl Checker<'_> {
    /// The layers and the channel of a strategy.
    pub(super) fn stack(&mut self, name: &str, strategy: &raw::Strategy) -> Strategy {
        let layers = strategy.layers.items().filter_map(|(layer, span)| self.layer(layer, span)).collect();
        self.order(&strategy.layers);
        let channel = strategy.channel.with_span();
        let channel = channel.map_or_else(ChannelConfig::default, |(channel, span)| self.channel(channel, span));
        Strategy { name: name.to_owned(), layers, channel }
    }

    fn layer(&mut self, layer: &raw::Layer, span: Span) -> Option<LayerConfig> {
        let config = match layer {
            raw::Layer::Deadline(time) => LayerConfig::Deadline(time.0),
            raw::Layer::AttemptTimeout(time) => LayerConfig::AttemptTimeout(time.0),
            raw::Layer::Retry(retry) => LayerConfig::Retry(self.retry(retry, span)?),
            raw::Layer::Breaker(breaker) => LayerConfig::Breaker(self.breaker(breaker, span)?),
            raw::Layer::Hedge(hedge) => LayerConfig::Hedge(self.hedge(hedge)),
            raw::Layer::Limit(limit) => LayerConfig::Limit(self.limit(limit, span)?),
            raw::Layer::Throttle(throttle) => LayerConfig::Throttle(self.throttle(throttle)),
            raw::Layer::RateLimit(limit) => LayerConfig::RateLimit(self.rate_limit(limit, span)?),
            raw::Layer::AdaptiveRate(rate) => LayerConfig::AdaptiveRate(self.adaptive_rate(rate)),
            raw::Layer::Fallback(fallback) => LayerConfig::Fallback(self.fallback(fallback)),
            raw::Layer::Tower(tower) => LayerConfig::Tower(self.tower(tower, span)?),
        };
        self.sound(config.check(), span);
        Some(config)
    }

    /// What a layer says about its own options.
    pub(super) fn sound(&mut self, answer: Result<(), InvalidConfig>, span: Span) {
        if let Err(why) = answer {
            self.wrong(span, format!("`{}` {}", why.field(), why.reason()));
        }
    }

    /// The same; what is not sound is replaced, so that it is not told again by what holds it.
    fn sound_or<T: Default>(&mut self, config: T, answer: Result<(), InvalidConfig>, span: Span) -> T {
        let good = answer.is_ok();
        self.sound(answer, span);
        if good { config } else { T::default() }
    }

    /// An attempt is what a retry makes: a timeout for it outside of every retry bounds the whole call.
    fn order(&mut self, layers: &List<raw::Layer>) {
        let all: Vec<(&raw::Layer, Span)> = layers.items().collect();
        let Some(last_retry) = all.iter().rposition(|(layer, _)| matches!(layer, raw::Layer::Retry(_))) else { return };
        for (layer, span) in &all[..last_retry] {
            if matches!(layer, raw::Layer::AttemptTimeout(_)) {
                let mistake =
                    Mistake::at(*span, "`attempt_timeout` stands outside `retry`, where it bounds all attempts");
                self.push(mistake.help("move it below `retry`, or use `deadline` for the whole call"));
            }
        }
    }

    /// Codes by their names, or what stands for them.
    pub(super) fn codes(&mut self, list: &List<String>, default: Codes) -> Codes {
        if let Some((_, span)) = list.with_span().filter(|(codes, _)| codes.is_empty()) {
            self.wrong(span, "no code is named");
        }
        let Some(codes) = list.get() else { return default };
        codes.iter().filter_map(Field::with_span).filter_map(|(text, span)| self.code(text, span)).collect()
    }

    fn retry(&mut self, retry: &raw::Retry, span: Span) -> Option<RetryConfig> {
        let usual = RetryConfig::default();
        self.required(&retry.attempts, "attempts", span);
        if let Some((attempts, at)) = retry.attempts.with_span().filter(|(attempts, _)| !(2..=1000).contains(*attempts))
        {
            let mistake = Mistake::at(at, format!("`attempts` is between 2 and 1000, not {attempts}"));
            self.push(mistake.help("the first attempt counts: 2 means one retry"));
        }
        let on = self.codes(&retry.on, usual.on);
        let backoff = match retry.backoff.with_span() {
            None => BackoffConfig::None,
            Some((backoff, at)) => {
                let backoff = self.backoff(backoff, at).unwrap_or_default();
                self.sound_or(backoff, backoff.check(), at)
            }
        };
        let budget = retry.budget.with_span().and_then(|(budget, at)| self.budget(budget, at));
        Some(RetryConfig {
            attempts: retry.attempts.or(2).max(1),
            on,
            backoff,
            budget,
            on_attempt_timeout: retry.on_attempt_timeout.or(usual.on_attempt_timeout),
            on_rejection: retry.on_rejection.or(usual.on_rejection),
            unmarked_is_idempotent: retry.unmarked_is_idempotent.or(usual.unmarked_is_idempotent),
            buffer_bytes: retry.buffer_bytes.get().map_or(usual.buffer_bytes, |bytes| *bytes as usize),
        })
    }

    fn backoff(&mut self, backoff: &raw::Backoff, span: Span) -> Option<BackoffConfig> {
        let mut growing = |it: &raw::Growing| {
            let (base, cap) = (self.required(&it.base, "base", span), self.required(&it.cap, "cap", span));
            Some((base?.0, cap?.0))
        };
        Some(match backoff {
            raw::Backoff::None => BackoffConfig::None,
            raw::Backoff::Constant(pause) => BackoffConfig::Constant { pause: pause.0 },
            raw::Backoff::Linear(it) => growing(it).map(|(base, cap)| BackoffConfig::Linear { base, cap })?,
            raw::Backoff::Fibonacci(it) => growing(it).map(|(base, cap)| BackoffConfig::Fibonacci { base, cap })?,
            raw::Backoff::FullJitter(it) => growing(it).map(|(base, cap)| BackoffConfig::FullJitter { base, cap })?,
            raw::Backoff::EqualJitter(it) => growing(it).map(|(base, cap)| BackoffConfig::EqualJitter { base, cap })?,
            raw::Backoff::Decorrelated(it) => {
                growing(it).map(|(base, cap)| BackoffConfig::Decorrelated { base, cap })?
            }
            raw::Backoff::AwsSdk(it) => growing(it).map(|(base, cap)| BackoffConfig::AwsSdk { base, cap })?,
            raw::Backoff::Envoy(it) => growing(it).map(|(base, cap)| BackoffConfig::Envoy { base, cap })?,
            raw::Backoff::Exponential(it) => {
                let (base, cap) = (self.required(&it.base, "base", span), self.required(&it.cap, "cap", span));
                BackoffConfig::Exponential { base: base?.0, cap: cap?.0, multiplier: it.multiplier.or(2.0) }
            }
            raw::Backoff::Grpc(it) => {
                let (initial, max) = (self.required(&it.initial, "initial", span), self.required(&it.max, "max", span));
                let jitter = it.jitter.get().map_or(0.2, |share| share.0.value());
                BackoffConfig::Grpc { initial: initial?.0, max: max?.0, multiplier: it.multiplier.or(2.0), jitter }
            }
        })
    }

    pub(super) fn budget(&mut self, budget: &raw::Budget, span: Span) -> Option<BudgetConfig> {
        let kinds = [
            ("tokens", budget.tokens.span()),
            ("finagle", budget.finagle.span()),
            ("aws_sdk", budget.aws_sdk.span()),
            ("envoy", budget.envoy.span()),
            ("sre", budget.sre.span()),
            ("token_bucket", budget.token_bucket.span()),
            ("cumulative_breaker", budget.cumulative_breaker.span()),
        ];
        let given: Vec<&str> = kinds.iter().filter(|(_, place)| place.is_some()).map(|(kind, _)| *kind).collect();
        if let Some(at) = budget.ratio.span().filter(|_| budget.tokens.is_absent()) {
            self.push(
                Mistake::at(at, "`ratio` without `tokens`").help("gRPC's budget is `{ tokens: 10, ratio: 0.1 }`"),
            );
        }
        let [kind] = given[..] else {
            let message =
                if given.is_empty() { "the budget does not say of which kind it is" } else { "a budget has one kind" };
            let known: Vec<&str> = kinds.iter().map(|(kind, _)| *kind).collect();
            self.push(Mistake::at(span, message).help(format!("exactly one of: {}", known.join(", "))));
            return None;
        };
        let share = |field: &Field<Share>, default: f64| field.get().map_or(default, |share| share.0.value());
        let kind = match kind {
            "tokens" => BudgetKind::Grpc { tokens: *budget.tokens.get()?, ratio: budget.ratio.or(0.1) },
            "finagle" => {
                let it = budget.finagle.get()?;
                let ttl = Self::time(&it.ttl, Duration::from_secs(10));
                BudgetKind::Finagle { ttl, min_per_s: it.min_per_s.or(10.0), percent: share(&it.percent, 0.2) }
            }
            "aws_sdk" => {
                let it = budget.aws_sdk.get()?;
                let (cost, timeout_cost) = (it.cost.or(5), it.timeout_cost.or(10));
                BudgetKind::AwsSdk { capacity: it.capacity.or(500), cost, timeout_cost }
            }
            "envoy" => {
                let it = budget.envoy.get()?;
                BudgetKind::Envoy { percent: share(&it.percent, 0.2), min: it.min.or(3) }
            }
            "sre" => {
                let it = budget.sre.get()?;
                let window = Self::time(&it.window, Duration::from_secs(10));
                BudgetKind::Sre { percent: share(&it.percent, 0.1), window }
            }
            "token_bucket" => {
                let it = budget.token_bucket.get()?;
                BudgetKind::TokenBucket { per_call: it.per_call.or(0.1), size: it.size.or(5.0) }
            }
            _ => BudgetKind::CumulativeBreaker { failure_rate: budget.cumulative_breaker.get()?.0.value() },
        };
        let config = BudgetConfig { kind, scope: scope(&budget.scope) };
        let answer = config.check();
        self.sound_or(Some(config), answer, span)
    }

    /// A breaker, around everything or around one endpoint.
    pub(super) fn breaker(&mut self, breaker: &raw::Breaker, span: Span) -> Option<BreakerConfig> {
        let usual = BreakerConfig::default();
        let trips = [
            ("consecutive", breaker.consecutive.span()),
            ("failure_rate", breaker.failure_rate.span()),
            ("ewma", breaker.ewma.span()),
        ];
        let mut given = trips.iter().filter(|(_, place)| place.is_some());
        if let (Some(first), Some((second, place))) = (given.next(), given.next()) {
            let message = format!("`{}` and `{second}` in one breaker", first.0);
            self.push(Mistake::at(place.unwrap_or(span), message).help("use two breakers, one inside the other"));
        }
        if let Some(at) =
            breaker.window.span().filter(|_| !breaker.consecutive.is_absent() || !breaker.ewma.is_absent())
        {
            self.wrong(at, "`window` goes with `failure_rate`");
        }
        let min_calls = breaker.min_calls.or(20);
        let trip = if let Some(failures) = breaker.consecutive.get() {
            Trip::Consecutive { failures: *failures }
        } else if let Some((ewma, at)) = breaker.ewma.with_span() {
            let rate = self.required(&ewma.rate, "rate", at)?.0.value();
            Trip::Ewma { rate, half_life: Self::time(&ewma.half_life, Duration::from_secs(5)), min_calls }
        } else {
            let window = match breaker.window.get() {
                None => BreakerWindow::Time(Duration::from_secs(10)),
                Some(ScalarOr::Scalar(time)) => BreakerWindow::Time(time.0),
                Some(ScalarOr::Full(raw::BreakerWindow::Calls(calls))) => BreakerWindow::Count(*calls),
            };
            let rate = breaker.failure_rate.get().map_or(0.5, |share| share.0.value());
            Trip::FailureRate { rate, window, min_calls }
        };
        let slow = breaker.slow.with_span().and_then(|(slow, at)| {
            let threshold = self.required(&slow.threshold, "threshold", at)?.0;
            Some(SlowCalls { threshold, rate: slow.rate.get().map_or(0.5, |share| share.0.value()) })
        });
        if let Some(at) = breaker.name.with_span().filter(|(name, _)| name.trim().is_empty()).map(|(_, at)| at) {
            self.wrong(at, "the name of a breaker is empty");
        }
        Some(BreakerConfig {
            name: breaker.name.get().cloned().unwrap_or(usual.name),
            trip,
            slow,
            open: Self::time(&breaker.open, usual.open),
            probes: breaker.probes.or(usual.probes),
            failures: self.codes(&breaker.failures, usual.failures),
            scope: scope(&breaker.scope),
        })
    }
}

pub(super) fn scope(field: &Field<raw::Scope>) -> Scope {
    match field.get() {
        None | Some(raw::Scope::Client) => Scope::Client,
        Some(raw::Scope::Shared) => Scope::Shared,
    }
}
