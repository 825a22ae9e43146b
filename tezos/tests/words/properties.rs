//! Decoding is total, reads what was written, and has one spelling for each message.

use proptest::collection::vec;
use proptest::prelude::*;
use tezos::payload::{DecodeError, Payload};
use tezos::{
    ChainId, Curve, Digest, EncryptedSecretKey, Kind, PublicKey, PublicKeyHash, SecretKey,
    Signature,
};

use crate::written::operations::operations;
use crate::written::{Says, Written, any_curve, any_message, block, vote};

fn decode(written: &Written) -> Payload {
    Payload::decode(written.curve, written.bytes.clone())
        .unwrap_or_else(|error| panic!("{error}: {written:?}"))
}

/// The beginnings of a tz1 hash, a chain id, two public keys and a signature, and none.
const PREFIXES: &[&[u8]] = &[
    &[0x06, 0xa1, 0x9f],
    &[0x57, 0x52, 0x00],
    &[0x0d, 0x0f, 0x25, 0xd9],
    &[0x03, 0xb2, 0x8b, 0x7f],
    &[0x09, 0xf5, 0xcd, 0x86, 0x12],
    &[],
];

/// Refused, or decoded to something that is written back as exactly these bytes.
fn refused_or_its_own_spelling(curve: Curve, bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(payload) = Payload::decode(curve, bytes.to_vec()) {
        prop_assert_eq!(payload.encode(), bytes);
        prop_assert_eq!(payload.message(), bytes);
        prop_assert_eq!(payload.digest(), Digest::of(bytes));
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_decoded_is_what_was_written_and_is_written_back_the_same(written in any_message()) {
        let payload = decode(&written);
        prop_assert_eq!(payload.encode(), &written.bytes[..]);
        prop_assert_eq!(payload.message(), &written.bytes);
        prop_assert_eq!(payload.digest(), Digest::of(&written.bytes));
        match (&payload, &written.says) {
            (Payload::Consensus(consensus), Says::Slot { magic, chain, level, round, bls_mode }) => {
                let kind = match magic {
                    0x11 => Kind::Block,
                    0x12 => Kind::Preattestation,
                    _ => Kind::Attestation,
                };
                prop_assert_eq!(consensus.kind(), kind);
                prop_assert_eq!(consensus.chain(), ChainId(*chain));
                prop_assert_eq!(consensus.slot().level.get(), *level);
                prop_assert_eq!(consensus.slot().round.get(), *round);
                prop_assert_eq!(consensus.bls_mode(), *bls_mode);
            }
            (Payload::Operation(operation), Says::Operations { names, votes, .. }) => {
                let contents = operation.contents();
                let said: Vec<_> = contents.iter().map(|content| content.name()).collect();
                prop_assert_eq!(&said, names);
                let said: Vec<_> = contents.iter().map(|content| content.vote()).collect();
                prop_assert_eq!(&said, votes);
            }
            (other, _) => prop_assert!(false, "decoded as {:?}", other),
        }
    }

    #[test]
    fn every_cut_and_every_extension_of_a_message_with_a_slot_is_refused_r35(
        written in prop_oneof![block(), vote()],
        more in vec(any::<u8>(), 1..40),
    ) {
        for end in 0..written.bytes.len() {
            let cut = Payload::decode(written.curve, written.bytes[..end].to_vec());
            prop_assert!(cut.is_err(), "cut at {}", end);
        }
        let longer = [&written.bytes[..], &more].concat();
        let trailing = DecodeError::Trailing { at: written.bytes.len(), count: more.len() };
        prop_assert_eq!(Payload::decode(written.curve, longer), Err(trailing));
    }

    /// A list of operations has no length, so a cut between two of them is a shorter list. Every
    /// other cut is refused.
    #[test]
    fn every_cut_of_operations_is_refused_or_falls_between_two_of_them(
        written in operations(),
        more in any::<u8>(),
    ) {
        let Says::Operations { names, ends, .. } = &written.says else { unreachable!() };
        for end in 0..written.bytes.len() {
            let cut = Payload::decode(written.curve, written.bytes[..end].to_vec());
            match ends.iter().position(|whole| *whole == end) {
                None => prop_assert!(cut.is_err(), "cut at {}", end),
                Some(last) => {
                    let Ok(Payload::Operation(cut)) = cut else {
                        return Err(TestCaseError::fail(format!("cut at {end}: {cut:?}")));
                    };
                    prop_assert_eq!(cut.contents().len(), last + 1);
                    prop_assert_eq!(cut.contents()[last].name(), names[last]);
                }
            }
        }
        let longer = [&written.bytes[..], &[more]].concat();
        prop_assert!(Payload::decode(written.curve, longer).is_err());
    }

    #[test]
    fn every_flipped_bit_is_refused_or_is_another_message_r4(written in any_message()) {
        let digest = decode(&written).digest();
        let mut bytes = written.bytes.clone();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = Payload::decode(written.curve, bytes.clone()) {
                prop_assert_eq!(other.encode(), &bytes[..], "bit {}", bit);
                prop_assert_ne!(other.digest(), digest);
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_are_their_own_spelling(
        curve in any_curve(),
        bytes in vec(any::<u8>(), 0..300),
    ) {
        refused_or_its_own_spelling(curve, &bytes)?;
    }

    #[test]
    fn any_bytes_after_a_known_beginning_are_refused_or_are_their_own_spelling(
        written in any_message(),
        from in any::<prop::sample::Index>(),
        other in vec(any::<u8>(), 0..120),
    ) {
        let at = from.index(written.bytes.len());
        let mut bytes = written.bytes[..at].to_vec();
        bytes.extend(other);
        refused_or_its_own_spelling(written.curve, &bytes)?;
    }

    #[test]
    fn any_text_is_refused_or_is_the_one_spelling_of_a_word(text in ".{0,120}") {
        macro_rules! check {
            ($($word:ty),+) => {$(
                if let Ok(word) = text.parse::<$word>() {
                    prop_assert_eq!(word.to_string(), &text[..]);
                }
            )+};
        }
        check!(PublicKey, PublicKeyHash, Signature, ChainId, Digest, EncryptedSecretKey);
        prop_assert!(SecretKey::parse(&text).is_err());
    }

    #[test]
    fn any_bytes_with_a_right_checksum_are_refused_or_the_one_spelling_of_a_word(
        bytes in vec(any::<u8>(), 0..110),
        prefix in proptest::sample::select(PREFIXES),
    ) {
        let text = crate::vectors::spell(prefix, &bytes);
        if let Ok(hash) = text.parse::<PublicKeyHash>() {
            prop_assert_eq!(hash.to_string(), &text[..]);
        }
        if let Ok(key) = text.parse::<PublicKey>() {
            prop_assert_eq!(key.to_string(), &text[..]);
        }
        if let Ok(chain) = text.parse::<ChainId>() {
            prop_assert_eq!(chain.to_string(), &text[..]);
        }
        if let Ok(signature) = text.parse::<Signature>() {
            prop_assert_eq!(signature.to_string(), &text[..]);
        }
    }

    #[test]
    fn one_wrong_character_in_a_hash_is_refused(
        at in 0..36_usize,
        to in proptest::sample::select(&b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[..]),
    ) {
        let word = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";
        let mut other = word.as_bytes().to_vec();
        prop_assume!(other[at] != to);
        other[at] = to;
        let other = String::from_utf8(other).unwrap();
        prop_assert!(other.parse::<PublicKeyHash>().is_err());
    }
}
