//! Where one node's signer API is.

use std::fmt;
use std::str::FromStr;

/// The URL of one node's signer API, base path included: `http://127.0.0.1:6732/a/b`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Endpoint(
    /// Without a final slash, so that `/keys/...` can follow.
    String,
);

/// Why a text is no endpoint.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAnEndpoint {
    /// It is not a URL at all.
    #[error("{text:?} is not a URL: {why}")]
    NotAUrl {
        /// What was given.
        text: String,
        /// What the parser said.
        why: String,
    },
    /// It is a URL of another kind.
    #[error("{text:?} is neither http:// nor https:// with a host and nothing after the path")]
    NotHttp {
        /// What was given.
        text: String,
    },
}

impl Endpoint {
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = reqwest::Url::parse(text).map_err(|error| NotAnEndpoint::NotAUrl {
            text: text.to_owned(),
            why: error.to_string(),
        })?;
        let plain = url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
            return Err(NotAnEndpoint::NotHttp {
                text: text.to_owned(),
            });
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_kept_and_a_final_slash_is_not() {
        let endpoint: Endpoint = "http://127.0.0.1:6732/signer/a/".parse().unwrap();
        assert_eq!(
            endpoint.at("/keys/tz1"),
            "http://127.0.0.1:6732/signer/a/keys/tz1"
        );
        let bare: Endpoint = "https://signer.example".parse().unwrap();
        assert_eq!(
            bare.at("/authorized_keys"),
            "https://signer.example/authorized_keys"
        );
    }

    #[test]
    fn what_is_not_an_http_url_is_refused_by_name() {
        for text in [
            "",
            "127.0.0.1:6732",
            "tcp://127.0.0.1:7732",
            "http://h/p?q=1",
            "http://h/#f",
        ] {
            let fault = text.parse::<Endpoint>().unwrap_err();
            assert!(fault.to_string().contains(&format!("{text:?}")), "{fault}");
        }
    }
}
