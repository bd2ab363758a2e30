//! How an answer is spoilt: what a client sees when a proxy, a bug or a dying server stands between it and a good one.
//!
//! Rule: the handler's work is done and stays done; only what the client is told changes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::BodyExt;
use tonic::body::Body;

use super::interference::End;
use crate::scenario::SpoiltAnswer;

type Response = http::Response<Body>;

/// What gRPC puts before each message: a flag and the length.
const PREFIX: usize = 5;
const ERROR_PAGE: &[u8] = b"<html><body><h1>upstream error</h1></body></html>";

/// The stream is reset instead of answered. hyper sends the code that it finds in the error's sources.
#[derive(Debug, thiserror::Error)]
#[error("a fault reset the stream")]
pub(super) struct StreamReset(#[source] h2::Error);

impl StreamReset {
    fn with(reason: h2::Reason) -> Self {
        Self(reason.into())
    }
}

/// What comes in place of an answer when the handler never ran.
pub(super) fn instead(end: End) -> Result<Response, StreamReset> {
    match end {
        End::Status(status) => Ok(status.into_http()),
        End::Http(status) => Ok(page(status)),
        End::Reset(reason) => Err(StreamReset::with(reason)),
        // A scenario that asks for these before the handler is refused.
        End::Spoil(_) | End::Metadata(..) => Err(StreamReset::with(h2::Reason::INTERNAL_ERROR)),
    }
}

/// What becomes of an answer.
pub(super) async fn answer(answer: Response, end: End) -> Result<Response, StreamReset> {
    let spoilt = match end {
        End::Spoil(how) => How::Spoilt(how),
        End::Metadata(headers, trailers) => How::Tampered(headers, trailers),
        end => return instead(end),
    };
    let (mut head, body) = answer.into_parts();
    // The body of an answer that is made here has no errors.
    let Ok(collected) = body.collect().await else { return Err(StreamReset::with(h2::Reason::INTERNAL_ERROR)) };
    let mut trailers = collected.trailers().cloned();
    let mut message = collected.to_bytes();
    let mut frames = Frames::default();
    match spoilt {
        How::Tampered(headers, more) => {
            overwrite(&mut head.headers, &headers);
            if !more.is_empty() {
                overwrite(trailers.get_or_insert_default(), &more);
            }
        }
        How::Spoilt(SpoiltAnswer::NoTrailers) => trailers = None,
        How::Spoilt(SpoiltAnswer::NoMessage) => message = Bytes::new(),
        How::Spoilt(SpoiltAnswer::Corrupt) => message = corrupt(&message),
        How::Spoilt(SpoiltAnswer::Truncated) => message.truncate(message.len().saturating_sub(1).max(PREFIX)),
        How::Spoilt(SpoiltAnswer::Cut) => {
            trailers = None;
            frames.reset = Some(h2::Reason::INTERNAL_ERROR);
        }
    }
    if !message.is_empty() {
        frames.left.push_back(Frame::data(message));
    }
    frames.left.extend(trailers.map(Frame::trailers));
    Ok(Response::from_parts(head, Body::new(frames)))
}

enum How {
    Spoilt(SpoiltAnswer),
    Tampered(HeaderMap, HeaderMap),
}

/// An error page, as a proxy sends it.
fn page(status: http::StatusCode) -> Response {
    let body = http_body_util::Full::new(Bytes::from_static(ERROR_PAGE));
    let mut response = http::Response::new(Body::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

fn overwrite(map: &mut HeaderMap, with: &HeaderMap) {
    for (name, value) in with {
        map.insert(name, value.clone());
    }
}

/// The same length, and no protobuf: every byte of the message is a tag without end.
fn corrupt(message: &Bytes) -> Bytes {
    let mut bytes = BytesMut::from(&message[..]);
    bytes.iter_mut().skip(PREFIX).for_each(|byte| *byte = 0xFF);
    bytes.freeze()
}

/// A body of these frames, and a reset after them if there is one.
#[derive(Default)]
struct Frames {
    left: VecDeque<Frame<Bytes>>,
    reset: Option<h2::Reason>,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let next = self.left.pop_front().map(Ok);
        Poll::Ready(next.or_else(|| self.reset.take().map(|reason| Err(reason.into()))))
    }
}
