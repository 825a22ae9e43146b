//! Keys that really sign, and messages for them.

use blake2::digest::consts::{U20, U32};
use blake2::{Blake2b, Digest as _};
use judge::history::{Key, Kind, Mark, Release};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use ring::signature::KeyPair as _;

/// Mainnet: `NetXdQprcVkpaWU`.
const CHAIN: [u8; 4] = [0x7a, 0x06, 0xa7, 0x70];
pub(crate) const MAINNET: &str = "NetXdQprcVkpaWU";

/// A key of a baker, with its secret.
pub(crate) struct Baker {
    pub(crate) address: String,
    pub(crate) public_key: String,
    pub(crate) release: Release,
    secret: Secret,
}

enum Secret {
    Ed25519(Box<ring::signature::Ed25519KeyPair>),
    P256(p256::ecdsa::SigningKey),
}

impl Baker {
    /// A tz1 key, which always makes the same signature.
    pub(crate) fn tz1(seed: u8) -> Self {
        let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = pair.public_key().as_ref();
        Self {
            address: base58(&[0x06, 0xa1, 0x9f], &Blake2b::<U20>::digest(public)),
            public_key: base58(&[0x0d, 0x0f, 0x25, 0xd9], public),
            release: Release::AfterCommit,
            secret: Secret::Ed25519(Box::new(pair)),
        }
    }

    /// A tz3 key, of whose signatures each has a twin that verifies too.
    pub(crate) fn tz3(seed: u8) -> Self {
        let pair = p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap();
        let public = pair.verifying_key().to_sec1_point(true);
        Self {
            address: base58(
                &[0x06, 0xa1, 0xa4],
                &Blake2b::<U20>::digest(public.as_bytes()),
            ),
            public_key: base58(&[0x03, 0xb2, 0x8b, 0x7f], public.as_bytes()),
            release: Release::AfterRecord,
            secret: Secret::P256(pair),
        }
    }

    /// As it is enrolled, with its floor on mainnet.
    pub(crate) fn enrolled(&self, floor: i64, burnt: Vec<Mark>) -> Key {
        Key {
            key: self.address.clone(),
            public_key: self.public_key.clone(),
            release: self.release,
            floors: vec![(MAINNET.to_owned(), floor)],
            burnt,
        }
    }

    /// The signature of a message.
    pub(crate) fn sign(&self, message: &Message) -> String {
        self.sign_bytes(&message.bytes)
    }

    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> String {
        let digest = Blake2b::<U32>::digest(bytes);
        match &self.secret {
            Secret::Ed25519(pair) => {
                base58(&[0x09, 0xf5, 0xcd, 0x86, 0x12], pair.sign(&digest).as_ref())
            }
            Secret::P256(pair) => p2sig(&self.ecdsa(pair, &digest)),
        }
    }

    /// Another signature of the same message by a tz3 key: (r, n - s) of (r, s).
    pub(crate) fn twin(&self, message: &Message) -> String {
        let Secret::P256(pair) = &self.secret else {
            panic!("only tz3 has twins");
        };
        let signature = self.ecdsa(pair, &Blake2b::<U32>::digest(&message.bytes));
        let (r, s) = signature.split_scalars();
        p2sig(&p256::ecdsa::Signature::from_scalars(r, -s).unwrap())
    }

    fn ecdsa(&self, pair: &p256::ecdsa::SigningKey, digest: &[u8]) -> p256::ecdsa::Signature {
        pair.sign_prehash(digest).unwrap()
    }
}

fn p2sig(signature: &p256::ecdsa::Signature) -> String {
    base58(&[0x36, 0xf0, 0x2c, 0x34], &signature.to_bytes())
}

/// A message of a baker.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) level: i64,
    pub(crate) round: i64,
    pub(crate) bytes: Vec<u8>,
}

impl Message {
    /// An attestation at round 0. Two of one level with another `choice` are a double signing.
    pub(crate) fn attestation(level: i32, choice: u8) -> Self {
        Self::attestation_at(level, 0, choice)
    }

    pub(crate) fn attestation_at(level: i32, round: i32, choice: u8) -> Self {
        let mut bytes = vec![0x13];
        bytes.extend(CHAIN);
        bytes.extend([7; 32]);
        bytes.push(21);
        bytes.extend(3_u16.to_be_bytes());
        bytes.extend(level.to_be_bytes());
        bytes.extend(round.to_be_bytes());
        bytes.extend([choice; 32]);
        Self {
            kind: Kind::Attestation,
            level: level.into(),
            round: round.into(),
            bytes,
        }
    }

    /// A preattestation at round 0.
    pub(crate) fn preattestation(level: i32, choice: u8) -> Self {
        let mut message = Self::attestation(level, choice);
        message.kind = Kind::Preattestation;
        message.bytes[0] = 0x12;
        message.bytes[37] = 20;
        message
    }

    pub(crate) fn digits(&self) -> String {
        hex::encode(&self.bytes)
    }

    /// The mark that it leaves.
    pub(crate) fn mark(&self, baker: &Baker) -> Mark {
        Mark {
            key: baker.address.clone(),
            chain: MAINNET.to_owned(),
            kind: self.kind,
            level: self.level,
            round: self.round,
            digest: hex::encode(Blake2b::<U32>::digest(&self.bytes)),
        }
    }

    /// The mark that is left where nobody may sign it.
    pub(crate) fn burnt(&self, baker: &Baker) -> Mark {
        Mark {
            digest: String::new(),
            ..self.mark(baker)
        }
    }
}

fn base58(prefix: &[u8], bytes: &[u8]) -> String {
    let mut body = [prefix, bytes].concat();
    let once = ring::digest::digest(&ring::digest::SHA256, &body);
    let twice = ring::digest::digest(&ring::digest::SHA256, once.as_ref());
    body.extend(&twice.as_ref()[..4]);
    bs58::encode(body).into_string()
}
