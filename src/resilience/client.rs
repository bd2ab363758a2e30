//! A client for a strategy chosen at run time: the same layers as in a `ServiceBuilder`, each behind a box.

use std::fmt;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tower_layer::Layer;
use tower_service::Service;

use super::breaker::Breaker;
use super::channel::{Channel, Connector, Target, TonicChannel, Transport};
use super::deadline::{AttemptTimeout, Deadline};
use super::fallback::Fallback;
use super::hedge::Hedge;
use super::limit::Limit;
use super::rate_limit::RateLimit;
use super::retry::Retry;
use super::service_config::MethodRouter;
use super::throttle::Throttle;
use super::trace;
use super::{Ambient, BoxError, InvalidConfig, LayerConfig, Strategy};

/// Any service of this module, behind a box.
pub(crate) type Stack = BoxCloneSyncService<Request<tonic::body::Body>, Response<tonic::body::Body>, BoxError>;

/// A client of one service: a tower service that generated gRPC clients accept. Clones share connections and state.
#[derive(Clone)]
pub struct Client(Stack);

/// Builds a client that deals with failure as `strategy` says.
///
/// ```
/// use squall::resilience::{Ambient, Strategy, Target, Tcp, build};
/// let target = Target::fixed("telemetry", ["127.0.0.1:50051"]);
/// let client = build(&Strategy::default(), target, Tcp, &Ambient::default())?;
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
///
/// # Errors
///
/// When something in the strategy makes no sense.
pub fn build<C: Connector>(
    strategy: &Strategy,
    target: Target,
    connector: C,
    ambient: &Ambient,
) -> Result<Client, InvalidConfig> {
    strategy.check()?;
    let channel = match strategy.channel.transport {
        Transport::Own => boxed(Channel::new(target, connector, strategy.channel.clone(), ambient)?),
        Transport::Tonic => boxed(TonicChannel::new(target, connector, &strategy.channel, ambient)?),
    };
    wrap(strategy, channel, ambient).map(Client)
}

impl Client {
    /// The layers of `strategy` around any service: bring your own channel, or your own layers further in.
    ///
    /// # Errors
    ///
    /// When something in the strategy makes no sense.
    pub fn around<S, B>(strategy: &Strategy, service: S, ambient: &Ambient) -> Result<Self, InvalidConfig>
    where
        S: Service<Request<tonic::body::Body>, Response = Response<B>, Error: Into<BoxError>>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        strategy.check()?;
        wrap(strategy, boxed(service), ambient).map(Self)
    }
}

fn wrap(strategy: &Strategy, innermost: Stack, ambient: &Ambient) -> Result<Stack, InvalidConfig> {
    let mut stack = innermost;
    for (depth, layer) in strategy.layers.iter().enumerate().rev() {
        // State that clients share belongs to one layer of one strategy.
        let place = format!("{}/{depth}", strategy.name);
        stack = apply(layer, stack, ambient, &place)?;
    }
    Ok(stack)
}

fn apply(layer: &LayerConfig, stack: Stack, ambient: &Ambient, place: &str) -> Result<Stack, InvalidConfig> {
    Ok(match layer {
        LayerConfig::Deadline(timeout) => boxed(Deadline::new(*timeout)?.within(ambient).unstamped().layer(stack)),
        LayerConfig::AttemptTimeout(timeout) => {
            boxed(AttemptTimeout::new(*timeout)?.within(ambient).unstamped().layer(stack))
        }
        LayerConfig::Retry(config) => boxed(Retry::build(config.clone(), ambient, place)?.layer(stack)),
        LayerConfig::Breaker(config) => {
            boxed(Breaker::build(config.clone(), ambient, place)?.layer(ambient).layer(stack))
        }
        LayerConfig::Hedge(config) => boxed(Hedge::build(config.clone(), ambient, place)?.layer(stack)),
        LayerConfig::Limit(config) => boxed(Limit::build(config.clone(), ambient, place)?.layer(ambient).layer(stack)),
        LayerConfig::Throttle(config) => {
            boxed(Throttle::build(config.clone(), ambient, place)?.layer(ambient).layer(stack))
        }
        LayerConfig::RateLimit(config) => {
            boxed(RateLimit::build(config.clone(), ambient, place)?.layer(ambient).layer(stack))
        }
        LayerConfig::Fallback(config) => boxed(Fallback::new(config)?.within(ambient).layer(stack)),
        LayerConfig::ServiceConfig(config) => boxed(MethodRouter::new(config, &stack, ambient, place)?),
        LayerConfig::Tower(config) => config.layer(stack),
    })
}

pub(crate) fn boxed<S, B>(service: S) -> Stack
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error: Into<BoxError>>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    BoxCloneSyncService::new(
        service.map_response(|response: Response<B>| response.map(tonic::body::Body::new)).map_err(Into::into),
    )
}

impl Service<Request<tonic::body::Body>> for Client {
    type Response = Response<tonic::body::Body>;
    type Error = BoxError;
    type Future = <Stack as Service<Request<tonic::body::Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        trace::call(request, |request| self.0.call(request))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
