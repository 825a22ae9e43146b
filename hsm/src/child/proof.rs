//! How the token proves that it holds a private key.

use cryptoki::session::Session;
use tezos::{Digest, PublicKey};

use super::key::{self, Handle};
use crate::{Trouble, TroubleKind, curve};

/// What a key signs to prove that the token holds its private half.
///
/// **Invariant:** no message that Tezos knows begins with `Q`, so this signature is of use to nobody.
const PROOF: &[u8] = b"Quorate: this token holds the private key. ";

/// Whether a private key signs for this public key.
///
/// # Errors
/// If it signs nothing.
pub(super) fn signs_for(
    session: &Session,
    key: Handle,
    public_key: &PublicKey,
) -> Result<bool, Trouble> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce)
        .map_err(|error| Trouble::new(TroubleKind::Device, format!("no randomness: {error}")))?;
    let message = [PROOF, &nonce].concat();
    let signed = key::sign(session, key, Digest::of(&message).as_bytes())?;
    // Of one key alone: the others go on.
    let signature = curve::signature(public_key.curve(), &signed)
        .map_err(|trouble| Trouble::unfit(trouble.what))?;
    Ok(public_key.verify(&message, &signature).is_ok())
}
