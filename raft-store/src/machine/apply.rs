//! Applying a stream of committed entries, in batches of bounded size.

use std::collections::BTreeSet;
use std::io;
use std::sync::RwLock;

use futures_util::{Stream, StreamExt as _};
use openraft::storage::{ApplyResponder, EntryResponder};

use super::moves::{Before, Moved};
use super::rows::{self, RowName};
use super::{Applied, Changes, StateDisk};
use crate::command::{Act, Answer, Command, FORMAT, Proposal};
use crate::rule;
use crate::types::{Entry, EntryPayload, LogId, StoredMembership, Types};
use crate::witness::Witnessed;

/// The most entries in one write, so that replaying a long log needs little memory.
const BATCH_MAX: usize = 4096;

/// What a batch gathered and did not write yet.
#[derive(Default)]
struct Batch {
    entries: usize,
    applied: Option<LogId>,
    membership: Option<StoredMembership>,
    rows: BTreeSet<RowName>,
    answers: Vec<(ApplyResponder<Types>, Answer)>,
}

/// Applies every entry of `entries`. An answer is given only after the write that holds its entry.
pub(super) async fn stream<D, S>(
    disk: &D,
    shared: &RwLock<Applied>,
    witness: &Witnessed,
    mut entries: S,
) -> io::Result<()>
where
    D: StateDisk,
    S: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin,
{
    let mut batch = Batch::default();
    while let Some(next) = entries.next().await {
        let (entry, responder) = next?;
        let answer = batch.take(shared, witness, entry)?;
        batch
            .answers
            .extend(responder.map(|responder| (responder, answer)));
        if batch.entries >= BATCH_MAX {
            std::mem::take(&mut batch).write(disk, shared)?;
        }
    }
    batch.write(disk, shared)
}

impl Batch {
    fn take(
        &mut self,
        shared: &RwLock<Applied>,
        witness: &Witnessed,
        entry: Entry,
    ) -> io::Result<Answer> {
        let mut moved = Moved::default();
        let mut applied = shared.write().map_err(|_poisoned| poisoned())?;
        let answer = match entry.payload {
            EntryPayload::Blank => Answer::Noted,
            EntryPayload::Normal(proposal) => {
                refuse_later_format(&proposal, entry.log_id)?;
                let before = Before::look(witness, &applied.state, &proposal.act);
                let answer = rule::apply(&mut applied.state, &proposal);
                moved = before.moved(&applied.state);
                self.rows
                    .extend(rows::touched(&applied.state, &proposal.act));
                answer
            }
            EntryPayload::Membership(membership) => {
                let membership = StoredMembership::new(Some(entry.log_id), membership);
                applied.membership.clone_from(&membership);
                self.membership = Some(membership);
                Answer::Noted
            }
        };
        applied.last = Some(entry.log_id);
        self.applied = Some(entry.log_id);
        self.entries = self.entries.saturating_add(1);
        drop(applied);
        moved.tell(witness, entry.log_id);
        Ok(answer)
    }

    fn write<D: StateDisk>(self, disk: &D, shared: &RwLock<Applied>) -> io::Result<()> {
        let Some(applied) = self.applied else {
            return Ok(());
        };
        let rows = {
            let shared = shared.read().map_err(|_poisoned| poisoned())?;
            rows::write(&shared.state, self.rows)?
        };
        disk.write(Changes {
            rows,
            applied,
            membership: self.membership,
        })?;
        for (responder, answer) in self.answers {
            responder.send(answer);
        }
        Ok(())
    }
}

/// A proposal of a later format is not even decoded, so what is left to refuse here is the entry
/// that announces one: from it on this version would misread its own log (R36).
fn refuse_later_format(proposal: &Proposal, at: LogId) -> io::Result<()> {
    match proposal.act {
        Act::Command(Command::Format { format }) if format > FORMAT => {
            Err(io::Error::other(format!(
                "log entry {at} moves the cluster to format {format}, and this version reads up to \
                 {FORMAT}: install the version of Quorate that the other nodes run"
            )))
        }
        Act::Command(_) | Act::Advance(_) | Act::Record(_) | Act::Permit(_) => Ok(()),
    }
}

/// Apply panicked while it held the state: what is in memory cannot be trusted any more.
pub(super) fn poisoned() -> io::Error {
    io::Error::other("applying an entry panicked: restart the node, its disk holds the state")
}
