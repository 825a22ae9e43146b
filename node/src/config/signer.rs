//! The signer API's part of the configuration: where bakers ask.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::fault::Checker;
use super::{address, beside, raw};

/// Where and how the octez-signer HTTP protocol is served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignerApi {
    /// The address to bind; port 0 takes any free one. Default `127.0.0.1:6732`.
    pub listen: SocketAddr,
    /// What comes before `/keys` in every path: empty, or `/` and segments without a final `/`.
    pub base_path: String,
    /// The certificate for HTTPS; `None` is plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Who may ask over plain HTTP beyond this machine.
    pub allow_plain_http: PlainHttp,
    /// Whether `GET /known_keys` is answered; off by default, as in octez-signer.
    pub allow_list_known_keys: bool,
    /// Whether `GET /bls_prove_possession/<pkh>` is answered; off by default.
    pub allow_to_prove_possession: bool,
    /// How much one client may ask of this node.
    pub limits: Limits,
}

/// The PEM files of an HTTPS listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFiles {
    /// The certificate chain, the node's own first.
    pub certificate: PathBuf,
    /// Its private key; not readable by group or others.
    pub key: PathBuf,
}

/// Who may ask for signatures over plain HTTP. A loopback listener is always allowed to anyone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PlainHttp {
    /// Only this machine: the listener binds a loopback address. The default.
    Loopback,
    /// Other machines too, but only for keys that demand authentication: a key without
    /// authorized keys is not served on this listener.
    AuthorizedKeysOnly,
    /// Whoever reaches the port.
    Anyone,
}

/// Limits of the signer API; each is a refusal with its own status, never a wait without end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The largest request body, in bytes; default 128 KiB: octez operations stay below 32 KiB,
    /// twice that in hex.
    pub body_bytes_max: usize,
    /// The largest request head, in bytes; default 16 KiB.
    pub header_bytes_max: usize,
    /// How long a client may take to send its request head; default 5 s.
    pub header_time: Duration,
    /// How long a client may take to send its body; default 5 s.
    pub body_time: Duration,
    /// Open connections; default 1,024.
    pub connections_max: usize,
    /// Signing requests in work on this node; above it the answer is 503. Default 256.
    pub in_flight_max: usize,
    /// Signing requests in work for one key; default 64.
    pub in_flight_per_key_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 131_072,
            header_bytes_max: 16_384,
            header_time: Duration::from_millis(5_000),
            body_time: Duration::from_millis(5_000),
            connections_max: 1_024,
            in_flight_max: 256,
            in_flight_per_key_max: 64,
        }
    }
}

impl SignerApi {
    /// The port octez clients know.
    const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 6732);
}

pub(super) fn check(raw: &raw::Signer, folder: &Path, checker: &mut Checker<'_>) -> SignerApi {
    let listen = address(
        raw.listen.as_ref(),
        "signer.listen",
        SignerApi::LISTEN,
        checker,
    );
    let word = plain_http(raw.allow_plain_http.as_ref(), checker);
    let api = SignerApi {
        listen,
        base_path: base_path(raw.base_path.as_ref(), checker),
        tls: raw
            .tls
            .as_ref()
            .and_then(|tls| tls_files(tls, folder, checker)),
        allow_plain_http: word.unwrap_or(PlainHttp::Loopback),
        allow_list_known_keys: raw.allow_list_known_keys,
        allow_to_prove_possession: raw.allow_to_prove_possession,
        limits: limits(&raw.limits, checker),
    };
    // A word that was misspelt is told already; the address is not to blame as well.
    let loopback_only = word == Some(PlainHttp::Loopback);
    if loopback_only && raw.tls.is_none() && !listen.ip().is_loopback() {
        checker.fault(
            raw.listen.as_ref().map(Spanned::span),
            "signer.listen",
            format!("{listen} is not a loopback address and there is no [signer.tls]"),
            "add [signer.tls] with certificate and key, or listen on 127.0.0.1, or write \
             allow_plain_http = \"authorized-keys-only\" (or \"anyone\", if the network is yours)",
        );
    }
    api
}

/// `None` for a word that is not known, which is a fault of its own.
fn plain_http(raw: Option<&Spanned<String>>, checker: &mut Checker<'_>) -> Option<PlainHttp> {
    let Some(word) = raw else {
        return Some(PlainHttp::Loopback);
    };
    match word.get_ref().as_str() {
        "loopback" => Some(PlainHttp::Loopback),
        "authorized-keys-only" => Some(PlainHttp::AuthorizedKeysOnly),
        "anyone" => Some(PlainHttp::Anyone),
        other => {
            checker.fault(
                Some(word.span()),
                "signer.allow_plain_http",
                format!("{other:?} is not a known word"),
                "write \"loopback\", \"authorized-keys-only\" or \"anyone\"",
            );
            None
        }
    }
}

fn base_path(raw: Option<&Spanned<String>>, checker: &mut Checker<'_>) -> String {
    let Some(path) = raw else {
        return String::new();
    };
    let trimmed = path.get_ref().trim_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    let segments_fit = |segment: &str| {
        !segment.is_empty() && segment != "." && segment != ".." && segment.chars().all(plain)
    };
    match trimmed {
        "" => String::new(),
        some if some.split('/').all(segments_fit) => format!("/{some}"),
        other => {
            checker.fault(
                Some(path.span()),
                "signer.base_path",
                format!("{other:?} is not a plain URL path"),
                "write segments of letters, digits, '-', '_', '.' and '~', as in \"/signer/a\"",
            );
            String::new()
        }
    }
}

fn tls_files(raw: &raw::Tls, folder: &Path, checker: &mut Checker<'_>) -> Option<TlsFiles> {
    let mut file = |written: Option<&Spanned<String>>, field: &str, write: &str| {
        if written.is_none() {
            checker.fault(None, field, "is missing", write);
        }
        written.map(|path| beside(folder, path.get_ref()))
    };
    let certificate = file(
        raw.certificate.as_ref(),
        "signer.tls.certificate",
        "write certificate = \"tls.pem\", the chain in PEM",
    );
    let key = file(
        raw.key.as_ref(),
        "signer.tls.key",
        "write key = \"tls.key\", the private key in PEM",
    );
    Some(TlsFiles {
        certificate: certificate?,
        key: key?,
    })
}

fn limits(raw: &raw::Limits, checker: &mut Checker<'_>) -> Limits {
    let default = Limits::default();
    let mut count = |written: &raw::Number, name: &str, range: (usize, usize), default: usize| {
        let Some(written) = written else {
            return default;
        };
        let (low, high) = range;
        match usize::try_from(*written.get_ref()) {
            Ok(value) if (low..=high).contains(&value) => value,
            _ => {
                checker.fault(
                    Some(written.span()),
                    &format!("signer.limits.{name}"),
                    format!("{} is not between {low} and {high}", written.get_ref()),
                    format!("write {name} = {default}"),
                );
                default
            }
        }
    };
    let time_ms = (1, 600_000);
    let milliseconds =
        |count: usize| Duration::from_millis(u64::try_from(count).unwrap_or(u64::MAX));
    Limits {
        body_bytes_max: count(
            &raw.body_bytes_max,
            "body_bytes_max",
            (1_024, 16_777_216),
            default.body_bytes_max,
        ),
        header_bytes_max: count(
            &raw.header_bytes_max,
            "header_bytes_max",
            // hyper's read buffer cannot be made smaller.
            (8_192, 1_048_576),
            default.header_bytes_max,
        ),
        header_time: milliseconds(count(&raw.header_ms, "header_ms", time_ms, 5_000)),
        body_time: milliseconds(count(&raw.body_ms, "body_ms", time_ms, 5_000)),
        connections_max: count(
            &raw.connections_max,
            "connections_max",
            (1, 65_536),
            default.connections_max,
        ),
        in_flight_max: count(
            &raw.in_flight_max,
            "in_flight_max",
            (1, 65_536),
            default.in_flight_max,
        ),
        in_flight_per_key_max: count(
            &raw.in_flight_per_key_max,
            "in_flight_per_key_max",
            (1, 65_536),
            default.in_flight_per_key_max,
        ),
    }
}
