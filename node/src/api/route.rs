//! Which service a path names. Only its last segments count, so the services live under any base
//! path, as octez locators allow (`http://host:port/path/to/service/tz1...`).

use hyper::Method;

/// A service of the octez-signer protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route<'path> {
    /// `/authorized_keys`
    AuthorizedKeys,
    /// `/known_keys`
    KnownKeys,
    /// `/keys/<pkh>`
    Key(&'path str),
    /// `/bls_prove_possession/<pkh>`
    ProvePossession(&'path str),
}

impl<'path> Route<'path> {
    /// The service at `path`, which has to begin with `base_path` (empty: any base path). Empty
    /// segments do not count, as in octez.
    pub(crate) fn find(path: &'path str, base_path: &str) -> Option<Self> {
        let below = path.strip_prefix(base_path)?;
        if !below.starts_with('/') {
            return None;
        }
        let mut backwards = below.rsplit('/').filter(|segment| !segment.is_empty());
        let last = backwards.next()?;
        match (backwards.next(), last) {
            (_, "authorized_keys") => Some(Self::AuthorizedKeys),
            (_, "known_keys") => Some(Self::KnownKeys),
            (Some("keys"), key) => Some(Self::Key(key)),
            (Some("bls_prove_possession"), key) => Some(Self::ProvePossession(key)),
            _ => None,
        }
    }

    /// The methods this service answers, as an `allow` header lists them.
    pub(crate) const fn allowed(&self) -> &'static str {
        match self {
            Self::Key(_) => "GET, POST",
            Self::AuthorizedKeys | Self::KnownKeys | Self::ProvePossession(_) => "GET",
        }
    }

    /// Whether this service answers `method`.
    pub(crate) fn allows(&self, method: &Method) -> bool {
        self.allowed()
            .split(", ")
            .any(|allowed| allowed == method.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_found_under_any_base_path() {
        for base in [
            "",
            "/signer",
            "/a/b/c",
            "/keys/tz1x",
            "//odd//",
            "/authorized_keys",
        ] {
            let path = |tail: &str| format!("{base}{tail}");
            assert_eq!(
                Route::find(&path("/authorized_keys"), ""),
                Some(Route::AuthorizedKeys)
            );
            assert_eq!(
                Route::find(&path("/known_keys/"), ""),
                Some(Route::KnownKeys)
            );
            assert_eq!(
                Route::find(&path("/keys/tz1abc"), ""),
                Some(Route::Key("tz1abc"))
            );
            assert_eq!(
                Route::find(&path("/bls_prove_possession/tz4abc"), ""),
                Some(Route::ProvePossession("tz4abc"))
            );
        }
    }

    #[test]
    fn a_path_outside_the_services_is_no_route() {
        for path in [
            "",
            "/",
            "/keys",
            "/keys/",
            "/mode/x",
            "/keysx/tz1abc",
            "*",
            "/tz1abc/keys",
        ] {
            assert_eq!(Route::find(path, ""), None, "{path}");
        }
    }

    #[test]
    fn a_configured_base_path_is_demanded() {
        assert_eq!(
            Route::find("/a/keys/tz1abc", "/a"),
            Some(Route::Key("tz1abc"))
        );
        assert_eq!(
            Route::find("/a/b/keys/tz1abc", "/a"),
            Some(Route::Key("tz1abc"))
        );
        assert_eq!(Route::find("/keys/tz1abc", "/a"), None);
        assert_eq!(Route::find("/ab/keys/tz1abc", "/a"), None);
    }
}
