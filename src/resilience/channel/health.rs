//! Watching the health service of an endpoint (gRFC A17).
//!
//! `grpc.health.v1.Health/Watch` is a stream of one-field messages; reading and writing them by hand keeps protobuf out of what users
//! ship. A server without the service counts as healthy.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderValue, Method, Request};
use tonic::Code;

use super::pool::Link;
use crate::resilience::Outcome;

/// How a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The server has no health service.
    Unimplemented,
    /// Anything else: watch again after a while.
    Lost,
}

/// Tells `told` whether the service is serving, each time that changes, until the stream ends.
pub(super) async fn watch(service: &str, link: Link, told: impl FnMut(bool)) -> Ended {
    match stream(service, link, told).await {
        Ok(Some(Outcome { code: Code::Unimplemented, .. })) => Ended::Unimplemented,
        _ => Ended::Lost,
    }
}

async fn stream(service: &str, mut link: Link, mut told: impl FnMut(bool)) -> Result<Option<Outcome>, h2::Error> {
    let mut head = Request::new(());
    *head.method_mut() = Method::POST;
    let uri = format!("http://{}/grpc.health.v1.Health/Watch", link.authority);
    *head.uri_mut() = uri.parse().expect("an authority and a path make a URI");
    *head.version_mut() = http::Version::HTTP_2;
    head.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    head.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    let (response, mut request) = link.send.send_request(head, false)?;
    request.send_data(encode(service), true)?;
    let response = response.await?;
    if let Some(outcome) = Outcome::of_headers(response.headers()) {
        return Ok(Some(outcome));
    }
    let mut body = response.into_body();
    let mut buffer = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data?;
        let _ = body.flow_control().release_capacity(data.len());
        buffer.extend_from_slice(&data);
        while let Some(serving) = decode(&mut buffer) {
            told(serving);
        }
    }
    Ok(body.trailers().await?.as_ref().and_then(Outcome::of_headers))
}

/// A `HealthCheckRequest { service }`, with gRPC's prefix of five bytes.
fn encode(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        // Field 1, length-delimited.
        message.put_u8(0x0A);
        put_varint(&mut message, service.len() as u64);
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(&message);
    frame.freeze()
}

fn put_varint(buffer: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        buffer.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    buffer.put_u8(value as u8);
}

/// Takes one `HealthCheckResponse { status }` off the buffer, if it is there whole: whether the status is SERVING.
fn decode(buffer: &mut BytesMut) -> Option<bool> {
    let len = u32::from_be_bytes(buffer.get(1..5)?.try_into().ok()?) as usize;
    if buffer.len() < 5 + len {
        return None;
    }
    buffer.advance(5);
    let message = buffer.split_to(len);
    // Field 1, varint; SERVING is 1. Proto3 leaves a zero out: an empty message is UNKNOWN.
    Some(message[..] == [0x08, 0x01])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_the_protocol() {
        assert_eq!(encode("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(encode("ab")[..], [0, 0, 0, 0, 4, 0x0A, 2, b'a', b'b']);
        assert_eq!(encode(&"x".repeat(200))[5..8], [0x0A, 200, 1]);
    }

    #[test]
    fn replies_are_read_however_they_are_cut() {
        let mut buffer = BytesMut::new();
        buffer.extend_from_slice(&[0, 0, 0, 0, 2, 0x08]);
        assert_eq!(decode(&mut buffer), None);
        buffer.extend_from_slice(&[0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x08, 0x02]);
        assert_eq!(
            [decode(&mut buffer), decode(&mut buffer), decode(&mut buffer)],
            [Some(true), Some(false), Some(false)]
        );
        assert_eq!(decode(&mut buffer), None);
    }
}
