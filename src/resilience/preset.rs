//! What the resilience libraries and clients in wide use do when nobody configures them, as strategies by name.
//!
//! Each is as close as its parts allow, and says where it is not.

use std::time::Duration;

use tonic::Code;

use super::backoff::BackoffConfig;
use super::breaker::{BreakerConfig, BreakerWindow, SlowCalls, Trip};
use super::budget::{BudgetConfig, BudgetKind};
use super::channel::{Balance, ChannelConfig, Transport};
use super::limit::{LimitAlgorithm, LimitConfig};
use super::retry::RetryConfig;
use super::{Codes, LayerConfig, Strategy};

/// A strategy that comes with the crate.
///
/// ```
/// use squall::resilience::{Ambient, Preset, Target, Tcp, build};
/// let strategy = Preset::named("envoy-default").expect("it comes with the crate").strategy();
/// let client = build(&strategy, Target::fixed("telemetry", ["127.0.0.1:50051"]), Tcp, &Ambient::default())?;
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The name in scenario files.
    pub name: &'static str,
    /// What it stands for, in one line.
    pub about: &'static str,
    make: fn() -> Strategy,
}

impl Preset {
    /// The strategy.
    #[must_use]
    pub fn strategy(&self) -> Strategy {
        Strategy { name: self.name.to_owned(), ..(self.make)() }
    }

    /// The preset of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|preset| preset.name == name)
    }

    /// All presets.
    pub const ALL: &'static [Self] = &[
        Self {
            name: "grpc-default",
            about: "a gRPC client without service config: transparent retries and connection backoff, nothing else",
            make: Strategy::default,
        },
        Self {
            name: "envoy-default",
            about: "Envoy's route: 15 s, one retry with 25 ms jittered backoff, at most 3 at once, 1024 requests",
            make: envoy,
        },
        Self {
            name: "aws-sdk-standard",
            about: "the AWS SDKs' standard mode: 3 attempts, full jitter up to 20 s, a bucket of 500 tokens",
            make: aws,
        },
        Self {
            name: "polly-default",
            about: "Polly v8's defaults in its usual order: 30 s, 3 retries every 2 s, breaker at 10 % of 100 in 30 s",
            make: polly,
        },
        Self {
            name: "resilience4j-default",
            about: "resilience4j's defaults: 3 attempts every 500 ms, breaker at 50 % of the last 100",
            make: resilience4j,
        },
        Self {
            name: "finagle",
            about: "Finagle: immediate retries within 20 % plus 10/s over 10 s, P2C, endpoints out after 5 failures",
            make: finagle,
        },
        Self { name: "tonic", about: "tonic's own channel as it is: no deadline, no retry, no backoff", make: tonic },
    ];
}

/// gRFC A44's codes; the route timeout spans the retries.
fn envoy() -> Strategy {
    let on = Codes::of(&[
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Internal,
        Code::ResourceExhausted,
        Code::Unavailable,
    ]);
    let retry = RetryConfig {
        attempts: 2,
        on,
        backoff: BackoffConfig::Envoy { base: Duration::from_millis(25), cap: Duration::from_millis(250) },
        budget: Some(BudgetConfig::per_client(BudgetKind::Envoy { percent: 0.0, min: 3 })),
        ..RetryConfig::default()
    };
    let limit = LimitConfig::new(LimitAlgorithm::Fixed { max: 1024 });
    layers(vec![LayerConfig::Deadline(Duration::from_secs(15)), LayerConfig::Limit(limit), LayerConfig::Retry(retry)])
}

/// The SDKs retry throttling as well; timeouts and other transient failures cost twice as much.
fn aws() -> Strategy {
    let retry = RetryConfig {
        attempts: 3,
        on: Codes::of(&[Code::Unavailable, Code::ResourceExhausted, Code::Internal, Code::DeadlineExceeded]),
        backoff: BackoffConfig::AwsSdk { base: Duration::from_secs(1), cap: Duration::from_secs(20) },
        budget: Some(BudgetConfig::per_client(BudgetKind::AwsSdk { capacity: 500, cost: 5, timeout_cost: 10 })),
        ..RetryConfig::default()
    };
    layers(vec![LayerConfig::Retry(retry)])
}

/// Polly handles every exception unless told otherwise: here every code that speaks of the server's health.
fn polly() -> Strategy {
    let retry = RetryConfig {
        attempts: 4,
        on: Codes::UNHEALTHY,
        backoff: BackoffConfig::Constant { pause: Duration::from_secs(2) },
        on_rejection: true,
        ..RetryConfig::default()
    };
    let breaker = BreakerConfig {
        trip: Trip::FailureRate { rate: 0.1, window: BreakerWindow::Time(Duration::from_secs(30)), min_calls: 100 },
        open: Duration::from_secs(5),
        probes: 1,
        ..BreakerConfig::default()
    };
    layers(vec![
        LayerConfig::Deadline(Duration::from_secs(30)),
        LayerConfig::Retry(retry),
        LayerConfig::Breaker(breaker),
    ])
}

fn resilience4j() -> Strategy {
    let retry = RetryConfig {
        attempts: 3,
        on: Codes::UNHEALTHY,
        backoff: BackoffConfig::Constant { pause: Duration::from_millis(500) },
        on_rejection: true,
        ..RetryConfig::default()
    };
    let breaker = BreakerConfig {
        trip: Trip::FailureRate { rate: 0.5, window: BreakerWindow::Count(100), min_calls: 100 },
        slow: Some(SlowCalls { threshold: Duration::from_secs(60), rate: 1.0 }),
        open: Duration::from_secs(60),
        probes: 10,
        ..BreakerConfig::default()
    };
    layers(vec![LayerConfig::Retry(retry), LayerConfig::Breaker(breaker)])
}

/// Failure accrual marks an endpoint dead for 5 s at first; Finagle's growth of that time is not modelled.
fn finagle() -> Strategy {
    let budget = BudgetKind::Finagle { ttl: Duration::from_secs(10), min_per_s: 10.0, percent: 0.2 };
    let retry = RetryConfig { attempts: 25, budget: Some(BudgetConfig::per_client(budget)), ..RetryConfig::default() };
    let accrual = BreakerConfig {
        trip: Trip::Consecutive { failures: 5 },
        open: Duration::from_secs(5),
        probes: 1,
        ..BreakerConfig::default()
    };
    let channel = ChannelConfig {
        balance: Balance::LeastOutstanding,
        endpoint_breaker: Some(accrual),
        ..ChannelConfig::default()
    };
    Strategy { channel, ..layers(vec![LayerConfig::Retry(retry)]) }
}

fn tonic() -> Strategy {
    let channel = ChannelConfig { transport: Transport::Tonic, ..ChannelConfig::default() };
    Strategy { channel, ..Strategy::default() }
}

fn layers(layers: Vec<LayerConfig>) -> Strategy {
    Strategy { layers, ..Strategy::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_makes_sense_and_is_found_by_name() {
        for preset in Preset::ALL {
            let strategy = preset.strategy();
            assert_eq!(strategy.check(), Ok(()), "{}", preset.name);
            assert_eq!(Preset::named(preset.name).unwrap().strategy(), strategy);
        }
        assert!(Preset::named("none").is_none());
    }
}
