//! Every word has two serialised forms and is checked again on the way in.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tezos::payload::Payload;
use tezos::{
    BallotVote, ChainId, Curve, Digest, EncryptedSecretKey, Kind, Level, OperationName, ParseError,
    PublicKey, PublicKeyHash, Round, SecretKey, Signature, Slot,
};

fn json<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text)
}

fn binary<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, bincode::config::standard()).unwrap()
}

fn from_binary<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, bincode::error::DecodeError> {
    bincode::serde::decode_from_slice(bytes, bincode::config::standard()).map(|(value, _)| value)
}

fn both_ways<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, text: &str) {
    assert_eq!(serde_json::to_string(value).unwrap(), text);
    assert_eq!(json::<T>(text).unwrap(), *value);
    assert_eq!(from_binary::<T>(&binary(value)).unwrap(), *value);
}

fn quoted(value: impl ToString) -> String {
    format!("\"{}\"", value.to_string())
}

#[test]
fn every_word_is_text_in_json_and_raw_bytes_in_bincode() {
    for curve in Curve::ALL {
        let key = SecretKey::generate(*curve).unwrap();
        let public = key.public_key().clone();
        both_ways(&public, &quoted(&public));
        both_ways(&public.hash(), &quoted(public.hash()));
        let signature = key.sign(b"m");
        both_ways(&signature, &quoted(&signature));
        let sealed = key.encrypt(b"p").unwrap();
        both_ways(&sealed, &quoted(&sealed));
        both_ways(curve, &quoted(curve));

        assert_eq!(
            binary(&public.hash()),
            [&[21][..], &public.hash().to_bytes()].concat()
        );
        let len = u8::try_from(signature.as_raw().len()).unwrap();
        assert_eq!(
            binary(&signature),
            [&[len + 1, curve.code()], signature.as_raw()].concat()
        );
    }
    both_ways(&ChainId::MAINNET, "\"NetXdQprcVkpaWU\"");
    assert_eq!(binary(&ChainId::MAINNET), [4, 0x7a, 0x06, 0xa7, 0x70]);
    both_ways(&Digest::of(b""), &quoted(Digest::of(b"")));
    let slot = Slot::new(Level::new(7).unwrap(), Round::new(2).unwrap());
    both_ways(&slot, "{\"level\":7,\"round\":2}");
    assert_eq!(binary(&slot), [7, 2]);
    both_ways(&Kind::Preattestation, "\"preattestation\"");
    both_ways(&BallotVote::Pass, "\"pass\"");
    for name in OperationName::ALL {
        both_ways(name, &quoted(name));
    }
}

#[test]
fn words_can_be_the_keys_of_a_json_map() {
    let map = BTreeMap::from([(ChainId::MAINNET, 1)]);
    assert_eq!(
        serde_json::to_string(&map).unwrap(),
        "{\"NetXdQprcVkpaWU\":1}"
    );
    assert_eq!(
        json::<BTreeMap<ChainId, u8>>("{\"NetXdQprcVkpaWU\":1}").unwrap(),
        map
    );
}

#[test]
fn the_stored_codes_are_these_for_ever() {
    fn codes<T: Serialize>(all: &[T]) -> Vec<u8> {
        all.iter().map(|word| binary(word)[1]).collect()
    }
    assert_eq!(codes(Curve::ALL), [0, 1, 2, 3]);
    assert_eq!(codes(Kind::ALL), [0, 1, 2]);
    assert_eq!(codes(BallotVote::ALL), [0, 1, 2]);
    assert_eq!(codes(OperationName::ALL), (0..16).collect::<Vec<u8>>());
    let names: Vec<&str> = OperationName::ALL.iter().map(|name| name.name()).collect();
    assert_eq!(
        names.join(" "),
        "transaction stake unstake finalize_unstake set_delegate_parameters reveal delegation \
         ballot proposals set_deposits_limit update_consensus_key update_companion_key \
         drain_delegate seed_nonce_revelation vdf_revelation failing_noop"
    );
    assert_eq!(
        "x".parse::<OperationName>().unwrap_err().to_string(),
        format!("unknown operation: use one of {}", names.join(", "))
    );
}

#[test]
fn what_the_constructors_refuse_is_refused_when_it_is_read_r35() {
    json::<Level>("2147483648").unwrap_err();
    json::<Level>("-1").unwrap_err();
    json::<Round>("null").unwrap_err();
    json::<Slot>("{\"level\":7}").unwrap_err();
    from_binary::<Level>(&binary(&(u32::MAX))).unwrap_err();
    from_binary::<Kind>(&[1, 3]).unwrap_err();
    from_binary::<Kind>(&[2, 0, 0]).unwrap_err();
    from_binary::<ChainId>(&[3, 0, 0, 0]).unwrap_err();
    from_binary::<PublicKeyHash>(&[[21].as_slice(), &[4; 21]].concat()).unwrap_err();
    // A P-256 key that is no point, and a signature with r and s zero.
    from_binary::<PublicKey>(&[[34, 2].as_slice(), &[0; 33]].concat()).unwrap_err();
    from_binary::<Signature>(&[[65, 2].as_slice(), &[0; 64]].concat()).unwrap_err();
    from_binary::<EncryptedSecretKey>(&[[56, 2].as_slice(), &[0; 55]].concat()).unwrap_err();
    from_binary::<PublicKey>(&[0]).unwrap_err();
    from_binary::<Signature>(&[0]).unwrap_err();
    from_binary::<EncryptedSecretKey>(&[0]).unwrap_err();
    json::<Digest>("\"00\"").unwrap_err();
    json::<Digest>(&format!("\"{}\"", "AA".repeat(32))).unwrap_err();
    json::<Digest>(&format!("\"{}\"", "aa".repeat(32))).unwrap();
}

#[test]
fn levels_and_rounds_end_at_i32_max_r35() {
    assert_eq!(Level::new(2_147_483_647), Some(Level::MAX));
    assert_eq!(Level::new(2_147_483_648), None);
    assert_eq!(Level::MAX.next(), None);
    assert_eq!(Round::ZERO.next(), Round::new(1));
    assert_eq!(
        "4294967295".parse::<Level>().unwrap_err().to_string(),
        "level 4294967295 is above 2147483647"
    );
    assert_eq!(
        "x".parse::<Round>().unwrap_err().to_string(),
        "round is not a number"
    );
    assert_eq!(
        "-1".parse::<Round>().unwrap_err(),
        ParseError::NotANumber { what: "round" }
    );
}

#[test]
fn slots_are_ordered_by_level_first() {
    let slot = |level, round| Slot::new(Level::new(level).unwrap(), Round::new(round).unwrap());
    assert!(slot(1, 9) < slot(2, 0));
    assert!(slot(2, 0) < slot(2, 1));
    assert_eq!(slot(2, 1).to_string(), "level 2 round 1");
}

#[test]
fn a_payload_is_not_serialisable() {
    static_assertions::assert_not_impl_any!(Payload: Serialize, Default, Copy);
    static_assertions::assert_not_impl_any!(SecretKey: Serialize, Clone, Default);
    static_assertions::assert_not_impl_any!(tezos::Verified: Clone, Default);
}
