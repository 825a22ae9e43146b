//! How an operator knows that nothing from before a command is still on its way.

use raft_store::command::Command;
use raft_store::state::ReleaseMode;

use crate::cluster::{Cluster, attestation, grant, released, slotted, soon};
use crate::signers::ed25519;

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_outstanding_until_its_signature_has_left() {
    let (cluster, secret) = (Cluster::of(1).await, ed25519());
    let key = secret.public_key();
    cluster.enrol(key, ReleaseMode::AfterRecord).await;
    let ledger = cluster.ledger().await;
    assert_eq!(ledger.outstanding(), None);
    let grant = grant(ledger, key, attestation(10, 0, 1)).await;
    let index = grant.entry().index;
    assert_eq!(ledger.outstanding(), Some(index));
    let disabled = cluster
        .order(Command::Disable {
            key: key.hash(),
            generation: 1,
        })
        .await;
    assert!(index < disabled, "it is from before the command");
    cluster
        .order(Command::Enable {
            key: key.hash(),
            generation: 2,
        })
        .await;
    let signature = secret.sign(grant.message());
    let signed = grant.seal(signature).unwrap();
    assert_eq!(ledger.outstanding(), Some(index), "signed is not released");
    let released = released(ledger.release(signed, soon()).await.unwrap());
    assert_eq!(
        ledger.outstanding(),
        Some(index),
        "released is not answered"
    );
    drop(released);
    assert_eq!(ledger.outstanding(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_still_being_committed_counts_from_what_was_applied_before_it() {
    let (cluster, secret) = (Cluster::of(1).await, ed25519());
    let key = secret.public_key();
    cluster.enrol(key, ReleaseMode::AfterCommit).await;
    let ledger = cluster.ledger().await.clone();
    let applied = ledger.state().applied().unwrap().index;
    let asked = slotted(&ledger, key, attestation(10, 0, 1));
    let disk = &cluster.nodes[&1].disk;
    disk.hold_syncs(true);
    let asking = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.advance(asked, soon()).await }
    });
    while ledger.outstanding().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(ledger.outstanding(), Some(applied + 1));
    disk.hold_syncs(false);
    drop(asking.await.unwrap().unwrap());
    assert_eq!(ledger.outstanding(), None);
}
