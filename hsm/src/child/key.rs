//! Finding keys, and signing with them.

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use tezos::{Curve, PublicKey};

use super::proof;
use crate::wire::{Found, Key};
use crate::{KeyName, Trouble, TroubleKind, curve};

/// A private key of the token, while its session lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handle {
    object: ObjectHandle,
    curve: Curve,
}

impl Handle {
    pub(super) const fn of(object: ObjectHandle, curve: Curve) -> Self {
        Self { object, curve }
    }
}

/// The wanted keys, or every usable one if none is named. A key that is of no use does not keep the
/// others from signing: it is answered with what is wrong with it. Keys are numbered from `first`.
pub(super) fn find(
    session: &Session,
    wanted: &[KeyName],
    first: usize,
) -> Result<(Vec<Handle>, Vec<Found>), Trouble> {
    let mut named = Vec::new();
    match wanted {
        [] => {
            let mut all: Vec<(KeyName, Vec<ObjectHandle>)> = Vec::new();
            for object in private_keys(session, &KeyName::default())? {
                let name = name_of(session, object)?;
                match all.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, objects)) => objects.push(object),
                    None => all.push((name, vec![object])),
                }
            }
            let all = all.into_iter();
            named.extend(all.map(|(name, objects)| {
                let object = one_of(&name, &objects);
                (name, object)
            }));
        }
        wanted => {
            for name in wanted {
                named.push((name.clone(), the_one(session, name)?));
            }
        }
    }
    let mut handles = Vec::new();
    let mut found = Vec::new();
    for (name, object) in named {
        let key = object.and_then(|object| usable(session, object, &name));
        let key = key.map(|(handle, public_key)| {
            let number = first.saturating_add(handles.len());
            handles.push(handle);
            Key { number, public_key }
        });
        // What is gone or broken is not a matter of one key.
        if let Err(trouble) = &key
            && trouble.kind != TroubleKind::Unfit
        {
            return Err(trouble.clone());
        }
        found.push(Found { name, key });
    }
    Ok((handles, found))
}

/// The one private key of a name; the inner error is that there is none, or several: it concerns this
/// name alone, and the outer one ends the search.
fn the_one(session: &Session, name: &KeyName) -> Result<Result<ObjectHandle, Trouble>, Trouble> {
    Ok(one_of(name, &private_keys(session, name)?))
}

fn one_of(name: &KeyName, objects: &[ObjectHandle]) -> Result<ObjectHandle, Trouble> {
    match objects {
        [object] => Ok(*object),
        [] => Err(Trouble::unfit(format!(
            "the token has no private {name} on a curve of Tezos"
        ))),
        several => Err(Trouble::unfit(format!(
            "the token has {} private keys that are the {name}: give each an id of its own, or name \
             both id and label",
            several.len()
        ))),
    }
}

/// The one private key of a name.
///
/// # Errors
/// If there is none, or several.
pub(super) fn only(session: &Session, name: &KeyName) -> Result<ObjectHandle, Trouble> {
    the_one(session, name).flatten()
}

pub(super) fn private_keys(
    session: &Session,
    name: &KeyName,
) -> Result<Vec<ObjectHandle>, Trouble> {
    let mut all = Vec::new();
    for kind in [KeyType::EC, KeyType::EC_EDWARDS] {
        let mut template = vec![
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(kind),
        ];
        template.extend(words(name));
        all.extend(session.find_objects(&template)?);
    }
    Ok(all)
}

pub(super) fn words(name: &KeyName) -> impl Iterator<Item = Attribute> {
    let id = name.id.clone().map(Attribute::Id);
    let label = name.label.clone();
    let label = label.map(|label| Attribute::Label(label.into_bytes()));
    id.into_iter().chain(label)
}

pub(super) fn name_of(session: &Session, object: ObjectHandle) -> Result<KeyName, Trouble> {
    let mut name = KeyName::default();
    for attribute in session.get_attributes(object, &[AttributeType::Id, AttributeType::Label])? {
        if let Attribute::Id(id) = &attribute
            && !id.is_empty()
        {
            name.id = Some(id.clone());
        }
        if let Attribute::Label(label) = &attribute
            && !label.is_empty()
        {
            name.label = String::from_utf8(label.clone()).ok();
        }
    }
    Ok(name)
}

/// The key's curve and public half, once it has signed something with its private half (R29): a
/// token may hold a public key under the id of another private one.
fn usable(
    session: &Session,
    object: ObjectHandle,
    name: &KeyName,
) -> Result<(Handle, PublicKey), Trouble> {
    if asks_each_time(session, object)? {
        return Err(Trouble::unfit(format!(
            "the private {name} wants the PIN for each signature (CKA_ALWAYS_AUTHENTICATE): one \
             that is to sign by itself is made without that"
        )));
    }
    let public_key = public_key(session, object, name)?;
    let handle = Handle::of(object, public_key.curve());
    match proof::signs_for(session, handle, &public_key)? {
        true => Ok((handle, public_key)),
        false => Err(Trouble::unfit(format!(
            "the private {name} does not sign for the public key beside it ({})",
            public_key.hash()
        ))),
    }
}

/// Whether a key wants the PIN for each signature.
pub(super) fn asks_each_time(session: &Session, object: ObjectHandle) -> Result<bool, Trouble> {
    let asks = session.get_attributes(object, &[AttributeType::AlwaysAuthenticate])?;
    Ok(asks.contains(&Attribute::AlwaysAuthenticate(true)))
}

/// The public half: from the public key object of the same id or label, or from the private object
/// itself, where some tokens keep it.
pub(super) fn public_key(
    session: &Session,
    object: ObjectHandle,
    name: &KeyName,
) -> Result<PublicKey, Trouble> {
    let own = name_of(session, object)?;
    let mut places = Vec::new();
    if !own.is_empty() {
        // By id alone if there is one: the two halves may bear different labels.
        let shared = KeyName {
            label: own.label.filter(|_| own.id.is_none()),
            id: own.id,
        };
        let mut template = vec![Attribute::Class(ObjectClass::PUBLIC_KEY)];
        template.extend(words(&shared));
        places = session.find_objects(&template)?;
    }
    places.push(object);
    let mut trouble = None;
    for place in places {
        match point(session, place) {
            Ok(Some(key)) => return Ok(key),
            Ok(None) => {}
            Err(wrong) => trouble = Some(wrong),
        }
    }
    Err(trouble.unwrap_or_else(|| {
        Trouble::unfit(format!(
            "the token shows no public key (CKA_EC_POINT) beside the private {name}: import its \
             public key object under the same id"
        ))
    }))
}

/// The public key that an object shows; `None` if it shows none.
fn point(session: &Session, object: ObjectHandle) -> Result<Option<PublicKey>, Trouble> {
    let (mut params, mut point) = (None, None);
    let asked = [AttributeType::EcParams, AttributeType::EcPoint];
    for attribute in session.get_attributes(object, &asked)? {
        if let Attribute::EcParams(value) = &attribute {
            params = Some(value.clone());
        }
        if let Attribute::EcPoint(value) = &attribute {
            point = Some(value.clone());
        }
    }
    let (Some(params), Some(point)) = (params, point.filter(|point| !point.is_empty())) else {
        return Ok(None);
    };
    let curve = curve::of_params(&params).ok_or_else(|| {
        Trouble::unfit(format!(
            "its CKA_EC_PARAMS {} are no curve of Tezos by name",
            hex::encode(&params)
        ))
    })?;
    curve::public_key(curve, &point).map(Some)
}

/// Signs a digest: `CKM_EDDSA` without parameters (Ed25519, not ph), or `CKM_ECDSA`.
pub(super) fn sign(session: &Session, key: Handle, digest: &[u8]) -> Result<Vec<u8>, Trouble> {
    let mechanism = match key.curve {
        Curve::Ed25519 => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519)),
        Curve::Secp256k1 | Curve::P256 | Curve::Bls12_381 => Mechanism::Ecdsa,
    };
    Ok(session.sign(&mechanism, key.object, digest)?)
}

/// Whether the handle still names an object.
pub(super) fn is_there(session: &Session, key: Handle) -> Result<(), Trouble> {
    session.get_attributes(key.object, &[AttributeType::Id])?;
    Ok(())
}
