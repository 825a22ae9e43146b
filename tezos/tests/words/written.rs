//! Writes messages from the tables of the Octez encodings, without a line of the crate under test,
//! and makes all kinds of them for the properties.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tezos::{BallotVote, Curve, OperationName};

/// A message, and what decoding must say of it.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) curve: Curve,
    pub(crate) bytes: Vec<u8>,
    pub(crate) says: Says,
}

#[derive(Clone, Debug)]
pub(crate) enum Says {
    Slot {
        magic: u8,
        chain: [u8; 4],
        level: u32,
        round: u32,
        bls_mode: bool,
    },
    Operations {
        names: Vec<OperationName>,
        votes: Vec<Option<BallotVote>>,
        ends: Vec<usize>,
    },
}

/// A level or a round: any, with the bounds often.
pub(crate) fn height() -> impl Strategy<Value = u32> {
    const MOST: u32 = 2_147_483_647;
    prop_oneof![2 => Just(0), 1 => Just(MOST), 2 => 0..16_u32, 4 => 0..=MOST]
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn item(number: u32) -> Vec<u8> {
    sized(&number.to_be_bytes())
}

fn optional(bytes: Option<Vec<u8>>) -> Vec<u8> {
    match bytes {
        None => vec![0x00],
        Some(bytes) => [vec![0xff], bytes].concat(),
    }
}

pub(crate) fn any_curve() -> impl Strategy<Value = Curve> {
    proptest::sample::select(Curve::ALL)
}

fn ecdsa_or_ed25519() -> impl Strategy<Value = Curve> {
    proptest::sample::select(&[Curve::Ed25519, Curve::Secp256k1, Curve::P256][..])
}

prop_compose! {
    pub(crate) fn fitness(level: u32, round: u32)(
        locked in option::of(0..round.max(1)),
        predecessor_round in height(),
    ) -> Vec<u8> {
        let locked = locked.filter(|_| round > 0);
        let items = [
            sized(&[2]),
            item(level),
            locked.map_or_else(|| sized(&[]), item),
            item(u32::MAX - predecessor_round),
            item(round),
        ];
        sized(&items.concat())
    }
}

prop_compose! {
    fn slot_and_fitness()(level in height(), round in height())(
        fitness in fitness(level, round),
        payload_round in 0..=round,
        level in Just(level),
        round in Just(round),
    ) -> (u32, u32, Vec<u8>, u32) {
        (level, round, fitness, payload_round)
    }
}

prop_compose! {
    pub(crate) fn block()(
        curve in any_curve(),
        chain in any::<[u8; 4]>(),
        (level, round, fitness, payload_round) in slot_and_fitness(),
        protocol_level in any::<u8>(),
        predecessor in any::<[u8; 32]>(),
        timestamp in any::<[u8; 8]>(),
        passes in any::<u8>(),
        hashes in any::<[[u8; 32]; 3]>(),
        proof_of_work in any::<[u8; 8]>(),
        nonce in option::of(any::<[u8; 32]>()),
        votes in any::<u8>(),
    ) -> Written {
        let [operations, context, payload] = hashes;
        let bytes = [
            &[0x11][..],
            &chain,
            &level.to_be_bytes(),
            &[protocol_level],
            &predecessor,
            &timestamp,
            &[passes],
            &operations,
            &fitness,
            &context,
            &payload,
            &payload_round.to_be_bytes(),
            &proof_of_work,
            &optional(nonce.map(Vec::from)),
            &[votes],
        ]
        .concat();
        let says = Says::Slot { magic: 0x11, chain, level, round, bls_mode: false };
        Written { curve, bytes, says }
    }
}

/// The bytes of a bitset: six bits, then seven a byte, the last one not zero.
fn dal() -> impl Strategy<Value = Vec<u8>> {
    (0..64_u8, vec(0..128_u8, 0..120)).prop_map(|(first, rest)| {
        let mut groups = vec![first];
        groups.extend(rest);
        while groups.len() > 1 && groups.last() == Some(&0) {
            groups.pop();
        }
        let last = groups.len() - 1;
        groups
            .iter_mut()
            .take(last)
            .for_each(|group| *group |= 0x80);
        groups
    })
}

prop_compose! {
    pub(crate) fn vote()(
        (magic, tag) in proptest::sample::select(
            &[(0x12, 20), (0x13, 21), (0x13, 23), (0x12, 40), (0x13, 41)][..]
        ),
    )(
        magic in Just(magic),
        tag in Just(tag),
        curve in if tag < 40 { ecdsa_or_ed25519().boxed() } else { Just(Curve::Bls12_381).boxed() },
        chain in any::<[u8; 4]>(),
        branch in any::<[u8; 32]>(),
        committee_slot in any::<u16>(),
        level in height(),
        round in height(),
        payload_hash in any::<[u8; 32]>(),
        dal in dal(),
    ) -> Written {
        let bls_mode = tag >= 40;
        let committee_slot = committee_slot.to_be_bytes();
        let bytes = [
            &[magic][..],
            &chain,
            &branch,
            &[tag],
            if bls_mode { &[] } else { &committee_slot },
            &level.to_be_bytes(),
            &round.to_be_bytes(),
            &payload_hash,
            if tag == 23 { &dal } else { &[] },
        ]
        .concat();
        Written { curve, bytes, says: Says::Slot { magic, chain, level, round, bls_mode } }
    }
}

/// One operation: its bytes and what it is.
type OneOperation = (Vec<u8>, OperationName, Option<BallotVote>);

pub(crate) fn hash() -> impl Strategy<Value = Vec<u8>> {
    (0..4_u8, any::<[u8; 20]>()).prop_map(|(tag, hash)| [&[tag][..], &hash].concat())
}

/// A natural number below 2^63, seven bits a byte.
pub(crate) fn natural(mut value: u64) -> Vec<u8> {
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

/// Any message that must decode.
pub(crate) fn any_message() -> impl Strategy<Value = Written> {
    prop_oneof![block(), vote(), operations()]
}
