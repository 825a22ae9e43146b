//! `quorate key enrol`: introduce a key to the cluster.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

use raft_store::command::{Command, Enrolment, Import};
use raft_store::state::{ReleaseMode, Role};
use tezos::{ChainId, Kind, Level, PublicKey, Round};

use super::super::words::{KeyName, Policy, said};
use super::super::{Exit, Failure, screen, with_node};
use crate::admin::{AdminClient, KeyReport, KeyReports};
use crate::apply::describe;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The public key, or the hash of a key that this node has loaded.
    key: KeyName,
    #[command(flatten)]
    policy: Policy,
    /// What another signer has signed: burnt, so the next slot is the first one to be signed.
    /// CHAIN=LEVEL for the whole level, CHAIN=LEVEL/ROUND, or KIND:CHAIN=LEVEL; may be repeated.
    #[arg(long = "import", value_name = "[KIND:]CHAIN=LEVEL[/ROUND]")]
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
        let committed = with_node(file, |node| self.propose(node))?;
        if answer {
            return screen::json(&committed);
        }
        screen::line(&format!(
            "committed at {}: the key may sign from now on",
            committed.entry
        ));
        Ok(())
    }

    async fn propose(self, node: AdminClient) -> Result<raft_store::ledger::Committed, Failure> {
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
        let enrolment = self.enrolment(public_key, decided_on)?;
        for line in describe::enrolment(&enrolment) {
            screen::note(&line);
        }
        screen::confirm("Enrol this key?", yes)?;
        Ok(node.propose(Command::Enrol(Box::new(enrolment))).await?)
    }

    fn enrolment(self, public_key: PublicKey, generation: u64) -> Result<Enrolment, Failure> {
        let policy = self.policy;
        let chains = policy.chains().ok_or_else(|| {
            let what = "no chain: add --chain NetX...=LEVEL, the first level that may be signed \
                        (or --any-chain-from LEVEL, for development)";
            Failure::new(Exit::Config, what)
        })?;
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
            imports: self
                .imports
                .into_iter()
                .map(|imported| imported.0)
                .collect(),
        })
    }
}

/// What this node knows of a key.
pub(super) fn find<'a>(reports: &'a KeyReports, key: &KeyName) -> Option<&'a KeyReport> {
    reports.keys.iter().find(|report| match key {
        KeyName::Public(public_key) => report.public_key == *public_key,
        KeyName::Hash(hash) => report.public_key_hash == *hash,
    })
}

/// `[KIND:]CHAIN=LEVEL[/ROUND]`.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Imported(Import);

impl FromStr for Imported {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        fn part<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
            text.parse().map_err(|error| format!("{text:?}: {error}"))
        }
        let (kind, rest) = match text.split_once(':') {
            Some((kind, rest)) => (Some(part::<Kind>(kind)?), rest),
            None => (None, text),
        };
        let (chain, slot) = rest
            .split_once('=')
            .ok_or_else(|| "expected [KIND:]CHAIN=LEVEL[/ROUND]".to_owned())?;
        let (level, round) = match slot.split_once('/') {
            Some((level, round)) => (level, Some(part::<Round>(round)?)),
            None => (slot, None),
        };
        Ok(Self(Import {
            chain: part::<ChainId>(chain)?,
            kind,
            level: part::<Level>(level)?,
            round,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_names_a_chain_a_level_and_maybe_a_kind_and_a_round() {
        let Imported(import) = "block:NetXdQprcVkpaWU=12/3".parse().unwrap();
        assert_eq!(import.chain, ChainId::MAINNET);
        assert_eq!(import.kind, Some(Kind::Block));
        assert_eq!(
            (import.level.get(), import.round.map(Round::get)),
            (12, Some(3))
        );
        let Imported(import) = "NetXdQprcVkpaWU=12".parse().unwrap();
        assert_eq!((import.kind, import.round), (None, None));
        for wrong in [
            "NetXdQprcVkpaWU",
            "NetXdQprcVkpaWU=",
            "NetXdQprcVkpaWU=2147483648",
            "x=1",
        ] {
            assert!(wrong.parse::<Imported>().is_err(), "{wrong}");
        }
    }
}
