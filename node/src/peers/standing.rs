//! Which start of each peer is believed. Nothing a peer says counts before its hello was judged.
//!
//! A restored or copied folder is intact in itself; only the peers can know that it is old. So every
//! message carries the stamp of the sender's start (its boot counter and nonce), and is accepted
//! only if exactly that start was believed: its hello was judged against what this node remembers.
//! That holds in both directions: a request of another start is refused, an answer of another start
//! (a vote, an acknowledgement) is not counted. One exchange of hellos admits both sides, whoever
//! opened the connection, so three nodes that start at once wait for one round trip and no more.
//!
//! **Invariant:** at most one start of a peer is admitted at a time, and never one with a lower boot
//! counter than an earlier one.

use std::collections::BTreeMap;
use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use raft_store::folder::PeersMemory;
use raft_store::hello::{Boot, Hello};
use raft_store::mutant::{self, Mutant};
use raft_store::types::{Fingerprint, LogId, Vote};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use super::opinion::Opinion;
use super::wire::Peer;

/// A hello and its place among the hellos of one start. Two exchanges may overtake each other; an
/// older hello must not be taken for a disk that went back.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Greeting {
    /// Counts the hellos of one start, from 1.
    pub sequence: u64,
    /// What the node says of itself.
    pub hello: Hello,
}

/// What one node thinks of another after its greeting.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Verdict {
    /// This start is believed.
    Believed,
    /// An earlier start of the same node was heard a moment ago, so two processes may have its
    /// folder. The earlier one is believed as long as it speaks.
    Occupied(String),
    /// It belongs elsewhere: to another cluster, or to another key.
    Stranger(String),
    /// It forgot what it once said. Why, in words for the operator of that node.
    Suspect(String),
}

impl Verdict {
    /// Why the start is not believed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Believed => None,
            Self::Occupied(reason) | Self::Stranger(reason) | Self::Suspect(reason) => Some(reason),
        }
    }
}

/// Why a message is not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAdmitted {
    /// Its sender has not said hello since it started, or since this node did.
    #[error("node {peer} has not been judged yet since its boot {counter}: say hello first")]
    NoHello {
        /// The sender.
        peer: u64,
        /// The start it speaks for.
        counter: u64,
    },
    /// Its sender is suspect.
    #[error("node {peer} is refused: {reason}")]
    Suspect {
        /// The sender.
        peer: u64,
        /// Why.
        reason: String,
    },
}

/// What this node knows of one peer, now.
#[derive(Clone, Debug, Default)]
pub struct PeerState {
    /// The last hello that was believed.
    pub hello: Option<Hello>,
    /// When it came.
    pub heard_at: Option<Instant>,
    /// Why the peer, or a second process under its name, is not believed.
    pub suspect: Option<String>,
    /// What the peer thinks of this node.
    pub judged_us: Option<Opinion>,
    /// How long the last exchange of hellos that this node opened took.
    pub round_trip: Option<Duration>,
    /// Why the last call to the peer failed.
    pub trouble: Option<String>,
    /// The last entry that it acknowledged to this node, and the leadership it was asked under.
    acked: Option<(Vote, LogId)>,
    admitted: Option<Boot>,
    sequence: u64,
    refused: Option<Boot>,
    told: Option<(Boot, Discriminant<Verdict>)>,
}

/// What this node holds of all its peers. Cheap to clone.
#[derive(Clone)]
pub struct Standing(Arc<Inner>);

struct Inner {
    memory: PeersMemory,
    presence: Duration,
    peers: Mutex<BTreeMap<u64, PeerState>>,
    changed: watch::Sender<u64>,
    reign: OnceLock<Reign>,
}

/// The leadership this node holds and the last entry it knows to be committed, or none if it does
/// not lead.
pub type Reign = Box<dyn Fn() -> Option<(Vote, Option<LogId>)> + Send + Sync>;

impl fmt::Debug for Standing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self.lock().iter()).finish()
    }
}

impl Standing {
    /// Nobody is believed yet. What is remembered of earlier starts is in `memory`. A peer that
    /// was heard within `presence` counts as alive.
    #[must_use]
    pub fn new(memory: PeersMemory, presence: Duration) -> Self {
        let (peers, changed) = (Mutex::default(), watch::Sender::new(0));
        Self(Arc::new(Inner {
            memory,
            presence,
            peers,
            changed,
            reign: OnceLock::new(),
        }))
    }

    /// Judges a greeting that came over a connection of `peer`, and remembers it.
    pub fn hear(&self, peer: Peer, cluster: [u8; 16], greeting: &Greeting) -> Verdict {
        let mut peers = self.lock();
        let state = peers.entry(peer.id).or_default();
        let hello = &greeting.hello;
        // Exchanges run in both directions at once, so an older hello may come after a newer one.
        if state.admitted == Some(hello.boot) && greeting.sequence <= state.sequence {
            return Verdict::Believed;
        }
        let verdict = self.verdict(state, peer, cluster, hello);
        let news = state.told.replace((hello.boot, discriminant(&verdict)));
        let news = news != state.told;
        match verdict.reason() {
            None => state.believe(greeting),
            Some(reason) => state.refuse(hello.boot, reason),
        }
        drop(peers);
        let (peer, boot) = (peer.id, hello.boot.counter);
        match verdict.reason() {
            Some(reason) if news => tracing::error!(peer, boot, "peer refused: {reason}"),
            None if news => tracing::info!(peer, boot, "peer believed"),
            Some(_) | None => {}
        }
        self.announce();
        verdict
    }

    fn verdict(&self, state: &PeerState, peer: Peer, cluster: [u8; 16], hello: &Hello) -> Verdict {
        if let Err(reason) = belongs(peer, cluster, hello) {
            return Verdict::Stranger(reason);
        }
        if let Some(reason) = state.occupied(hello.boot, self.0.presence) {
            return Verdict::Occupied(reason);
        }
        // A start that is believed is one process, which forgets nothing: its hello may merely have
        // been overtaken by an acknowledgement of its own. Only another start is held to those.
        if state.admitted != Some(hello.boot) {
            let reign = self.0.reign.get().and_then(|reign| reign());
            self.remember_acknowledged(state, peer.id, reign);
            if let Some(reason) = state.forgot(hello, reign) {
                return Verdict::Suspect(reason);
            }
        }
        match self.0.memory.judge(peer.id, hello) {
            Ok(()) => Verdict::Believed,
            Err(why) => Verdict::Suspect(why.to_string()),
        }
    }

    /// A leader knows more of a peer than its last hello said: what it acknowledged since. So a disk
    /// that went back by less than the time between two hellos is noticed too.
    fn remember_acknowledged(
        &self,
        state: &PeerState,
        peer: u64,
        reign: Option<(Vote, Option<LogId>)>,
    ) {
        let (Some((vote, acked)), Some((now, Some(committed)))) = (state.acked, reign) else {
            return;
        };
        let Some(hello) = state.hello.as_ref().filter(|_| vote == now) else {
            return;
        };
        // Both are in this leader's log, which only grows while it leads: the lower one is
        // committed, and the peer has it on disk.
        let reached = Some(acked.min(committed));
        let mut more = hello.clone();
        more.committed = more.committed.max(reached);
        more.durable = more.durable.max(reached);
        if more != *hello && self.0.memory.judge(peer, &more).is_err() {
            tracing::warn!(peer, "what the peer acknowledged contradicts its hello");
        }
    }

    /// Notes that a peer acknowledged, under the leadership `vote`, to have `last` on disk.
    pub fn acknowledged(&self, peer: u64, vote: Vote, last: LogId) {
        let mut peers = self.lock();
        let state = peers.entry(peer).or_default();
        let before = state.acked.filter(|(before, _)| *before == vote);
        state.acked = Some((vote, before.map_or(last, |(_, before)| before.max(last))));
    }

    /// Names the source of what this node leads with; once, when it joins its cluster.
    pub fn reigns(&self, reign: Reign) {
        self.0.reign.set(reign).ok();
    }

    /// Whether a message with this stamp, of this peer, counts.
    ///
    /// # Errors
    /// Why it does not, in the words that the sender is answered with.
    pub fn admits(&self, peer: u64, boot: Boot) -> Result<(), NotAdmitted> {
        let peers = self.lock();
        let state = peers.get(&peer);
        if state.is_some_and(|state| state.admitted == Some(boot)) {
            return Ok(());
        }
        let suspect = state.filter(|state| state.refused == Some(boot));
        match suspect.and_then(|state| state.suspect.clone()) {
            Some(reason) => Err(NotAdmitted::Suspect { peer, reason }),
            None => Err(NotAdmitted::NoHello {
                peer,
                counter: boot.counter,
            }),
        }
    }

    /// Whether some start of the peer is believed, so that it makes sense to call it.
    #[must_use]
    pub fn knows(&self, peer: u64) -> bool {
        self.lock()
            .get(&peer)
            .is_some_and(|state| state.admitted.is_some())
    }

    /// Notes what a peer thinks of this node, and how long it took to hear it.
    pub fn judged_by(&self, peer: u64, verdict: Verdict, round_trip: Duration) {
        let mut peers = self.lock();
        let state = peers.entry(peer).or_default();
        state.trouble = None;
        state.round_trip = Some(round_trip);
        let opinion = Opinion::now(verdict, state.judged_us.take(), self.0.presence);
        let news = !opinion.is_old();
        state.judged_us = Some(opinion);
        drop(peers);
        if news {
            self.announce();
        }
    }

    /// Notes why a call to a peer failed.
    pub fn troubled(&self, peer: u64, trouble: String) {
        self.lock().entry(peer).or_default().trouble = Some(trouble);
    }

    fn announce(&self) {
        self.0
            .changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Everything that is known of the peers now.
    #[must_use]
    pub fn peers(&self) -> BTreeMap<u64, PeerState> {
        self.lock().clone()
    }

    /// Changes whenever a hello was judged.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, PeerState>> {
        self.0.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PeerState {
    /// The last hello of the start that is admitted now.
    #[must_use]
    pub fn believed(&self) -> Option<&Hello> {
        let hello = self.hello.as_ref()?;
        (self.admitted == Some(hello.boot)).then_some(hello)
    }

    /// Two processes of one folder: the one that was there first stays, as long as it speaks and
    /// has not said that it is leaving. The other is judged once the first has been silent.
    fn occupied(&self, boot: Boot, presence: Duration) -> Option<String> {
        let earlier = self.admitted.filter(|&earlier| earlier != boot)?;
        let (hello, heard_at) = (self.hello.as_ref()?, self.heard_at?);
        let silent = heard_at.elapsed();
        if mutant::active(Mutant::CloneAccepted) {
            return None;
        }
        (silent < presence && !hello.draining && boot.counter > earlier.counter).then(|| {
            format!(
                "boot {} of this node was heard {} ms ago, this is boot {}: a copy of its data \
                 folder may be running",
                earlier.counter,
                silent.as_millis(),
                boot.counter
            )
        })
    }

    /// A peer that still holds this leader's vote has truncated nothing, so what it acknowledged
    /// must be there, committed or not. (Openraft takes a follower that lost such an entry for a
    /// broken invariant, and would end this leader.)
    fn forgot(&self, hello: &Hello, reign: Option<(Vote, Option<LogId>)>) -> Option<String> {
        let ((vote, acked), (now, _)) = (self.acked?, reign?);
        let falls = vote == now && hello.vote == Some(now) && hello.durable < Some(acked);
        let falls = falls && !mutant::active(Mutant::OlderDiskAccepted);
        falls.then(|| {
            let ends = hello.durable.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
            format!(
                "durable log ends at {ends}, it had acknowledged {acked}: its data folder was restored"
            )
        })
    }

    fn believe(&mut self, greeting: &Greeting) {
        let boot = greeting.hello.boot;
        self.admitted = Some(boot);
        self.sequence = greeting.sequence;
        self.hello = Some(greeting.hello.clone());
        self.heard_at = Some(Instant::now());
        // Of two processes under one name the other stays on the screen until this one is newer.
        let settled = |refused: Boot| refused == boot || refused.counter < boot.counter;
        if self.refused.is_none_or(settled) {
            self.refused = None;
            self.suspect = None;
        }
    }

    /// **Invariant:** refusing one start does not admit, and does not put out, another one.
    fn refuse(&mut self, boot: Boot, reason: &str) {
        if self.admitted == Some(boot) {
            self.admitted = None;
        }
        self.refused = Some(boot);
        self.suspect = Some(reason.to_owned());
    }
}

/// What the connection and the binding say of a hello, before anything remembered does.
fn belongs(peer: Peer, cluster: [u8; 16], hello: &Hello) -> Result<(), String> {
    if hello.cluster != cluster {
        let (ours, theirs) = (hex::encode(cluster), hex::encode(hello.cluster));
        return Err(format!(
            "it belongs to cluster {theirs}, this node to {ours}"
        ));
    }
    let key: Fingerprint = peer.key;
    if hello.incarnation != key {
        let claimed = hello.incarnation;
        return Err(format!(
            "its hello names the key {claimed}, but it connected with {key}"
        ));
    }
    Ok(())
}
