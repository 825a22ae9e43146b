//! Content types. The protocol offers octez clients BSON and a binary form too; JSON alone is
//! enough for every one of them.

use hyper::header::{self, HeaderMap, HeaderValue};

/// The one media type of this signer.
pub(crate) const JSON: &str = "application/json";

/// Whether a body of this content type can be read. A missing one counts as JSON.
pub(crate) fn reads(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_none_or(|value| essence(value).is_some_and(is_json))
}

/// Whether the client reads JSON. A missing `accept` says yes; a weight is looked at only for zero,
/// which is HTTP's no: octez weighs by a scale of its own (q=1000).
pub(crate) fn accepted(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let covers = parts.next().is_some_and(|range| {
                is_json(range) || range == "*/*" || range.eq_ignore_ascii_case("application/*")
            });
            covers && !parts.any(is_zero_weight)
        })
}

fn essence(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()?.split(';').next().map(str::trim)
}

fn is_json(essence: &str) -> bool {
    essence.eq_ignore_ascii_case(JSON)
}

fn is_zero_weight(parameter: &str) -> bool {
    parameter
        .split_once('=')
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
        .is_some_and(|(_, weight)| weight.trim().parse().is_ok_and(|weight: f32| weight <= 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, values: &[&'static str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_body_is_json_or_says_nothing() {
        for (values, expected) in [
            (&[][..], true),
            (&["application/json"], true),
            (&["Application/JSON; charset=utf-8"], true),
            (&["application/bson"], false),
            (&["text/plain"], false),
            (&["application/x-www-form-urlencoded"], false),
            (&[""], false),
        ] {
            assert_eq!(
                reads(&headers(header::CONTENT_TYPE, values)),
                expected,
                "{values:?}"
            );
        }
    }

    #[test]
    fn a_client_that_cannot_read_json_is_told() {
        for (values, expected) in [
            (&[][..], true),
            (&["*/*"], true),
            (&["application/*;q=0.5"], true),
            (&["application/json;q=1000, application/bson;q=100"], true),
            (&["text/html, application/json"], true),
            (&["text/html", "application/json"], true),
            (&["application/json;q=0"], false),
            (&["text/html"], false),
            (&["application/bson, application/octet-stream"], false),
        ] {
            assert_eq!(
                accepted(&headers(header::ACCEPT, values)),
                expected,
                "{values:?}"
            );
        }
    }
}
