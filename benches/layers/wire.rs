//! A bare tonic call (tonic's client, tonic's server, HTTP/2, all on this thread), and the same call through the layers.
//!
//! Both have the same bytes on the wire: the bare call sets its deadline as tonic has it, and so tonic's client and its server watch it
//! for both. What that alone costs is what `no_deadline` saves.
//!
//! `full_stack` is what this crate gives its users: the layers over its own channel, which hands a call to its connection without
//! another task and watches a deadline once. `tonic_channel` is the same layers over the channel of the bare call: what the layers cost
//! who keeps that one.

use std::time::Duration;

use squall::resilience::{Ambient, Call, CallId, ChannelConfig, Connector};
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::codegen::StdError;
use tower::Layer;

use crate::media::Reach;
use crate::raw::Raw;
use crate::stack;
use crate::turns::{Contender, Rounds};

const ROUNDS: usize = 201;
const CALLS: u64 = 200;

/// What a bare call costs, and what the full stack adds in each of its forms.
pub(crate) fn measure<C: Connector + Clone>(runtime: &Runtime, reach: Reach<C>) -> Rounds {
    Rounds::measure(contenders(runtime, reach), ROUNDS, CALLS)
}

/// So many calls of one contender alone.
pub(crate) fn run<C: Connector + Clone>(runtime: &Runtime, reach: Reach<C>, name: &str, calls: u64) {
    for (_, contender) in contenders(runtime, reach).iter_mut().filter(|(contender, _)| *contender == name) {
        contender(calls);
    }
}

fn contenders<C: Connector + Clone>(runtime: &Runtime, reach: Reach<C>) -> Vec<Contender<'_>> {
    let Reach { channel, target, connector } = reach;
    let ambient = Ambient::default();
    let own = squall::resilience::Channel::new(target, connector, ChannelConfig::default(), &ambient).expect("valid");
    vec![
        contender("bare", runtime, channel.clone(), Some(stack::ATTEMPT)),
        contender("no_deadline", runtime, channel.clone(), None),
        contender("full_stack", runtime, stack::fused(&ambient).layer(own.clone()), None),
        contender("built_stack", runtime, stack::built(&ambient, own.clone()), None),
        contender("six_layers", runtime, stack::six(&ambient).layer(own), None),
        contender("tonic_channel", runtime, stack::fused(&ambient).layer(channel.clone()), None),
        contender("separate_layers", runtime, stack::separate(ambient, channel), None),
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
