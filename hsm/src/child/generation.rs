//! New keys, made in the token.
//!
//! Sources: PKCS#11 v2.40 mechanisms, sections 2.3.3 to 2.3.5 (`CKM_EC_KEY_PAIR_GEN`); v3.0, section
//! 2.3.10 (`CKM_EC_EDWARDS_KEY_PAIR_GEN`).

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use tezos::{Curve, PublicKey};

use super::{ceremony, key};
use crate::{KeyName, Trouble, TroubleKind, curve};

/// Makes a key pair in the token and has it prove itself.
///
/// # Errors
/// If the name is taken, or the token cannot; then nothing is left behind.
pub(super) fn generate(
    session: &Session,
    curve: Curve,
    name: &KeyName,
    copyable: bool,
) -> Result<PublicKey, Trouble> {
    ceremony::free(session, name)?;
    let mechanism = match curve {
        Curve::Ed25519 => Mechanism::EccEdwardsKeyPairGen,
        Curve::Secp256k1 | Curve::P256 | Curve::Bls12_381 => Mechanism::EccKeyPairGen,
    };
    let mut public = public_half(name);
    public.push(Attribute::EcParams(params(curve)?.to_vec()));
    let private = private_half(name, copyable);
    let (public, private) = session.generate_key_pair(&mechanism, &public, &private)?;
    let made = ceremony::kept(session, private, copyable).and_then(|()| proven(session, name));
    clean(session, made, &[private, public])
}

/// Puts the public object beside a private one, and lets the pair stay only if it signs for
/// `public_key`.
pub(super) fn finish(
    session: &Session,
    private: ObjectHandle,
    public_key: &PublicKey,
    name: &KeyName,
) -> Result<(), Trouble> {
    let mut objects = vec![private];
    let made = beside(session, public_key, name).and_then(|public| {
        objects.push(public);
        ceremony::kept(session, private, false)?;
        let found = proven(session, name)?;
        match found == *public_key {
            true => Ok(()),
            false => Err(Trouble::unfit(format!(
                "the token made {} of it, which should be {}",
                found.hash(),
                public_key.hash()
            ))),
        }
    });
    clean(session, made, &objects)
}

/// Makes the public object of a private one.
pub(super) fn beside(
    session: &Session,
    public_key: &PublicKey,
    name: &KeyName,
) -> Result<ObjectHandle, Trouble> {
    let curve = public_key.curve();
    let mut public = public_half(name);
    public.push(Attribute::Class(ObjectClass::PUBLIC_KEY));
    public.push(Attribute::KeyType(kind(curve)));
    public.push(Attribute::EcParams(params(curve)?.to_vec()));
    public.push(Attribute::EcPoint(curve::point(public_key)?));
    Ok(session.create_object(&public)?)
}

/// The public key of the one key of this name, which has signed something.
pub(super) fn proven(session: &Session, name: &KeyName) -> Result<PublicKey, Trouble> {
    let (_handles, found) = key::find(session, std::slice::from_ref(name), 0)?;
    let found = found.into_iter().next();
    let found = found.ok_or_else(|| Trouble::new(TroubleKind::Device, "the key was not found"))?;
    found.key.map(|key| key.public_key)
}

/// Destroys what was made if it is of no use. What was made stays if even that fails: it proved
/// nothing, so nothing signs with it.
fn clean<T>(
    session: &Session,
    made: Result<T, Trouble>,
    objects: &[ObjectHandle],
) -> Result<T, Trouble> {
    if made.is_err() {
        for object in objects {
            session.destroy_object(*object).ok();
        }
    }
    made
}

pub(super) fn kind(curve: Curve) -> KeyType {
    match curve {
        Curve::Ed25519 => KeyType::EC_EDWARDS,
        Curve::Secp256k1 | Curve::P256 | Curve::Bls12_381 => KeyType::EC,
    }
}

pub(super) fn params(curve: Curve) -> Result<&'static [u8], Trouble> {
    curve::params(curve).ok_or_else(|| {
        Trouble::unfit(format!(
            "PKCS#11 knows no keys on {curve}: keep a tz4 key in a [[keys]] with backend = \"sealed\""
        ))
    })
}

fn public_half(name: &KeyName) -> Vec<Attribute> {
    let own = [
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
    ];
    own.into_iter().chain(key::words(name)).collect()
}

/// What a private key of a token may do: sign, and nothing else.
pub(super) fn private_half(name: &KeyName, copyable: bool) -> Vec<Attribute> {
    let own = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(copyable),
        Attribute::Sign(true),
    ];
    own.into_iter().chain(key::words(name)).collect()
}
