//! Who may ask for what: authentication, kinds, chains, operations, votes, from the agreed state.
//!
//! Pure. What it allows is checked once more by the rule when the entry is applied, since the state
//! may move on in between; what it denies was denied by the state of this node, so whoever asks
//! confirms that state before the denial leaves ([`Ledger::confirm`](crate::ledger::Ledger)).

use serde::{Deserialize, Serialize};
use tezos::payload::{Consensus, Operation, Payload};
use tezos::possession::Possession;
use tezos::{
    BallotVote, ChainId, Curve, Kind, OperationName, PublicKey, PublicKeyHash, Signature, wire,
};

use crate::command::Permitted;
use crate::state::{Key, Role, State};

/// What a baker asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The key that is to sign.
    pub key: PublicKeyHash,
    /// The decoded message.
    pub payload: Payload,
    /// The `authentication` parameter as it came: a signature by an authorized client.
    pub authentication: Option<String>,
    /// The `version` parameter: octez's version of signatures. It matters for tz4 only.
    pub version: Option<u8>,
}

/// A request that policy allows. It is the only thing that the ledger takes, and only [`allow`] and
/// [`allow_possession`] make one.
#[derive(Debug)]
pub enum Allowed {
    /// A message with a slot: goes to `Ledger::advance`.
    Slotted(Slotted),
    /// A message without one: goes to `Ledger::permit`.
    Slotless(Slotless),
}

/// An allowed message that has a slot. It cannot become a permit.
#[derive(Debug)]
pub struct Slotted {
    key: PublicKey,
    consensus: Consensus,
}

/// An allowed message that has no slot.
#[derive(Debug)]
pub struct Slotless {
    key: PublicKey,
    subject: Subject,
}

/// What a message without a slot is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subject {
    /// Generic operations.
    Operation(Operation),
    /// A proof of possession.
    Possession(Possession),
}

/// Why policy says no. Whoever asks can do nothing about it; the operator can.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
pub enum Denied {
    /// The key is not enrolled.
    #[error("the key is not enrolled")]
    Unknown,
    /// The key has authorized clients, and the request is signed by none.
    #[error("the request carries no authentication")]
    NotAuthenticated,
    /// The authentication is no signature by an authorized client.
    #[error("the authentication is not by a client that is authorized for this key")]
    BadAuthentication,
    /// The key may not sign this kind.
    #[error("kind {kind} is not allowed for this key")]
    KindNotAllowed {
        /// The kind.
        kind: Kind,
    },
    /// The key may not sign for this chain.
    #[error("chain {chain} is not allowed for this key")]
    ChainNotAllowed {
        /// The chain.
        chain: ChainId,
    },
    /// A companion key signs attestations in tz4's own form only.
    #[error("a companion key signs tz4 attestations only")]
    CompanionSignsAttestationsOnly,
    /// The key may not sign this operation.
    #[error("operation {name} is not allowed for this key")]
    OperationNotAllowed {
        /// The operation.
        name: OperationName,
    },
    /// The key may not cast this ballot.
    #[error("a ballot {vote} is not allowed for this key")]
    VoteNotAllowed {
        /// The vote.
        vote: BallotVote,
    },
    /// tz4 signs in the proof-of-possession scheme, which is version 2 and later.
    #[error("version {version} of signatures is not supported for tz4")]
    VersionNotSupported {
        /// The version that was asked.
        version: u8,
    },
    /// A proof of possession of or by a key that is not BLS.
    #[error("only a BLS key proves its possession")]
    NoPossession,
}

/// The newest version of signatures that octez knows.
const VERSION_MAX: u8 = 3;

/// The versions in which tz4 signs as this signer does: with proofs of possession.
const VERSION_POP_MIN: u8 = 2;

/// Decides whether `request` may go to the ledger.
///
/// # Errors
/// The first [`Denied`] that fits, in octez-signer's order: key, message, authentication.
pub fn allow(state: &State, request: Request) -> Result<Allowed, Denied> {
    let Request {
        key: hash,
        payload,
        authentication,
        version,
    } = request;
    let key = state.keys.get(&hash).ok_or(Denied::Unknown)?;
    supported(key, version)?;
    match &payload {
        Payload::Consensus(consensus) => slotted(key, consensus)?,
        Payload::Operation(operation) => slotless(key, operation)?,
    }
    authenticated(key, payload.message(), authentication.as_deref())?;
    let key = key.public_key.clone();
    Ok(match payload {
        Payload::Consensus(consensus) => Allowed::Slotted(Slotted { key, consensus }),
        Payload::Operation(operation) => Allowed::Slotless(Slotless {
            key,
            subject: Subject::Operation(operation),
        }),
    })
}

/// Decides whether `hash` may prove possession of itself, or of `bls_pk` in its place. The request
/// has no authentication in octez's protocol; whether it is served at all is this node's config.
///
/// # Errors
/// [`Denied::Unknown`], or [`Denied::NoPossession`] if either key is not BLS.
pub fn allow_possession(
    state: &State,
    hash: PublicKeyHash,
    bls_pk: Option<PublicKey>,
) -> Result<Slotless, Denied> {
    let key = state.keys.get(&hash).ok_or(Denied::Unknown)?;
    let possession =
        Possession::new(&key.public_key, bls_pk).map_err(|_not_a_bls_key| Denied::NoPossession)?;
    Ok(Slotless {
        key: key.public_key.clone(),
        subject: Subject::Possession(possession),
    })
}

fn supported(key: &Key, version: Option<u8>) -> Result<(), Denied> {
    let Some(version) = version else {
        return Ok(());
    };
    let least = match key.public_key.curve() {
        Curve::Bls12_381 => VERSION_POP_MIN,
        Curve::Ed25519 | Curve::Secp256k1 | Curve::P256 => 0,
    };
    if (least..=VERSION_MAX).contains(&version) {
        Ok(())
    } else {
        Err(Denied::VersionNotSupported { version })
    }
}

fn slotted(key: &Key, consensus: &Consensus) -> Result<(), Denied> {
    let (kind, chain) = (consensus.kind(), consensus.chain());
    match key.role {
        Role::Companion if kind != Kind::Attestation || !consensus.bls_mode() => {
            return Err(Denied::CompanionSignsAttestationsOnly);
        }
        Role::Companion | Role::Baker | Role::Consensus => {}
    }
    if !key.kinds.contains(&kind) {
        return Err(Denied::KindNotAllowed { kind });
    }
    if key.chains.floor(chain).is_none() {
        return Err(Denied::ChainNotAllowed { chain });
    }
    Ok(())
}

fn slotless(key: &Key, operation: &Operation) -> Result<(), Denied> {
    for content in operation.contents() {
        let name = content.name();
        if !key.operations.contains(&name) {
            return Err(Denied::OperationNotAllowed { name });
        }
        if let Some(vote) = content.vote().filter(|vote| !key.votes.contains(vote)) {
            return Err(Denied::VoteNotAllowed { vote });
        }
    }
    Ok(())
}

/// Any authorized client may sign; the signature covers the key and the whole message, so it is of
/// no use for another one.
fn authenticated(key: &Key, message: &[u8], authentication: Option<&str>) -> Result<(), Denied> {
    if key.authorized.is_empty() {
        return Ok(());
    }
    let text = authentication.ok_or(Denied::NotAuthenticated)?;
    let signed = wire::authentication_message(&key.public_key.hash(), message);
    let by = |client: &PublicKey| {
        Signature::parse(client.curve(), text)
            .is_ok_and(|signature| client.verify(&signed, &signature).is_ok())
    };
    if key.authorized.iter().any(by) {
        Ok(())
    } else {
        Err(Denied::BadAuthentication)
    }
}

impl Allowed {
    /// The key that is to sign.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        match self {
            Self::Slotted(slotted) => &slotted.key,
            Self::Slotless(slotless) => &slotless.key,
        }
    }
}

impl Slotted {
    /// The key that is to sign.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    pub(crate) fn into_parts(self) -> (PublicKey, Consensus) {
        (self.key, self.consensus)
    }

    /// The message.
    #[must_use]
    pub const fn consensus(&self) -> &Consensus {
        &self.consensus
    }
}

impl Slotless {
    /// The key that is to sign.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    pub(crate) fn into_parts(self) -> (PublicKey, Subject) {
        (self.key, self.subject)
    }

    /// The message.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }
}

impl Subject {
    /// The bytes that are signed.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        match self {
            Self::Operation(operation) => operation.message(),
            Self::Possession(possession) => possession.message(),
        }
    }

    /// BLAKE2b-256 of the bytes that are signed.
    #[must_use]
    pub const fn digest(&self) -> tezos::Digest {
        match self {
            Self::Operation(operation) => operation.digest(),
            Self::Possession(possession) => possession.digest(),
        }
    }

    /// What the rule is asked to permit.
    pub(crate) fn permitted(&self) -> Permitted {
        match self {
            Self::Operation(operation) => Permitted::Operation {
                names: operation
                    .contents()
                    .iter()
                    .map(|content| content.name())
                    .collect(),
                votes: operation
                    .contents()
                    .iter()
                    .filter_map(|content| content.vote())
                    .collect(),
            },
            Self::Possession(_) => Permitted::Possession,
        }
    }
}
