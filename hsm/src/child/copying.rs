//! One key, copied from one token into another without ever being in the clear outside a token.
//!
//! ```text
//!   target                        source                          target
//!   RSA-3072 pair ── Request ──►  fresh AES-256 under the RSA key
//!                                 private key under the AES key ──── Package ──►  unwrapped, proven
//! ```
//!
//! Sources: PKCS#11 v2.40 mechanisms, sections 2.1.8 (`CKM_RSA_PKCS_OAEP`) and 2.14
//! (`CKM_AES_KEY_WRAP_PAD`); RFC 5649; PKCS#11 v2.40, section 5.7 (sensitive, extractable).

use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use tezos::PublicKey;

use super::{ceremony, generation, key};
use crate::ceremony::{FORMAT, Package, Request};
use crate::{KeyName, Trouble};

/// The label of a pair that waits for a package.
const LABEL: &[u8] = b"quorate-copy-request";

/// 3072 bits are as strong as the keys that are sent (NIST SP 800-57, part 1).
const MODULUS_BITS: u64 = 3072;

/// SoftHSM 2.6.1 knows OAEP with SHA-1 alone. Its collisions are no matter here: OAEP does not
/// stand on them (RFC 8017, section 7.1 and appendix B.1).
fn oaep() -> Mechanism<'static> {
    Mechanism::RsaPkcsOaep(PkcsOaepParams::new(
        MechanismType::SHA1,
        PkcsMgfType::MGF1_SHA1,
        PkcsOaepSource::empty(),
    ))
}

/// Makes the pair in this token that a key can be sent to. It stays until a key was received.
pub(super) fn request(session: &Session) -> Result<Request, Trouble> {
    let id = ceremony::random::<16>()?.to_vec();
    let named = [Attribute::Id(id.clone()), Attribute::Label(LABEL.to_vec())];
    let mut public = vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::ModulusBits(MODULUS_BITS.into()),
        Attribute::PublicExponent(vec![1, 0, 1]),
        Attribute::Wrap(true),
    ];
    let mut private = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Unwrap(true),
    ];
    public.extend(named.iter().cloned());
    private.extend(named);
    let (public, private) =
        session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private)?;
    ceremony::kept(session, private, false)?;
    described(session, public, &id)
}

/// Wraps a key for a request. The key that wraps it ends with the session.
pub(super) fn send(
    session: &Session,
    request: &Request,
    name: &KeyName,
) -> Result<Package, Trouble> {
    format(request.format)?;
    let modulus = bytes("modulus", &request.modulus)?;
    if modulus.len() < 384 {
        return Err(Trouble::unfit(format!(
            "the request has {} bits, and must have {MODULUS_BITS}",
            modulus.len().saturating_mul(8)
        )));
    }
    let public_key = generation::proven(session, name)?;
    let object = key::only(session, name)?;
    let recipient = session.create_object(&[
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::RSA),
        Attribute::Token(false),
        Attribute::Private(false),
        Attribute::Wrap(true),
        Attribute::Modulus(modulus),
        Attribute::PublicExponent(bytes("exponent", &request.exponent)?),
    ])?;
    let wrapping = session.generate_key(
        &Mechanism::AesKeyGen,
        &[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(32.into()),
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(true),
            Attribute::Wrap(true),
        ],
    )?;
    let wrapping_key = session.wrap_key(&oaep(), recipient, wrapping)?;
    let private_key = session
        .wrap_key(&Mechanism::AesKeyWrapPad, wrapping, object)
        .map_err(|error| {
            Trouble::from(error).during(format!(
                "the {name} cannot be wrapped; only a key that was made with --copyable can, and \
                 only where the token wraps keys on its curve (see docs/keys.md)"
            ))
        })?;
    Ok(Package {
        format: FORMAT,
        request: request.fingerprint(),
        public_key,
        wrapping_key: hex::encode(wrapping_key),
        private_key: hex::encode(private_key),
    })
}

/// Unwraps a key, and keeps it only if it signs for the public key that it came with. The pair of
/// the request is destroyed then, and not before: what was refused can be sent again.
pub(super) fn receive(session: &Session, package: &Package, name: &KeyName) -> Result<(), Trouble> {
    format(package.format)?;
    ceremony::free(session, name)?;
    let (recipient, public) = asked(session, package)?;
    let wrapping = session
        .unwrap_key(
            &oaep(),
            recipient,
            &bytes("wrapping_key", &package.wrapping_key)?,
            &[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::Token(false),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Unwrap(true),
            ],
        )
        .map_err(altered)?;
    let mut template = generation::private_half(name, false);
    template.push(Attribute::Class(ObjectClass::PRIVATE_KEY));
    template.push(Attribute::KeyType(generation::kind(
        package.public_key.curve(),
    )));
    let private = session
        .unwrap_key(
            &Mechanism::AesKeyWrapPad,
            wrapping,
            &bytes("private_key", &package.private_key)?,
            &template,
        )
        .map_err(altered)?;
    generation::finish(session, private, &package.public_key, name)?;
    session.destroy_object(recipient)?;
    session.destroy_object(public)?;
    Ok(())
}

/// Makes a key unable to leave, for good: `CKA_EXTRACTABLE` can be set to false and never back.
pub(super) fn close(session: &Session, name: &KeyName) -> Result<PublicKey, Trouble> {
    let object = key::only(session, name)?;
    session.update_attributes(object, &[Attribute::Extractable(false)])?;
    ceremony::kept(session, object, false)?;
    generation::proven(session, name)
}

/// The pair of the request that a package answers: private and public.
fn asked(session: &Session, package: &Package) -> Result<(ObjectHandle, ObjectHandle), Trouble> {
    let waiting = session.find_objects(&[
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::RSA),
        Attribute::Label(LABEL.to_vec()),
    ])?;
    for public in waiting {
        let Some(id) = id(session, public)? else {
            continue;
        };
        if described(session, public, &id)?.fingerprint() != package.request {
            continue;
        }
        let private = session.find_objects(&[
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(KeyType::RSA),
            Attribute::Id(id),
        ])?;
        if let [private] = private.as_slice() {
            return Ok((*private, public));
        }
    }
    Err(Trouble::unfit(format!(
        "no request of this token has the fingerprint {} that the package answers: run `quorate key \
         copy request` here, and send the key to that",
        package.request
    )))
}

fn id(session: &Session, object: ObjectHandle) -> Result<Option<Vec<u8>>, Trouble> {
    let told = session.get_attributes(object, &[AttributeType::Id])?;
    Ok(told.into_iter().find_map(|attribute| match attribute {
        Attribute::Id(id) => Some(id),
        _ => None,
    }))
}

fn described(session: &Session, public: ObjectHandle, id: &[u8]) -> Result<Request, Trouble> {
    let (mut modulus, mut exponent) = (String::new(), String::new());
    let asked = [AttributeType::Modulus, AttributeType::PublicExponent];
    for attribute in session.get_attributes(public, &asked)? {
        if let Attribute::Modulus(value) = &attribute {
            modulus = hex::encode(value);
        }
        if let Attribute::PublicExponent(value) = &attribute {
            exponent = hex::encode(value);
        }
    }
    Ok(Request {
        format: FORMAT,
        id: hex::encode(id),
        modulus,
        exponent,
    })
}

fn format(is: u32) -> Result<(), Trouble> {
    match is {
        FORMAT => Ok(()),
        other => Err(Trouble::unfit(format!(
            "what was read has format {other}, and this version knows {FORMAT}: run the same \
             version of Quorate on both nodes"
        ))),
    }
}

fn bytes(field: &str, text: &str) -> Result<Vec<u8>, Trouble> {
    hex::decode(text).map_err(|error| Trouble::unfit(format!("`{field}` is not hex: {error}")))
}

fn altered(error: cryptoki::error::Error) -> Trouble {
    Trouble::unfit(format!(
        "the package does not open ({}): it was altered on its way, or this token cannot unwrap such \
         a key (see docs/keys.md)",
        Trouble::from(error)
    ))
}
