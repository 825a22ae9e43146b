//! What policy denies: status, word and text of each [`Denied`].

use std::fmt;

use hyper::StatusCode;
use raft_store::command::Refusal;
use raft_store::policy::Denied;

use super::refused::Asked;
use super::ruling;

pub(super) const fn status(why: &Denied) -> StatusCode {
    match why {
        Denied::Unknown => StatusCode::NOT_FOUND,
        Denied::NotAuthenticated => StatusCode::UNAUTHORIZED,
        Denied::VersionNotSupported { .. } => StatusCode::BAD_REQUEST,
        Denied::BadAuthentication
        | Denied::KindNotAllowed { .. }
        | Denied::ChainNotAllowed { .. }
        | Denied::CompanionSignsAttestationsOnly
        | Denied::OperationNotAllowed { .. }
        | Denied::VoteNotAllowed { .. }
        | Denied::NoPossession => StatusCode::FORBIDDEN,
    }
}

pub(super) const fn reason(why: &Denied) -> &'static str {
    match why {
        Denied::Unknown => "unknown_key",
        Denied::NotAuthenticated => "not_authenticated",
        Denied::BadAuthentication => "bad_authentication",
        Denied::VersionNotSupported { .. } => "version",
        Denied::KindNotAllowed { .. } => "kind",
        Denied::ChainNotAllowed { .. } => "wrong_chain",
        Denied::CompanionSignsAttestationsOnly => "companion",
        Denied::OperationNotAllowed { .. } => "operation",
        Denied::VoteNotAllowed { .. } => "vote",
        Denied::NoPossession => "no_possession",
    }
}

/// octez-signer's wording first. What the rule refuses too is said in the rule's words.
pub(super) fn write(out: &mut fmt::Formatter<'_>, asked: &Asked, why: &Denied) -> fmt::Result {
    let key = asked.key;
    match why {
        Denied::Unknown => ruling::write(out, asked, &Refusal::Unknown),
        Denied::NotAuthenticated => write!(
            out,
            "missing authentication signature field: key {key} answers only clients that it \
             authorizes; GET /authorized_keys lists them, and the client needs one in its wallet"
        ),
        Denied::BadAuthentication => write!(
            out,
            "invalid authentication signature: it is not by a client that key {key} authorizes, \
             or not over this message; quorate key edit {key} changes who may ask"
        ),
        Denied::VersionNotSupported { version } => write!(
            out,
            "signature version {version} is not supported for {key}: tz4 keys sign in the \
             proof-of-possession scheme, version 2 or 3; use an Octez of protocol 023 or later"
        ),
        Denied::KindNotAllowed { kind } => {
            ruling::write(out, asked, &Refusal::KindNotAllowed { kind: *kind })
        }
        Denied::ChainNotAllowed { chain } => {
            ruling::write(out, asked, &Refusal::ChainNotAllowed { chain: *chain })
        }
        Denied::CompanionSignsAttestationsOnly => write!(
            out,
            "not allowed: key {key} is a companion key, which signs tz4 attestations and nothing \
             else; quorate key edit {key} changes its role"
        ),
        Denied::OperationNotAllowed { name } => {
            ruling::write(out, asked, &Refusal::OperationNotAllowed { name: *name })
        }
        Denied::VoteNotAllowed { vote } => {
            ruling::write(out, asked, &Refusal::VoteNotAllowed { vote: *vote })
        }
        Denied::NoPossession => ruling::write(out, asked, &Refusal::NoPossession),
    }
}
