//! Policy: who may ask for what, in octez-signer's order.

use raft_store::command::{Command, Enrolment};
use raft_store::policy::{self, Allowed, Denied, Request};
use raft_store::state::Role;
use tezos::payload::Payload;
use tezos::{BallotVote, Curve, Kind, OperationName, PublicKey, SecretKey, wire};

use crate::asked::{Agreed, CHAIN, OTHER_CHAIN, enrolment, listed};

fn attestation(curve: Curve, magic: u8, tag: u8) -> Vec<u8> {
    let mut bytes = vec![magic];
    bytes.extend(CHAIN.0);
    bytes.extend([7; 32]);
    bytes.push(tag);
    if curve != Curve::Bls12_381 {
        bytes.extend([0; 2]);
    }
    bytes.extend(10u32.to_be_bytes());
    bytes.extend(0u32.to_be_bytes());
    bytes.extend([9; 32]);
    bytes
}

fn ballot(vote: u8) -> Vec<u8> {
    let mut bytes = vec![0x03];
    bytes.extend([7; 32]);
    bytes.push(6);
    bytes.extend([0; 21]);
    bytes.extend(1u32.to_be_bytes());
    bytes.extend([8; 32]);
    bytes.push(vote);
    bytes
}

struct Baker {
    agreed: Agreed,
    key: PublicKey,
}

impl Baker {
    fn new(secret: &SecretKey, enrolment: Enrolment) -> Self {
        let key = secret.public_key().clone();
        let enrolment = Enrolment {
            public_key: key.clone(),
            ..enrolment
        };
        Self {
            agreed: Agreed::with(enrolment),
            key,
        }
    }

    fn request(&self, bytes: Vec<u8>) -> Request {
        let payload = Payload::decode(self.key.curve(), bytes).unwrap();
        Request {
            key: self.key.hash(),
            payload,
            authentication: None,
            version: None,
        }
    }

    fn ask(&self, request: Request) -> Result<Allowed, Denied> {
        policy::allow(&self.agreed.state, request)
    }

    fn denied(&self, request: Request) -> Denied {
        self.ask(request).expect_err("denied")
    }
}

fn tz1() -> SecretKey {
    SecretKey::generate(Curve::Ed25519).unwrap()
}

#[test]
fn a_key_that_is_not_enrolled_is_unknown() {
    let (baker, stranger) = (Baker::new(&tz1(), enrolment()), tz1());
    let request = baker.request(attestation(Curve::Ed25519, 0x13, 21));
    let request = Request {
        key: stranger.public_key().hash(),
        ..request
    };
    assert_eq!(baker.denied(request), Denied::Unknown);
}

#[test]
fn what_is_allowed_goes_to_the_ledger_by_whether_it_has_a_slot() {
    let operations = [OperationName::Ballot].into();
    let votes = [BallotVote::Yay].into();
    let baker = Baker::new(
        &tz1(),
        Enrolment {
            operations,
            votes,
            ..enrolment()
        },
    );
    let vote = baker
        .ask(baker.request(attestation(Curve::Ed25519, 0x13, 21)))
        .unwrap();
    assert!(matches!(vote, Allowed::Slotted(_)), "{vote:?}");
    let yay = baker.ask(baker.request(ballot(0))).unwrap();
    assert!(matches!(yay, Allowed::Slotless(_)), "{yay:?}");
}

#[test]
fn kinds_chains_operations_and_votes_are_allowed_by_name() {
    let kinds = [Kind::Block].into();
    let baker = Baker::new(
        &tz1(),
        Enrolment {
            kinds,
            ..enrolment()
        },
    );
    let vote = || baker.request(attestation(Curve::Ed25519, 0x13, 21));
    assert_eq!(
        baker.denied(vote()),
        Denied::KindNotAllowed {
            kind: Kind::Attestation
        }
    );
    let chains = listed(&[(OTHER_CHAIN, 0)]);
    let baker = Baker::new(
        &tz1(),
        Enrolment {
            chains,
            ..enrolment()
        },
    );
    let vote = baker.request(attestation(Curve::Ed25519, 0x13, 21));
    assert_eq!(baker.denied(vote), Denied::ChainNotAllowed { chain: CHAIN });
    let name = OperationName::Ballot;
    assert_eq!(
        baker.denied(baker.request(ballot(0))),
        Denied::OperationNotAllowed { name }
    );
    let (operations, votes) = ([name].into(), [BallotVote::Yay].into());
    let baker = Baker::new(
        &tz1(),
        Enrolment {
            operations,
            votes,
            ..enrolment()
        },
    );
    let vote = BallotVote::Nay;
    assert_eq!(
        baker.denied(baker.request(ballot(1))),
        Denied::VoteNotAllowed { vote }
    );
}

#[test]
fn any_authorized_client_may_ask_and_nobody_else() {
    let clients = [tz1(), SecretKey::generate(Curve::P256).unwrap()];
    let authorized = clients
        .iter()
        .map(|client| client.public_key().clone())
        .collect();
    let baker = Baker::new(
        &tz1(),
        Enrolment {
            authorized,
            ..enrolment()
        },
    );
    let bytes = attestation(Curve::Ed25519, 0x13, 21);
    let signed_by = |client: &SecretKey, key: &PublicKey, bytes: &[u8]| {
        let signed = wire::authentication_message(&key.hash(), bytes);
        Request {
            authentication: Some(client.sign(&signed).to_string()),
            ..baker.request(attestation(Curve::Ed25519, 0x13, 21))
        }
    };
    assert_eq!(
        baker.denied(baker.request(bytes.clone())),
        Denied::NotAuthenticated
    );
    for client in &clients {
        baker.ask(signed_by(client, &baker.key, &bytes)).unwrap();
    }
    let stranger = tz1();
    for wrong in [
        signed_by(&stranger, &baker.key, &bytes),
        signed_by(&clients[0], stranger.public_key(), &bytes),
        signed_by(
            &clients[0],
            &baker.key,
            &attestation(Curve::Ed25519, 0x12, 20),
        ),
        Request {
            authentication: Some("edsigtXomBK".to_owned()),
            ..baker.request(bytes.clone())
        },
    ] {
        assert_eq!(baker.denied(wrong), Denied::BadAuthentication);
    }
}

#[test]
fn octez_asks_for_the_key_and_the_message_before_it_asks_who_is_there() {
    let authorized = vec![tz1().public_key().clone()];
    let baker = Baker::new(
        &tz1(),
        Enrolment {
            authorized,
            ..enrolment()
        },
    );
    let name = OperationName::Ballot;
    assert_eq!(
        baker.denied(baker.request(ballot(0))),
        Denied::OperationNotAllowed { name }
    );
}

#[test]
fn a_companion_key_signs_tz4_attestations_and_nothing_else() {
    let secret = SecretKey::generate(Curve::Bls12_381).unwrap();
    let (role, kinds) = (Role::Companion, [Kind::Attestation].into());
    let baker = Baker::new(
        &secret,
        Enrolment {
            role,
            kinds,
            ..enrolment()
        },
    );
    let vote = baker.request(attestation(Curve::Bls12_381, 0x13, 41));
    baker.ask(vote).unwrap();
    let other = baker.request(attestation(Curve::Bls12_381, 0x12, 40));
    assert_eq!(baker.denied(other), Denied::CompanionSignsAttestationsOnly);
}

#[test]
fn tz4_signs_with_proofs_of_possession_only_and_the_other_curves_do_not_care() {
    let bls = SecretKey::generate(Curve::Bls12_381).unwrap();
    let baker = Baker::new(&bls, enrolment());
    let with = |version| Request {
        version,
        ..baker.request(attestation(Curve::Bls12_381, 0x13, 41))
    };
    for version in [None, Some(2), Some(3)] {
        baker.ask(with(version)).unwrap();
    }
    for version in [0, 1, 4] {
        assert_eq!(
            baker.denied(with(Some(version))),
            Denied::VersionNotSupported { version }
        );
    }
    let baker = Baker::new(&tz1(), enrolment());
    for version in 0..=3 {
        let request = baker.request(attestation(Curve::Ed25519, 0x13, 21));
        baker
            .ask(Request {
                version: Some(version),
                ..request
            })
            .unwrap();
    }
}

#[test]
fn only_bls_keys_prove_possession_and_only_of_bls_keys() {
    let bls = SecretKey::generate(Curve::Bls12_381).unwrap();
    let (tz4, tz1) = (
        Baker::new(&bls, enrolment()),
        Baker::new(&tz1(), enrolment()),
    );
    let ask = |baker: &Baker, of: Option<PublicKey>| {
        policy::allow_possession(&baker.agreed.state, baker.key.hash(), of).map(|_| ())
    };
    assert_eq!(ask(&tz4, None), Ok(()));
    assert_eq!(ask(&tz4, Some(tz1.key.clone())), Err(Denied::NoPossession));
    assert_eq!(ask(&tz1, None), Err(Denied::NoPossession));
    let unknown = policy::allow_possession(&tz1.agreed.state, tz4.key.hash(), None);
    assert_eq!(unknown.map(|_| ()).unwrap_err(), Denied::Unknown);
}

#[test]
fn p4_policy_says_nothing_about_what_an_operator_may_undo() {
    // Disabled and locked are answered by a committed entry, never from the state of one node.
    let mut baker = Baker::new(&tz1(), enrolment());
    let key = baker.key.hash();
    baker
        .agreed
        .command(Command::Disable { key, generation: 1 });
    baker.agreed.state.locked = true;
    baker
        .ask(baker.request(attestation(Curve::Ed25519, 0x13, 21)))
        .unwrap();
}
