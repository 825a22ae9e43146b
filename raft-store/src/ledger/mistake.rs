//! Ways to answer an act that is not committed, for the mutants that have one.

use openraft::async_runtime::WatchReceiver as _;
use tokio::time::Instant;

use super::Ledger;
use super::propose::{Committed, Unavailable};
use crate::command::{Act, Answer, Command, Proposal};
use crate::machine::StateDisk;
use crate::mutant::{Mutant, active};
use crate::rule;
use crate::runtime;
use crate::types::EntryId;

impl<D: StateDisk> Ledger<D> {
    /// What the active mutant makes of `act`; none if it is committed as it should be.
    pub(super) async fn mistaken(
        &self,
        act: &Act,
        deadline: Instant,
    ) -> Option<Result<Committed, Unavailable>> {
        match act {
            Act::Advance(_) if active(Mutant::ReleaseBeforeCommit) && self.leads() => {
                let answer = self.decided_here(act);
                Some(Ok(self.answered_early(act, answer, deadline)))
            }
            Act::Advance(_) if active(Mutant::DecisionFromLocalState) => {
                let answer = self.decided_here(act);
                let committed = self.proposed(act.clone(), deadline).await;
                Some(committed.map(|Committed { entry, .. }| Committed { entry, answer }))
            }
            Act::Advance(_) if active(Mutant::FollowerSigns) && !self.leads() => {
                let entry = self.state().applied()?.into();
                let answer = self.decided_here(act);
                Some(Ok(Committed { entry, answer }))
            }
            Act::Command(Command::Disable { generation, .. })
                if active(Mutant::DisableAnsweredBeforeCommitted) && self.leads() =>
            {
                let generation = generation.saturating_add(1);
                let answer = Answer::Applied { generation };
                Some(Ok(self.answered_early(act, answer, deadline)))
            }
            Act::Advance(_) | Act::Record(_) | Act::Permit(_) | Act::Command(_) => None,
        }
    }

    fn leads(&self) -> bool {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.current_leader == Some(metrics.id)
    }

    /// What the rule says to the state as it is now.
    fn decided_here(&self, act: &Act) -> Answer {
        let mut state = (*self.state()).clone();
        let proposal = Proposal {
            at_s: (self.clock)(),
            act: act.clone(),
        };
        rule::apply(&mut state, &proposal)
    }

    /// Proposes the act, and does not wait for it.
    fn answered_early(&self, act: &Act, answer: Answer, deadline: Instant) -> Committed {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let entry = EntryId {
            term: metrics.current_term,
            index: metrics.last_log_index.unwrap_or(0).saturating_add(1),
        };
        let (ledger, act) = (self.clone(), act.clone());
        drop(runtime::spawn(async move {
            drop(ledger.proposed(act, deadline).await);
        }));
        Committed { entry, answer }
    }
}
