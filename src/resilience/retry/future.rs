//! One call under a retry: attempts and pauses, in turn, without a task or an allocation of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::policy::{Course, Failed, Pushback};
use super::{Common, Replay};
use crate::clock::{self, Instant, Sleep};
use crate::resilience::budget::{Account, Budget};
use crate::resilience::call::{Call, stamp_deadline};
use crate::resilience::failure::outcome_of_error;
use crate::resilience::gate::{End, Pass};
use crate::resilience::moment::{WayIn, WayOut};
use crate::resilience::watch::Watch;
use crate::resilience::{Ambient, BoxError, CallId, EventKind, Failure, Outcome, StopReason};

/// How many attempts came before this one; absent on the first (gRFC A6).
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

pin_project_lite::pin_project! {
    /// The future of a retried call.
    pub struct RetryFuture<S>
    where
        S: Service<Request<tonic::body::Body>>,
    {
        // None: the layer is not there, and lets the call pass.
        tries: Option<Tries<S>>,
        #[pin]
        state: State<S::Future>,
    }
}

/// What the attempts of a call have in common.
struct Tries<S> {
    common: Arc<Common<S>>,
    course: Course,
    call: Call,
    replay: Replay,
    /// The service of the next attempt, while it is not ready.
    next: Option<Box<S>>,
}

pin_project_lite::pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Calling { #[pin] attempt: F },
        Pausing { #[pin] sleep: Sleep },
        Readying,
    }
}

impl<S: Service<Request<tonic::body::Body>>> RetryFuture<S> {
    /// One attempt, whatever becomes of it.
    pub(super) fn once(inner: &mut S, request: Request<tonic::body::Body>) -> Self {
        Self { tries: None, state: State::Calling { attempt: inner.call(request) } }
    }

    // Requests, responses and futures are large: inlined, they are moved less (`cargo bench --bench layers`).
    #[inline(always)]
    pub(super) fn start(inner: &mut S, common: &Arc<Common<S>>, mut request: Request<tonic::body::Body>) -> Self {
        let way = WayIn::begin();
        let shared = &common.shared;
        // Read once, a deadline that the caller wrote into the headers spans all attempts.
        let number = Call::timed(&mut request, &shared.ambient, way.now()).attempt;
        let (replay, mut parts) = Replay::keep(request, shared.config.buffer_bytes, number);
        let call = parts.extensions.get_or_insert_with(Call::default);
        call.number_from(|| replay.numbers());
        let call = call.clone();
        let course = Course {
            attempts: 1,
            schedule: shared.config.backoff.schedule(),
            account: shared.budget.as_ref().map(|budget| Account::open(Arc::clone(budget), way.now())),
            idempotency: call.idempotency,
            deadline: call.deadline,
        };
        let attempt = inner.call(Request::from_parts(parts, replay.body(number)));
        let tries = Tries { common: Arc::clone(common), course, call, replay, next: None };
        Self { tries: Some(tries), state: State::Calling { attempt } }
    }
}

impl<S, B> Future for RetryFuture<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<Watch<B, Settle>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Calling { attempt } => {
                    let way = WayOut::begin();
                    let result = ready!(attempt.poll(cx)).map_err(Into::into);
                    let Some(tries) = this.tries.as_mut() else {
                        return Poll::Ready(result.map(Watch::unwatched));
                    };
                    let number = tries.call.number();
                    let Some(failed) = failed(&result) else {
                        let account = &mut tries.course.account;
                        return Poll::Ready(result.map(|response| settle(response, account, number, way)));
                    };
                    match tries.decide(failed, way.now(number)) {
                        // The failed attempt's body is dropped with `result`, and its stream with it.
                        Some(until) => this.state.set(State::Pausing { sleep: clock::sleep_until(until) }),
                        None => return Poll::Ready(result.map(Watch::unwatched)),
                    }
                }
                StateProjection::Pausing { sleep } => {
                    ready!(sleep.poll(cx));
                    this.state.set(State::Readying);
                }
                StateProjection::Readying => {
                    let tries = this.tries.as_mut().expect("what is not retried does not get here");
                    let attempt = ready!(tries.again(cx))?;
                    this.state.set(State::Calling { attempt });
                }
            }
        }
    }
}

impl<S, B> Tries<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
{
    /// When the next attempt may start, told to the observer; or `None`, and why.
    fn decide(&mut self, failed: Failed, now: Instant) -> Option<Instant> {
        let shared = &self.common.shared;
        let (id, attempt) = (self.call.number(), self.call.attempt);
        let draw = || self.common.key.with(id.0).with(u64::from(attempt)).draw();
        let mut decision = self.course.after(failed, &shared.config, now, draw);
        if decision.is_ok() && !self.replay.is_complete() {
            decision = self.course.stop(now, StopReason::Committed);
        }
        let Outcome { code, origin } = failed.outcome;
        match decision {
            Ok(after) => {
                shared.ambient.emit(Some(id), attempt, || EventKind::RetryScheduled { after, code, origin });
                Some(now + after)
            }
            Err(reason) => {
                shared.ambient.emit(Some(id), attempt, || EventKind::RetryStopped { reason, code });
                None
            }
        }
    }

    /// Starts one more attempt, once a service is ready for it.
    fn again(&mut self, cx: &mut Context<'_>) -> Poll<Result<S::Future, BoxError>> {
        let next = self.next.get_or_insert_with(|| Box::new(self.common.spare()));
        ready!(next.poll_ready(cx)).map_err(Into::into)?;
        self.course.begin();
        self.call.advance(self.call.previous + 1);
        let request = again(&self.call, &self.replay, &self.common.shared.ambient);
        let attempt = next.call(request);
        self.next = None;
        Poll::Ready(Ok(attempt))
    }
}

/// The request of one more attempt.
pub(crate) fn again(call: &Call, replay: &Replay, ambient: &Ambient) -> Request<tonic::body::Body> {
    let mut call = call.clone();
    call.unstamp();
    let previous = call.previous;
    let mut request = replay.request(call);
    request.headers_mut().insert(PREVIOUS_ATTEMPTS, HeaderValue::from(previous));
    stamp_deadline(&mut request, ambient, clock::now());
    request
}

/// How the attempt failed, or `None` if the call is committed to it: OK, or headers without a status.
pub(crate) fn failed<B>(result: &Result<Response<B>, BoxError>) -> Option<Failed> {
    match result {
        Ok(response) => {
            let outcome = Outcome::of_headers(response.headers())?;
            let pushback = Pushback::of(response.headers());
            (!outcome.is_ok()).then_some(Failed { outcome, pushback, unprocessed: false })
        }
        Err(error) => Some(Failed {
            outcome: outcome_of_error(&**error),
            pushback: Pushback::Unsaid,
            unprocessed: Failure::find(&**error).is_some_and(Failure::is_unprocessed),
        }),
    }
}

/// The call is committed to this response: its end settles the account.
#[inline(always)]
pub(crate) fn settle<B>(
    response: Response<B>,
    account: &mut Option<Account<dyn Budget>>,
    call: CallId,
    way: WayOut,
) -> Response<Watch<B, Settle>>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    match account.take() {
        Some(account) => Watch::response(response, Settle { account }, call, way),
        None => Watch::unwatched(response),
    }
}

/// Settles the account of a call at its end.
#[derive(Debug)]
pub struct Settle {
    account: Account<dyn Budget>,
}

impl Pass for Settle {
    fn ended(mut self, end: End) {
        self.account.settle(end.at(), end.outcome.is_ok());
    }
}
