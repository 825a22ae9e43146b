//! What the ledger decides, and what may leave the node.

use std::collections::BTreeSet;

use raft_store::command::{Command, Refusal};
use raft_store::ledger::{Decision, PermitDecision, Release};
use raft_store::policy;
use raft_store::state::ReleaseMode;
use tezos::{Level, Round, Slot};

use crate::cluster::{
    Cluster, ask, attestation, grant, noop, permit, released, slotless, slotted, soon,
};
use crate::signers::{Randomised, bls, ed25519};

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_owns_the_message_that_was_asked_for_and_is_spent_on_one_signature() {
    let (cluster, secret) = (Cluster::of(1).await, ed25519());
    let key = secret.public_key();
    cluster.enrol(key, ReleaseMode::AfterCommit).await;
    let ledger = cluster.ledger().await;
    let grant = grant(ledger, key, attestation(10, 0, 1)).await;
    assert_eq!(grant.message(), attestation(10, 0, 1));
    assert_eq!(
        (grant.key(), grant.release_mode()),
        (key, ReleaseMode::AfterCommit)
    );
    let signature = secret.sign(grant.message());
    let entry = grant.entry();
    let signed = grant.seal(signature.clone()).unwrap();
    let released = released(ledger.release(signed, soon()).await.unwrap());
    assert_eq!(
        (released.signature(), released.entry()),
        (&signature, entry)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_message_for_a_slot_is_refused_and_the_same_one_is_not() {
    let (cluster, secret) = (Cluster::of(3).await, ed25519());
    let key = secret.public_key();
    cluster.enrol(key, ReleaseMode::AfterCommit).await;
    let ledger = cluster.ledger().await;
    drop(grant(ledger, key, attestation(10, 0, 1)).await);
    let slot = Slot::new(Level::new(10).unwrap(), Round::ZERO);
    match ask(ledger, key, attestation(10, 0, 2)).await.unwrap() {
        Decision::Refused(refusal) => assert_eq!(refusal, Refusal::Conflict { slot }),
        other => panic!("not refused but {other:?}"),
    }
    drop(grant(ledger, key, attestation(10, 0, 1)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn r29_a_signature_by_another_key_or_of_another_message_is_not_sealed() {
    let (cluster, secret) = (Cluster::of(1).await, ed25519());
    let key = secret.public_key();
    cluster.enrol(key, ReleaseMode::AfterCommit).await;
    let ledger = cluster.ledger().await;
    let message = attestation(10, 0, 1);
    let wrong = [
        ed25519().sign(&message),
        secret.sign(&attestation(10, 0, 2)),
    ];
    for signature in wrong {
        let error = grant(ledger, key, message.clone())
            .await
            .seal(signature)
            .unwrap_err();
        assert_eq!(error.key, key.hash());
    }
    assert_eq!(
        ledger.outstanding(),
        None,
        "a grant is spent on failure too"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn r14_of_two_signatures_of_one_message_only_the_one_recorded_first_ever_leaves() {
    let (cluster, mut secret) = (Cluster::of(3).await, Randomised::new());
    let key = secret.public_key();
    cluster.enrol(&key, ReleaseMode::AfterRecord).await;
    let ledger = cluster.ledger().await;
    let first = grant(ledger, &key, attestation(10, 0, 1)).await;
    let second = grant(ledger, &key, attestation(10, 0, 1)).await;
    let (one, two) = (secret.sign(first.digest()), secret.sign(second.digest()));
    assert_ne!(
        one.clone().normalised(),
        two.clone().normalised(),
        "the signer is randomised"
    );
    let (first, second) = (first.seal(one.clone()).unwrap(), second.seal(two).unwrap());
    let mut left = BTreeSet::new();
    for signed in [first, second] {
        let released = released(ledger.release(signed, soon()).await.unwrap());
        left.insert(released.signature().as_raw().to_vec());
    }
    match ask(ledger, &key, attestation(10, 0, 1)).await.unwrap() {
        Decision::Replay(released) => left.insert(released.signature().as_raw().to_vec()),
        other => panic!("no replay but {other:?}"),
    };
    assert_eq!(left, BTreeSet::from([one.normalised().as_raw().to_vec()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn p2_a_signature_that_was_not_recorded_before_the_mark_moved_on_never_leaves() {
    let (cluster, mut secret) = (Cluster::of(1).await, Randomised::new());
    let key = secret.public_key();
    cluster.enrol(&key, ReleaseMode::AfterRecord).await;
    let ledger = cluster.ledger().await;
    let slow = grant(ledger, &key, attestation(10, 0, 1)).await;
    drop(grant(ledger, &key, attestation(11, 0, 2)).await);
    let signature = secret.sign(slow.digest());
    let signed = slow.seal(signature).unwrap();
    match ledger.release(signed, soon()).await.unwrap() {
        Release::Refused(Refusal::MovedOn { asked, mark }) => assert!(asked < mark),
        other => panic!("not refused but {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r25_after_a_disable_nothing_is_granted_permitted_or_recorded() {
    let (cluster, mut secret) = (Cluster::of(3).await, Randomised::new());
    let key = secret.public_key();
    cluster.enrol(&key, ReleaseMode::AfterRecord).await;
    let ledger = cluster.ledger().await;
    let held = grant(ledger, &key, attestation(10, 0, 1)).await;
    let (next, other) = (
        slotted(ledger, &key, attestation(11, 0, 1)),
        slotless(ledger, &key, noop()),
    );
    cluster
        .order(Command::Disable {
            key: key.hash(),
            generation: 1,
        })
        .await;
    let signature = secret.sign(held.digest());
    let recorded = ledger
        .release(held.seal(signature).unwrap(), soon())
        .await
        .unwrap();
    assert!(
        matches!(recorded, Release::Refused(Refusal::Disabled)),
        "{recorded:?}"
    );
    let granted = ledger.advance(next, soon()).await.unwrap();
    assert!(
        matches!(granted, Decision::Refused(Refusal::Disabled)),
        "{granted:?}"
    );
    let permitted = ledger.permit(other, soon()).await.unwrap();
    assert!(
        matches!(permitted, PermitDecision::Refused(Refusal::Disabled)),
        "{permitted:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_permitted_once_and_released_if_the_enrolled_key_signed_it() {
    let (cluster, secret) = (Cluster::of(1).await, ed25519());
    let key = secret.public_key();
    cluster.enrol(key, ReleaseMode::AfterRecord).await;
    let ledger = cluster.ledger().await;
    let first = permit(ledger, slotless(ledger, key, noop())).await;
    assert_eq!(
        (first.message(), first.is_possession()),
        (noop().as_slice(), false)
    );
    let signature = secret.sign(first.message());
    assert_eq!(
        first.seal(signature.clone()).unwrap().signature(),
        &signature
    );
    let second = permit(ledger, slotless(ledger, key, noop())).await;
    assert!(second.seal(ed25519().sign(&noop())).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_of_possession_is_sealed_in_its_own_scheme_only() {
    let (cluster, secret) = (Cluster::of(1).await, bls());
    let key = secret.public_key();
    cluster.enrol(key, ReleaseMode::AfterCommit).await;
    let ledger = cluster.ledger().await;
    let possession = || policy::allow_possession(&ledger.state(), key.hash(), None).unwrap();
    let asked = possession();
    let proof = permit(ledger, asked).await;
    assert!(proof.is_possession());
    let signature = secret.prove_possession(proof.message()).unwrap();
    assert_eq!(
        proof.seal(signature.clone()).unwrap().signature(),
        &signature
    );
    let asked = possession();
    let proof = permit(ledger, asked).await;
    let ordinary = secret.sign(proof.message());
    assert!(
        proof.seal(ordinary).is_err(),
        "a signature of the same bytes is no proof"
    );
}
