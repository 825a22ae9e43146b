//! How the token proves that it holds a private key.

use cryptoki::session::Session;
use tezos::PublicKey;

use super::key::{self, Handle};
use crate::challenge::Challenge;
use crate::{Trouble, curve};

/// Whether a private key signs for this public key.
///
/// # Errors
/// If it signs nothing.
pub(super) fn signs_for(
    session: &Session,
    key: Handle,
    public_key: &PublicKey,
) -> Result<bool, Trouble> {
    let challenge = Challenge::new()?;
    let signed = key::sign(session, key, challenge.digest().as_bytes())?;
    // Of one key alone: the others go on.
    let signature = curve::signature(public_key.curve(), &signed)
        .map_err(|trouble| Trouble::unfit(trouble.what))?;
    Ok(challenge.is_met(public_key, &signature))
}
