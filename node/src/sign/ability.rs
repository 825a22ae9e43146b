//! Whether this node can sign what it is asked, told before a mark moves for nothing.

use std::sync::Arc;

use raft_store::state::{Key, ReleaseMode, Stamp};
use tezos::payload::Consensus;

use super::SignPath;
use super::seam::Peers;
use super::trail::Trail;
use crate::answer::{Failed, Reply};
use crate::keys::{SignFailure, Signer};

impl<P: Peers> SignPath<P> {
    /// A node without the secret would move the mark and then fail. A signature that is recorded
    /// already needs no secret.
    pub(super) fn can_answer(&self, asked: &Consensus, trail: &Trail<'_>) -> Result<(), Reply> {
        let release = match self.peers.ledger().state().keys.get(&trail.key) {
            Some(key) if !is_recorded(key, asked) => key.release,
            Some(_) | None => return Ok(()),
        };
        self.signer(trail, release).map(drop)
    }

    pub(super) fn signer(
        &self,
        trail: &Trail<'_>,
        release: ReleaseMode,
    ) -> Result<Arc<dyn Signer>, Reply> {
        let signer = self.keyring.signer(&trail.key, release);
        signer.map_err(|failure| self.cannot_sign(trail, &failure))
    }

    pub(super) fn cannot_sign(&self, trail: &Trail<'_>, failure: &SignFailure) -> Reply {
        let reason = failure.to_string();
        Failed::CannotSign {
            key: trail.key,
            node: self.peers.me(),
            reason,
            elsewhere: self.peers.would_hand_over(&trail.key),
        }
        .into()
    }
}

fn is_recorded(key: &Key, asked: &Consensus) -> bool {
    key.marks
        .get(&(asked.chain(), asked.kind()))
        .is_some_and(|mark| {
            let recorded = matches!(
                &mark.stamp,
                Stamp::Signed { digest, signature: Some(_) } if *digest == asked.digest()
            );
            recorded && mark.slot == asked.slot()
        })
}
