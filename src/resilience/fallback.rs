//! A default answer in place of a failure.
//!
//! Only what has not begun can be replaced: once response headers have arrived the application may have seen a part of the answer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

use super::call::Call;
use super::failure::outcome_of_error;
use super::invalid::ensure;
use super::outcome::GRPC_STATUS;
use super::{Ambient, BoxError, CallId, Codes, EventKind, InvalidConfig, Outcome};

/// What to answer, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct FallbackConfig {
    /// In place of which codes.
    pub on: Codes,
    /// The message, encoded; empty is a message whose fields all have their defaults.
    pub message: Bytes,
}

impl FallbackConfig {
    /// Makes sure that it makes sense.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        ensure(!self.on.is_empty(), "fallback.on", "must name at least one code")?;
        ensure(!self.on.contains(tonic::Code::Ok), "fallback.on", "OK is not a failure")?;
        ensure(u32::try_from(self.message.len()).is_ok(), "fallback.message", "must be at most 4 GiB")
    }
}

/// A layer that answers in place of failures.
///
/// ```
/// use bytes::Bytes;
/// use squall::resilience::{Codes, Fallback, FallbackConfig};
/// // A message whose fields all have their defaults, in place of what cannot be reached.
/// let layer = Fallback::new(&FallbackConfig { on: Codes::UNAVAILABLE, message: Bytes::new() })?;
/// assert!(Fallback::new(&FallbackConfig { on: Codes::NONE, message: Bytes::new() }).is_err());
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fallback {
    on: Codes,
    frame: Bytes,
    ambient: Ambient,
}

impl Fallback {
    /// Answers as configured.
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense.
    pub fn new(config: &FallbackConfig) -> Result<Self, InvalidConfig> {
        config.check()?;
        // Not compressed, then the length (gRPC over HTTP/2, "Length-Prefixed-Message").
        let mut frame = BytesMut::with_capacity(5 + config.message.len());
        frame.put_u8(0);
        frame.put_u32(config.message.len() as u32);
        frame.put_slice(&config.message);
        Ok(Self { on: config.on, frame: frame.freeze(), ambient: Ambient::default() })
    }

    /// In these surroundings.
    #[must_use]
    pub fn within(mut self, ambient: &Ambient) -> Self {
        self.ambient = ambient.clone();
        self
    }
}

impl<S> Layer<S> for Fallback {
    type Service = FallbackService<S>;

    fn layer(&self, inner: S) -> FallbackService<S> {
        FallbackService { inner, fallback: self.clone() }
    }
}

/// The service of a [`Fallback`].
#[derive(Clone, Debug)]
pub struct FallbackService<S> {
    inner: S,
    fallback: Fallback,
}

impl<S, ReqBody, B> Service<Request<ReqBody>> for FallbackService<S>
where
    S: Service<Request<ReqBody>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<FallbackBody<B>>;
    type Error = BoxError;
    type Future = FallbackFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let call = Call::of(&mut request, &self.fallback.ambient).number();
        FallbackFuture { inner: self.inner.call(request), fallback: self.fallback.clone(), call }
    }
}

pin_project_lite::pin_project! {
    /// The future of a call with a fallback.
    pub struct FallbackFuture<F> {
        #[pin]
        inner: F,
        fallback: Fallback,
        call: CallId,
    }
}

impl<F, E, B> Future for FallbackFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<FallbackBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx)).map_err(Into::into);
        let outcome = match &result {
            Ok(response) => Outcome::of_headers(response.headers()),
            Err(error) => Some(outcome_of_error(&**error)),
        };
        match outcome {
            Some(Outcome { code, .. }) if this.fallback.on.contains(code) => {
                this.fallback.ambient.emit(Some(*this.call), 0, || EventKind::FallbackUsed { code });
                let mut response = Response::new(FallbackBody::answer(this.fallback.frame.clone()));
                response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
                Poll::Ready(Ok(response))
            }
            _ => Poll::Ready(result.map(|response| response.map(FallbackBody::inner))),
        }
    }
}

pin_project_lite::pin_project! {
    /// A response body: the service's, or the default answer.
    #[derive(Debug)]
    pub struct FallbackBody<B> {
        #[pin]
        inner: Option<B>,
        answer: Answer,
    }
}

/// What is left of the default answer.
#[derive(Debug)]
enum Answer {
    Message(Bytes),
    Trailers,
    Done,
}

impl<B> FallbackBody<B> {
    fn inner(body: B) -> Self {
        Self { inner: Some(body), answer: Answer::Done }
    }

    fn answer(frame: Bytes) -> Self {
        Self { inner: None, answer: Answer::Message(frame) }
    }
}

impl<B> Body for FallbackBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        if let Some(inner) = this.inner.as_pin_mut() {
            return inner.poll_frame(cx).map_err(Into::into);
        }
        Poll::Ready(match std::mem::replace(this.answer, Answer::Done) {
            Answer::Message(frame) => {
                *this.answer = Answer::Trailers;
                Some(Ok(Frame::data(frame)))
            }
            Answer::Trailers => {
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
                Some(Ok(Frame::trailers(trailers)))
            }
            Answer::Done => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Some(inner) => inner.is_end_stream(),
            None => matches!(self.answer, Answer::Done),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}
