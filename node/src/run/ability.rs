//! What this node can do now: what leadership follows, and what its peers are told.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use raft_store::hello::Disk;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::cluster::{Ability, Cluster};
use crate::keys::Keyring;

/// Below this much room for this user a disk counts as full: RocksDB's next files fit into it.
const ROOM_BYTES_MIN: u64 = 64 * 1_024 * 1_024;

/// Keeps the cluster told, until it is aborted.
pub(super) async fn watch(
    cluster: Cluster,
    keyring: Arc<Keyring>,
    mut draining: watch::Receiver<bool>,
    told: watch::Sender<Ability>,
    every: Duration,
) {
    loop {
        let ability = look(&cluster, &keyring, *draining.borrow_and_update());
        cluster.set_ability(ability.clone());
        told.send_if_modified(|now| {
            let changed = *now != ability;
            *now = ability;
            changed
        });
        tokio::select! {
            () = sleep(every) => {}
            changed = draining.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

fn look(cluster: &Cluster, keyring: &Keyring, draining: bool) -> Ability {
    let mut ability = Ability {
        draining,
        disk: disk(cluster.folder().path()),
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

/// A disk that does not even say how full it is counts as full.
fn disk(folder: &Path) -> Disk {
    let room = rustix::fs::statvfs(folder).map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
    match room {
        Ok(room) if room >= ROOM_BYTES_MIN => Disk::Healthy,
        Ok(_) | Err(_) => Disk::Full,
    }
}
