//! `grpc.health.v1.Health` of a replica: SERVING while it takes calls, NOT_SERVING while it drains, and whatever a fault makes it
//! say.
//!
//! Written by hand, as the client's half is: tonic-health tells its watchers through `tokio::sync::watch`, which wakes them in an
//! order drawn from the operating system.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use tonic::body::Body;

use super::Replica;

/// Where the service lives.
pub(super) const PATH: &str = "/grpc.health.v1.Health/";

/// Answers `Check` and `Watch`; the name of the service makes no difference.
pub(super) fn answer(replica: &Arc<Replica>, path: &str) -> http::Response<Body> {
    let said = match path.strip_prefix(PATH) {
        Some("Watch") => Said { replica: Arc::clone(replica), last: None, ends: false, changed: None },
        Some("Check") => Said { replica: Arc::clone(replica), last: None, ends: true, changed: None },
        _ => return tonic::Status::unimplemented("the health service has no such method").into_http(),
    };
    let mut response = http::Response::new(Body::new(said));
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// A `HealthCheckResponse { status }` with gRPC's prefix: SERVING is 1, NOT_SERVING 2.
const fn message(serving: bool) -> &'static [u8] {
    if serving { &[0, 0, 0, 0, 2, 0x08, 1] } else { &[0, 0, 0, 0, 2, 0x08, 2] }
}

type Changed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a watcher is told: the state, and each change of it.
struct Said {
    replica: Arc<Replica>,
    last: Option<bool>,
    /// After the first message: it was a `Check`.
    ends: bool,
    changed: Option<Changed>,
}

impl http_body::Body for Said {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            if self.ends && self.last.is_some() {
                if self.changed.take().is_none() {
                    self.changed = Some(Box::pin(std::future::pending()));
                    let trailers = HeaderMap::from_iter([(
                        http::HeaderName::from_static("grpc-status"),
                        HeaderValue::from_static("0"),
                    )]);
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                return Poll::Ready(None);
            }
            // Listens before it looks, so that no change falls between.
            let replica = Arc::clone(&self.replica);
            let changed = self.changed.get_or_insert_with(|| Box::pin(async move { replica.health_changed().await }));
            let woken = changed.as_mut().poll(cx).is_ready();
            if woken {
                self.changed = None;
            }
            if self.last.is_none_or(|last| last != self.replica.says_serving()) {
                let serving = self.replica.says_serving();
                self.replica.count_health_answer();
                self.last = Some(serving);
                if self.ends {
                    self.changed = None;
                }
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(message(serving))))));
            }
            if !woken {
                return Poll::Pending;
            }
        }
    }
}
