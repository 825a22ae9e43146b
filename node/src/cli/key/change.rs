//! `quorate key edit`, `disable`, `enable` and `raise`: commands about an enrolled key.

use std::path::Path;

use raft_store::command::{Command, Edit as KeyEdit};
use raft_store::ledger::Committed;
use serde::Serialize;
use tezos::{ChainId, Kind, Level, PublicKeyHash};

use super::super::words::{KeyName, Policy, said};
use super::super::{Exit, Failure, screen, with_node};
use super::enrol::find;
use crate::admin::{AdminClient, Enrolled};
use crate::apply::describe;
use crate::cluster::{Drained, Waiting};

#[derive(Clone, Debug, clap::Args)]
struct How {
    /// The key, tz1... to tz4...
    key: PublicKeyHash,
    /// The generation of the key that this was decided on. Default: the present one.
    #[arg(long)]
    generation: Option<u64>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Named {
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Edit {
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    policy: Policy,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Raise {
    #[command(flatten)]
    how: How,
    /// The chain.
    #[arg(long)]
    chain: ChainId,
    /// The last level that is burnt.
    #[arg(long)]
    level: Level,
    /// One kind only: block, preattestation or attestation.
    #[arg(long)]
    kind: Option<Kind>,
}

/// Whether a command takes the right to sign away: then grants from before it may still finish.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Drains {
    Yes,
    No,
}

impl Named {
    pub(super) fn disable(self, file: &Path) -> Result<(), Failure> {
        let key = self.how.key;
        let question = format!("Stop signing with {key} on all nodes?");
        self.how
            .run(file, &question, Drains::Yes, |_enrolled, generation| {
                Ok(Command::Disable { key, generation })
            })
    }

    pub(super) fn enable(self, file: &Path) -> Result<(), Failure> {
        let key = self.how.key;
        let question = format!("Sign with {key} again? No other signer may have the key.");
        self.how
            .run(file, &question, Drains::No, |_enrolled, generation| {
                Ok(Command::Enable { key, generation })
            })
    }
}

impl Raise {
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let Self {
            how,
            chain,
            level,
            kind,
        } = self;
        let key = how.key;
        let question = format!(
            "Burn every slot of {key} on {chain} up to level {level}? This cannot be taken back."
        );
        how.run(file, &question, Drains::Yes, |_enrolled, generation| {
            Ok(Command::Raise {
                key,
                generation,
                chain,
                kind,
                level,
            })
        })
    }
}

impl Edit {
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let Self { how, policy } = self;
        let key = how.key;
        let edit = KeyEdit {
            role: policy.role,
            release: policy.release,
            kinds: (!policy.kinds.is_empty()).then(|| policy.kinds.iter().copied().collect()),
            operations: said(&policy.operations),
            votes: said(&policy.votes),
            chains: policy.chains(),
            authorized: said(&policy.authorized),
        };
        if edit == KeyEdit::default() {
            return Err(Failure::new(
                Exit::Config,
                "nothing to change; see `quorate key edit --help`",
            ));
        }
        let question = format!("Change {key} so?");
        how.run(file, &question, Drains::No, move |enrolled, generation| {
            for line in describe::edit(enrolled, &edit) {
                screen::note(&line);
            }
            Ok(Command::Edit {
                key,
                generation,
                edit: Box::new(edit),
            })
        })
    }
}

impl How {
    fn run(
        self,
        file: &Path,
        question: &str,
        drains: Drains,
        decide: impl FnOnce(&Enrolled, u64) -> Result<Command, Failure>,
    ) -> Result<(), Failure> {
        let json = self.json;
        let done = with_node(file, |node| self.propose(node, question, drains, decide))?;
        if json {
            return screen::json(&done);
        }
        if let Some(drain) = &done.drain {
            report(drain);
        }
        Ok(())
    }

    async fn propose(
        self,
        node: AdminClient,
        question: &str,
        drains: Drains,
        decide: impl FnOnce(&Enrolled, u64) -> Result<Command, Failure>,
    ) -> Result<Done, Failure> {
        let reports = node.keys().await?;
        let known = find(&reports, &KeyName::Hash(self.key));
        let enrolled = known
            .and_then(|report| report.enrolled.as_ref())
            .ok_or_else(|| {
                Failure::failed(format!(
                    "{} is not enrolled; see `quorate key list`",
                    self.key
                ))
            })?;
        let command = decide(enrolled, self.generation.unwrap_or(enrolled.generation))?;
        screen::confirm(question, self.yes)?;
        let committed = node.propose(command).await?;
        if !self.json {
            screen::line(&format!("committed at {}", committed.entry));
        }
        let drain = match drains {
            Drains::No => None,
            Drains::Yes => Some(node.drained(committed.entry).await?),
        };
        Ok(Done { committed, drain })
    }
}

/// What became of a command.
#[derive(Debug, Serialize)]
struct Done {
    committed: Committed,
    drain: Option<Drained>,
}

fn report(drain: &Drained) {
    if drain.done() {
        screen::line("drained: no node holds a grant from before");
        return;
    }
    for (node, waiting) in &drain.waiting {
        let why = match waiting {
            Waiting::NotHeard => "was not heard since".to_owned(),
            Waiting::Behind { .. } => "has not applied this yet".to_owned(),
            Waiting::Granted { .. } => "is still signing what was granted before".to_owned(),
        };
        screen::line(&format!("not drained: node {node} {why}"));
    }
    screen::line(
        "what such a node still signs names no slot above the marks now; do not hand the key over \
         before the same command, repeated, says drained",
    );
}
