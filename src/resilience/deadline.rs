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
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tonic::Code;
use tower_layer::Layer;
use tower_service::Service;

use super::call::{Call, CallDeadline, format_timeout, stamp_deadline, stamp_whole};
use super::failure::outcome_of_error;
use super::invalid::ensure_positive;
use super::moment::{self, Watchful, WayIn, WayOut};
use super::{Ambient, BoxError, CallId, Failure, InvalidConfig, Origin, Outcome};
use crate::clock::{self, Instant, Sleep};

/// A layer that bounds whole calls.
///
/// ```
/// use squall::resilience::Deadline;
/// use std::time::Duration;
/// let layer = Deadline::new(Duration::from_secs(2))?;
/// # Ok::<(), squall::resilience::InvalidConfig>(())
/// ```
pub type Deadline = TimeBound<WholeCall>;

/// A layer that bounds single attempts.
pub type AttemptTimeout = TimeBound<OneAttempt>;

/// What a [`TimeBound`] bounds.
pub trait Bounds {
    /// Who ended the call when it was too long.
    const ORIGIN: Origin;
    /// The option's name, in errors.
    const FIELD: &'static str;
}

/// A call with all its attempts and pauses.
#[derive(Clone, Copy, Debug)]
pub struct WholeCall;

/// One attempt of a call.
#[derive(Clone, Copy, Debug)]
pub struct OneAttempt;

impl Bounds for WholeCall {
    const ORIGIN: Origin = Origin::ClientDeadline;
    const FIELD: &'static str = "deadline";
}

impl Bounds for OneAttempt {
    const ORIGIN: Origin = Origin::AttemptTimeout;
    const FIELD: &'static str = "attempt_timeout";
}

/// A layer that bounds how long something takes: a [`Deadline`] or an [`AttemptTimeout`].
#[derive(Clone, Debug)]
pub struct TimeBound<K> {
    bound: Bound,
    kind: PhantomData<K>,
}

#[derive(Clone, Debug)]
pub(crate) struct Bound {
    timeout: Duration,
    origin: Origin,
    /// What this layer writes into `grpc-timeout` when all of the timeout remains; formatted once, not once a call.
    stamp: Option<HeaderValue>,
    ambient: Ambient,
}

impl<K: Bounds> TimeBound<K> {
    /// It may take `timeout`.
    ///
    /// # Errors
    ///
    /// When it is zero or more than a year.
    pub fn new(timeout: Duration) -> Result<Self, InvalidConfig> {
        ensure_positive(timeout, K::FIELD)?;
        let stamp = Some(format_timeout(timeout));
        let bound = Bound { timeout, origin: K::ORIGIN, stamp, ambient: Ambient::default() };
        Ok(Self { bound, kind: PhantomData })
    }

    /// In these surroundings.
    #[must_use]
    pub fn within(mut self, ambient: &Ambient) -> Self {
        self.bound.ambient = ambient.clone();
        self
    }

    /// Leaves `grpc-timeout` to whoever is further in: [`Channel`](super::Channel) writes it as the request leaves, and an
    /// attempt timeout writes it, too.
    #[must_use]
    pub fn unstamped(mut self) -> Self {
        self.bound.stamp = None;
        self
    }
}

impl<K, S> Layer<S> for TimeBound<K> {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        Bounded { inner, bound: Some(self.bound.clone()) }
    }
}

/// The service of both layers.
#[derive(Clone, Debug)]
pub struct Bounded<S> {
    inner: S,
    /// `None` lets everything pass: a layer that a strategy may have in this place, and this one has not.
    bound: Option<Bound>,
}

impl<S> Bounded<S> {
    /// Bounds `inner` by a layer that may not be there.
    pub(crate) fn maybe(inner: S, bound: Option<Bound>) -> Self {
        Self { inner, bound }
    }
}

impl<K> TimeBound<K> {
    pub(crate) fn into_bound(self) -> Bound {
        self.bound
    }
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
        let Some(bound) = &self.bound else {
            return BoundedFuture { inner: Some(self.inner.call(request)), sleep: None, timer: None };
        };
        let way = WayIn::begin();
        let now = way.now();
        let timer = bound.begin(&mut request, now);
        let inner = (timer.deadline > now).then(|| self.inner.call(request));
        BoundedFuture { inner, sleep: None, timer: Some(timer) }
    }
}

impl Bound {
    /// Bounds the call of `request`, and says so in its headers.
    fn begin<B>(&self, request: &mut Request<B>, now: Instant) -> Timer {
        // A caller that set a `grpc-timeout` of its own, as tonic's `set_timeout` does, has bounded the call, too.
        if Call::of(request, &self.ambient).deadline.is_none()
            && let Some(CallDeadline(set)) = CallDeadline::of_headers(request.headers())
        {
            Call::of(request, &self.ambient).bound(set, Origin::ClientDeadline);
        }
        let call = Call::of(request, &self.ambient);
        let number = call.number();
        let (earlier, deadline) = (call.deadline, now + self.timeout);
        call.bound(deadline, self.origin);
        match earlier {
            // Whoever set the earlier deadline outside of us watches it; if it was the caller alone, nobody does but us.
            Some(earlier) if earlier <= deadline => {
                if self.stamp.is_some() {
                    stamp_deadline(request, &self.ambient, now);
                }
                Timer { call: number, deadline: earlier, origin: Origin::ClientDeadline }
            }
            _ => {
                call.unstamp();
                if let Some(stamp) = &self.stamp {
                    stamp_whole(request, &self.ambient, now, stamp);
                }
                Timer { call: number, deadline, origin: self.origin }
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    call: CallId,
    deadline: Instant,
    origin: Origin,
}

impl Timer {
    /// Waits for the deadline, with a timer that is made the first time that nobody further in has an earlier one.
    fn poll(self, watch: &Watchful, mut sleep: Pin<&mut Option<Sleep>>, cx: &mut Context<'_>) -> Poll<()> {
        if sleep.is_none() {
            if watch.is_relieved(self.deadline) {
                return Poll::Pending;
            }
            sleep.set(Some(clock::sleep_until(self.deadline)));
        }
        let polled = sleep.as_pin_mut().map_or(Poll::Pending, |sleep| sleep.poll(cx));
        watch.arm(self.deadline);
        polled
    }

    fn failure(self) -> BoxError {
        let what = if self.origin == Origin::AttemptTimeout { "attempt timed out" } else { "deadline exceeded" };
        Box::new(Failure::new(Code::DeadlineExceeded, self.origin, what))
    }

    /// Whether this end of the call was brought about by the deadline, on the server's clock.
    fn caused(self, outcome: Outcome, way: WayOut) -> bool {
        let cancelled = outcome.code == Code::Cancelled && outcome.origin == Origin::Server;
        cancelled && way.now(self.call) >= self.deadline
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
        timer: Option<Timer>,
    }

    impl<F> PinnedDrop for BoundedFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            if this.sleep.is_some() {
                moment::disarm();
            }
        }
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
        let Some(timer) = *this.timer else {
            let inner = this.inner.as_pin_mut().expect("what is not bounded was called");
            return inner.poll(cx).map(|result| result.map(BoundedBody::unbounded).map_err(Into::into));
        };
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(Err(timer.failure()));
        };
        let (watch, way) = (Watchful::begin(), WayOut::begin());
        let result = match inner.poll(cx) {
            Poll::Ready(result) => result.map_err(Into::into),
            Poll::Pending => {
                ready!(timer.poll(&watch, this.sleep, cx));
                // The attempt ends here and now, not when the future happens to be dropped.
                this.inner.set(None);
                return Poll::Ready(Err(timer.failure()));
            }
        };
        let outcome = match &result {
            Ok(response) => Outcome::of_headers(response.headers()),
            Err(error) => Some(outcome_of_error(&**error)),
        };
        if outcome.is_some_and(|outcome| timer.caused(outcome, way)) {
            return Poll::Ready(Err(timer.failure()));
        }
        Poll::Ready(result.map(|response| {
            let ended = outcome.is_some();
            response.map(|body| BoundedBody { body, sleep: None, timer: (!ended).then_some(timer) })
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

    impl<B> PinnedDrop for BoundedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            if this.sleep.is_some() {
                moment::disarm();
            }
        }
    }
}

impl<B> BoundedBody<B> {
    fn unbounded(response: Response<B>) -> Response<Self> {
        response.map(|body| Self { body, sleep: None, timer: None })
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
        let (watch, way) = (Watchful::begin(), WayOut::begin());
        match this.body.poll_frame(cx) {
            Poll::Pending => {
                ready!(timer.poll(&watch, this.sleep, cx));
                *this.timer = None;
                Poll::Ready(Some(Err(timer.failure())))
            }
            Poll::Ready(Some(Err(error))) => {
                let error = error.into();
                let caused = timer.caused(outcome_of_error(&*error), way);
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
