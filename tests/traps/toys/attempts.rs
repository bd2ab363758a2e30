//! Toys that retry.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Response;
use http_body_util::{BodyExt, Full};
use squall::clock;
use squall::resilience::{Ambient, Client};
use tonic::Status;
use tonic::body::Body;

use super::super::peer::Server;
use super::super::rig::S;
use super::{failed, toy, turned_away};

/// A second for each try, and ten tries, whoever said DEADLINE_EXCEEDED.
pub(crate) fn impatient(server: Server, ambient: &Ambient) -> Client {
    toy(server, ambient, |channel, kept| async move {
        for _ in 0..10 {
            if let Ok(answer) = clock::timeout(S, kept.send(&channel)).await
                && !failed(&answer)
            {
                return answer;
            }
        }
        Err(Status::deadline_exceeded("ten tries").into())
    })
}

/// Reads each answer to its end before it decides.
pub(crate) fn retries_anything(server: Server, ambient: &Ambient) -> Client {
    toy(server, ambient, |channel, kept| async move {
        for _ in 0..2 {
            let answer = kept.send(&channel).await;
            let good = !failed(&answer);
            let (parts, body) = answer?.into_parts();
            let whole = body.collect().await?;
            let trailers = whole.trailers().cloned().unwrap_or_default();
            if good && trailers.get("grpc-status").is_some_and(|status| status == "0") {
                let body = Full::new(whole.to_bytes()).with_trailers(std::future::ready(Some(Ok(trailers))));
                return Ok(Response::from_parts(parts, Body::new(body)));
            }
        }
        turned_away()
    })
}

/// A throttle of ten tokens around two attempts, that charges and asks as `may_retry` does.
fn throttle(server: Server, ambient: &Ambient, may_retry: fn(&mut f64, u32) -> bool) -> Client {
    let tokens = Arc::new(Mutex::new(10.0));
    toy(server, ambient, move |channel, kept| {
        let tokens = tokens.clone();
        async move {
            for attempt in 1.. {
                let answer = kept.send(&channel).await;
                if !failed(&answer) || !may_retry(&mut tokens.lock().expect("nobody panics"), attempt) {
                    return answer;
                }
            }
            unreachable!("the attempts end")
        }
    })
}

pub(crate) fn charges_retries(server: Server, ambient: &Ambient) -> Client {
    throttle(server, ambient, |tokens, attempt| {
        let may = attempt < 2 && *tokens > 5.0;
        *tokens -= f64::from(u8::from(may));
        may
    })
}

pub(crate) fn needs_half(server: Server, ambient: &Ambient) -> Client {
    throttle(server, ambient, |tokens, attempt| {
        *tokens -= 1.0;
        *tokens >= 5.0 && attempt < 2
    })
}

/// Three attempts on UNAVAILABLE; what it cannot read as a pause is none.
pub(crate) fn retries_at_once(server: Server, ambient: &Ambient) -> Client {
    toy(server, ambient, |channel, kept| async move {
        for _ in 0..2 {
            let answer = kept.send(&channel).await;
            if !failed(&answer) {
                return answer;
            }
            let asked = answer.ok().and_then(|response| response.headers().get("grpc-retry-pushback-ms").cloned());
            let pause = asked.and_then(|text| text.to_str().ok()?.parse().ok()).unwrap_or(0);
            clock::sleep(Duration::from_millis(pause).min(S)).await;
        }
        kept.send(&channel).await
    })
}

/// Three attempts, two seconds apart, if it was the server that failed.
pub(crate) fn retries_answers(server: Server, ambient: &Ambient) -> Client {
    toy(server, ambient, |channel, kept| async move {
        let mut answer = kept.send(&channel).await;
        for _ in 0..2 {
            if answer.is_ok() && failed(&answer) {
                clock::sleep(2 * S).await;
                answer = kept.send(&channel).await;
            }
        }
        answer
    })
}
