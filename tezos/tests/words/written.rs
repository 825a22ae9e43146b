//! Writes messages from the tables of the Octez encodings, without a line of the crate under test,
//! and makes all kinds of them for the properties.

pub(crate) mod operations;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tezos::{BallotVote, Curve, OperationName};

use operations::operations;

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
    fn fitness(level: u32, round: u32)(
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

/// Any message that must decode.
pub(crate) fn any_message() -> impl Strategy<Value = Written> {
    prop_oneof![block(), vote(), operations()]
}
