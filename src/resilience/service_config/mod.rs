//! gRPC service config: the JSON that grpc-go, gRPC Java and others read.
//!
//! A service's owner can publish it, and every client obeys. As a layer it looks up the method of each call, bounds it by
//! the method's timeout, and retries or hedges it as the method says.
//!
//! Rule: what a standard client would reject is rejected here, with the same reason; what it would ignore is listed, never
//! dropped in silence.
//!
//! Sources: `service_config.proto` of grpc-proto; gRFC A2, A6, A21, A50.

mod balancer;
mod export;
mod import;
mod layer;
mod read;

pub use self::export::{Exported, export};
pub(crate) use self::layer::MethodRouter;

use std::time::Duration;

use super::budget::BudgetKind;
use super::channel::{Balance, OutlierConfig};
use super::hedge::HedgeConfig;
use super::invalid::ensure_positive;
use super::retry::RetryConfig;
use super::{BudgetConfig, InvalidConfig, Scope};

/// A parsed service config.
///
/// ```
/// use squall::resilience::{Ambient, ServiceConfig, Target, Tcp, build};
/// let json = r#"{"methodConfig": [{"name": [{}], "timeout": "2s", "retryPolicy": {
///     "maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
///     "retryableStatusCodes": ["UNAVAILABLE"]}}]}"#;
/// let strategy = ServiceConfig::parse(json)?.into_strategy("from-json");
/// let client = build(&strategy, Target::fixed("telemetry", ["127.0.0.1:50051"]), Tcp, &Ambient::default())?;
/// assert!(ServiceConfig::parse(&json.replace("\"2s\"", "\"soon\"")).is_err());
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceConfig {
    /// What holds for which methods.
    pub methods: Vec<MethodConfig>,
    /// What bounds the retries and hedges of all calls together.
    pub throttling: Option<BudgetKind>,
    /// The load balancing policy, if one is named that this crate has.
    pub balance: Option<Balance>,
    /// Outlier detection around it (gRFC A50), which pick_first has no use for.
    pub outlier: Option<OutlierConfig>,
    /// The service name for health watching.
    pub health: Option<String>,
    /// What was in the file and has no effect here, as paths: `methodConfig[0].maxRequestMessageBytes`.
    pub ignored: Vec<String>,
}

/// What holds for some methods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MethodConfig {
    /// For which methods.
    pub names: Vec<MethodName>,
    /// Whether calls wait for a connection even after connecting has failed.
    pub wait_for_ready: Option<bool>,
    /// How long a call may take; the caller's own deadline holds as well.
    pub timeout: Option<Duration>,
    /// What to do when it fails, or is slow.
    pub policy: Option<MethodPolicy>,
}

/// Retrying or hedging, never both.
#[derive(Clone, Debug, PartialEq)]
pub enum MethodPolicy {
    /// One attempt after the other.
    Retry(RetryConfig),
    /// Several attempts at once.
    Hedge(HedgeConfig),
}

/// Which methods: one, all of a service, or (both empty) all.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MethodName {
    /// The service with its package: `telemetry.TelemetryService`.
    pub service: String,
    /// The method: `ReportAlert`.
    pub method: String,
}

impl MethodName {
    /// How specifically it names the method of a request's path; `None` if it does not.
    fn matches(&self, path: &str) -> Option<u8> {
        let (service, method) = path.strip_prefix('/')?.rsplit_once('/')?;
        match (self.service.is_empty(), self.method.is_empty()) {
            (true, _) => Some(0),
            (false, true) => (self.service == service).then_some(1),
            (false, false) => (self.service == service && self.method == method).then_some(2),
        }
    }
}

impl ServiceConfig {
    /// What holds for the method of a request's path: the most specific name wins.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<&MethodConfig> {
        let rank = |config: &MethodConfig| config.names.iter().filter_map(|name| name.matches(path)).max();
        self.methods
            .iter()
            .filter_map(|config| rank(config).map(|rank| (rank, config)))
            .max_by_key(|(rank, _)| *rank)
            .map(|(_, config)| config)
    }

    /// Makes sure that it makes sense.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        if let Some(kind) = self.throttling {
            BudgetConfig::per_client(kind).check()?;
        }
        if let Some(outlier) = &self.outlier {
            outlier.check()?;
        }
        for method in &self.methods {
            if let Some(timeout) = method.timeout {
                ensure_positive(timeout, "methodConfig.timeout")?;
            }
            match &method.policy {
                Some(MethodPolicy::Retry(retry)) => retry.check()?,
                Some(MethodPolicy::Hedge(hedge)) => hedge.check()?,
                None => {}
            }
        }
        Ok(())
    }

    /// The budget of all its policies: gRPC keeps one a server name.
    fn budget(&self) -> Option<BudgetConfig> {
        self.throttling.map(|kind| BudgetConfig { kind, scope: Scope::Client })
    }
}
