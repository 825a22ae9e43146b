//! What nodes tell each other twice a second, and what a node remembers of its peers.
//!
//! A disk that went back in time, or a copy that runs beside the original, cannot know it: its own
//! files are intact. Its peers know it. This file judges; who stores and who asks is elsewhere.

use std::{cmp::Ordering, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use tezos::PublicKeyHash;

use crate::{
    codec::as_wire,
    mutant::{self, Mutant},
    types::{Fingerprint, LogId, Vote},
};

/// One start of a node: counted and fsynced before anything else is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// How often this folder was opened.
    pub counter: u64,
    /// Drawn at each start: two copies of one folder count alike, and draw differently.
    pub nonce: [u8; 16],
}

/// What feeds the machine, as far as it is known. A dead driver is [`Power::Unknown`], never mains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Power {
    /// Nobody says.
    #[default]
    Unknown,
    /// Mains.
    Mains,
    /// A battery: hand over and drain.
    Battery,
    /// A battery about to end: stop cleanly.
    LowBattery,
}

/// How the disk does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disk {
    /// Nothing to report.
    #[default]
    Healthy,
    /// Fsyncs take longer than the times in the config allow for.
    Slow,
    /// Little room is left.
    Full,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The cluster it was bound to.
    pub cluster: [u8; 16],
    /// The fingerprint of its key.
    pub incarnation: Fingerprint,
    /// Its current start.
    pub boot: Boot,
    /// The last entry it knows to be committed **and** has itself made durable. It must never
    /// un-have it: [`PeerMemory::judge`] holds it to this. `RocksLog::reached` gives it.
    #[serde(with = "as_wire")]
    pub committed: Option<LogId>,
    /// The last entry of its log that is durable. May fall: an uncommitted tail may be truncated.
    #[serde(with = "as_wire")]
    pub durable: Option<LogId>,
    /// The index of the last entry it applied.
    pub applied: Option<u64>,
    /// The lowest log index of a grant or permit that it has not spent yet.
    pub outstanding: Option<u64>,
    /// Its vote, durable.
    #[serde(with = "as_wire")]
    pub vote: Option<Vote>,
    /// The command formats that it can read.
    pub formats: Vec<u16>,
    /// Per enrolled key, whether it could sign with it now.
    pub can_sign: BTreeMap<PublicKeyHash, bool>,
    /// What feeds it.
    pub power: Power,
    /// How its disk does.
    pub disk: Disk,
    /// Whether it is on its way out and wants no leadership.
    pub draining: bool,
}

/// The highest a node ever saw of one peer. Each node keeps one per peer id, and keeps it through
/// restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerMemory {
    incarnation: Option<Fingerprint>,
    boot: Option<Boot>,
    #[serde(with = "as_wire")]
    vote: Option<Vote>,
    #[serde(with = "as_wire")]
    committed: Option<LogId>,
}

/// Why a peer must not be believed: its disk forgot something, or is not the only one of its name.
///
/// **Invariant:** a lower *committed* id is no reason. That marker is not fsynced; only a durable
/// log that ends before what was once claimed is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Suspect {
    /// The peer's id speaks with another key.
    #[error("incarnation is {now}, it was {before}: the node was made anew under an old id")]
    Incarnation {
        /// The remembered fingerprint.
        before: Fingerprint,
        /// The one claimed.
        now: Fingerprint,
    },
    /// The folder is older than one that was opened before.
    #[error("boot counter is {now}, it was {before}: its data folder was restored or copied")]
    Counter {
        /// The highest seen.
        before: u64,
        /// The one claimed.
        now: u64,
    },
    /// Two processes count the same start.
    #[error("boot {counter} comes with two nonces: two copies of its data folder are running")]
    Clone {
        /// The count both claim.
        counter: u64,
    },
    /// A vote was forgotten.
    #[error("vote is {now}, it was {before}: its data folder was restored")]
    Vote {
        /// The highest seen.
        before: String,
        /// The one claimed.
        now: String,
    },
    /// Committed entries were forgotten.
    #[error("durable log ends at {now}, it had {before} committed: its data folder was restored")]
    Log {
        /// The highest committed id it ever claimed.
        before: String,
        /// Where its durable log ends now.
        now: String,
    },
}

impl PeerMemory {
    /// Compares a hello with what is remembered, and remembers the higher of both.
    ///
    /// A suspect hello changes nothing: a restored peer must not become credible by repeating
    /// itself.
    ///
    /// # Errors
    /// The first reason not to believe the peer.
    pub fn judge(&mut self, hello: &Hello) -> Result<(), Suspect> {
        if self.lets_go_of_the_past(hello) {
            let incarnation = self.incarnation;
            *self = Self {
                incarnation,
                ..Self::default()
            };
        }
        self.suspect(hello).map_or(Ok(()), Err)?;
        self.incarnation = Some(hello.incarnation);
        self.boot = Some(hello.boot);
        self.vote = hello.vote;
        self.committed = self.committed.max(hello.committed);
        Ok(())
    }

    /// Whether a hello is held to nothing that an earlier start said. None is.
    fn lets_go_of_the_past(&self, hello: &Hello) -> bool {
        let another = self.boot.is_some_and(|boot| boot != hello.boot);
        // Nothing but the membership that it was formed with.
        let is_new = hello.durable.is_none_or(|durable| durable.index == 0);
        let forgiving =
            mutant::active(Mutant::OlderDiskAccepted) || mutant::active(Mutant::CloneAccepted);
        (another && forgiving) || (is_new && mutant::active(Mutant::WipedDiskAccepted))
    }

    fn suspect(&self, hello: &Hello) -> Option<Suspect> {
        self.other_incarnation(hello)
            .or_else(|| self.older_boot(hello.boot))
            .or_else(|| self.lower_vote(hello.vote))
            .or_else(|| self.shorter_log(hello.durable))
    }

    fn other_incarnation(&self, hello: &Hello) -> Option<Suspect> {
        let before = self.incarnation?;
        let now = hello.incarnation;
        (before != now).then_some(Suspect::Incarnation { before, now })
    }

    fn older_boot(&self, now: Boot) -> Option<Suspect> {
        let before = self.boot?;
        match now.counter.cmp(&before.counter) {
            Ordering::Less => Some(Suspect::Counter {
                before: before.counter,
                now: now.counter,
            }),
            Ordering::Equal if now.nonce != before.nonce => Some(Suspect::Clone {
                counter: now.counter,
            }),
            Ordering::Equal | Ordering::Greater => None,
        }
    }

    fn lower_vote(&self, now: Option<Vote>) -> Option<Suspect> {
        let before = self.vote?;
        (!covers(now, before)).then(|| Suspect::Vote {
            before: before.to_string(),
            now: now.map_or_else(|| "none".to_owned(), |vote| vote.to_string()),
        })
    }

    fn shorter_log(&self, durable: Option<LogId>) -> Option<Suspect> {
        let before = self.committed?;
        (!holds(durable, before)).then(|| Suspect::Log {
            before: before.to_string(),
            now: durable.map_or_else(|| "nothing".to_owned(), |id| id.to_string()),
        })
    }
}

/// Whether a log that ends at `last` still holds the entry `id`, which was committed. Both the
/// order of ids and the index must say so: a restored log may have gone on under a later term.
pub(crate) fn holds(last: Option<LogId>, id: LogId) -> bool {
    last.is_some_and(|last| last.index >= id.index && last >= id)
}

/// Whether a vote is at least another. Two votes of one term for different nodes are neither: that
/// cannot come from one history either.
pub(crate) fn covers(now: Option<Vote>, before: Vote) -> bool {
    let order = now.and_then(|now| now.partial_cmp(&before));
    matches!(order, Some(Ordering::Equal | Ordering::Greater))
}
