//! Any bytes, for a key of any curve: refused, or decoded to fields that are written back as exactly
//! those bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tezos::payload::Payload;
use tezos::{Curve, Digest};

fuzz_target!(|message: &[u8]| {
    for curve in Curve::ALL {
        match Payload::decode(*curve, message.to_vec()) {
            Ok(payload) => {
                assert_eq!(payload.encode(), message, "two spellings of one message");
                assert_eq!(payload.message(), message);
                assert_eq!(payload.digest(), Digest::of(message));
            }
            Err(refused) => assert!(!refused.to_string().is_empty()),
        }
    }
});
