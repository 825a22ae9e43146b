//! The sign path: one request, from the API to the reply.
//!
//! ```text
//!  leader?   else forward, one hop; no leader: hold for one election    Ask
//!  tezos     decode the whole message                                   Payload
//!  policy    may this be asked at all?                                  Slotted
//!  ledger    advance: a majority has fsynced the mark                   Grant
//!  keys      sign what the grant owns                                   Signed
//!  ledger    release: after_record keys commit the signature first      Released
//! ```
//!
//! Every arrow changes the type, so no step can be skipped.
//!
//! **Invariant:** nothing here decides about a slot. Authority is the committed entry that the
//! ledger turned into a grant; leadership only says whom to ask.

mod ability;
mod ask;
mod hold;
mod permission;
mod routing;
mod seam;
mod trail;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use raft_store::ledger::{Decision, PermitDecision, Release, Released};
use raft_store::policy::{self, Allowed, Slotless, Slotted};
use raft_store::state::ReleaseMode;
use tezos::Signature;
use tezos::payload::Payload;
use tokio::time::Instant;

pub use ask::{Ask, Prove, Sign};
pub use seam::{Peers, Unreached};

use crate::admission::Admission;
use crate::answer::{Refused, Reply};
use crate::config::{Limits, Times};
use crate::keys::Keyring;
use crate::metrics::{Metrics, Stage};
use hold::Hold;
use trail::Trail;

/// What signs on this node: the cluster, the secrets, and the bounds.
pub struct SignPath<P> {
    peers: P,
    keyring: Arc<Keyring>,
    admission: Admission,
    hold: Hold,
    deadline: Duration,
    metrics: Arc<Metrics>,
}

impl<P: Peers> SignPath<P> {
    /// Brings the parts together. Needs a running tokio runtime.
    pub fn new(
        peers: P,
        keyring: Arc<Keyring>,
        times: &Times,
        limits: &Limits,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let hold = Hold::new(times.hold, peers.clone());
        let admission = Admission::new(limits);
        Arc::new(Self {
            peers,
            keyring,
            admission,
            hold,
            deadline: times.deadline,
            metrics,
        })
    }

    /// Decode, allow; then with a mark or without.
    async fn sign(&self, ask: &Sign, by: Instant, trail: &mut Trail<'_>) -> Result<Reply, Reply> {
        let payload = Payload::decode(ask.key.curve(), ask.bytes.clone()).map_err(|fault| {
            Refused::Malformed {
                text: fault.to_string(),
            }
        })?;
        trail.read(&payload);
        match self.allow(ask, &payload, by, trail).await? {
            Allowed::Slotted(allowed) => self.sign_in_slot(allowed, by, trail).await,
            Allowed::Slotless(allowed) => Ok(Reply::Signed {
                signature: self.sign_without_slot(allowed, by, trail).await?,
                replayed: false,
            }),
        }
    }

    /// Advance, sign, release.
    async fn sign_in_slot(
        &self,
        allowed: Slotted,
        by: Instant,
        trail: &mut Trail<'_>,
    ) -> Result<Reply, Reply> {
        self.can_answer(allowed.consensus(), trail)?;
        let advance = self.peers.ledger().advance(allowed, by);
        let grant = match self.metrics.time(Stage::Commit, advance).await? {
            Decision::Grant(grant) => grant,
            Decision::Replay(released) => return Ok(self.let_go(&released, true, trail)),
            Decision::Refused(refusal) => return Err(trail.ruled(refusal)),
        };
        trail.entry = Some(grant.entry());
        let signer = self.signer(trail, grant.release_mode())?;
        let signed = self.metrics.time(Stage::Sign, signer.sign(grant)).await;
        let signed = signed.map_err(|failure| self.cannot_sign(trail, &failure))?;
        let release = self.peers.ledger().release(signed, by);
        match self.metrics.time(Stage::Release, release).await? {
            Release::Released(released) => Ok(self.let_go(&released, false, trail)),
            Release::Refused(refusal) => Err(trail.ruled(refusal)),
        }
    }

    /// Permit, sign. There is no mark, so nothing can be burnt.
    async fn sign_without_slot(
        &self,
        allowed: Slotless,
        by: Instant,
        trail: &mut Trail<'_>,
    ) -> Result<Signature, Reply> {
        let permit = self.peers.ledger().permit(allowed, by);
        let permit = match self.metrics.time(Stage::Commit, permit).await? {
            PermitDecision::Permit(permit) => permit,
            PermitDecision::Refused(refusal) => return Err(trail.ruled(refusal)),
        };
        trail.entry = Some(permit.entry());
        // Nothing is recorded for a message without a slot, so either kind of backend may sign it.
        let signer = self.signer(trail, ReleaseMode::AfterRecord)?;
        let released = self.metrics.time(Stage::Sign, signer.permit(permit)).await;
        let released = released.map_err(|failure| self.cannot_sign(trail, &failure))?;
        trail.released(&released, false, self.peers.ledger().witness());
        Ok(released.signature().clone())
    }

    /// The signature is on its way to the baker.
    fn let_go(&self, released: &Released, replayed: bool, trail: &mut Trail<'_>) -> Reply {
        trail.released(released, replayed, self.peers.ledger().witness());
        Reply::Signed {
            signature: released.signature().clone(),
            replayed,
        }
    }

    /// Allow, permit, prove.
    async fn prove(&self, ask: &Prove, by: Instant, trail: &mut Trail<'_>) -> Result<Reply, Reply> {
        let allowed = self
            .confirmed(
                |state| policy::allow_possession(state, ask.key, ask.bls_pk.clone()),
                by,
                trail,
            )
            .await?;
        trail.digest = Some(allowed.subject().digest());
        let proof = self.sign_without_slot(allowed, by, trail).await?;
        Ok(Reply::Proven { proof })
    }
}

impl<P> fmt::Debug for SignPath<P> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SignPath")
            .field("keyring", &self.keyring)
            .finish_non_exhaustive()
    }
}
