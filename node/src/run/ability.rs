//! What this node can do now: what leadership follows, and what its peers are told.

use std::sync::Arc;
use std::time::Duration;

use raft_store::ground::Ground;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::cluster::{Ability, Cluster};
use crate::keys::Keyring;

/// Looks `every` so often, when a token comes or goes, and when `draining` turns, and tells the cluster and `told`, until it is
/// aborted.
pub async fn watch<G: Ground>(
    cluster: Cluster<G>,
    keyring: Arc<Keyring>,
    mut draining: watch::Receiver<bool>,
    told: watch::Sender<Ability>,
    every: Duration,
) {
    let mut changes = keyring.changes();
    loop {
        changes.borrow_and_update();
        let ability = look(&cluster, &keyring, *draining.borrow_and_update());
        cluster.set_ability(ability.clone());
        told.send_if_modified(|now| {
            let changed = *now != ability;
            *now = ability;
            changed
        });
        tokio::select! {
            // In this order, so that a simulation goes the same way every time.
            biased;
            () = sleep(every) => {}
            // The keyring lives as long as this, so there is always somebody who may tell.
            _ = changes.changed() => {}
            changed = draining.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

fn look<G: Ground>(cluster: &Cluster<G>, keyring: &Keyring, draining: bool) -> Ability {
    let mut ability = Ability {
        draining,
        disk: cluster.folder().disk(),
        ..Ability::default()
    };
    if let Some(ledger) = cluster.ledger() {
        let state = ledger.state();
        let enabled = state.keys.iter().filter(|(_, key)| key.enabled);
        ability.can_sign = enabled
            .map(|(hash, key)| (*hash, keyring.signer(hash, key.release).is_ok()))
            .collect();
    }
    ability
}
