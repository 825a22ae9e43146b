//! The body of a signing request: one JSON string of hexadecimal digits, as octez posts it. Either
//! case of digit is read.

/// What is wrong with a body. The texts name a place, and never repeat what stood there: a payload
/// has no business in a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageFault {
    /// Not JSON, or something behind it, or not a string.
    #[error("expected one JSON string of hexadecimal digits, {0}")]
    Json(String),
    /// Half a byte is left over.
    #[error("{digits} hexadecimal digits are not a whole number of bytes")]
    OddDigits { digits: usize },
    /// Something else than a digit.
    #[error("no hexadecimal digit at position {position} of the string")]
    NotHex { position: usize },
    /// `0x` has no place in this protocol.
    #[error("write the hexadecimal digits without 0x")]
    Prefixed,
    /// octez-signer's words for it.
    #[error("can't sign empty data")]
    Empty,
}

/// Reads the bytes to sign out of a body.
///
/// # Errors
/// [`MessageFault`] says what is wrong, and where.
pub(crate) fn read(body: &[u8]) -> Result<Vec<u8>, MessageFault> {
    let text: String = serde_json::from_slice(body).map_err(|error| describe(&error, body))?;
    if text.is_empty() {
        return Err(MessageFault::Empty);
    }
    if text.starts_with("0x") || text.starts_with("0X") {
        return Err(MessageFault::Prefixed);
    }
    hex::decode(&text).map_err(|error| match error {
        hex::FromHexError::InvalidHexCharacter { index, .. } => {
            MessageFault::NotHex { position: index }
        }
        hex::FromHexError::OddLength | hex::FromHexError::InvalidStringLength => {
            match text.chars().position(|digit| !digit.is_ascii_hexdigit()) {
                Some(position) => MessageFault::NotHex { position },
                None => MessageFault::OddDigits { digits: text.len() },
            }
        }
    })
}

/// serde_json's own message would repeat a wrong value; its place and class are enough.
fn describe(error: &serde_json::Error, body: &[u8]) -> MessageFault {
    let place = format!("line {} column {}", error.line(), error.column());
    MessageFault::Json(match error.classify() {
        _ if body.iter().all(u8::is_ascii_whitespace) => "found an empty body".to_owned(),
        serde_json::error::Category::Data => format!("found another JSON value at {place}"),
        serde_json::error::Category::Eof => format!("found its end missing at {place}"),
        serde_json::error::Category::Syntax => format!("found something else at {place}"),
        serde_json::error::Category::Io => "found nothing readable".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_of_either_case_are_read() {
        assert_eq!(read(b"\"11fFaB\""), Ok(vec![0x11, 0xff, 0xab]));
        assert_eq!(read(b" \"00\"\n"), Ok(vec![0]));
        assert_eq!(read(br#""1\u0031""#), Ok(vec![0x11]));
    }

    #[test]
    fn every_other_body_is_refused_with_its_place() {
        for (body, expected) in [
            (
                &b""[..],
                "expected one JSON string of hexadecimal digits, found an empty body",
            ),
            (
                b" \n",
                "expected one JSON string of hexadecimal digits, found an empty body",
            ),
            (b"\"\"", "can't sign empty data"),
            (b"\"0x11\"", "write the hexadecimal digits without 0x"),
            (
                b"\"111\"",
                "3 hexadecimal digits are not a whole number of bytes",
            ),
            (
                b"\"11zz\"",
                "no hexadecimal digit at position 2 of the string",
            ),
            (
                b"\"11z\"",
                "no hexadecimal digit at position 2 of the string",
            ),
            (
                b"\"1\xc3\xa9\"",
                "no hexadecimal digit at position 1 of the string",
            ),
            (
                b"11ff",
                "expected one JSON string of hexadecimal digits, found another JSON value at line 1 column 2",
            ),
            (
                b"{\"data\":\"11\"}",
                "expected one JSON string of hexadecimal digits, found another JSON value at line 1 column 0",
            ),
            (
                b"null",
                "expected one JSON string of hexadecimal digits, found another JSON value at line 1 column 4",
            ),
            (
                b"\"11\" \"22\"",
                "expected one JSON string of hexadecimal digits, found something else at line 1 column 6",
            ),
            (
                b"\"11\"x",
                "expected one JSON string of hexadecimal digits, found something else at line 1 column 5",
            ),
            (
                b"\"11",
                "expected one JSON string of hexadecimal digits, found its end missing at line 1 column 3",
            ),
            (
                b"\"\xff\"",
                "expected one JSON string of hexadecimal digits, found something else at line 1 column 2",
            ),
        ] {
            let fault = read(body).unwrap_err().to_string();
            assert_eq!(fault, expected, "{}", body.escape_ascii());
            assert!(!fault.contains("11"), "a refusal repeats the payload");
        }
    }
}
