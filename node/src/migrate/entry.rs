//! One mark as another signer's file has it, before it is judged.

use std::fmt;

use tezos::Kind;

/// Whose file a mark was read from: each has its own ways to be wrong.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Signer {
    /// octez-signer.
    Octez,
    /// Signatory.
    Signatory,
    /// tacoinfra's remote-signer.
    Tacoinfra,
}

/// One mark, as it stands in a file. Key and chain are kept as they are written: a file may hold
/// keys of a curve that this version does not know, and they are nobody's business here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The file, for messages.
    pub file: String,
    /// Whose file it is.
    pub signer: Signer,
    /// The public key hash, as written.
    pub key: String,
    /// The chain id, as written.
    pub chain: String,
    /// The kind; or its name, if it is none that is known.
    pub kind: Result<Kind, String>,
    /// The level, as written: a misread one may be negative or beyond any level.
    pub level: i64,
    /// The round; `None` if the file has none, or one that says nothing: the whole level counts as
    /// signed.
    pub round: Option<i64>,
}

impl Signer {
    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Octez => "octez-signer",
            Self::Signatory => "Signatory",
            Self::Tacoinfra => "tacoinfra's remote-signer",
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// What an operator reads before saying yes: where it stands, and what stands there.
impl fmt::Display for Entry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Ok(kind) => kind.name(),
            Err(unknown) => unknown,
        };
        let (file, chain, key, level) = (&self.file, &self.chain, &self.key, self.level);
        write!(out, "{file}: {chain} {key} {kind}: level {level}")?;
        match self.round {
            Some(round) => write!(out, " round {round}"),
            None => out.write_str(", the whole level"),
        }
    }
}
