//! The toys: what one writes first, or finds ready made. Each is wrong in one way, and its check says which.

mod attempts;
mod endpoints;
mod hedges;
mod memory;
mod outcomes;

use bytes::Bytes;
use http::{Request, Response, request};
use http_body_util::{BodyExt, Full};
use squall::resilience::{Ambient, Client};
use tonic::Status;
use tonic::body::Body;
use tower::{BoxError, ServiceExt};

pub(crate) use self::attempts::*;
pub(crate) use self::endpoints::*;
pub(crate) use self::hedges::*;
pub(crate) use self::memory::*;
pub(crate) use self::outcomes::*;
use super::endpoints::boxed;
use super::peer::Server;
use super::rig::client;

pub(super) type Answer = Result<Response<Body>, BoxError>;

/// A request kept whole, whatever its size.
#[derive(Clone)]
pub(super) struct Kept {
    parts: request::Parts,
    body: Bytes,
}

impl Kept {
    pub(super) async fn of(request: Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
        Self { parts, body }
    }

    pub(super) async fn send(&self, service: &Client) -> Answer {
        let request = Request::from_parts(self.parts.clone(), Body::new(Full::new(self.body.clone())));
        service.clone().oneshot(request).await
    }
}

/// A client that does this with every call.
pub(super) fn toy<F, W>(server: Server, ambient: &Ambient, work: W) -> Client
where
    W: Fn(Client, Kept) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let channel = client(vec![], server, ambient);
    let service = tower::service_fn(move |request| {
        let (channel, work) = (channel.clone(), work.clone());
        async move { work(channel, Kept::of(request).await).await }
    });
    boxed(service, ambient)
}

/// Whether it failed, as far as headers tell.
pub(super) fn failed(answer: &Answer) -> bool {
    let status = |response: &Response<Body>| response.headers().get("grpc-status").is_some_and(|status| status != "0");
    answer.as_ref().map_or(true, status)
}

pub(super) fn turned_away() -> Answer {
    Err(Status::unavailable("no").into())
}
