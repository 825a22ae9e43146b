//! `keys.toml`: what an operator wants the enrolled keys to be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use raft_store::state::{Chains, ReleaseMode, Role};
use serde::Deserialize;
use tezos::{BallotVote, ChainId, Kind, Level, OperationName, PublicKey, PublicKeyHash};

/// One declared key. Every field says what is to be; nothing is left as it happens to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Declared {
    /// The key.
    pub public_key: PublicKey,
    /// Whether it may sign. Default true.
    pub enabled: bool,
    /// What it is to the baker. Default baker.
    pub role: Role,
    /// When a signature may leave. Default after_record, which always holds.
    pub release: ReleaseMode,
    /// What it may sign. Default block, preattestation, attestation; for a companion attestation.
    pub kinds: BTreeSet<Kind>,
    /// Generic operations that it may sign. Default none.
    pub operations: BTreeSet<OperationName>,
    /// Ballots that it may cast. Default none.
    pub votes: BTreeSet<BallotVote>,
    /// Chains and floors. No default.
    pub chains: Chains,
    /// Clients that may ask. Default anyone who reaches the socket.
    pub authorized: Vec<PublicKey>,
}

/// What is wrong with a `keys.toml`: every fault that was found.
#[derive(Debug, Eq, PartialEq)]
pub struct DeclaredFaults(pub Vec<String>);

impl std::error::Error for DeclaredFaults {}

impl fmt::Display for DeclaredFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    key: Vec<RawKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    public_key: PublicKey,
    #[serde(default = "yes")]
    enabled: bool,
    role: Option<Role>,
    release: Option<ReleaseMode>,
    kinds: Option<BTreeSet<Kind>>,
    #[serde(default)]
    operations: BTreeSet<OperationName>,
    #[serde(default)]
    votes: BTreeSet<BallotVote>,
    #[serde(default)]
    chains: BTreeMap<ChainId, Level>,
    any_chain_from: Option<Level>,
    #[serde(default)]
    authorized: Vec<PublicKey>,
}

const fn yes() -> bool {
    true
}

/// Reads a `keys.toml`.
///
/// # Errors
/// What is wrong with it: broken TOML, an unknown field, a key twice, a key without chains.
pub fn parse(text: &str) -> Result<Vec<Declared>, DeclaredFaults> {
    let file: File =
        toml::from_str(text).map_err(|error| DeclaredFaults(vec![error.to_string()]))?;
    let mut seen: BTreeSet<PublicKeyHash> = BTreeSet::new();
    let mut faults = Vec::new();
    let mut declared = Vec::new();
    for raw in file.key {
        let hash = raw.public_key.hash();
        if !seen.insert(hash) {
            faults.push(format!("{hash} is declared twice; keep one [[key]] of it"));
        }
        match checked(raw) {
            Ok(key) => declared.push(key),
            Err(fault) => faults.push(format!("{hash}: {fault}")),
        }
    }
    if faults.is_empty() {
        Ok(declared)
    } else {
        Err(DeclaredFaults(faults))
    }
}

fn checked(raw: RawKey) -> Result<Declared, &'static str> {
    let chains = match (raw.any_chain_from, raw.chains.is_empty()) {
        (None, false) => Chains::Listed(raw.chains),
        (Some(floor), true) => Chains::Any { floor },
        (None, true) => {
            return Err(
                "no chain; write chains = { NetX... = LEVEL }, the first level to be signed",
            );
        }
        (Some(_), false) => return Err("chains and any_chain_from exclude each other; keep one"),
    };
    let role = raw.role.unwrap_or(Role::Baker);
    let default_kinds = || match role {
        Role::Companion => BTreeSet::from([Kind::Attestation]),
        Role::Baker | Role::Consensus => Kind::ALL.iter().copied().collect(),
    };
    Ok(Declared {
        public_key: raw.public_key,
        enabled: raw.enabled,
        role,
        release: raw.release.unwrap_or(ReleaseMode::AfterRecord),
        kinds: raw.kinds.unwrap_or_else(default_kinds),
        operations: raw.operations,
        votes: raw.votes,
        chains,
        authorized: raw.authorized,
    })
}
