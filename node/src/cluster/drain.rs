//! When an operator's command is drained: no grant from before it is alive anywhere.

use std::collections::BTreeMap;
use std::time::Duration;

use raft_store::ground::Ground;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::Cluster;

/// Whether every voter has applied an entry and holds no grant from before it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Drained {
    /// The nodes that have not, or were not heard, and why. Empty: it is drained.
    pub waiting: BTreeMap<u64, Waiting>,
}

/// Why a node is waited for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Waiting {
    /// It was not heard since; it may be cut off with a grant in its hand.
    NotHeard,
    /// It has not applied the entry.
    Behind {
        /// What it has applied.
        applied: Option<u64>,
    },
    /// It still holds a grant from an entry before.
    Granted {
        /// The lowest entry that such a grant may come from.
        outstanding: u64,
    },
}

impl Drained {
    /// Whether nobody is waited for.
    #[must_use]
    pub fn done(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl<G: Ground> Cluster<G> {
    /// Waits until every voter has applied the entry at `index` and holds no grant from before it,
    /// or until `deadline`; then says who has not.
    pub async fn drained(&self, index: u64, deadline: Instant) -> Drained {
        loop {
            let drained = self.drained_now(index);
            if drained.done() || Instant::now() >= deadline {
                return drained;
            }
            // Hellos come twice a second; this node's own grants end at any time.
            let soon = Instant::now().checked_add(Duration::from_millis(50));
            sleep_until(soon.unwrap_or(deadline).min(deadline)).await;
        }
    }

    fn drained_now(&self, index: u64) -> Drained {
        let view = self.0.view.borrow().clone();
        let Some(ledger) = self.ledger() else {
            return Drained {
                waiting: BTreeMap::from([(0, Waiting::NotHeard)]),
            };
        };
        // Before the first membership is known everybody may hold a grant of it.
        let members = view.members.keys();
        let waiting = members.filter(|id| view.voters.is_empty() || view.voters.contains(id));
        let waiting = waiting.filter_map(|id| {
            let waiting = if Some(*id) == view.me {
                let applied = ledger.state().applied().map(|id| id.index);
                judge(index, applied, ledger.outstanding())
            } else {
                match view.peers.get(id).and_then(|peer| peer.hello.as_ref()) {
                    Some(hello) => judge(index, hello.applied, hello.outstanding),
                    None => Some(Waiting::NotHeard),
                }
            };
            Some((*id, waiting?))
        });
        Drained {
            waiting: waiting.collect(),
        }
    }
}

/// `outstanding` must have been read after `applied`: a grant that is made later comes from a later
/// entry.
fn judge(index: u64, applied: Option<u64>, outstanding: Option<u64>) -> Option<Waiting> {
    if applied.is_none_or(|applied| applied < index) {
        return Some(Waiting::Behind { applied });
    }
    let outstanding = outstanding.filter(|outstanding| *outstanding <= index)?;
    Some(Waiting::Granted { outstanding })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_drained_once_it_applied_the_entry_and_let_go_of_what_came_before() {
        assert_eq!(judge(7, Some(7), None), None);
        assert_eq!(
            judge(7, Some(9), Some(8)),
            None,
            "a grant from after the entry"
        );
        assert_eq!(
            judge(7, Some(9), Some(7)),
            Some(Waiting::Granted { outstanding: 7 })
        );
        assert_eq!(
            judge(7, Some(6), None),
            Some(Waiting::Behind { applied: Some(6) })
        );
        assert_eq!(
            judge(7, None, None),
            Some(Waiting::Behind { applied: None })
        );
    }
}
