//! Answers that are no gRPC: a proxy's error page in place of a status.
//!
//! The gRPC specification says which code each HTTP status stands for ("HTTP to gRPC Status Code Mapping"), so that layers see
//! a failure where there is one, and may repeat it; without this a 503 in HTML would look like the beginning of an answer.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use tonic::Code;

use crate::resilience::outcome::GRPC_STATUS;

/// The same answer, with the status that gRPC gives it if it has none of its own.
pub(super) fn translated<B>(mut response: Response<B>) -> Response<B> {
    let headers = response.headers();
    let content = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_grpc = content.is_none_or(|content| content.starts_with(b"application/grpc"));
    if headers.contains_key(GRPC_STATUS) || (response.status() == StatusCode::OK && is_grpc) {
        return response;
    }
    let code = code(response.status());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.clear();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_STATUS, HeaderValue::from(code as i32));
    response
}

const fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resilience::Outcome;

    #[test]
    fn statuses_are_mapped_as_the_specification_says() {
        let check = |status: u16, content: &'static str, expected: Option<Code>| {
            let response = Response::builder().status(status).header(CONTENT_TYPE, content).body(()).unwrap();
            let code = Outcome::of_headers(translated(response).headers()).map(|outcome| outcome.code);
            assert_eq!(code, expected, "{status} {content}");
        };
        check(200, "application/grpc+proto", None);
        check(200, "text/html", Some(Code::Unknown));
        check(503, "text/html", Some(Code::Unavailable));
        check(502, "application/grpc", Some(Code::Unavailable));
        check(429, "text/plain", Some(Code::Unavailable));
        check(404, "text/html", Some(Code::Unimplemented));
        check(401, "text/html", Some(Code::Unauthenticated));
        check(400, "text/html", Some(Code::Internal));
        check(500, "text/html", Some(Code::Unknown));
    }
}
