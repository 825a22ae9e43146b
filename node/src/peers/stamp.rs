//! The stamp on every message between nodes: which start of the sender speaks.
//!
//! The TLS key says which node speaks, but two copies of one folder have one key. The stamp says
//! which process speaks, and it is held against the hello that was believed.

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use raft_store::hello::Boot;

/// `quorate-boot: <counter>.<nonce in 32 hexadecimal digits>`.
pub const BOOT: HeaderName = HeaderName::from_static("quorate-boot");

/// Why a message has no stamp.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no usable `quorate-boot` header: found {found:?}")]
pub struct NoStamp {
    /// What was there.
    pub found: Option<String>,
}

/// Puts the stamp of `boot` on a message.
pub fn put(headers: &mut HeaderMap, boot: Boot) {
    let text = format!("{}.{}", boot.counter, hex::encode(boot.nonce));
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(BOOT, value);
    }
}

/// Headers that hold the stamp only.
#[must_use]
pub fn headers(boot: Boot) -> HeaderMap {
    let mut headers = HeaderMap::new();
    put(&mut headers, boot);
    headers
}

/// Reads the stamp of a message.
///
/// # Errors
/// [`NoStamp`] if there is none or it cannot be read.
pub fn read(headers: &HeaderMap) -> Result<Boot, NoStamp> {
    let found = headers.get(BOOT).and_then(|value| value.to_str().ok());
    let parse = |text: &str| {
        let (counter, digits) = text.split_once('.')?;
        let mut nonce = [0; 16];
        hex::decode_to_slice(digits, &mut nonce).ok()?;
        Some(Boot {
            counter: counter.parse().ok()?,
            nonce,
        })
    };
    found.and_then(parse).ok_or_else(|| NoStamp {
        found: found.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_and_nothing_else_is() {
        let boot = Boot {
            counter: 7,
            nonce: [0xab; 16],
        };
        assert_eq!(read(&headers(boot)), Ok(boot));
        for text in [
            "",
            "7",
            "7.",
            "7.abab",
            "x.abababababababababababababababab",
        ] {
            let headers = HeaderMap::from_iter([(BOOT, HeaderValue::from_static(text))]);
            assert_eq!(
                read(&headers),
                Err(NoStamp {
                    found: Some(text.to_owned())
                })
            );
        }
        assert_eq!(read(&HeaderMap::new()), Err(NoStamp { found: None }));
    }
}
