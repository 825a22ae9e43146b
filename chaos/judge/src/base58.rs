//! Base58check as Tezos writes it: a prefix that says what it is, the bytes, and four bytes of a
//! double SHA-256 (Octez, `src/lib_crypto/base58.ml`, module `Prefix`).

use ring::digest::{SHA256, digest};

/// What a text may be, with its prefix and the number of its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    prefix: &'static [u8],
    length: usize,
}

impl Form {
    const fn new(prefix: &'static [u8], length: usize) -> Self {
        Self { prefix, length }
    }
}

/// `tz1...`, `tz2...`, `tz3...`, `tz4...`: BLAKE2b-160 of a public key.
pub(crate) const TZ1: Form = Form::new(&[0x06, 0xa1, 0x9f], 20);
pub(crate) const TZ2: Form = Form::new(&[0x06, 0xa1, 0xa1], 20);
pub(crate) const TZ3: Form = Form::new(&[0x06, 0xa1, 0xa4], 20);
pub(crate) const TZ4: Form = Form::new(&[0x06, 0xa1, 0xa6], 20);

/// `edpk...`, `sppk...`, `p2pk...`, `BLpk...`: public keys, compressed where the curve can.
pub(crate) const EDPK: Form = Form::new(&[0x0d, 0x0f, 0x25, 0xd9], 32);
pub(crate) const SPPK: Form = Form::new(&[0x03, 0xfe, 0xe2, 0x56], 33);
pub(crate) const P2PK: Form = Form::new(&[0x03, 0xb2, 0x8b, 0x7f], 33);
pub(crate) const BLPK: Form = Form::new(&[0x06, 0x95, 0x87, 0xcc], 48);

/// `edsig...`, `spsig1...`, `p2sig...`, `BLsig...`, and the form that names no curve.
pub(crate) const EDSIG: Form = Form::new(&[0x09, 0xf5, 0xcd, 0x86, 0x12], 64);
pub(crate) const SPSIG: Form = Form::new(&[0x0d, 0x73, 0x65, 0x13, 0x3f], 64);
pub(crate) const P2SIG: Form = Form::new(&[0x36, 0xf0, 0x2c, 0x34], 64);
pub(crate) const BLSIG: Form = Form::new(&[0x28, 0xab, 0x40, 0xcf], 96);
pub(crate) const SIG: Form = Form::new(&[0x04, 0x82, 0x2b], 64);

/// `Net...`: the four bytes of a chain.
const CHAIN: Form = Form::new(&[0x57, 0x52, 0x00], 4);

/// The bytes of `text`, if it is of one of `forms`, and of which.
pub(crate) fn read<T: Copy>(text: &str, forms: &[(Form, T)]) -> Option<(Vec<u8>, T)> {
    let all = bs58::decode(text).into_vec().ok()?;
    let (body, sum) = all.split_at_checked(all.len().checked_sub(4)?)?;
    if checksum(body) != sum {
        return None;
    }
    forms.iter().find_map(|(form, what)| {
        let bytes = body.strip_prefix(form.prefix)?;
        (bytes.len() == form.length).then(|| (bytes.to_vec(), *what))
    })
}

/// How the chain of these four bytes is written.
pub(crate) fn chain(bytes: [u8; 4]) -> String {
    let mut body = CHAIN.prefix.to_vec();
    body.extend(bytes);
    let sum = checksum(&body);
    body.extend(sum);
    bs58::encode(body).into_string()
}

fn checksum(body: &[u8]) -> Vec<u8> {
    let twice = digest(&SHA256, digest(&SHA256, body).as_ref());
    twice.as_ref().iter().take(4).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_of_mainnet_is_written_as_everybody_writes_it() {
        assert_eq!(chain([0x7a, 0x06, 0xa7, 0x70]), "NetXdQprcVkpaWU");
    }

    #[test]
    fn a_text_with_one_wrong_letter_is_nothing() {
        let forms = [(EDPK, ())];
        let right = "edpkuhmrbunxumoiVdQuxBZUPMmwkPt7yLtY5Qnua3VJVTLWr3vXXa";
        let wrong = "edpkuhmrbunxumoiVdQuxBZUPMmwkPt7yLtY5Qnua3VJVTLWr3vXXb";
        assert_eq!(read(right, &forms).map(|(bytes, ())| bytes.len()), Some(32));
        assert_eq!(read(wrong, &forms), None);
        assert_eq!(read(right, &[(SPPK, ())]), None);
        assert_eq!(read("", &forms), None);
    }
}
