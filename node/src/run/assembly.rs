//! The part of a node that signs, put together from the moment the node belongs to a cluster: for
//! the process, and for a simulation, which runs the same parts over its own disk and network.

use std::sync::Arc;

use raft_store::folder::Folder;
use raft_store::ground::Ground;

use super::member::{Member, SIGN};
use crate::api::SignerService;
use crate::cluster::Hop;
use crate::config::{SignerApi, Times};
use crate::keys::Keyring;
use crate::metrics::Metrics;
use crate::sign::{Ask, SignPath};

/// The signer of one node.
#[derive(Debug)]
pub struct Assembled<G: Ground = Folder> {
    /// What decides and signs.
    pub path: Arc<SignPath<Member<G>>>,
    /// What bakers speak to.
    pub service: Arc<SignerService<Member<G>>>,
}

impl<G: Ground> Assembled<G> {
    /// Puts the parts together, and answers from now on what peers forward. Needs a running tokio
    /// runtime.
    #[must_use]
    pub fn new(
        member: Member<G>,
        keyring: Arc<Keyring>,
        times: &Times,
        api: SignerApi,
        metrics: Arc<Metrics>,
    ) -> Self {
        let cluster = member.cluster().clone();
        let (limits, counted) = (&api.limits, Arc::clone(&metrics));
        let path = SignPath::new(member, keyring, times, limits, counted);
        let forwarded = Arc::clone(&path);
        cluster.route(SIGN, move |hop: Hop, ask: Ask| {
            let path = Arc::clone(&forwarded);
            async move { path.forwarded(ask, hop.from, hop.remaining).await }
        });
        let service = SignerService::new(Arc::clone(&path), api, metrics);
        Self { path, service }
    }
}
