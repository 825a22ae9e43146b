//! Every row of the design's table of answers, with its status and its whole text: octez prints
//! the text in the baker's log, so it is an interface.

use http_body_util::BodyExt as _;
use hyper::header;
use raft_store::command::{Excess, Refusal};
use raft_store::policy::Denied;
use tezos::{
    BallotVote, ChainId, Curve, Kind, Level, OperationName, PublicKeyHash, Round, SecretKey,
    Signature, Slot,
};

use super::*;

const KEY: &str = "tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb";

fn key() -> PublicKeyHash {
    KEY.parse().unwrap()
}

fn mainnet() -> ChainId {
    "NetXdQprcVkpaWU".parse().unwrap()
}

fn slot(level: u32, round: u32) -> Slot {
    Slot::new(Level::new(level).unwrap(), Round::new(round).unwrap())
}

fn asked() -> Asked {
    let message = Message::Consensus {
        kind: Kind::Attestation,
        chain: mainnet(),
        slot: slot(10, 0),
    };
    Asked {
        key: key(),
        message,
    }
}

fn signature() -> Signature {
    SecretKey::generate(Curve::Ed25519)
        .unwrap()
        .sign(b"a message")
}

async fn body(reply: &Reply) -> String {
    let body = reply.http().into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// The `msg` of an error trace, whose every other part is fixed.
async fn message(reply: &Reply) -> String {
    let trace: serde_json::Value = serde_json::from_str(&body(reply).await).unwrap();
    let [failure] = trace.as_array().unwrap().as_slice() else {
        panic!("{trace}")
    };
    assert_eq!(failure["kind"], "temporary");
    assert_eq!(failure["id"], "failure");
    assert_eq!(failure.as_object().unwrap().len(), 3);
    failure["msg"].as_str().unwrap().to_owned()
}

fn denied(why: Denied) -> Reply {
    Refused::Denied {
        asked: asked(),
        why,
    }
    .into()
}

fn ruled(why: Refusal) -> Reply {
    Refused::Ruled {
        asked: asked(),
        why,
    }
    .into()
}

fn rows() -> Vec<(Reply, u16, &'static str, &'static str)> {
    [
        malformed(),
        denials(),
        rulings(),
        slots(),
        outages(),
        inabilities(),
    ]
    .concat()
}

fn malformed() -> Vec<(Reply, u16, &'static str, &'static str)> {
    vec![
        (
            Refused::Malformed {
                text: "unknown layout".to_owned(),
            }
            .into(),
            400,
            "malformed",
            "unknown layout",
        ),
        (
            Refused::TooLarge {
                body_bytes_max: 131_072,
            }
            .into(),
            413,
            "too_large",
            "the request body is longer than 131072 bytes",
        ),
        (
            Refused::PlainHttp { key: key() }.into(),
            403,
            "plain_http",
            "key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb names no authorized client, and this listener serves only keys that do, since it speaks plain HTTP beyond this machine; quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb authorizes one, or give the listener a certificate",
        ),
    ]
}

fn denials() -> Vec<(Reply, u16, &'static str, &'static str)> {
    vec![
        (
            denied(Denied::Unknown),
            404,
            "unknown_key",
            "no keys for the source contract tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb: it is not enrolled; quorate key list shows what is, quorate key enrol introduces one",
        ),
        (
            denied(Denied::NotAuthenticated),
            401,
            "not_authenticated",
            "missing authentication signature field: key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb answers only clients that it authorizes; GET /authorized_keys lists them, and the client needs one in its wallet",
        ),
        (
            denied(Denied::BadAuthentication),
            403,
            "bad_authentication",
            "invalid authentication signature: it is not by a client that key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb authorizes, or not over this message; quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb changes who may ask",
        ),
        (
            denied(Denied::KindNotAllowed { kind: Kind::Block }),
            403,
            "kind",
            "magic byte 0x11 not allowed: key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb may not sign blocks; quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb changes its kinds",
        ),
        (
            denied(Denied::ChainNotAllowed { chain: mainnet() }),
            403,
            "wrong_chain",
            "chain NetXdQprcVkpaWU not allowed for key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb; quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb changes its chains",
        ),
        (
            denied(Denied::CompanionSignsAttestationsOnly),
            403,
            "companion",
            "not allowed: key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb is a companion key, which signs tz4 attestations and nothing else; quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb changes its role",
        ),
        (
            denied(Denied::OperationNotAllowed {
                name: OperationName::Transaction,
            }),
            403,
            "operation",
            "magic byte 0x03 not allowed: operation transaction is not allowed for key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb; quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb changes its operations",
        ),
        (
            denied(Denied::VoteNotAllowed {
                vote: BallotVote::Nay,
            }),
            403,
            "vote",
            "magic byte 0x03 not allowed: a ballot nay is not allowed for key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb; quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb changes its votes",
        ),
        (
            denied(Denied::VersionNotSupported { version: 1 }),
            400,
            "version",
            "signature version 1 is not supported for tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb: tz4 keys sign in the proof-of-possession scheme, version 2 or 3; use an Octez of protocol 023 or later",
        ),
        (
            denied(Denied::NoPossession),
            403,
            "no_possession",
            "Request to prove possession is not allowed: key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb is not a BLS key",
        ),
    ]
}

fn rulings() -> Vec<(Reply, u16, &'static str, &'static str)> {
    vec![
        (
            ruled(Refusal::Unknown),
            404,
            "unknown_key",
            "no keys for the source contract tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb: it is not enrolled; quorate key list shows what is, quorate key enrol introduces one",
        ),
        (
            ruled(Refusal::Disabled),
            409,
            "disabled",
            "key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb is disabled: an operator took it out of service; quorate key enable tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb takes it back in",
        ),
        (
            ruled(Refusal::Locked),
            409,
            "locked",
            "the cluster is locked: it was recovered and signs nothing until the floors of key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb are confirmed; see quorate status",
        ),
        (
            ruled(Refusal::ChainNotAllowed { chain: mainnet() }),
            403,
            "wrong_chain",
            "chain NetXdQprcVkpaWU not allowed for key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb; quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb changes its chains",
        ),
        (
            ruled(Refusal::TooManyChains { limit: 4096 }),
            403,
            "too_many_chains",
            "chain not allowed for key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb: it has marks on 4096 chains, the most one key may have; list its chains with quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb",
        ),
        (
            ruled(Refusal::KindNotAllowed {
                kind: Kind::Preattestation,
            }),
            403,
            "kind",
            "magic byte 0x12 not allowed: key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb may not sign preattestations; quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb changes its kinds",
        ),
        (
            ruled(Refusal::KindNotAllowed {
                kind: Kind::Attestation,
            }),
            403,
            "kind",
            "magic byte 0x13 not allowed: key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb may not sign attestations; quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb changes its kinds",
        ),
        (
            ruled(Refusal::OperationNotAllowed {
                name: OperationName::DrainDelegate,
            }),
            403,
            "operation",
            "magic byte 0x03 not allowed: operation drain_delegate is not allowed for key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb; quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb changes its operations",
        ),
        (
            ruled(Refusal::VoteNotAllowed {
                vote: BallotVote::Yay,
            }),
            403,
            "vote",
            "magic byte 0x03 not allowed: a ballot yay is not allowed for key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb; quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb changes its votes",
        ),
        (
            ruled(Refusal::NoPossession),
            403,
            "no_possession",
            "Request to prove possession is not allowed: key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb is not a BLS key",
        ),
    ]
}

fn slots() -> Vec<(Reply, u16, &'static str, &'static str)> {
    vec![
        (
            ruled(Refusal::BelowFloor {
                asked: slot(10, 0),
                floor: Level::new(12).unwrap(),
            }),
            409,
            "below_floor",
            "attestation level 10 below high watermark 12: the floor of key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb on NetXdQprcVkpaWU is level 12, the first level that may be signed; asked was level 10 round 0; quorate key edit tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb corrects a floor that was set too high",
        ),
        (
            ruled(Refusal::Below {
                asked: slot(10, 0),
                mark: slot(12, 3),
            }),
            409,
            "below_watermark",
            "attestation level 10 below high watermark 12 for key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb on NetXdQprcVkpaWU: asked was level 10 round 0, the mark stands at level 12 round 3 and never falls; a second baker, or one that lags, asks for what was signed before",
        ),
        (
            ruled(Refusal::Below {
                asked: slot(10, 0),
                mark: slot(10, 1),
            }),
            409,
            "below_watermark",
            "attestation level 10 and round 0 not above high watermark (10,1) for key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb on NetXdQprcVkpaWU: asked was level 10 round 0, the mark stands at level 10 round 1 and never falls; a second baker, or one that lags, asks for what was signed before",
        ),
        (
            ruled(Refusal::MovedOn {
                asked: slot(10, 0),
                mark: slot(11, 0),
            }),
            409,
            "moved_on",
            "attestation level 10 below high watermark 11 for key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb on NetXdQprcVkpaWU: asked was level 10 round 0, the mark moved on to level 11 round 0 before the signature was recorded, so it does not leave",
        ),
        (
            ruled(Refusal::Conflict { slot: slot(10, 0) }),
            409,
            "conflict",
            "attestation level 10 and round 0 already signed with different data for key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb on NetXdQprcVkpaWU: two bakers use this key, or one restarted and built another message; see the audit lines of that slot",
        ),
        (
            ruled(Refusal::Burnt { slot: slot(10, 0) }),
            409,
            "burnt",
            "attestation level 10 and round 0 not above high watermark (10,0) for key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb on NetXdQprcVkpaWU: this slot is burnt by an import, a raise or a change of release mode, and nobody may sign it; quorate key list shows the marks",
        ),
        (
            ruled(Refusal::Jump {
                asked: slot(9000, 0),
                mark: Level::new(10).unwrap(),
                limit: 1000,
            }),
            409,
            "jump",
            "attestation level 9000 too far above high watermark 10 for key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb on NetXdQprcVkpaWU: asked was level 9000 round 0, at most 1000 levels are allowed at once; if the chain is really there: quorate key raise tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb --chain NetXdQprcVkpaWU --level 8999",
        ),
        (
            ruled(Refusal::NeverGranted { slot: slot(10, 0) }),
            409,
            "never_granted",
            "key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb: level 10 round 0 was never granted",
        ),
    ]
}

fn outages() -> Vec<(Reply, u16, &'static str, &'static str)> {
    vec![
        (
            Failed::NoLeader { held_ms: 1200 }.into(),
            502,
            "no_leader",
            "no leader after waiting 1200 ms; ask again, and see which nodes are missing with: quorate cluster status",
        ),
        (
            Failed::NoLeader { held_ms: 0 }.into(),
            502,
            "no_leader",
            "no leader, and a whole election was already waited for; ask again, and see which nodes are missing with: quorate cluster status",
        ),
        (
            Failed::NotLeader { leader: Some(2) }.into(),
            502,
            "not_leader",
            "this node does not lead, node 2 does; ask again",
        ),
        (
            Failed::NotLeader { leader: None }.into(),
            502,
            "not_leader",
            "this node does not lead and knows no leader; ask again",
        ),
        (
            Failed::OutOfTime.into(),
            502,
            "out_of_time",
            "no majority answered in time, and whether it was signed is unknown; the same bytes may be asked again, and quorate cluster status shows what is slow",
        ),
        (
            Failed::Stopped {
                reason: "the log could not be fsynced".to_owned(),
            }
            .into(),
            502,
            "stopped",
            "this node has stopped: the log could not be fsynced; ask another node",
        ),
    ]
}

fn inabilities() -> Vec<(Reply, u16, &'static str, &'static str)> {
    vec![
        (
            Failed::CannotSign {
                key: key(),
                node: 3,
                reason: "no secret".to_owned(),
                elsewhere: false,
            }
            .into(),
            500,
            "cannot_sign",
            "node 3 leads and cannot sign with key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb: no secret; see what each node can sign with: quorate cluster status",
        ),
        (
            Failed::CannotSign {
                key: key(),
                node: 3,
                reason: "the token is gone".to_owned(),
                elsewhere: true,
            }
            .into(),
            502,
            "cannot_sign",
            "node 3 leads and cannot sign with key tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb, and is handing over to a node that can: the token is gone; ask again",
        ),
        (
            Failed::Overloaded {
                bound: 64,
                of_one_key: true,
            }
            .into(),
            503,
            "overloaded",
            "overloaded: 64 requests for this key are in work; ask again later",
        ),
        (
            Failed::Overloaded {
                bound: 256,
                of_one_key: false,
            }
            .into(),
            503,
            "overloaded",
            "overloaded: 256 requests are in work; ask again later",
        ),
        (
            Failed::Bug {
                place: "the sign path".to_owned(),
            }
            .into(),
            500,
            "bug",
            "a bug in the sign path: whether it was signed is unknown; the same bytes may be asked again",
        ),
    ]
}

#[tokio::test]
async fn every_refusal_and_failure_has_its_status_and_its_text() {
    for (reply, status, reason, text) in rows() {
        let response = reply.http();
        assert_eq!(response.status(), status, "{text}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(message(&reply).await, text);
        assert_eq!(reply.reason(), Some(reason), "{text}");
        let overloaded = matches!(reply, Reply::Failed(Failed::Overloaded { .. }));
        assert_eq!(
            response.headers().contains_key(header::RETRY_AFTER),
            overloaded,
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_signature_new_or_replayed_is_the_same_answer() {
    let signature = signature();
    for replayed in [false, true] {
        let reply = Reply::Signed {
            signature: signature.clone(),
            replayed,
        };
        assert_eq!(reply.http().status(), 200);
        assert_eq!(
            body(&reply).await,
            format!("{{\"signature\":\"{signature}\"}}\n")
        );
        assert_eq!(reply.reason(), None);
    }
    let proven = Reply::Proven {
        proof: signature.clone(),
    };
    assert_eq!(
        body(&proven).await,
        format!("{{\"bls_prove_possession\":\"{signature}\"}}\n")
    );
}

#[test]
fn p4_no_status_means_both_a_refusal_and_a_failure() {
    let refused = [400, 401, 403, 404, 409, 413];
    let failed = [500, 502, 503];
    for (reply, status, _, text) in rows() {
        match reply {
            Reply::Refused(_) => assert!(refused.contains(&status), "{text}"),
            Reply::Failed(_) => assert!(failed.contains(&status), "{text}"),
            Reply::Signed { .. } | Reply::Proven { .. } => panic!("{text}"),
        }
    }
}

#[test]
fn r21_a_reply_crosses_the_hop_with_its_type() {
    let signed = Reply::Signed {
        signature: signature(),
        replayed: true,
    };
    for (reply, ..) in rows().into_iter().chain([(signed, 200, "", "")]) {
        let bytes = raft_store::codec::encode(&reply).unwrap();
        assert_eq!(raft_store::codec::decode::<Reply>(&bytes).unwrap(), reply);
    }
}

#[test]
fn what_only_an_operator_is_refused_is_still_a_refusal() {
    for why in [
        Refusal::Generation {
            expected: 1,
            actual: 2,
        },
        Refusal::AlreadyEnrolled,
        Refusal::ImportIntoEnabled,
        Refusal::FloorAtMark {
            chain: mainnet(),
            floor: Level::ZERO,
            mark: slot(1, 0),
        },
        Refusal::NothingToRaise { mark: slot(1, 0) },
        Refusal::NoLevelAbove { mark: slot(1, 0) },
        Refusal::CompanionPolicy,
        Refusal::TooMany {
            what: Excess::Chains,
            count: 2,
            limit: 1,
        },
        Refusal::FormatNotAgreed {
            format: 2,
            agreed: 1,
        },
    ] {
        let reply = ruled(why);
        assert_eq!(
            (reply.http().status().as_u16(), reply.reason()),
            (409, Some("operator"))
        );
    }
}
