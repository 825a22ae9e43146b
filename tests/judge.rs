//! The judge: at most one message and one signature for each key, chain, kind and slot.
//!
//! **Invariant:** it reads the slot out of the bytes by itself, at the offsets of octez
//! (`octez-signer`'s own way), and shares no code with the decoder that it judges.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tezos::{PublicKeyHash, Signature};

/// What one signature stands for: key, chain, magic byte, level and round.
type Place = (PublicKeyHash, [u8; 4], u8, u32, u32);

#[derive(Debug, Default)]
pub(crate) struct Judge(Mutex<BTreeMap<Place, (Vec<u8>, Signature)>>);

impl Judge {
    /// Takes a released signature into account.
    ///
    /// Panics if it is the second message, or the second signature, of its place.
    pub(crate) fn saw(&self, key: PublicKeyHash, message: &[u8], signature: &Signature) {
        let place = place(key, message);
        let mut released = self.0.lock().unwrap();
        let first = released
            .entry(place)
            .or_insert_with(|| (message.to_vec(), signature.clone()));
        assert_eq!(
            first.0, message,
            "P1: a second message was signed at {place:?}"
        );
        assert_eq!(
            &first.1, signature,
            "P2: a second signature was released at {place:?}"
        );
    }

    /// How many places have a signature.
    pub(crate) fn places(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

fn place(key: PublicKeyHash, message: &[u8]) -> Place {
    let four =
        |from: usize| -> [u8; 4] { message.get(from..).unwrap().first_chunk().copied().unwrap() };
    let number = |from: usize| u32::from_be_bytes(four(from));
    let magic = *message.first().unwrap();
    let (level, round) = match (magic, message.get(37)) {
        // The round is the last item of the fitness, whose length stands at byte 83.
        (0x11, _) => (number(5), number(83 + usize::try_from(number(83)).unwrap())),
        (0x12 | 0x13, Some(20 | 21 | 23)) => (number(40), number(44)),
        (0x12 | 0x13, Some(40 | 41)) => (number(38), number(42)),
        other => panic!("no consensus message of this protocol: {other:?}"),
    };
    (key, four(1), magic, level, round)
}
