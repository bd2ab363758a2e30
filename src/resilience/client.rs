//! A client for a strategy chosen at run time: the same layers as in a `ServiceBuilder`, behind a box.

use std::fmt;
use std::iter::Peekable;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tower_layer::Layer;
use tower_service::Service;

use super::channel::{Channel, Connector, Target, TonicChannel, Transport};
use super::fallback::Fallback;
use super::hedge::Hedge;
use super::run::Run;
use super::service_config::MethodRouter;
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
    let stack = match strategy.channel.transport {
        Transport::Own => {
            let channel = Channel::new(target, connector, strategy.channel.clone(), ambient)?;
            wrap(strategy, channel, false, ambient)
        }
        Transport::Tonic => {
            let channel = TonicChannel::new(target, connector, &strategy.channel, ambient)?;
            wrap(strategy, channel, false, ambient)
        }
    };
    stack.map(Client)
}

impl Client {
    /// The layers of `strategy` around any service: bring your own channel, or your own layers further in.
    ///
    /// ```
    /// use squall::resilience::{Ambient, Client, LayerConfig, RetryConfig, Strategy};
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # let _guard = runtime.enter();
    /// let channel = tonic::transport::Endpoint::from_static("http://127.0.0.1:50051").connect_lazy();
    /// let layers = vec![LayerConfig::Retry(RetryConfig::default())];
    /// let client = Client::around(&Strategy { layers, ..Strategy::default() }, channel, &Ambient::default())?;
    /// # Ok::<(), squall::resilience::InvalidConfig>(())
    /// ```
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
        wrap(strategy, service, true, ambient).map(Self)
    }
}

/// Puts the layers of `strategy` around `innermost`, in as few boxes as their order allows.
/// A channel of this crate writes `grpc-timeout` itself; for any other service the innermost bound `stamps`.
fn wrap<S, B>(strategy: &Strategy, innermost: S, mut stamps: bool, ambient: &Ambient) -> Result<Stack, InvalidConfig>
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error: Into<BoxError>>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let mut layers = strategy.layers.iter().enumerate().rev().peekable();
    let mut stack = next_run(&mut layers, strategy, &mut stamps, ambient)?.around(innermost, ambient);
    while let Some((depth, layer)) = layers.peek() {
        stack = match special(layer, &stack, ambient, &place(strategy, *depth))? {
            Some(stack) => {
                layers.next();
                stack
            }
            None => next_run(&mut layers, strategy, &mut stamps, ambient)?.around(stack, ambient),
        };
    }
    Ok(stack)
}

/// State that clients share belongs to one layer of one strategy.
fn place(strategy: &Strategy, depth: usize) -> String {
    format!("{}/{depth}", strategy.name)
}

/// As many of the layers that come next, going outwards, as one run takes.
fn next_run<'a>(
    layers: &mut Peekable<impl Iterator<Item = (usize, &'a LayerConfig)>>,
    strategy: &Strategy,
    stamps: &mut bool,
    ambient: &Ambient,
) -> Result<Run, InvalidConfig> {
    let mut run = Run::default();
    while let Some((depth, layer)) = layers.peek()
        && run.take(layer, stamps, ambient, &place(strategy, *depth))?
    {
        layers.next();
    }
    Ok(run)
}

/// A layer that is part of no run around `stack`; `None` for the others.
fn special(layer: &LayerConfig, stack: &Stack, ambient: &Ambient, place: &str) -> Result<Option<Stack>, InvalidConfig> {
    let stack = stack.clone();
    Ok(Some(match layer {
        LayerConfig::Hedge(config) => boxed(Hedge::build(config.clone(), ambient, place)?.layer(stack)),
        LayerConfig::Fallback(config) => boxed(Fallback::new(config)?.within(ambient).layer(stack)),
        LayerConfig::ServiceConfig(config) => boxed(MethodRouter::new(config, &stack, ambient, place)?),
        LayerConfig::Tower(config) => config.layer(stack),
        _ => return Ok(None),
    }))
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
