//! Who may win an election, as far as this node has a say in it.
//!
//! A disk that went back by less than the time between two hellos cannot be told from one that is
//! whole: nobody heard what it lost. But a peer may still hold the entries. So a node that starts
//! listens first; then, until its own log reaches what every peer that speaks has on disk, it votes
//! only for a candidate whose log does, and does not stand itself. After that it holds candidates
//! to what is known to be committed: one whose log ends before that cannot have the right to lead.
//!
//! Both only ever refuse a vote, so Raft's own rules stand untouched; and the node with the longest
//! log is never refused, so somebody can always win.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use raft_store::hello::Hello;
use raft_store::types::LogId;
use tokio::time::Instant;

use super::standing::{PeerState, Standing};

/// What this node asks of a candidate, itself included.
#[derive(Debug)]
pub struct Candidacy {
    standing: Standing,
    started: Instant,
    patience: Duration,
    listened: AtomicBool,
    rejoined: AtomicBool,
}

/// Why a candidate gets no vote here.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoVote {
    /// This node started a moment ago.
    #[error("this node started a moment ago and has not heard every other voter yet")]
    Listening,
    /// The candidate lacks entries that another node has.
    #[error("the candidate's log ends at {}, another node's reaches {required}", End(.last))]
    Behind {
        /// Where the candidate's log ends.
        last: Option<LogId>,
        /// What it must reach.
        required: LogId,
    },
}

struct End<'a>(&'a Option<LogId>);

impl fmt::Display for End<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => write!(out, "{id}"),
            None => out.write_str("nothing"),
        }
    }
}

impl Candidacy {
    /// Of a node that starts now. It listens for `patience` at the longest, which is also how long
    /// a peer counts as speaking after it was heard.
    #[must_use]
    pub fn new(standing: Standing, patience: Duration) -> Self {
        Self {
            standing,
            started: Instant::now(),
            patience,
            listened: AtomicBool::new(false),
            rejoined: AtomicBool::new(false),
        }
    }

    /// Looks whether this node, whose log is on disk up to `own`, has heard the `others` and has
    /// caught up with them. Once it has, it has for as long as it runs.
    pub fn look(&self, others: &BTreeSet<u64>, own: Option<LogId>) {
        let peers = self.standing.peers();
        let heard = |id| peers.get(id).is_some_and(|peer| peer.believed().is_some());
        if others.iter().all(heard) || self.started.elapsed() >= self.patience {
            self.listened.store(true, Ordering::Relaxed);
        }
        if self.listened.load(Ordering::Relaxed) && own >= self.durable(peers.values()) {
            self.rejoined.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a candidate whose log ends at `last` may lead.
    ///
    /// # Errors
    /// [`NoVote`].
    pub fn allows(&self, last: Option<LogId>) -> Result<(), NoVote> {
        if !self.listened.load(Ordering::Relaxed) {
            return Err(NoVote::Listening);
        }
        let peers = self.standing.peers();
        let hellos = peers.values().filter_map(PeerState::believed);
        let mut required = hellos.filter_map(|hello| hello.committed).max();
        if !self.rejoined.load(Ordering::Relaxed) {
            required = required.max(self.durable(peers.values()));
        }
        match required {
            Some(required) if last < Some(required) => Err(NoVote::Behind { last, required }),
            Some(_) | None => Ok(()),
        }
    }

    /// The furthest that a peer which speaks now has its log on disk.
    fn durable<'a>(&self, peers: impl Iterator<Item = &'a PeerState>) -> Option<LogId> {
        let speaking =
            peers.filter(|peer| peer.heard_at.is_some_and(|at| at.elapsed() < self.patience));
        speaking
            .filter_map(PeerState::believed)
            .filter_map(|hello: &Hello| hello.durable)
            .max()
    }
}

#[cfg(test)]
mod tests {
    use raft_store::folder::Folder;
    use raft_store::hello::{Boot, Disk, Power};
    use raft_store::types::Fingerprint;

    use super::*;
    use crate::peers::standing::{Greeting, Verdict};
    use crate::peers::wire::Peer;

    const PATIENCE: Duration = Duration::from_secs(3600);

    fn id(term: u64, index: u64) -> Option<LogId> {
        Some(LogId {
            leader_id: term.into(),
            index,
        })
    }

    /// Node 1, started over a new folder; the others are 2 and 3.
    struct Node {
        candidacy: Candidacy,
        _folder: Folder,
        _root: tempfile::TempDir,
    }

    impl Node {
        fn new(patience: Duration) -> Self {
            // Beside the test's own binary: a node refuses tmpfs, which /tmp often is.
            let own = std::env::current_exe().unwrap();
            let root = tempfile::tempdir_in(own.parent().unwrap()).unwrap();
            let path = root.path().join("data");
            Folder::create(&path).unwrap();
            let folder = Folder::open(&path, None).unwrap();
            let standing = Standing::new(folder.peers_memory().clone(), PATIENCE);
            Self {
                candidacy: Candidacy::new(standing, patience),
                _folder: folder,
                _root: root,
            }
        }

        fn hears(&self, peer: u64, committed: Option<LogId>, durable: Option<LogId>) {
            let key = Fingerprint([u8::try_from(peer).unwrap(); 32]);
            let boot = Boot {
                counter: 1,
                nonce: [0; 16],
            };
            let hello = Hello {
                cluster: [0; 16],
                incarnation: key,
                boot,
                committed,
                durable,
                applied: None,
                outstanding: None,
                vote: None,
                formats: vec![1],
                can_sign: std::collections::BTreeMap::new(),
                power: Power::Unknown,
                disk: Disk::Healthy,
                draining: false,
            };
            let greeting = Greeting { sequence: 1, hello };
            let verdict =
                (self.candidacy.standing).hear(Peer { id: peer, key }, [0; 16], &greeting);
            assert_eq!(verdict, Verdict::Believed);
        }

        fn looks(&self, own: Option<LogId>) {
            self.candidacy.look(&BTreeSet::from([2, 3]), own);
        }
    }

    #[test]
    fn a_node_that_starts_votes_for_nobody_before_it_has_heard_every_voter() {
        let node = Node::new(PATIENCE);
        node.looks(id(1, 5));
        assert_eq!(node.candidacy.allows(id(9, 9)), Err(NoVote::Listening));
        node.hears(2, id(1, 5), id(1, 5));
        node.looks(id(1, 5));
        assert_eq!(node.candidacy.allows(id(9, 9)), Err(NoVote::Listening));
        node.hears(3, id(1, 5), id(1, 5));
        node.looks(id(1, 5));
        assert_eq!(node.candidacy.allows(id(1, 5)), Ok(()));
    }

    #[test]
    fn a_node_that_starts_does_not_wait_for_a_dead_voter_for_ever() {
        let node = Node::new(Duration::ZERO);
        node.looks(None);
        assert_eq!(node.candidacy.allows(None), Ok(()));
    }

    /// R11: node 1's disk went back to entry 5 unseen, node 3 lags there too, and only node 2 holds
    /// entry 6, which it does not even know to be committed.
    #[test]
    fn a_node_that_starts_with_a_shorter_log_lets_nobody_win_who_lacks_what_a_peer_holds() {
        let node = Node::new(PATIENCE);
        node.hears(2, id(1, 5), id(1, 6));
        node.hears(3, id(1, 5), id(1, 5));
        node.looks(id(1, 5));
        let (last, required) = (id(1, 5), id(1, 6).unwrap());
        assert_eq!(
            node.candidacy.allows(last),
            Err(NoVote::Behind { last, required })
        );
        assert_eq!(node.candidacy.allows(id(1, 6)), Ok(()), "node 2 may win");
    }

    #[test]
    fn a_node_that_caught_up_holds_candidates_to_what_is_committed() {
        let node = Node::new(PATIENCE);
        node.hears(2, id(1, 5), id(1, 7));
        node.hears(3, id(1, 4), id(1, 4));
        node.looks(id(1, 7));
        assert_eq!(node.candidacy.allows(id(1, 5)), Ok(()));
        let (last, required) = (id(1, 4), id(1, 5).unwrap());
        assert_eq!(
            node.candidacy.allows(last),
            Err(NoVote::Behind { last, required })
        );
    }
}
