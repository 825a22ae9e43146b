//! Curves, points and signatures, between PKCS#11 and Tezos.
//!
//! Sources: PKCS#11 v2.40 mechanisms, section 2.3 (EC keys, `CKM_ECDSA`); v3.0, section 2.3.5
//! (Edwards keys, `CKM_EDDSA`); SEC 1 for points; RFC 8410 for the object identifier of Ed25519.

use tezos::{Curve, PublicKey, Signature};

use crate::Trouble;

/// `CKA_EC_PARAMS` as tokens write them: an object identifier, or for Ed25519 also the curve's name.
const PARAMS: [(Curve, &[u8]); 5] = [
    (Curve::P256, b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"),
    (Curve::Secp256k1, b"\x06\x05\x2b\x81\x04\x00\x0a"),
    (Curve::Ed25519, b"\x13\x0cedwards25519"),
    (Curve::Ed25519, b"\x06\x03\x2b\x65\x70"),
    // What some modules wrote before PKCS#11 v3.0 had settled.
    (
        Curve::Ed25519,
        b"\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01",
    ),
];

/// The curve of a key.
pub(crate) fn of_params(params: &[u8]) -> Option<Curve> {
    let known = PARAMS.iter().find(|(_, known)| *known == params);
    known.map(|(curve, _)| *curve)
}

/// What a new key pair on this curve is asked for with; `None` for tz4, which no token knows.
pub(crate) fn params(curve: Curve) -> Option<&'static [u8]> {
    let known = PARAMS.iter().find(|(known, _)| *known == curve);
    known.map(|(_, params)| *params)
}

/// The public key of a `CKA_EC_POINT`: the standard wants a DER octet string around the point, and
/// some tokens leave it out or write a bit string. Bare comes first: an uncompressed point begins
/// with 4 too, and its next byte is any.
pub(crate) fn public_key(curve: Curve, value: &[u8]) -> Result<PublicKey, Trouble> {
    let wrapped = match value {
        [0x04, length, point @ ..] if usize::from(*length) == point.len() => point,
        [0x03, length, 0x00, point @ ..]
            if usize::from(*length) == point.len().saturating_add(1) =>
        {
            point
        }
        _ => &[],
    };
    let read = of_point(curve, value).or_else(|| of_point(curve, wrapped));
    read.ok_or_else(|| {
        Trouble::unfit(format!(
            "its CKA_EC_POINT ({} bytes) is no public key on {curve}",
            value.len()
        ))
    })
}

/// The public key of a bare point, compressed or not.
fn of_point(curve: Curve, point: &[u8]) -> Option<PublicKey> {
    let compressed = match curve {
        Curve::P256 => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
            key.to_sec1_point(true).as_bytes().to_vec()
        }
        Curve::Secp256k1 => {
            let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
            key.to_sec1_point(true).as_bytes().to_vec()
        }
        Curve::Ed25519 | Curve::Bls12_381 => point.to_vec(),
    };
    PublicKey::from_raw(curve, &compressed).ok()
}

/// The `CKA_EC_POINT` of a public key: a DER octet string around the uncompressed point, or around the
/// 32 bytes of an Ed25519 key (PKCS#11 v3.0, sections 2.3.3 and 2.3.5).
pub(crate) fn point(key: &PublicKey) -> Result<Vec<u8>, Trouble> {
    let wrong = || Trouble::unfit(format!("{} is no point on its curve", key.hash()));
    let point = match key.curve() {
        Curve::P256 => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key.as_raw());
            key.map_err(|_| wrong())?
                .to_sec1_point(false)
                .as_bytes()
                .to_vec()
        }
        Curve::Secp256k1 => {
            let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(key.as_raw());
            key.map_err(|_| wrong())?
                .to_sec1_point(false)
                .as_bytes()
                .to_vec()
        }
        Curve::Ed25519 | Curve::Bls12_381 => key.as_raw().to_vec(),
    };
    // At most 96 bytes, so one byte of length does.
    let length = u8::try_from(point.len()).map_err(|_| wrong())?;
    Ok([&[0x04, length], point.as_slice()].concat())
}

/// The signature in what `C_Sign` gave: r and s side by side as the standard says, or in DER as some
/// modules do. With a low s.
pub(crate) fn signature(curve: Curve, value: &[u8]) -> Result<Signature, Trouble> {
    let bare = match (curve, value.len()) {
        (_, 64) | (Curve::Ed25519 | Curve::Bls12_381, _) => value.to_vec(),
        (Curve::P256, _) => p256::ecdsa::Signature::from_der(value)
            .map(|signature| signature.to_bytes().to_vec())
            .unwrap_or_default(),
        (Curve::Secp256k1, _) => k256::ecdsa::Signature::from_der(value)
            .map(|signature| signature.to_bytes().to_vec())
            .unwrap_or_default(),
    };
    match Signature::from_raw(curve, &bare) {
        Ok(signature) => Ok(signature.normalised()),
        Err(_not_one) => Err(Trouble::new(
            crate::TroubleKind::Device,
            format!(
                "C_Sign gave {} bytes that are no signature on {curve}",
                value.len()
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(curve: Curve) -> tezos::SecretKey {
        tezos::SecretKey::generate(curve).unwrap()
    }

    #[test]
    fn a_point_is_read_with_and_without_its_der_wrapping() {
        let key = secret(Curve::P256).public_key().clone();
        let full = p256::ecdsa::VerifyingKey::from_sec1_bytes(key.as_raw()).unwrap();
        let point = full.to_sec1_point(false).as_bytes().to_vec();
        let octets = [&[0x04, 65], point.as_slice()].concat();
        let bits = [&[0x03, 66, 0], point.as_slice()].concat();
        for value in [point, octets, bits, key.as_raw().to_vec()] {
            assert_eq!(public_key(Curve::P256, &value), Ok(key.clone()));
        }
        let key = secret(Curve::Ed25519).public_key().clone();
        for value in [key.as_raw().to_vec(), [&[0x04, 32], key.as_raw()].concat()] {
            assert_eq!(public_key(Curve::Ed25519, &value), Ok(key.clone()));
        }
    }

    #[test]
    fn bytes_that_are_no_point_are_refused_by_name() {
        let trouble = public_key(Curve::Secp256k1, &[4; 67]).unwrap_err();
        assert!(
            trouble.what.contains("CKA_EC_POINT (67 bytes)"),
            "{trouble}"
        );
        assert!(public_key(Curve::P256, &[]).is_err());
    }

    #[test]
    fn a_signature_is_read_raw_and_in_der_and_leaves_with_a_low_s() {
        use k256::ecdsa::signature::hazmat::PrehashSigner as _;
        for curve in [Curve::Secp256k1, Curve::P256] {
            let secret = secret(curve);
            let low = secret.sign(b"message");
            let (r, s) = low.as_raw().split_at(32);
            let high = negated(curve, s);
            let raw = [r, high.as_slice()].concat();
            let der = [integer(r), integer(&high)].concat();
            let der = [&[0x30, u8::try_from(der.len()).unwrap()], der.as_slice()].concat();
            assert_eq!(signature(curve, &raw), Ok(low.clone()), "{curve} raw");
            assert_eq!(signature(curve, &der), Ok(low), "{curve} DER");
        }
        // The trait is used by nothing else here; it proves that a plain signer is what tokens are.
        let key = k256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let plain: k256::ecdsa::Signature = key.sign_prehash(&[1; 32]).unwrap();
        assert!(signature(Curve::Secp256k1, &plain.to_bytes()).is_ok());
    }

    #[test]
    fn bytes_that_are_no_signature_are_refused() {
        for wrong in [&[][..], &[0x30, 1, 2], &[0; 63], &[0; 96]] {
            assert!(signature(Curve::P256, wrong).is_err(), "{wrong:?}");
        }
        assert!(signature(Curve::Ed25519, &[1; 63]).is_err());
    }

    /// n - s, byte by byte.
    fn negated(curve: Curve, s: &[u8]) -> Vec<u8> {
        let order = match curve {
            Curve::P256 => "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
            _ => "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        };
        let mut borrow = 0_i16;
        let order = hex::decode(order).unwrap();
        let mut difference: Vec<u8> = order
            .iter()
            .zip(s)
            .rev()
            .map(|(n, s)| {
                let digit = i16::from(*n) - i16::from(*s) - borrow;
                borrow = i16::from(digit < 0);
                digit.rem_euclid(256).to_le_bytes()[0]
            })
            .collect();
        difference.reverse();
        difference
    }

    fn integer(value: &[u8]) -> Vec<u8> {
        let digits: Vec<u8> = value
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect();
        let sign: &[u8] = if digits[0] >= 0x80 { &[0] } else { &[] };
        let length = u8::try_from(sign.len() + digits.len()).unwrap();
        [&[0x02, length], sign, digits.as_slice()].concat()
    }
}
