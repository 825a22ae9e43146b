//! What a ceremony says: the steps that people take with a token, and what goes from one node to
//! another while a key is copied.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tezos::{Curve, PublicKey};

use crate::{KeyName, Token};

/// The version of [`Request`] and [`Package`].
pub(crate) const FORMAT: u32 = 1;

/// One step. Secrets are in the bytes of its frame.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Step {
    /// Initialise a token that is not; the bytes are the PIN of the security officer behind its
    /// length in one byte, and the PIN of the user.
    Initialise { module: PathBuf, label: String },
    /// Make a key pair.
    Generate {
        curve: Curve,
        name: KeyName,
        copyable: bool,
    },
    /// Bring in the secret of this public key, or finish what an import of it began under that name;
    /// the bytes are the secret.
    Import {
        public_key: PublicKey,
        name: KeyName,
    },
    /// Make the pair that a key can be sent to.
    Request,
    /// Wrap a key for a request.
    Send { request: Request, name: KeyName },
    /// Unwrap a key.
    Receive { package: Package, name: KeyName },
    /// Let a key never leave any more.
    Close { name: KeyName },
    /// Is there a key that seals?
    HasSealingKey { label: String },
    /// Make the key that seals.
    MakeSealingKey { label: String },
    /// Encrypt the bytes, bound to some words.
    Seal { label: String, bound_to: String },
    /// Decrypt the bytes, an initialisation vector and what follows it.
    Unseal { label: String, bound_to: String },
}

/// What came of a step.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Outcome {
    /// It is done.
    Done,
    /// It is done; what was asked for is in the bytes.
    Bytes,
    /// Whether it is so.
    Is(bool),
    /// The token that was initialised.
    Token(Token),
    /// The key that was made, received, or closed.
    Key(PublicKey),
    /// The key that was brought in, and what the token calls it.
    Named(KeyName, PublicKey),
    /// The request.
    Request(Request),
    /// The key on its way.
    Package(Package),
}

/// An RSA public key whose private half is in the token that wants a key. Nothing in it is secret;
/// who replaces it on its way gets the key, so people compare its fingerprint.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The version of this form.
    pub format: u32,
    /// `CKA_ID` of the pair, in hex.
    pub id: String,
    /// The modulus, in hex.
    pub modulus: String,
    /// The public exponent, in hex.
    pub exponent: String,
}

impl Request {
    /// SHA-256 over the modulus and the exponent, in groups that people can read to each other.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"quorate copy request 1\n");
        hash.update(self.modulus.as_bytes());
        hash.update(b"\n");
        hash.update(self.exponent.as_bytes());
        let digits = hex::encode(hash.finalize());
        let groups: Vec<&str> = digits
            .as_bytes()
            .chunks(8)
            .filter_map(|group| std::str::from_utf8(group).ok())
            .collect();
        groups.join("-")
    }
}

/// A private key on its way: encrypted under an AES key, which is encrypted under the request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The version of this form.
    pub format: u32,
    /// The fingerprint of the request that it answers.
    pub request: String,
    /// How the token that sent it knows the key.
    pub name: KeyName,
    /// The public key of what is inside.
    pub public_key: PublicKey,
    /// The AES key under `CKM_RSA_PKCS_OAEP` with SHA-1, in hex.
    pub wrapping_key: String,
    /// The private key, PKCS#8 under `CKM_AES_KEY_WRAP_PAD`, in hex.
    pub private_key: String,
}
