//! What a baker asks, as it crosses the hop between two nodes.

use serde::{Deserialize, Serialize};
use tezos::{PublicKey, PublicKeyHash};

/// One request for a signature. The leader reads it as if the baker had come there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// `POST /keys/<pkh>`
    Sign(Sign),
    /// `GET /bls_prove_possession/<pkh>`
    Prove(Prove),
}

/// A message to sign.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign {
    /// The key that is to sign.
    pub key: PublicKeyHash,
    /// The whole message, as it was posted.
    pub bytes: Vec<u8>,
    /// The `authentication` parameter.
    pub authentication: Option<String>,
    /// The `version` parameter.
    pub version: Option<u8>,
    /// Whether the listener serves only keys that name who may ask. It travels, since the leader
    /// knows the agreed state best.
    pub authorized_only: bool,
}

/// A proof of possession.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prove {
    /// The key that is to prove.
    pub key: PublicKeyHash,
    /// The key to be proved instead of its own.
    pub bls_pk: Option<PublicKey>,
}

impl Ask {
    /// The key that is asked for.
    #[must_use]
    pub const fn key(&self) -> PublicKeyHash {
        match self {
            Self::Sign(sign) => sign.key,
            Self::Prove(prove) => prove.key,
        }
    }

    /// What this looks like from its first byte: a label for metrics before, or without, decoding.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Prove(_) => "possession",
            Self::Sign(sign) => match sign.bytes.first() {
                Some(0x11) => "block",
                Some(0x12) => "preattestation",
                Some(0x13) => "attestation",
                Some(0x03) => "operation",
                Some(_) | None => "unread",
            },
        }
    }
}

/// Not the payload: this may end in a log.
impl std::fmt::Debug for Sign {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Sign")
            .field("key", &self.key)
            .field("bytes", &self.bytes.len())
            .field("authenticated", &self.authentication.is_some())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
