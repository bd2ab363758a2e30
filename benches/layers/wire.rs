//! A bare tonic call (tonic's client, tonic's server, HTTP/2 over a pipe, all on this thread), and the same call through the layers.
//!
//! Both have the same bytes on the wire: the bare call sets its deadline as tonic has it, and so tonic's client and its server watch it
//! for both. What that alone costs is what `no_deadline` saves. `own_channel` is the same stack over this crate's own channel, which
//! hands a call to its connection without another task and watches a deadline once.
//! A pipe costs less than a socket would, so the layers' share of a call over a network is smaller than the share measured here.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use squall::resilience::{Ambient, Call, CallId, ChannelConfig, Connector, Endpoint, Target};
use tokio::io::DuplexStream;
use tokio::runtime::Runtime;
use tonic::Status;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::codegen::StdError;
use tonic::transport::Channel;
use tower::{Layer, Service};

use crate::raw::Raw;
use crate::stack;
use crate::turns::{Contender, Rounds};

const ROUNDS: usize = 201;
const CALLS: u64 = 200;

/// What a bare call costs, and what the full stack adds in each of its forms.
pub(crate) fn measure(runtime: &Runtime) -> Rounds {
    Rounds::measure(contenders(runtime), ROUNDS, CALLS)
}

/// So many calls of one contender alone.
pub(crate) fn run(runtime: &Runtime, name: &str, calls: u64) {
    for (_, contender) in contenders(runtime).iter_mut().filter(|(contender, _)| *contender == name) {
        contender(calls);
    }
}

fn contenders(runtime: &Runtime) -> Vec<Contender<'_>> {
    let channel = runtime.block_on(connect());
    let ambient = Ambient::default();
    vec![
        contender("bare", runtime, channel.clone(), Some(stack::ATTEMPT)),
        contender("no_deadline", runtime, channel.clone(), None),
        contender("full_stack", runtime, stack::fused(&ambient).layer(channel.clone()), None),
        contender("separate_layers", runtime, stack::separate(ambient.clone(), channel.clone()), None),
        contender("built_stack", runtime, stack::built(&ambient, channel), None),
        contender("own_channel", runtime, stack::fused(&ambient).layer(own_channel(runtime, &ambient)), None),
    ]
}

fn contender<'a, S>(name: &'static str, runtime: &'a Runtime, service: S, deadline: Option<Duration>) -> Contender<'a>
where
    S: GrpcService<Body, ResponseBody: Send + 'static> + Clone + 'a,
    <S::ResponseBody as http_body::Body>::Error: Into<StdError>,
{
    let calls = move |calls| {
        runtime.block_on(async {
            for id in 0..calls {
                call(service.clone(), id, deadline).await;
            }
        });
    };
    (name, Box::new(calls))
}

/// One unary call, as generated code makes it.
async fn call<S>(service: S, id: u64, deadline: Option<Duration>)
where
    S: GrpcService<Body, ResponseBody: Send + 'static>,
    <S::ResponseBody as http_body::Body>::Error: Into<StdError>,
{
    let mut grpc = Grpc::new(service);
    assert!(grpc.ready().await.is_ok());
    let mut request = tonic::Request::new(vec![0; 32]);
    request.extensions_mut().insert(tonic::GrpcMethod::new("bench.Echo", "Say"));
    request.extensions_mut().insert(Call::new().id(CallId(id)));
    if let Some(deadline) = deadline {
        request.set_timeout(deadline);
    }
    let path = http::uri::PathAndQuery::from_static("/bench.Echo/Say");
    grpc.unary(request, path, Raw).await.expect("answered");
}

/// The client's end of a pipe to a server of its own.
fn serve() -> DuplexStream {
    let (client, server) = tokio::io::duplex(1 << 16);
    let incoming = tokio_stream::once(Ok::<_, std::io::Error>(server));
    tokio::spawn(tonic::transport::Server::builder().add_service(Echo).serve_with_incoming(incoming));
    client
}

/// This crate's channel, to such a server.
fn own_channel(runtime: &Runtime, ambient: &Ambient) -> squall::resilience::Channel<Pipe> {
    let _guard = runtime.enter();
    let target = Target::fixed("echo", ["echo:1"]);
    squall::resilience::Channel::new(target, Pipe, ChannelConfig::default(), ambient).expect("valid")
}

#[derive(Clone)]
struct Pipe;

impl Connector for Pipe {
    type Io = DuplexStream;

    async fn connect(&self, _: &Endpoint) -> std::io::Result<DuplexStream> {
        Ok(serve())
    }
}

async fn connect() -> Channel {
    let mut client = Some(hyper_util::rt::TokioIo::new(serve()));
    let connector = tower::service_fn(move |_: http::Uri| {
        ready(client.take().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::ConnectionRefused)))
    });
    let endpoint = tonic::transport::Endpoint::from_static("http://echo");
    endpoint.connect_with_connector(connector).await.expect("connected")
}

#[derive(Clone)]
struct Echo;

impl tonic::server::NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl tonic::server::UnaryService<Vec<u8>> for Echo {
    type Response = Vec<u8>;
    type Future = Ready<Result<tonic::Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: tonic::Request<Vec<u8>>) -> Self::Future {
        ready(Ok(tonic::Response::new(request.into_inner())))
    }
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).unary(Echo, request).await) })
    }
}
