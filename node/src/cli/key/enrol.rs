//! `quorate key enrol`: introduce a key to the cluster.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use raft_store::command::{Command, Enrolment, Import};
use raft_store::ledger::Committed;
use raft_store::state::{ReleaseMode, Role};
use tezos::{Kind, PublicKey, PublicKeyHash, Round, Slot};

use super::super::words::{KeyName, Policy, said};
use super::super::{Exit, Failure, screen, with_node};
use super::imported::{self, Imported, Source};
use crate::admin::{AdminClient, Enrolled, KeyReport, KeyReports};
use crate::apply::describe;
use crate::migrate::{self, Gathered, Said};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The public key, or the hash of a key that this node has loaded.
    key: KeyName,
    #[command(flatten)]
    policy: Policy,
    /// What another signer has signed: burnt, so the next slot is the first one to be signed. Its
    /// files, as octez:PATH, signatory:PATH, tacoinfra:PATH or dynamodb:PATH, a folder or a file; or
    /// by hand, CHAIN=LEVEL for the whole level, CHAIN=LEVEL/ROUND, or KIND:CHAIN=LEVEL. May be
    /// repeated: the highest mark counts. Without --chain, the chains are those of the marks.
    #[arg(long = "import", value_name = "SIGNER:PATH|[KIND:]CHAIN=LEVEL[/ROUND]")]
    imports: Vec<Imported>,
    /// The generation of the key that this was decided on; 0 for a new key. Default: the present
    /// one.
    #[arg(long)]
    generation: Option<u64>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let answer = self.json;
        let Some(committed) = with_node(file, |node| self.propose(node))? else {
            if answer {
                return screen::json(&serde_json::json!({ "unchanged": true }));
            }
            screen::line("nothing to change: it is enrolled so, and no mark is below these");
            return Ok(());
        };
        if answer {
            return screen::json(&committed);
        }
        screen::line(&format!(
            "committed at {}: the key may sign from now on",
            committed.entry
        ));
        Ok(())
    }

    async fn propose(self, node: AdminClient) -> Result<Option<Committed>, Failure> {
        let reports = node.keys().await?;
        let known = find(&reports, &self.key);
        let public_key = match (&self.key, known) {
            (KeyName::Public(key), _) => key.clone(),
            (KeyName::Hash(_), Some(report)) => report.public_key.clone(),
            (KeyName::Hash(hash), None) => {
                let what = format!("this node has not loaded {hash}; name its public key instead");
                return Err(Failure::failed(what));
            }
        };
        let enrolled = known.and_then(|report| report.enrolled.as_ref());
        let generation = enrolled.map_or(0, |enrolled| enrolled.generation);
        let (yes, decided_on) = (self.yes, self.generation.unwrap_or(generation));
        let gathered = self.gather(public_key.hash())?;
        for line in &gathered.lines {
            screen::note(line);
        }
        let enrolment = self.enrolment(public_key, decided_on, gathered.imports)?;
        // Importing twice changes nothing, and is no error (R42).
        if enrolled.is_some_and(|enrolled| is_so(enrolled, &enrolment)) {
            return Ok(None);
        }
        for line in describe::enrolment(&enrolment) {
            screen::note(&line);
        }
        screen::confirm("Enrol this key?", yes)?;
        let command = Command::Enrol(Box::new(enrolment));
        Ok(Some(node.propose(command).await?))
    }

    /// What the files say and what was typed, as one list of imports.
    fn gather(&self, key: PublicKeyHash) -> Result<Gathered, Failure> {
        let (mut by_hand, mut sources): (Vec<Import>, Vec<&Source>) = (Vec::new(), Vec::new());
        for imported in &self.imports {
            match imported {
                Imported::Mark(import) => by_hand.push(import.clone()),
                Imported::Source(source) => sources.push(source),
            }
        }
        let chains = self.policy.chains();
        let said = Said {
            key,
            by_hand: &by_hand,
            chains: chains.as_ref(),
        };
        let read = imported::read(&sources, key, now());
        let gathered = read.and_then(|read| {
            let mut gathered = migrate::gather(&read.sources, said)?;
            gathered.lines.extend(read.lines);
            Ok(gathered)
        });
        gathered.map_err(|faults| Failure::failed(format!("{faults}\nnothing was imported")))
    }

    fn enrolment(
        self,
        public_key: PublicKey,
        generation: u64,
        imports: Vec<Import>,
    ) -> Result<Enrolment, Failure> {
        let policy = self.policy;
        let chains = match policy.chains() {
            Some(chains) => chains,
            None if imports.is_empty() => {
                let what = "no chain: add --chain NetX...=LEVEL, the first level that may be signed, or --import, what \
                            another signer has signed (or --any-chain-from LEVEL, for development)";
                return Err(Failure::new(Exit::Config, what));
            }
            None => {
                migrate::floors(&imports).map_err(|fault| Failure::failed(fault.to_string()))?
            }
        };
        let role = policy.role.unwrap_or(Role::Baker);
        let kinds: BTreeSet<Kind> = match policy.kinds.is_empty() {
            false => policy.kinds.iter().copied().collect(),
            // A companion key signs attestations with DAL content and nothing else.
            true if role == Role::Companion => BTreeSet::from([Kind::Attestation]),
            true => Kind::ALL.iter().copied().collect(),
        };
        Ok(Enrolment {
            generation,
            public_key,
            role,
            // The mode that holds whatever the nodes' backends are.
            release: policy.release.unwrap_or(ReleaseMode::AfterRecord),
            kinds,
            operations: said(&policy.operations).unwrap_or_default(),
            votes: said(&policy.votes).unwrap_or_default(),
            chains,
            authorized: said(&policy.authorized).unwrap_or_default(),
            imports,
        })
    }
}

/// Whether a key is in service with this policy already, and every import at or below its marks.
fn is_so(enrolled: &Enrolled, wanted: &Enrolment) -> bool {
    let covered = |import: &Import| {
        let slot = Slot::new(import.level, import.round.unwrap_or(Round::MAX));
        let mut kinds = Kind::ALL
            .iter()
            .filter(|kind| import.kind.is_none_or(|one| one == **kind));
        kinds.all(|kind| {
            let mut marks = enrolled.marks.iter();
            let mark = marks.find(|mark| (mark.chain, mark.kind) == (import.chain, *kind));
            mark.is_some_and(|mark| Slot::new(mark.level, mark.round) >= slot)
        })
    };
    enrolled.enabled
        && !wanted.imports.is_empty()
        && enrolled.role == wanted.role
        && enrolled.release == wanted.release
        && enrolled.kinds == wanted.kinds
        && enrolled.operations == wanted.operations
        && enrolled.votes == wanted.votes
        && enrolled.chains == wanted.chains
        && enrolled.authorized == wanted.authorized
        && wanted.imports.iter().all(covered)
}

#[expect(
    clippy::disallowed_methods,
    reason = "it may refuse a file of a signer that still runs, and allows nothing"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// What this node knows of a key.
pub(super) fn find<'a>(reports: &'a KeyReports, key: &KeyName) -> Option<&'a KeyReport> {
    reports.keys.iter().find(|report| match key {
        KeyName::Public(public_key) => report.public_key == *public_key,
        KeyName::Hash(hash) => report.public_key_hash == *hash,
    })
}
