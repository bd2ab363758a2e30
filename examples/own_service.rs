//! A service of one's own in a simulation: a bidirectional stream under packet loss, and through a crash.
use std::{convert::Infallible, future::Future, pin::Pin, task::Context, task::Poll, time::Duration};

use http::uri::PathAndQuery;
use squall::sim::{Error, Sim};
use tokio_stream::StreamExt;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming, body::Body, server::NamedService};
use tonic_prost::ProstCodec;
/// Answers every message with itself. What tonic generates from a proto file would stand here.
#[derive(Clone)]
struct Echo;
impl NamedService for Echo {
    const NAME: &'static str = "own.Echo";
}
impl tower::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = |chat: Request<Streaming<String>>| async { Ok::<_, Status>(Response::new(chat.into_inner())) };
        let mut grpc = tonic::server::Grpc::new(ProstCodec::<String, String>::default());
        Box::pin(async move { Ok(grpc.streaming(tower::service_fn(echo), request).await) })
    }
}

/// Says 100 numbers, one every 10 ms, and hears them again.
async fn chat(channel: Channel) -> Result<Vec<String>, Status> {
    let numbers = tokio_stream::iter(0..100).then(|number| async move {
        squall::clock::sleep(Duration::from_millis(10)).await;
        number.to_string()
    });
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let codec = ProstCodec::<String, String>::default();
    let chat = grpc.streaming(Request::new(numbers), PathAndQuery::from_static("/own.Echo/Chat"), codec).await?;
    chat.into_inner().collect().await
}

#[cfg_attr(test, test)]
fn main() -> Result<(), Error> {
    Sim::new(7).run(|sim| async move {
        sim.set_loss(Duration::from_millis(5), 0.05)?;
        sim.server("echo", |host| async move {
            Ok(Server::builder().add_service(Echo).serve_with_incoming(host.listen(50_051)?).await?)
        });
        let endpoint = Endpoint::from_static("http://echo:50051");
        let channel = endpoint.connect_with_connector_lazy(sim.host("client").connector());
        assert_eq!(chat(channel.clone()).await?.len(), 100, "loss costs time, not messages");
        let (broken, ()) = tokio::join!(chat(channel.clone()), sim.crash_after(Duration::from_millis(500), "echo"));
        assert!(broken.is_err(), "a crash ends the stream");
        sim.restart("echo");
        assert_eq!(chat(channel).await?.len(), 100, "the channel connects again by itself");
        Ok(())
    })
}
