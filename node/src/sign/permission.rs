//! Policy from the agreed state, and what a denial needs before it may leave.

use raft_store::machine::StateRef;
use raft_store::policy::{self, Allowed, Denied, Request};
use tezos::payload::Payload;
use tokio::time::Instant;

use super::SignPath;
use super::ask::Sign;
use super::seam::Peers;
use super::trail::Trail;
use crate::answer::{Refused, Reply};

impl<P: Peers> SignPath<P> {
    pub(super) async fn allow(
        &self,
        ask: &Sign,
        payload: &Payload,
        by: Instant,
        trail: &Trail<'_>,
    ) -> Result<Allowed, Reply> {
        let request = || Request {
            key: ask.key,
            payload: payload.clone(),
            authentication: ask.authentication.clone(),
            version: ask.version,
        };
        let allowed = self
            .confirmed(|state| policy::allow(state, request()), by, trail)
            .await?;
        if ask.authorized_only && self.anyone_may_ask(ask) {
            return Err(Refused::PlainHttp { key: ask.key }.into());
        }
        Ok(allowed)
    }

    /// What policy allows goes on at once, since the rule looks again when the entry is applied. A
    /// denial leaves only once a majority has confirmed the state it rests on: a leader that was
    /// deposed, or elected a moment ago, may know an older one (R13, R20, P4).
    pub(super) async fn confirmed<A>(
        &self,
        allow: impl Fn(&StateRef<'_>) -> Result<A, Denied> + Sync,
        by: Instant,
        trail: &Trail<'_>,
    ) -> Result<A, Reply> {
        if let Ok(allowed) = allow(&self.peers.ledger().state()) {
            return Ok(allowed);
        }
        self.peers.ledger().confirm(by).await?;
        allow(&self.peers.ledger().state()).map_err(|why| trail.denied(why))
    }

    fn anyone_may_ask(&self, ask: &Sign) -> bool {
        let state = self.peers.ledger().state();
        state
            .keys
            .get(&ask.key)
            .is_none_or(|key| key.authorized.is_empty())
    }
}
