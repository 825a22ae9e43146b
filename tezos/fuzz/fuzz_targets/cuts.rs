//! Whatever decodes as a message with a slot decodes neither shorter nor longer, and no other bytes
//! have its digest.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tezos::Curve;
use tezos::payload::Payload;

fuzz_target!(|message: &[u8]| {
    for curve in Curve::ALL {
        let Ok(Payload::Consensus(whole)) = Payload::decode(*curve, message.to_vec()) else {
            continue;
        };
        for end in 0..message.len() {
            assert!(
                Payload::decode(*curve, message[..end].to_vec()).is_err(),
                "cut at {end}"
            );
        }
        for more in 0..=u8::MAX {
            let longer = [message, &[more]].concat();
            assert!(
                Payload::decode(*curve, longer).is_err(),
                "one byte longer: {more}"
            );
        }
        assert_eq!(whole.message(), message);
    }
});
