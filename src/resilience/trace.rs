//! `tracing` spans: one a call, one an attempt, with OpenTelemetry's attributes for RPC.
//!
//! A span that nobody listens to costs a comparison, and leaves the call's future as it was.
//!
//! Source: OpenTelemetry semantic conventions, "gRPC".

use std::future::Future;
use std::pin::Pin;

use http::{Request, Response};
use tonic::Code;
use tracing::{Instrument, Span, field};

use super::channel::Endpoint;
use super::failure::outcome_of_error;
use super::gate::{End, Pass};
use super::moment::WayOut;
use super::watch::Watch;
use super::{BoxError, CallId, Outcome, code_name};

/// The future of a boxed service.
type Boxed = Pin<Box<dyn Future<Output = Result<Response<tonic::body::Body>, BoxError>> + Send>>;

/// Makes a call in a span of its own.
pub(super) fn call(
    request: Request<tonic::body::Body>,
    make: impl FnOnce(Request<tonic::body::Body>) -> Boxed,
) -> Boxed {
    let (service, method) =
        request.uri().path().strip_prefix('/').and_then(|path| path.split_once('/')).unwrap_or_default();
    let span = tracing::info_span!(
        "call",
        otel.name = request.uri().path(),
        otel.kind = "client",
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = field::Empty,
        error.r#type = field::Empty,
        otel.status_code = field::Empty,
    );
    if span.is_disabled() {
        return make(request);
    }
    let inner = span.in_scope(|| make(request));
    let ending = span.clone();
    Box::pin(
        async move {
            match inner.await {
                Ok(response) => {
                    let watched = Watch::response(response, Ending(ending), CallId(0), WayOut::begin());
                    Ok(watched.map(tonic::body::Body::new))
                }
                Err(error) => {
                    ended(&ending, outcome_of_error(&*error));
                    Err(error)
                }
            }
        }
        .instrument(span),
    )
}

/// The span of an attempt, below that of its call.
pub(super) fn attempt(call: CallId, number: u32, endpoint: &Endpoint) -> Span {
    tracing::debug_span!(
        "attempt",
        otel.kind = "client",
        rpc.system = "grpc",
        server.address = %endpoint,
        rpc.grpc.status_code = field::Empty,
        error.r#type = field::Empty,
        otel.status_code = field::Empty,
        call = call.0,
        attempt = number,
    )
}

/// Writes into a span how what it stands for has ended.
pub(super) fn ended(span: &Span, outcome: Outcome) {
    if span.is_disabled() {
        return;
    }
    span.record("rpc.grpc.status_code", outcome.code as i32);
    if outcome.code != Code::Ok {
        span.record("error.type", code_name(outcome.code));
        span.record("otel.status_code", "ERROR");
    }
}

/// Ends the span of a call with its response.
struct Ending(Span);

impl Pass for Ending {
    fn ended(self, end: End) {
        ended(&self.0, end.outcome);
    }
}
