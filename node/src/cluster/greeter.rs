//! Says hello to every peer, twice a second; to a peer that is not believed yet, as often as a
//! heartbeat; and to all at once when what this node can do has changed: whether a leader without
//! its token has somebody to hand over to depends on what it heard last. One exchange lets both
//! sides judge, so it does not matter who reaches whom.

use std::collections::BTreeMap;
use std::sync::Arc;

use raft_store::codec::{self, MAX_FRAME};
use raft_store::ground::Ground;
use raft_store::runtime::within;
use raft_store::types::Member;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::member::Consensus;
use super::{Inner, Stop, presence};
use crate::peers::FORMAT;
use crate::peers::endpoint::Greeted;
use crate::peers::standing::Verdict;
use crate::peers::wire::{Message, Peer};

/// Runs until it is aborted.
pub(super) async fn run<G: Ground>(inner: Arc<Inner<G>>) {
    let Some(consensus) = inner.consensus.get() else {
        return;
    };
    let mut tick = interval(inner.times.heartbeat);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = BTreeMap::<u64, Instant>::new();
    let mut exchanges = JoinSet::new();
    let mut ability = inner.ability.subscribe();
    loop {
        tokio::select! {
            // In this order, so that a simulation goes the same way every time.
            biased;
            // The sender is part of `inner`, which outlives this.
            _ = ability.changed() => said.clear(),
            _ = tick.tick() => {}
        }
        while exchanges.try_join_next().is_some() {}
        for (id, member) in consensus.members() {
            let known = inner.standing.knows(id);
            let every = if known {
                inner.times.hello_every
            } else {
                inner.times.heartbeat
            };
            let due = said.get(&id).is_none_or(|at| at.elapsed() >= every);
            if id != consensus.binding.me && due {
                said.insert(id, Instant::now());
                let inner = Arc::clone(&inner);
                exchanges.spawn(within(async move { inner.exchange(id, &member).await }));
            }
        }
        inner.give_way();
    }
}

impl<G: Ground> Inner<G> {
    async fn exchange(&self, id: u64, member: &Member) {
        let Some(consensus) = self.consensus.get() else {
            return;
        };
        let (known, began) = (self.standing.knows(id), Instant::now());
        match self.greet_one(consensus, id, member).await {
            Ok(verdict) => {
                self.take_to_heart(id, &verdict);
                self.standing.judged_by(id, verdict, began.elapsed());
                if !known && self.standing.knows(id) {
                    // It was away: replication need not wait for the end of its back-off.
                    consensus.raft.trigger().reset_backoff([id]).await.ok();
                }
            }
            Err(trouble) => {
                tracing::debug!(peer = id, "no hello: {trouble}");
                self.standing.troubled(id, trouble);
            }
        }
    }

    async fn greet_one(
        &self,
        consensus: &Consensus<G>,
        id: u64,
        member: &Member,
    ) -> Result<Verdict, String> {
        let message = Message {
            path: format!("/v{FORMAT}/hello"),
            headers: HeaderMap::new(),
            body: codec::encode(&self.greet(consensus)).map_err(|error| error.to_string())?,
            time: self.times.hello_every,
            limit: MAX_FRAME,
        };
        let answer = self.clients.post(id, member, message).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status != StatusCode::OK {
            let words = String::from_utf8_lossy(&answer.body);
            return Err(format!("{}: {words}", answer.status));
        }
        let Greeted { verdict, greeting } =
            codec::decode(&answer.body).map_err(|error| error.to_string())?;
        let peer = Peer {
            id,
            key: member.fingerprint,
        };
        self.standing
            .hear(peer, consensus.binding.cluster_id, &greeting);
        Ok(verdict)
    }

    /// Another process of this folder is alive, and was there first: this one goes.
    fn give_way(&self) {
        let patience = presence(&self.times).saturating_mul(4);
        for (id, peer) in self.standing.peers() {
            let Some(opinion) = peer.judged_us else {
                continue;
            };
            if let Verdict::Occupied(reason) = &opinion.verdict
                && opinion.lasted() > patience
            {
                let folder = self.folder.place();
                self.stop(Stop::foreign(format!(
                    "node {id} does not let this node in: {reason}; stop one of the two, and \
                     never start {folder} where a copy of it runs"
                )));
            }
        }
    }
}
