//! What is wrong with the secrets of a node.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tezos::{Curve, PublicKeyHash};

use crate::cli::Exit;

/// One thing wrong with the secrets of a node. None of these texts holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// A key folder is not there.
    #[error("the key folder {} does not exist; run `quorate init`, or make it with mode 0700", folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that others may read.
    #[error("{} has mode {mode:04o}, so others may read it; run `chmod go-rwx {}`", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file that is not one line with an encrypted secret key.
    #[error("{} is damaged: {what}; bring it back from a copy", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong; never its content.
        what: String,
    },
    /// A secret key without a password.
    #[error(
        "{} holds an unencrypted secret key, which is never used; run `quorate key import < {}` \
         and destroy it", path.display(), path.display()
    )]
    Unencrypted {
        /// The file.
        path: PathBuf,
    },
    /// The password does not open a file.
    #[error("the password does not open {} (a {curve} key), or the file was altered", path.display())]
    WrongPassword {
        /// The file.
        path: PathBuf,
        /// The curve of the key inside.
        curve: Curve,
    },
    /// There is no password.
    #[error("no password: {what}")]
    NoPassword {
        /// Where it was looked for, and what to do.
        what: String,
    },
    /// A file whose name says another key than it holds.
    #[error("{} holds {found}; name it {found}.key", path.display())]
    Misnamed {
        /// The file.
        path: PathBuf,
        /// The key it holds.
        found: PublicKeyHash,
    },
    /// A PKCS#11 module that is not there.
    #[error("cannot use the PKCS#11 module {}: {source}; correct `module` in node.toml, or install it", path.display())]
    NoModule {
        /// The shared library.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// One key in two places.
    #[error("{key} is in two key folders; remove {}", path.display())]
    Twice {
        /// The key.
        key: PublicKeyHash,
        /// The second file.
        path: PathBuf,
    },
}

impl KeyFault {
    /// What the process exits with because of it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::WrongPassword { .. } | Self::NoPassword { .. } => Exit::Password,
            Self::Damaged { .. } | Self::Misnamed { .. } => Exit::Damaged,
            Self::Unreadable { .. } => Exit::Io,
            Self::NoFolder { .. }
            | Self::NoModule { .. }
            | Self::Exposed { .. }
            | Self::Unencrypted { .. }
            | Self::Twice { .. } => Exit::Config,
        }
    }
}

/// Every fault that was found, not only the first. Never empty.
#[derive(Debug)]
pub struct KeyFaults(pub Vec<KeyFault>);

impl KeyFaults {
    /// What the process exits with: a wrong password comes first, since a restart repeats it.
    pub fn exit(&self) -> Exit {
        let exits = self.0.iter().map(KeyFault::exit);
        exits
            .max_by_key(|exit| *exit == Exit::Password)
            .unwrap_or(Exit::Config)
    }
}

impl std::error::Error for KeyFaults {}

impl fmt::Display for KeyFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}
