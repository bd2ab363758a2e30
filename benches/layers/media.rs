//! What a call goes over: a socket of this machine, or a pipe in memory, which is the least that a call can cost.

use std::future::ready;

use squall::resilience::{Connector, Endpoint, Target, Tcp};
use tokio::io::DuplexStream;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Server};

use crate::echo::Echo;

/// How a server is reached: over tonic's channel, and by a connector for this crate's own.
pub(crate) struct Reach<C> {
    pub(crate) channel: Channel,
    pub(crate) target: Target,
    pub(crate) connector: C,
}

/// A server behind a socket of the loopback interface.
pub(crate) fn loopback(runtime: &Runtime) -> Reach<Tcp> {
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
        tokio::spawn(Server::builder().add_service(Echo).serve_with_incoming(incoming));
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).expect("an address");
        let channel = endpoint.connect().await.expect("connected");
        Reach { channel, target: Target::fixed("echo", [address.as_str()]), connector: Tcp }
    })
}

/// A server behind a pipe for each connection.
pub(crate) fn pipe(runtime: &Runtime) -> Reach<Pipe> {
    runtime.block_on(async {
        let mut client = Some(hyper_util::rt::TokioIo::new(serve()));
        let connector = tower::service_fn(move |_: http::Uri| {
            ready(client.take().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::ConnectionRefused)))
        });
        let endpoint = tonic::transport::Endpoint::from_static("http://echo");
        let channel = endpoint.connect_with_connector(connector).await.expect("connected");
        Reach { channel, target: Target::fixed("echo", ["echo:1"]), connector: Pipe }
    })
}

/// The client's end of a pipe to a server of its own.
fn serve() -> DuplexStream {
    let (client, server) = tokio::io::duplex(1 << 16);
    let incoming = tokio_stream::once(Ok::<_, std::io::Error>(server));
    tokio::spawn(Server::builder().add_service(Echo).serve_with_incoming(incoming));
    client
}

#[derive(Clone)]
pub(crate) struct Pipe;

impl Connector for Pipe {
    type Io = DuplexStream;

    async fn connect(&self, _: &Endpoint) -> std::io::Result<DuplexStream> {
        Ok(serve())
    }
}
