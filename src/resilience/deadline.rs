//! Deadlines: how long a whole call may take, and how long one attempt may.
//!
//! A [`Deadline`] spans everything inside it: attempts, pauses, waiting for a connection, and the body of the response. It is
//! final: nobody retries after it. It travels as `grpc-timeout`, so that the server can stop working for a caller
//! who has left, and an earlier deadline set by a caller or an outer tier stays.
//!
//! An [`AttemptTimeout`] bounds one attempt, and belongs inside a retry: what it cuts off may be tried again.
//! gRFC A6 knows no such thing; without it one silent server eats the whole deadline.
//!
//! Rule: when both the answer and the deadline are there, the answer wins, and a CANCELLED that a server sends at or after
//! the deadline is the deadline's doing (as in grpc-go: its timer may have been faster than ours).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tonic::Code;
use tower_layer::Layer;
use tower_service::Service;

use super::call::{Context as CallContext, stamp_deadline, unstamp};
use super::failure::outcome_of_error;
use super::invalid::ensure_positive;
use super::{Ambient, BoxError, Failure, InvalidConfig, Origin, Outcome};
use crate::clock::{self, Instant, Sleep};

/// A layer that bounds whole calls.
///
/// ```
/// use squall::resilience::Deadline;
/// use std::time::Duration;
/// let layer = Deadline::new(Duration::from_secs(2))?;
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
#[derive(Clone, Debug)]
pub struct Deadline {
    bound: Bound,
}

/// A layer that bounds single attempts.
#[derive(Clone, Debug)]
pub struct AttemptTimeout {
    bound: Bound,
}

#[derive(Clone, Debug)]
struct Bound {
    timeout: Duration,
    origin: Origin,
    /// Whether this layer writes `grpc-timeout`.
    stamps: bool,
    ambient: Ambient,
}

impl Deadline {
    /// Calls may take `timeout`.
    ///
    /// # Errors
    ///
    /// When it is zero or more than a year.
    pub fn new(timeout: Duration) -> Result<Self, InvalidConfig> {
        ensure_positive(timeout, "deadline")?;
        Ok(Self { bound: Bound { timeout, origin: Origin::ClientDeadline, stamps: true, ambient: Ambient::default() } })
    }

    /// In these surroundings.
    #[must_use]
    pub fn within(mut self, ambient: &Ambient) -> Self {
        self.bound.ambient = ambient.clone();
        self
    }

    /// Leaves `grpc-timeout` to whoever is further in: [`Channel`](super::Channel) writes it as the request leaves, and an
    /// attempt timeout writes it, too. Saves an allocation a call.
    #[must_use]
    pub fn unstamped(mut self) -> Self {
        self.bound.stamps = false;
        self
    }
}

impl AttemptTimeout {
    /// An attempt may take `timeout`.
    ///
    /// # Errors
    ///
    /// When it is zero or more than a year.
    pub fn new(timeout: Duration) -> Result<Self, InvalidConfig> {
        ensure_positive(timeout, "attempt_timeout")?;
        Ok(Self { bound: Bound { timeout, origin: Origin::AttemptTimeout, stamps: true, ambient: Ambient::default() } })
    }

    /// In these surroundings.
    #[must_use]
    pub fn within(mut self, ambient: &Ambient) -> Self {
        self.bound.ambient = ambient.clone();
        self
    }

    /// Leaves `grpc-timeout` to whoever is further in: [`Channel`](super::Channel) writes it as the request leaves, and an
    /// attempt timeout writes it, too. Saves an allocation a call.
    #[must_use]
    pub fn unstamped(mut self) -> Self {
        self.bound.stamps = false;
        self
    }
}

impl<S> Layer<S> for Deadline {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        Bounded { inner, bound: self.bound.clone() }
    }
}

impl<S> Layer<S> for AttemptTimeout {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        Bounded { inner, bound: self.bound.clone() }
    }
}

/// The service of both layers.
#[derive(Clone, Debug)]
pub struct Bounded<S> {
    inner: S,
    bound: Bound,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Bounded<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error: Into<BoxError>>,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<BoundedBody<ResBody>>;
    type Error = BoxError;
    type Future = BoundedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let ambient = &self.bound.ambient;
        let now = clock::now();
        let context = CallContext::of(&mut request, ambient);
        let earlier = context.deadline;
        let deadline = now + self.bound.timeout;
        context.bound(deadline, self.bound.origin);
        let timer = match earlier {
            // Whoever set the earlier deadline outside of us watches it; if it was the caller alone, nobody does but us.
            Some(earlier) if earlier <= deadline => Timer { deadline: earlier, origin: Origin::ClientDeadline },
            _ => Timer { deadline, origin: self.bound.origin },
        };
        if timer.deadline <= now {
            return BoundedFuture { inner: None, sleep: None, timer };
        }
        if earlier != Some(timer.deadline) {
            unstamp(&mut request, ambient);
        }
        if self.bound.stamps {
            stamp_deadline(&mut request, ambient, now);
        }
        BoundedFuture { inner: Some(self.inner.call(request)), sleep: None, timer }
    }
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    deadline: Instant,
    origin: Origin,
}

impl Timer {
    /// Waits for the deadline, with a timer that is made the first time.
    fn poll(self, mut sleep: Pin<&mut Option<Sleep>>, cx: &mut Context<'_>) -> Poll<()> {
        if sleep.is_none() {
            sleep.set(Some(clock::sleep_until(self.deadline)));
        }
        sleep.as_pin_mut().map_or(Poll::Pending, |sleep| sleep.poll(cx))
    }

    fn failure(self) -> BoxError {
        let what = if self.origin == Origin::AttemptTimeout { "attempt timed out" } else { "deadline exceeded" };
        Box::new(Failure::new(Code::DeadlineExceeded, self.origin, what))
    }

    /// Whether this end of the call was brought about by the deadline, on the server's clock.
    fn caused(self, outcome: Outcome) -> bool {
        outcome.code == Code::Cancelled && outcome.origin == Origin::Server && clock::now() >= self.deadline
    }
}

pin_project_lite::pin_project! {
    /// The future of a bounded call.
    pub struct BoundedFuture<F> {
        #[pin]
        inner: Option<F>,
        // Made when there is something to wait for.
        #[pin]
        sleep: Option<Sleep>,
        timer: Timer,
    }
}

impl<F, E, B> Future for BoundedFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<BoundedBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(Err(this.timer.failure()));
        };
        let result = match inner.poll(cx) {
            Poll::Ready(result) => result.map_err(Into::into),
            Poll::Pending => {
                ready!(this.timer.poll(this.sleep, cx));
                // The attempt ends here and now, not when the future happens to be dropped.
                this.inner.set(None);
                return Poll::Ready(Err(this.timer.failure()));
            }
        };
        let outcome = match &result {
            Ok(response) => Outcome::of_headers(response.headers()),
            Err(error) => Some(outcome_of_error(&**error)),
        };
        if outcome.is_some_and(|outcome| this.timer.caused(outcome)) {
            return Poll::Ready(Err(this.timer.failure()));
        }
        Poll::Ready(result.map(|response| {
            let ended = outcome.is_some();
            response.map(|body| BoundedBody { body, sleep: None, timer: (!ended).then_some(*this.timer) })
        }))
    }
}

pin_project_lite::pin_project! {
    /// A response body that must end before the deadline.
    #[derive(Debug)]
    pub struct BoundedBody<B> {
        #[pin]
        body: B,
        #[pin]
        sleep: Option<Sleep>,
        // None once the call is over, whatever the body still holds.
        timer: Option<Timer>,
    }
}

impl<B> Body for BoundedBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let Some(timer) = *this.timer else {
            return this.body.poll_frame(cx).map_err(Into::into);
        };
        match this.body.poll_frame(cx) {
            Poll::Pending => {
                ready!(timer.poll(this.sleep, cx));
                *this.timer = None;
                Poll::Ready(Some(Err(timer.failure())))
            }
            Poll::Ready(Some(Err(error))) => {
                let error = error.into();
                let caused = timer.caused(outcome_of_error(&*error));
                Poll::Ready(Some(Err(if caused { timer.failure() } else { error })))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|frame| frame.map_err(Into::into))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
