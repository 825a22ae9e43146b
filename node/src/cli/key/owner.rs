//! Who may make files that a node reads.

use std::path::Path;

use raft_store::folder::Folder;
use rustix::process::geteuid;

use super::super::{Exit, Failure};
use crate::config::Config;

/// The configuration, for a command that leaves files behind: keys, and which PINs were refused. Made
/// by root, they would keep the node, which runs as another user, from its keys.
///
/// # Errors
/// What is wrong with the configuration, or that the data folder is another user's.
pub(super) fn config_of_own_node(file: &Path) -> Result<Config, Failure> {
    let config = Config::load(file)?;
    let user = geteuid().as_raw();
    match Folder::owner(&config.data_dir) {
        Some(owner) if owner != user => {
            let what = format!(
                "the node in {} is that of user {owner}, and this is user {user}, whose files the node \
                 could not read; run the same as that user: `sudo -u '#{owner}' quorate key ...`",
                config.data_dir.display()
            );
            Err(Failure::new(Exit::Config, what))
        }
        // No node is there yet: whoever needs one says so.
        Some(_) | None => Ok(config),
    }
}
