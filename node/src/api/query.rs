//! The query string of a request. Every parameter is known and given once, or the request is
//! refused: a misspelt `authentication` that is ignored would look like a missing one.

use form_urlencoded::parse;

/// What may follow the `?` of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// `authentication=`, a signature in base58check.
    pub(crate) authentication: Option<String>,
    /// `version=`, 0 to 3: which signature scheme the client speaks (only tz4 looks at it).
    pub(crate) version: Option<u8>,
    /// `bls_pk=`, the public key to prove instead of the key's own.
    pub(crate) bls_pk: Option<String>,
}

/// What is wrong with a query string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryFault {
    /// This service has no such parameter.
    #[error("unknown parameter {name:?}, this service knows {known}")]
    Unknown { name: String, known: &'static str },
    /// The same parameter stands there twice.
    #[error("parameter {name:?} is given more than once")]
    Repeated { name: &'static str },
    /// A parameter without a value.
    #[error("parameter {name:?} is empty")]
    Empty { name: &'static str },
    /// Not one of the signature versions of octez.
    #[error("version {found:?} is not one of 0, 1, 2 and 3")]
    Version { found: String },
}

impl Query {
    /// The query of `POST /keys/<pkh>`.
    pub(crate) const SIGN: &'static [&'static str] = &["authentication", "version"];
    /// The query of `GET /bls_prove_possession/<pkh>`.
    pub(crate) const PROVE: &'static [&'static str] = &["bls_pk"];
    /// A service without parameters.
    pub(crate) const NONE: &'static [&'static str] = &[];

    /// Reads a query string, of which `known` are the parameters.
    ///
    /// # Errors
    /// [`QueryFault`] names the parameter.
    pub(crate) fn read(
        text: Option<&str>,
        known: &'static [&'static str],
    ) -> Result<Self, QueryFault> {
        let mut query = Self::default();
        for (name, value) in parse(text.unwrap_or_default().as_bytes()) {
            let Some(name) = known.iter().copied().find(|known| *known == name) else {
                return Err(QueryFault::Unknown {
                    name: shortened(&name),
                    known: listed(known),
                });
            };
            if value.is_empty() {
                return Err(QueryFault::Empty { name });
            }
            let repeated = match name {
                "authentication" => query.authentication.replace(value.into_owned()).is_some(),
                "bls_pk" => query.bls_pk.replace(value.into_owned()).is_some(),
                _version => query.version.replace(version(&value)?).is_some(),
            };
            if repeated {
                return Err(QueryFault::Repeated { name });
            }
        }
        Ok(query)
    }
}

fn version(text: &str) -> Result<u8, QueryFault> {
    match text {
        "0" => Ok(0),
        "1" => Ok(1),
        "2" => Ok(2),
        "3" => Ok(3),
        other => Err(QueryFault::Version {
            found: shortened(other),
        }),
    }
}

/// What a stranger wrote, cut so that an answer stays short.
fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

fn listed(known: &'static [&'static str]) -> &'static str {
    match known {
        Query::SIGN => "authentication and version",
        Query::PROVE => "bls_pk",
        _ => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str, known: &'static [&'static str]) -> String {
        Query::read(Some(text), known).unwrap_err().to_string()
    }

    #[test]
    fn a_query_of_octez_is_read() {
        let query = Query::read(Some("authentication=edsig%31&version=3"), Query::SIGN).unwrap();
        assert_eq!(query.authentication.as_deref(), Some("edsig1"));
        assert_eq!(query.version, Some(3));
        assert_eq!(Query::read(None, Query::NONE), Ok(Query::default()));
        assert_eq!(Query::read(Some(""), Query::SIGN), Ok(Query::default()));
    }

    #[test]
    fn every_other_query_is_refused_by_name() {
        for (text, known, expected) in [
            (
                "versoin=3",
                Query::SIGN,
                r#"unknown parameter "versoin", this service knows authentication and version"#,
            ),
            (
                "bls_pk=BLpk1",
                Query::SIGN,
                r#"unknown parameter "bls_pk", this service knows authentication and version"#,
            ),
            (
                "version=3",
                Query::PROVE,
                r#"unknown parameter "version", this service knows bls_pk"#,
            ),
            (
                "x",
                Query::NONE,
                r#"unknown parameter "x", this service knows none"#,
            ),
            (
                "version=3&version=3",
                Query::SIGN,
                r#"parameter "version" is given more than once"#,
            ),
            (
                "authentication=a&authentication=a",
                Query::SIGN,
                r#"parameter "authentication" is given more than once"#,
            ),
            (
                "authentication=",
                Query::SIGN,
                r#"parameter "authentication" is empty"#,
            ),
            ("version", Query::SIGN, r#"parameter "version" is empty"#),
            (
                "version=4",
                Query::SIGN,
                r#"version "4" is not one of 0, 1, 2 and 3"#,
            ),
            (
                "version=03",
                Query::SIGN,
                r#"version "03" is not one of 0, 1, 2 and 3"#,
            ),
            (
                "version=-1",
                Query::SIGN,
                r#"version "-1" is not one of 0, 1, 2 and 3"#,
            ),
        ] {
            assert_eq!(fault(text, known), expected, "{text}");
        }
    }
}
