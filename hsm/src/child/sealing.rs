//! Secrets that only one token opens: AES-256-GCM under a key that cannot leave it.
//!
//! Sources: PKCS#11 v2.40 mechanisms, section 2.10.2 (`CKM_AES_GCM`); NIST SP 800-38D.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use zeroize::Zeroizing;

use super::ceremony;
use crate::Trouble;

/// The initialisation vector: 12 random bytes. One key seals a few secrets in its life, and 2^32 of
/// them would be too many (SP 800-38D, section 8.3).
const IV_BYTES: usize = 12;

/// The longest tag.
const TAG_BITS: u64 = 128;

/// Makes the key that seals.
///
/// # Errors
/// If the label is taken.
pub(super) fn make_key(session: &Session, label: &str) -> Result<(), Trouble> {
    let name = crate::KeyName {
        id: None,
        label: Some(label.to_owned()),
    };
    ceremony::free(session, &name)?;
    let made = session.generate_key(
        &Mechanism::AesKeyGen,
        &[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(32.into()),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Id(ceremony::random::<16>()?.to_vec()),
        ],
    )?;
    ceremony::kept(session, made, false).inspect_err(|_| {
        session.destroy_object(made).ok();
    })
}

/// Encrypts a secret, bound to words that must be said again to open it: the initialisation vector,
/// then the ciphertext with its tag.
pub(super) fn seal(
    session: &Session,
    label: &str,
    bound_to: &str,
    secret: &[u8],
) -> Result<Vec<u8>, Trouble> {
    let key = sealing_key(session, label)?;
    let mut iv = ceremony::random::<IV_BYTES>()?;
    let params = GcmParams::new(&mut iv, bound_to.as_bytes(), TAG_BITS.into())?;
    let sealed = session.encrypt(&Mechanism::AesGcm(params), key, secret)?;
    // Some tokens make the vector themselves and leave it where ours was.
    Ok([iv.as_slice(), sealed.as_slice()].concat())
}

/// Decrypts what [`seal`] gave.
pub(super) fn unseal(
    session: &Session,
    label: &str,
    bound_to: &str,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let key = sealing_key(session, label)?;
    let (iv, sealed) = sealed
        .split_first_chunk::<IV_BYTES>()
        .ok_or_else(|| Trouble::unfit("what is sealed is too short"))?;
    let mut iv = *iv;
    let params = GcmParams::new(&mut iv, bound_to.as_bytes(), TAG_BITS.into())?;
    let plain = session.decrypt(&Mechanism::AesGcm(params), key, sealed);
    plain
        .map(Zeroizing::new)
        .map_err(|error| match is_about_the_bytes(&error) {
            true => Trouble::unfit(format!(
                "the key {label:?} of this token does not open it ({}): another token sealed it, or \
                 it was altered; seal the secret again on this node",
                Trouble::from(error)
            )),
            false => error.into(),
        })
}

/// Whether asking again would give the same. `CKR_GENERAL_ERROR` is what SoftHSM answers to a tag that
/// does not fit; a device that is gone for a moment says something else.
const fn is_about_the_bytes(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::GeneralError
                | RvError::FunctionFailed
                | RvError::EncryptedDataInvalid
                | RvError::EncryptedDataLenRange
                | RvError::DataInvalid
                | RvError::DataLenRange
                | RvError::SignatureInvalid,
            _
        )
    )
}

/// Whether there is a key of this label, or several.
pub(super) fn has_key(session: &Session, label: &str) -> Result<bool, Trouble> {
    Ok(!find(session, label)?.is_empty())
}

fn find(session: &Session, label: &str) -> Result<Vec<ObjectHandle>, Trouble> {
    Ok(session.find_objects(&[
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Label(label.as_bytes().to_vec()),
    ])?)
}

/// The one AES key of this label, which cannot leave the token.
fn sealing_key(session: &Session, label: &str) -> Result<ObjectHandle, Trouble> {
    let found = find(session, label)?;
    match found.as_slice() {
        [key] => {
            ceremony::kept(session, *key, false)?;
            Ok(*key)
        }
        [] => Err(Trouble::unfit(format!(
            "the token has no AES key with label {label:?}; `quorate key seal` makes it at first use"
        ))),
        several => Err(Trouble::unfit(format!(
            "the token has {} AES keys with label {label:?}: name another in `sealing_key`",
            several.len()
        ))),
    }
}
