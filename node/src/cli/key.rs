//! `quorate key`: secrets in this node's key folders and tokens, and what the cluster agrees they may sign.

mod change;
mod compare;
mod copy;
mod enrol;
mod imported;
mod list;
mod octez;
pub(super) mod old_files;
mod owner;
mod seal;
mod secret;
mod token;

use std::path::Path;

use clap::Subcommand;
use tezos::PublicKeyHash;

use super::{Failure, screen, with_node};
use crate::admin::Loaded;
use crate::run::harden;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a new secret key in this node's key folder, under the password of the configuration, or in
    /// its token.
    Generate(secret::Generate),
    /// Take a secret key from octez-signer (`encrypted:` or `unencrypted:`) from standard input or
    /// a file; never from an argument.
    Import(secret::Import),
    /// Keep a secret key of octez (from standard input or a file) on this node's disk so that only
    /// this node's token opens it.
    Seal(seal::Seal),
    /// Copy a key from the token of one node to that of another.
    #[command(subcommand)]
    Copy(copy::Copy),
    /// Which node can sign with which enrolled key, each having proved that it can.
    Compare(compare::Compare),
    /// Have the running node open its key folders and tokens again.
    Reload,
    /// Introduce a key to the cluster and say what it may sign.
    Enrol(enrol::Args),
    /// Change what a key may sign.
    Edit(change::Edit),
    /// Stop signing with a key, on all nodes; tells when that is committed and when it is drained.
    Disable(change::Named),
    /// Sign with a disabled key again.
    Enable(change::Named),
    /// Burn every slot up to a level, so that the next level is the first one to be signed.
    Raise(change::Raise),
    /// Every key, with its policy and its marks.
    List(list::Args),
    /// A proof of possession of a BLS key.
    ProvePossession {
        /// The key, tz4...
        key: PublicKeyHash,
    },
}

impl Command {
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        // Some of these hold a secret or a PIN for a moment.
        harden()?;
        match self {
            Self::Generate(args) => args.run(file),
            Self::Import(args) => args.run(file),
            Self::Seal(args) => args.run(file),
            Self::Copy(command) => command.run(file),
            Self::Compare(args) => args.run(file),
            Self::Reload => {
                let loaded = with_node(file, |node| async move { Ok(node.reload(true).await?) })?;
                reloaded(&loaded)
            }
            Self::Enrol(args) => args.run(file),
            Self::Edit(args) => args.run(file),
            Self::Disable(args) => args.disable(file),
            Self::Enable(args) => args.enable(file),
            Self::Raise(args) => args.run(file),
            Self::List(args) => args.run(file),
            Self::ProvePossession { key } => {
                let proof = with_node(file, |node| async move { Ok(node.prove(key).await?) })?;
                screen::line(&proof.proof);
                Ok(())
            }
        }
    }
}

/// Says what came of a reload.
///
/// # Errors
/// If a source or a key of the configuration cannot be used.
fn reloaded(loaded: &Loaded) -> Result<(), Failure> {
    screen::line(&format!("{} keys are loaded", loaded.keys.len()));
    for remark in &loaded.remarks {
        screen::note(remark);
    }
    match loaded.troubles.as_slice() {
        [] => Ok(()),
        troubles => Err(Failure::failed(format!(
            "{}\ncorrect that, then run `quorate key reload` again",
            troubles.join("\n")
        ))),
    }
}
