//! What is wrong with a request before it is one for a signature, and octez-signer's status for it.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::BodyFault;
use super::negotiation::JSON;
use crate::answer::{Refused, Reply, empty, trace};

/// A request that names no service of ours, or not in a way we serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 404: no such path.
    NoRoute,
    /// 405: the path has other methods.
    Method { allowed: &'static str },
    /// 501: octez-signer does not answer HEAD either.
    Head,
    /// 415: the body is not JSON.
    ContentType,
    /// 406: the client does not read JSON.
    NotAcceptable,
    /// 400: the text says what and where, in octez-signer's words first.
    Malformed(String),
    /// 403: this node's configuration keeps the service off.
    Off(&'static str),
    /// 404 with an empty body, which is octez-signer's answer to a GET about a key it does not hold.
    NoSuchKey,
    /// 413, 408 or 400.
    Body(BodyFault),
}

impl Fault {
    pub(crate) fn http(&self) -> Response<Full<Bytes>> {
        match self {
            Self::NoRoute | Self::NoSuchKey => empty(StatusCode::NOT_FOUND),
            Self::Method { allowed } => {
                let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
                response
                    .headers_mut()
                    .insert(header::ALLOW, HeaderValue::from_static(allowed));
                response
            }
            Self::Head => empty(StatusCode::NOT_IMPLEMENTED),
            Self::ContentType => empty(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::NotAcceptable => {
                let mut response = Response::new(Full::new(Bytes::from_static(JSON.as_bytes())));
                *response.status_mut() = StatusCode::NOT_ACCEPTABLE;
                let text = HeaderValue::from_static("text/plain");
                response.headers_mut().insert(header::CONTENT_TYPE, text);
                response
            }
            Self::Malformed(text) => Reply::from(Refused::Malformed { text: text.clone() }).http(),
            Self::Off(text) => trace(StatusCode::FORBIDDEN, text),
            Self::Body(BodyFault::TooLarge(body_bytes_max)) => closing(
                Reply::from(Refused::TooLarge {
                    body_bytes_max: *body_bytes_max,
                })
                .http(),
            ),
            Self::Body(BodyFault::Slow(limit)) => {
                let text = format!("the request body took longer than {} ms", limit.as_millis());
                closing(trace(StatusCode::REQUEST_TIMEOUT, &text))
            }
            Self::Body(BodyFault::Broken(error)) => {
                let text = format!("Failed to parse the request body: {error}");
                closing(trace(StatusCode::BAD_REQUEST, &text))
            }
        }
    }
}

/// What follows on such a connection may be the rest of a body.
fn closing(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
