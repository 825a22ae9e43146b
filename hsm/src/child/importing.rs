//! Secrets that are brought in. An import has two objects to make, and may be killed between them.

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use tezos::PublicKey;

use super::key::{self, Handle};
use super::{ceremony, generation, proof};
use crate::{KeyName, Trouble, TroubleKind};

/// Brings a secret into the token, not extractable, and has it prove itself; answers what the token
/// calls it. What an import of the same key under that name left half done is finished instead. An
/// Ed25519 secret is its seed (RFC 8032), an ECDSA one its scalar, big-endian.
///
/// # Errors
/// If the name is taken, or the token cannot; then nothing is left behind.
pub(super) fn import(
    session: &Session,
    public_key: &PublicKey,
    secret: &[u8],
    name: &KeyName,
) -> Result<KeyName, Trouble> {
    if let Some(there) = there(session, public_key, name)? {
        return complete(session, there, public_key);
    }
    let name = whole(name)?;
    ceremony::free(session, &name)?;
    let curve = public_key.curve();
    let mut private = generation::private_half(&name, false);
    private.push(Attribute::Class(ObjectClass::PRIVATE_KEY));
    private.push(Attribute::KeyType(generation::kind(curve)));
    private.push(Attribute::EcParams(generation::params(curve)?.to_vec()));
    private.push(Attribute::Value(secret.to_vec()));
    let made = session.create_object(&private);
    // The copy that was made for the call; the frame clears its own.
    for attribute in &mut private {
        if let Attribute::Value(value) = attribute {
            zeroize::Zeroize::zeroize(value);
        }
    }
    generation::finish(session, made?, public_key, &name)?;
    Ok(name)
}

/// The private key of that name, if the token has it already: it signs for this public key.
fn there(
    session: &Session,
    public_key: &PublicKey,
    name: &KeyName,
) -> Result<Option<ObjectHandle>, Trouble> {
    let mut same = Vec::new();
    let kind = Attribute::KeyType(generation::kind(public_key.curve()));
    for object in key::private_keys(session, name)? {
        let of_kind = session.get_attributes(object, &[AttributeType::KeyType])?;
        if !of_kind.contains(&kind) || key::asks_each_time(session, object)? {
            continue;
        }
        let handle = Handle::of(object, public_key.curve());
        match proof::signs_for(session, handle, public_key) {
            Ok(true) => same.push(object),
            Ok(false) => {}
            // Another key, which may not be used so.
            Err(trouble) if trouble.kind == TroubleKind::Unfit => {}
            Err(trouble) => return Err(trouble),
        }
    }
    match same.as_slice() {
        [] => Ok(None),
        [object] => Ok(Some(*object)),
        several => Err(Trouble::unfit(format!(
            "the token has {} already {} times: name one by its --id",
            public_key.hash(),
            several.len()
        ))),
    }
}

/// Makes what an import did not come to. Nothing that was there is ever destroyed.
fn complete(
    session: &Session,
    private: ObjectHandle,
    public_key: &PublicKey,
) -> Result<KeyName, Trouble> {
    ceremony::kept(session, private, false)?;
    let name = key::name_of(session, private)?;
    let made = match key::public_key(session, private, &name) {
        Ok(_shown) => None,
        Err(trouble) if trouble.kind == TroubleKind::Unfit => {
            Some(generation::beside(session, public_key, &name)?)
        }
        Err(trouble) => return Err(trouble),
    };
    let proven = generation::proven(session, &name);
    let same = proven.and_then(|found| match found == *public_key {
        true => Ok(()),
        false => Err(Trouble::unfit(format!(
            "the token shows {} beside the private {name}, which signs for {}",
            found.hash(),
            public_key.hash()
        ))),
    });
    if same.is_err()
        && let Some(made) = made
    {
        session.destroy_object(made).ok();
    }
    same.map(|()| name)
}

/// The name with an id: by it the two halves of a key find each other.
fn whole(name: &KeyName) -> Result<KeyName, Trouble> {
    let mut name = name.clone();
    if name.id.is_none() {
        name.id = Some(ceremony::random::<16>()?.to_vec());
    }
    Ok(name)
}
