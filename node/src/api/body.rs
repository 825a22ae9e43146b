//! Reading a request body within bounds of size and time.

use std::fmt::Display;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use hyper::{Request, header};
use tokio::time::timeout;

use crate::config::Limits;

/// Why a body was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyFault {
    /// It is longer than the limit, in bytes.
    TooLarge(usize),
    /// It did not arrive within the limit.
    Slow(Duration),
    /// The connection broke, or the chunks are not chunks.
    Broken(String),
}

/// Reads the whole body.
///
/// A client that announces too much and waits for `100 Continue` is refused before it sends a
/// byte. One that sends anyway is read on for a while and heard out, since closing a socket with
/// unread bytes would reset the connection and lose the answer.
///
/// # Errors
/// [`BodyFault`] says which bound was broken.
pub(crate) async fn read<B>(request: Request<B>, limits: &Limits) -> Result<Bytes, BodyFault>
where
    B: Body<Data = Bytes, Error: Display> + Unpin,
{
    let bytes_max = limits.body_bytes_max;
    let announced = usize::try_from(request.body().size_hint().lower()).unwrap_or(usize::MAX);
    if announced > bytes_max && request.headers().contains_key(header::EXPECT) {
        return Err(BodyFault::TooLarge(bytes_max));
    }
    timeout(limits.body_time, collect(request.into_body(), bytes_max))
        .await
        .unwrap_or(Err(BodyFault::Slow(limits.body_time)))
}

async fn collect<B>(mut body: B, bytes_max: usize) -> Result<Bytes, BodyFault>
where
    B: Body<Data = Bytes, Error: Display> + Unpin,
{
    let mut bytes = BytesMut::new();
    let mut length: usize = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyFault::Broken(error.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length <= bytes_max {
            bytes.extend_from_slice(&data);
        } else if length > bytes_max.saturating_add(HEARD_OUT_BYTES_MAX) {
            break;
        }
    }
    if length > bytes_max {
        Err(BodyFault::TooLarge(bytes_max))
    } else {
        Ok(bytes.freeze())
    }
}

/// How far a body that is too long is read before the connection is cut.
const HEARD_OUT_BYTES_MAX: usize = 1024 * 1024;
