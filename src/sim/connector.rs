//! How tonic and hyper clients connect over a simulated network.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use hyper_util::rt::TokioIo;

use super::Host;
use crate::net::Stream;

/// Connects from one host to the host and port that a URI names (port 80 if it names none, 443 with `https`).
#[derive(Clone, Debug)]
pub struct Connector {
    host: Host,
}

impl Connector {
    pub(super) fn new(host: Host) -> Self {
        Self { host }
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let host = self.host.clone();
        Box::pin(async move {
            let usual = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
            let to = format!("{}:{}", uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(usual));
            host.connect(&to).await.map(TokioIo::new)
        })
    }
}
