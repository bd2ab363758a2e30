//! One call under a retry: attempts and pauses, in turn, without a task or an allocation of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, request};
use http_body::Body;
use tower_service::Service;

use super::policy::{Course, Failed, Pushback};
use super::{Replay, Shared};
use crate::clock::{self, Sleep};
use crate::resilience::budget::{Account, Budget};
use crate::resilience::call::{Context as CallContext, stamp_deadline, unstamp};
use crate::resilience::failure::outcome_of_error;
use crate::resilience::gate::Pass;
use crate::resilience::watch::Watch;
use crate::resilience::{BoxError, EventKind, Failure, Outcome, StopReason};

/// How many attempts came before this one; absent on the first (gRFC A6).
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

pin_project_lite::pin_project! {
    /// The future of a retried call.
    pub struct RetryFuture<S>
    where
        S: Service<Request<tonic::body::Body>>,
    {
        inner: S,
        shared: Arc<Shared>,
        course: Course,
        context: CallContext,
        head: request::Parts,
        replay: Replay,
        #[pin]
        state: State<S::Future>,
    }
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
    pub(super) fn start(mut inner: S, shared: Arc<Shared>, mut request: Request<tonic::body::Body>) -> Self {
        let context = CallContext::of(&mut request, &shared.ambient);
        context.share_numbers();
        let context = context.clone();
        let course = Course {
            attempts: 1,
            schedule: shared.config.backoff.schedule(),
            account: shared.budget.as_ref().map(|budget| Account::open(Arc::clone(budget), clock::now())),
            idempotency: context.idempotency,
            deadline: context.deadline,
        };
        let (head, body) = request.into_parts();
        let replay = Replay::new(body, shared.config.buffer_bytes);
        let attempt = inner.call(Request::from_parts(head.clone(), replay.body()));
        Self { inner, shared, course, context, head, replay, state: State::Calling { attempt } }
    }
}

impl<S, B> Future for RetryFuture<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<Watch<B, Settle>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Calling { attempt } => {
                    let result = ready!(attempt.poll(cx)).map_err(Into::into);
                    let Some(failed) = failed(&result) else {
                        return Poll::Ready(result.map(|response| settle(response, &mut this.course.account)));
                    };
                    let call = Call { shared: this.shared, context: this.context };
                    match call.decide(failed, this.course, this.replay) {
                        // The failed attempt's body is dropped with `result`, and its stream with it.
                        Some(sleep) => this.state.set(State::Pausing { sleep }),
                        None => return Poll::Ready(result.map(Watch::unwatched)),
                    }
                }
                StateProjection::Pausing { sleep } => {
                    ready!(sleep.poll(cx));
                    this.state.set(State::Readying);
                }
                StateProjection::Readying => {
                    ready!(this.inner.poll_ready(cx)).map_err(Into::into)?;
                    this.course.attempts += 1;
                    this.context.advance(this.context.previous + 1);
                    let request = again(this.head, this.context, this.replay, &this.shared.ambient);
                    let attempt = this.inner.call(request);
                    this.state.set(State::Calling { attempt });
                }
            }
        }
    }
}

/// The request of one more attempt.
pub(crate) fn again(
    head: &request::Parts,
    context: &CallContext,
    replay: &Replay,
    ambient: &crate::resilience::Ambient,
) -> Request<tonic::body::Body> {
    let mut request = Request::from_parts(head.clone(), replay.body());
    request.headers_mut().insert(PREVIOUS_ATTEMPTS, HeaderValue::from(context.previous));
    request.extensions_mut().insert(context.clone());
    unstamp(&mut request, ambient);
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

struct Call<'a> {
    shared: &'a Shared,
    context: &'a CallContext,
}

impl Call<'_> {
    /// The pause before the next attempt, told to the observer; or `None`, and why.
    fn decide(&self, failed: Failed, course: &mut Course, replay: &Replay) -> Option<Sleep> {
        let now = clock::now();
        let Shared { config, ambient, .. } = self.shared;
        let draw = || {
            let key = ambient.key().named("retry").with(self.context.id.0);
            key.with(u64::from(self.context.attempt)).draw()
        };
        let mut decision = course.after(failed, config, now, draw);
        if decision.is_ok() && !replay.is_complete() {
            decision = Err(StopReason::Committed);
        }
        let Outcome { code, origin } = failed.outcome;
        let (id, attempt) = (Some(self.context.id), self.context.attempt);
        match decision {
            Ok(after) => {
                ambient.emit(id, attempt, || EventKind::RetryScheduled { after, code, origin });
                Some(clock::sleep_until(now + after))
            }
            Err(reason) => {
                ambient.emit(id, attempt, || EventKind::RetryStopped { reason, code });
                None
            }
        }
    }
}

/// The call is committed to this response: its end settles the account.
pub(crate) fn settle<B>(response: Response<B>, account: &mut Option<Account<dyn Budget>>) -> Response<Watch<B, Settle>>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    match account.take() {
        Some(account) => Watch::response(response, Settle { account }),
        None => Watch::unwatched(response),
    }
}

/// Settles the account of a call at its end.
#[derive(Debug)]
pub struct Settle {
    account: Account<dyn Budget>,
}

impl Pass for Settle {
    fn ended(mut self, outcome: Outcome) {
        if outcome.is_ok() {
            self.account.succeeded(clock::now());
        }
    }
}
