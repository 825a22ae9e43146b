//! What is wrong with another signer's marks: all of it at once, each with the file and what to do.

use std::fmt;

use tezos::ChainId;

use super::entry::{Entry, Signer};

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The file is not what its signer writes.
    #[error(
        "{file}: not a file of marks as {signer} writes it: {what}; name another file, or say the marks by hand with \
         --import KIND:CHAIN=LEVEL"
    )]
    NotUnderstood {
        /// The file.
        file: String,
        /// Whose file it should be.
        signer: Signer,
        /// What is wrong, and where.
        what: String,
    },
    /// A mark of the key that cannot be taken as it stands.
    #[error("{entry}: {what}")]
    Mark {
        /// The mark.
        entry: Box<Entry>,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// The files have no mark of this key.
    #[error(
        "{source_name}: no mark of {key} in it{}; name the files of the signer that has this key, or, if that never \
         signed with it, leave them out and say the first level with --chain CHAIN=LEVEL",
        others(has)
    )]
    OtherKey {
        /// The files.
        source_name: String,
        /// The key that is to be enrolled.
        key: String,
        /// The keys that there are.
        has: Vec<String>,
    },
    /// The key is to sign for other chains than the marks are for.
    #[error(
        "the marks are for {chain}, and --chain does not list it: leave --chain out to take every chain of the files, or \
         add --chain {chain}=LEVEL"
    )]
    OtherChain {
        /// The chain of the marks.
        chain: ChainId,
    },
    /// There is no level above a mark.
    #[error(
        "{chain}: level {level} is the last there is, so nothing could ever be signed above it"
    )]
    NoLevelAbove {
        /// The chain.
        chain: ChainId,
        /// The level.
        level: tezos::Level,
    },
    /// A source that holds no marks, or not all.
    #[error("{file}: {what}")]
    NotHere {
        /// The file.
        file: String,
        /// Why, and what to do.
        what: String,
    },
    /// The files of the signer that one goes back to know better than this cluster.
    #[error(
        "{file}: {chain} {key} stands at level {level} there, above the mark here (level {ours}): it signed after its marks \
         were imported, or misread a tz4 level (before July 2025). Nothing was written. Find out which: a signer that still \
         runs must be stopped; else export to an empty folder"
    )]
    AheadOfUs {
        /// The file.
        file: String,
        /// The chain.
        chain: String,
        /// The key.
        key: String,
        /// The level there.
        level: i64,
        /// The level here.
        ours: u32,
    },
}

/// Everything that is wrong, one line each.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, fault) in self.0.iter().enumerate() {
            if line > 0 {
                out.write_str("\n")?;
            }
            fault.fmt(out)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

fn others(has: &[String]) -> String {
    match has.is_empty() {
        true => ", nor of any other key".to_owned(),
        false => format!("; it has marks of {}", has.join(", ")),
    }
}
