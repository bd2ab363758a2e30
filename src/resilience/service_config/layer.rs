//! A service config at work: the policy of each call's method.

use std::task::{Context, Poll};

use http::Request;
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use super::{MethodConfig, MethodPolicy, ServiceConfig};
use crate::resilience::client::Stack;
use crate::resilience::deadline::Deadline;
use crate::resilience::hedge::Hedge;
use crate::resilience::retry::Retry;
use crate::resilience::run::Run;
use crate::resilience::{Ambient, BoxError, BudgetConfig, Call, Codes, InvalidConfig, RetryConfig, Scope};

/// Sends each call through the stack of its method.
#[derive(Clone)]
pub(crate) struct MethodRouter {
    config: std::sync::Arc<ServiceConfig>,
    /// One stack for each method config, in the same order.
    stacks: Vec<Stack>,
    others: Stack,
}

impl MethodRouter {
    pub(crate) fn new(
        config: &ServiceConfig,
        inner: &Stack,
        ambient: &Ambient,
        place: &str,
    ) -> Result<Self, InvalidConfig> {
        let stacks = config.methods.iter().map(|method| stack(config, method, inner.clone(), ambient, place));
        Ok(Self {
            stacks: stacks.collect::<Result<_, _>>()?,
            others: stack(config, &MethodConfig::default(), inner.clone(), ambient, place)?,
            config: std::sync::Arc::new(config.clone()),
        })
    }
}

fn stack(
    config: &ServiceConfig,
    method: &MethodConfig,
    inner: Stack,
    ambient: &Ambient,
    place: &str,
) -> Result<Stack, InvalidConfig> {
    // All methods draw on the same tokens: one budget a client, shared between its layers.
    let place = format!("{place} of {:x}", ambient.key().bits());
    let budget = config.budget().map(|mut budget| {
        budget.scope = Scope::Shared;
        budget
    });
    let deadline = method.timeout.map(Deadline::new).transpose()?;
    Ok(match &method.policy {
        None => {
            let counted = budget.map(|budget| Retry::build(counted(budget), ambient, &place)).transpose()?;
            Run::of(deadline, counted).around(inner, ambient)
        }
        Some(MethodPolicy::Retry(retry)) => {
            let mut retry = retry.clone();
            retry.budget = budget.or(retry.budget);
            Run::of(deadline, Some(Retry::build(retry, ambient, &place)?)).around(inner, ambient)
        }
        Some(MethodPolicy::Hedge(hedge)) => {
            let mut hedge = hedge.clone();
            hedge.budget = budget.or(hedge.budget);
            let hedged = Hedge::build(hedge, ambient, &place)?.layer(inner);
            Run::of(deadline, None).around(hedged, ambient)
        }
    })
}

/// Never retries, and only tells the budget: every call of a client changes its tokens, whatever the method (gRFC A6).
fn counted(budget: BudgetConfig) -> RetryConfig {
    let (attempts, on, on_attempt_timeout) = (1, Codes::NONE, false);
    RetryConfig { attempts, on, on_attempt_timeout, budget: Some(budget), ..RetryConfig::default() }
}

impl Service<Request<tonic::body::Body>> for MethodRouter {
    type Response = http::Response<tonic::body::Body>;
    type Error = BoxError;
    type Future = tower::util::Oneshot<Stack, Request<tonic::body::Body>>;

    /// Always ready: which stack must be is known only when the call is.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<tonic::body::Body>) -> Self::Future {
        let found = self.config.of(request.uri().path());
        let at = found.and_then(|found| self.config.methods.iter().position(|method| std::ptr::eq(method, found)));
        if let Some(wait) = found.and_then(|method| method.wait_for_ready) {
            let call = request.extensions_mut().get_or_insert_with(Call::default);
            call.wait_for_ready.get_or_insert(wait);
        }
        let stack = at.map_or(&self.others, |at| &self.stacks[at]);
        stack.clone().oneshot(request)
    }
}
