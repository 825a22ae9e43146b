//! Generic operations of every kind.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tezos::{BallotVote, OperationName};

use super::{Says, Written, any_curve, height, optional, sized};

/// One operation: its bytes and what it is.
type OneOperation = (Vec<u8>, OperationName, Option<BallotVote>);

fn hash() -> impl Strategy<Value = Vec<u8>> {
    (0..4_u8, any::<[u8; 20]>()).prop_map(|(tag, hash)| [&[tag][..], &hash].concat())
}

/// A natural number below 2^63, seven bits a byte.
fn natural(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push(u8::try_from(value % 128).unwrap() + 128);
        value /= 128;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}

fn any_natural() -> impl Strategy<Value = Vec<u8>> {
    const MOST: u64 = 9_223_372_036_854_775_807;
    prop_oneof![Just(0), Just(MOST), 0..1000_u64, 0..=MOST].prop_map(natural)
}

/// Public keys of the four curves with their tag. Points are dear, so there are four.
fn public_key() -> impl Strategy<Value = Vec<u8>> {
    proptest::sample::select(
        &[
            "edpkuBknW28nW72KG6RoHtYW7p12T6GKc7nAbwYX5m8Wd9sDVC9yav",
            "sppk7aqSksZan1AGXuKtCz9UBLZZ77e3ZWGpFxR7ig1Z17GneEhSSbH",
            "p2pk66tTYL5EvahKAXncbtbRPBkAnxo3CszzUho5wPCgWauBMyvybuB",
            "BLpk1yUiLJ7RezbyViD5ZvWTfQndM3TRRYmvYWkUfH2EJqsLFnzzvpJss6pbuz3U1DDMpk8v16nV",
        ][..],
    )
    .prop_map(|word| {
        let tag = ["ed", "sp", "p2", "BL"]
            .iter()
            .position(|start| word.starts_with(start));
        let tag = u8::try_from(tag.unwrap()).unwrap();
        [vec![tag], crate::vectors::unspell(4, word)].concat()
    })
}

fn entrypoint() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0..10_u8).prop_map(|tag| vec![tag]),
        vec(b'A'..=b'Z', 0..=31)
            .prop_map(|name| { [vec![255, u8::try_from(name.len()).unwrap()], name].concat() }),
    ]
}

fn transaction() -> impl Strategy<Value = (u8, Vec<u8>, Vec<u8>, OperationName)> {
    (
        hash(),
        any_natural(),
        prop_oneof![
            Just(None),
            hash().prop_map(|hash| Some([vec![0], hash].concat())),
            any::<[u8; 20]>().prop_map(|hash| Some([&[1][..], &hash, &[0]].concat())),
        ],
        option::of((entrypoint(), vec(any::<u8>(), 0..40))),
    )
        .prop_map(|(source, amount, destination, parameters)| {
            let oneself = [vec![0], source.clone()].concat();
            let to_oneself = destination.as_ref().is_none_or(|other| *other == oneself);
            let name = match &parameters {
                Some((entrypoint, _)) if to_oneself => match entrypoint[..] {
                    [6] => OperationName::Stake,
                    [7] => OperationName::Unstake,
                    [8] => OperationName::FinalizeUnstake,
                    [9] => OperationName::SetDelegateParameters,
                    _ => OperationName::Transaction,
                },
                _ => OperationName::Transaction,
            };
            let parameters =
                parameters.map(|(entrypoint, argument)| [entrypoint, sized(&argument)].concat());
            let body = [amount, destination.unwrap_or(oneself), optional(parameters)].concat();
            (108, source, body, name)
        })
}

fn manager() -> impl Strategy<Value = OneOperation> {
    let with_key = |tag, name| {
        (hash(), public_key(), option::of(vec(any::<u8>(), 96))).prop_map(
            move |(source, key, proof)| {
                let proof = optional(proof.map(|proof| sized(&proof)));
                (tag, source, [key, proof].concat(), name)
            },
        )
    };
    let body = prop_oneof![
        3 => transaction(),
        1 => with_key(107, OperationName::Reveal),
        1 => with_key(114, OperationName::UpdateConsensusKey),
        1 => with_key(115, OperationName::UpdateCompanionKey),
        1 => (hash(), option::of(hash())).prop_map(|(source, delegate)| {
            (110, source, optional(delegate), OperationName::Delegation)
        }),
        1 => (hash(), option::of(any_natural())).prop_map(|(source, limit)| {
            (112, source, optional(limit), OperationName::SetDepositsLimit)
        }),
    ];
    (body, vec(any_natural(), 4)).prop_map(|((tag, source, body, name), numbers)| {
        (
            [vec![tag], source, numbers.concat(), body].concat(),
            name,
            None,
        )
    })
}

fn alone() -> impl Strategy<Value = OneOperation> {
    let votes = [
        (0, BallotVote::Yay),
        (1, BallotVote::Nay),
        (2, BallotVote::Pass),
    ];
    prop_oneof![
        (height(), any::<[u8; 32]>()).prop_map(|(level, nonce)| {
            let bytes = [&[1][..], &level.to_be_bytes(), &nonce].concat();
            (bytes, OperationName::SeedNonceRevelation, None)
        }),
        (hash(), height(), vec(any::<[u8; 32]>(), 0..4)).prop_map(|(source, period, hashes)| {
            let hashes = sized(&hashes.concat());
            let bytes = [&[5][..], &source, &period.to_be_bytes(), &hashes].concat();
            (bytes, OperationName::Proposals, None)
        }),
        (hash(), height(), any::<[u8; 32]>(), 0..3_usize).prop_map(
            move |(source, period, proposal, vote)| {
                let (code, vote) = votes[vote];
                let bytes = [&[6][..], &source, &period.to_be_bytes(), &proposal, &[code]].concat();
                (bytes, OperationName::Ballot, Some(vote))
            }
        ),
        vec(any::<u8>(), 200).prop_map(|solution| {
            (
                [vec![8], solution].concat(),
                OperationName::VdfRevelation,
                None,
            )
        }),
        vec(hash(), 3).prop_map(|hashes| {
            (
                [vec![9], hashes.concat()].concat(),
                OperationName::DrainDelegate,
                None,
            )
        }),
        vec(any::<u8>(), 0..40).prop_map(|bytes| {
            (
                [vec![17], sized(&bytes)].concat(),
                OperationName::FailingNoop,
                None,
            )
        }),
    ]
}

prop_compose! {
    pub(crate) fn operations()(
        curve in any_curve(),
        branch in any::<[u8; 32]>(),
        list in prop_oneof![
            alone().prop_map(|one| vec![one]),
            manager().prop_map(|one| vec![one]),
            vec(manager(), 2..4),
        ],
    ) -> Written {
        let mut bytes = [&[0x03][..], &branch].concat();
        let mut ends = Vec::new();
        for (content, _, _) in &list {
            bytes.extend(content);
            ends.push(bytes.len());
        }
        let names = list.iter().map(|(_, name, _)| *name).collect();
        let votes = list.iter().map(|(_, _, vote)| *vote).collect();
        Written { curve, bytes, says: Says::Operations { names, votes, ends } }
    }
}
