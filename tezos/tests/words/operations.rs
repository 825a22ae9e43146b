//! Generic operations are named for what they do, and refused for the field that is wrong.

use tezos::Curve;
use tezos::payload::{DecodeError, PROTOCOLS, Payload};

const SOURCE: [u8; 21] = [1; 21];
const MONEY: [u8; 4] = [1, 2, 3, 4];

fn operation(contents: &[&[u8]]) -> Result<Payload, DecodeError> {
    let message = [&[0x03][..], &[7; 32], &contents.concat()].concat();
    Payload::decode(Curve::Ed25519, message)
}

/// A transaction of `SOURCE` to `destination`, with these parameters.
fn transaction(destination: &[u8], parameters: &[u8]) -> Vec<u8> {
    [&[108][..], &SOURCE, &MONEY, &[0], destination, parameters].concat()
}

fn oneself() -> Vec<u8> {
    [&[0][..], &SOURCE].concat()
}

fn names(payload: &Payload) -> Vec<&'static str> {
    let Payload::Operation(operation) = payload else {
        panic!("{payload:?}")
    };
    operation
        .contents()
        .iter()
        .map(|content| content.name().name())
        .collect()
}

#[test]
fn every_tag_that_is_not_decoded_is_refused_with_its_number() {
    let decoded = [1, 5, 6, 8, 9, 17, 107, 108, 110, 112, 114, 115];
    let mut by_name = 0;
    for tag in (0..=255).filter(|tag| !decoded.contains(tag)) {
        match operation(&[&[tag]]).unwrap_err() {
            DecodeError::OperationRefused { tag: found, .. } => {
                assert_eq!(found, tag);
                by_name += 1;
            }
            DecodeError::OperationUnknown { tag: found } => assert_eq!(found, tag),
            other => panic!("{tag}: {other}"),
        }
    }
    assert_eq!(by_name, 36);
    assert_eq!(
        operation(&[&[77]]).unwrap_err().to_string(),
        format!("operation tag 77 is unknown: this version knows the operations of {PROTOCOLS}")
    );
    assert_eq!(
        operation(&[&[109]]).unwrap_err().to_string(),
        "operation tag 109 is origination, which is never signed here"
    );
    assert_eq!(operation(&[]).unwrap_err(), DecodeError::NoContent);
}

#[test]
fn staking_is_a_transaction_to_oneself_and_only_that() {
    let somebody = [&[0][..], &[2; 21]].concat();
    let contract = [&[1][..], &[1; 20], &[0]].concat();
    for (tag, name) in [
        (6, "stake"),
        (7, "unstake"),
        (8, "finalize_unstake"),
        (9, "set_delegate_parameters"),
    ] {
        let parameters = [0xff, tag, 0, 0, 0, 2, 3, 11];
        let to = |destination: &[u8]| operation(&[&transaction(destination, &parameters)]).unwrap();
        assert_eq!(names(&to(&oneself())), [name]);
        // Whoever may only stake must not be able to call a contract's "stake" with tez attached.
        assert_eq!(names(&to(&somebody)), ["transaction"]);
        assert_eq!(names(&to(&contract)), ["transaction"]);
        // Nor is there a second spelling of the same call.
        let spelled = [
            &[0xff, 255, u8::try_from(name.len()).unwrap()],
            name.as_bytes(),
            &[0; 4],
        ];
        assert_eq!(
            operation(&[&transaction(&oneself(), &spelled.concat())])
                .unwrap_err()
                .to_string(),
            "the entrypoint name at byte 84 has a tag of its own and must be written by it"
        );
    }
    assert_eq!(
        names(&operation(&[&transaction(&oneself(), &[0])]).unwrap()),
        ["transaction"]
    );
}

#[test]
fn only_operations_of_an_account_owner_can_be_batched() {
    let to = transaction(&oneself(), &[0]);
    let delegation = [&[110][..], &SOURCE, &MONEY, &[0]].concat();
    let batch = operation(&[&delegation, &to, &to]).unwrap();
    assert_eq!(names(&batch), ["delegation", "transaction", "transaction"]);
    let drain = [&[9][..], &SOURCE, &SOURCE, &SOURCE].concat();
    assert_eq!(names(&operation(&[&drain]).unwrap()), ["drain_delegate"]);
    for [first, second] in [[&drain, &to], [&to, &drain]] {
        assert_eq!(
            operation(&[first, second]).unwrap_err().to_string(),
            "drain_delegate must be alone in its message, which has 2 operations"
        );
    }
}

fn reason(content: &[u8]) -> String {
    operation(&[content]).unwrap_err().to_string()
}

#[test]
fn the_numbers_and_options_of_an_operation_have_one_spelling() {
    let with = |rest: &[u8]| reason(&[&[110][..], &SOURCE, rest].concat());
    assert_eq!(
        with(&[0x80, 0x00]),
        "the fee at byte 55 is not a natural number in its shortest form"
    );
    assert_eq!(
        with(&[0xff; 10]),
        "the fee at byte 55 is above 9223372036854775807"
    );
    assert_eq!(
        with(&[1, 2, 3, 4, 1]),
        "the delegate at byte 59 starts with 0x01, not with 0x00 (absent) or 0xFF"
    );
    assert_eq!(
        with(&[&MONEY[..], &[0xff, 4], &[0; 20]].concat()),
        "the delegate at byte 60 is 4, this version knows the curves 0 (tz1) to 3 (tz4)"
    );
    assert_eq!(
        with(&MONEY),
        "the message ends in its delegate at byte 59, short by 1"
    );
}

#[test]
fn transactions_are_refused_for_the_field_that_is_wrong_r35() {
    assert_eq!(
        reason(&transaction(&[&[1][..], &[1; 20], &[9]].concat(), &[0])),
        "the padding of the destination at byte 81 is 9, this version knows 0"
    );
    assert_eq!(
        reason(&transaction(&[2; 22], &[0])),
        "the destination at byte 60 is 2, this version knows 0 (an account) and 1 (a contract)"
    );
    assert_eq!(
        reason(&transaction(&oneself(), &[0xff, 10])),
        "the entrypoint at byte 83 is 10, this version knows 0 to 9 and 255 (a name)"
    );
    assert_eq!(
        reason(&transaction(&oneself(), &[0xff, 255, 32])),
        "the entrypoint name at byte 84 has 32 bytes, not at most 31"
    );
}

#[test]
fn other_operations_are_refused_for_the_field_that_is_wrong_r35() {
    let ballot = [&[6][..], &SOURCE, &[0, 0, 0, 1], &[5; 32], &[3]].concat();
    assert_eq!(
        reason(&ballot),
        "the vote at byte 91 is 3, this version knows 0 (yay), 1 (nay) and 2 (pass)"
    );
    let period = [&[6][..], &SOURCE, &[0x80, 0, 0, 1], &[5; 32], &[2]].concat();
    assert_eq!(reason(&period), "the voting period at byte 55 is negative");
    let proposals = [&[5][..], &SOURCE, &[0, 0, 0, 1], &[0, 0, 0, 33], &[5; 33]].concat();
    assert_eq!(
        reason(&proposals),
        "the proposals at byte 59 has 33 bytes, not a multiple of 32"
    );
    // A length that no message has is refused before anything of that size is made.
    let endless = [&[17][..], &[0xff; 4], &[5; 33]].concat();
    assert_eq!(
        reason(&endless),
        "the message ends in its arbitrary bytes at byte 38, short by 4294967262"
    );
    let reveal = [&[107][..], &SOURCE, &MONEY, &[2], &[2], &[0xff; 32], &[0]].concat();
    assert_eq!(
        reason(&reveal),
        "the public key at byte 59 is not a p256 public key"
    );
}
