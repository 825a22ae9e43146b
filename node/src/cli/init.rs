//! `quorate init`: the one place where a data folder comes to be.

use std::path::Path;

use raft_store::disk;
use raft_store::folder::Folder;

use super::{Exit, Failure, screen};
use crate::config::{Config, KeySource};

/// Makes the data folder, the node's key and the key folders, and prints `address#fingerprint`.
///
/// # Errors
/// If there is a node or anything else: to make and to open are different acts (R9).
pub(super) fn init(file: &Path) -> Result<(), Failure> {
    let config = Config::load(file)?;
    let made = Folder::create(&config.data_dir);
    // Also beside a node that is there already: a crash may have come between it and these.
    let sources = config.keys.iter().filter(|_| config.data_dir.is_dir());
    for folder in sources.filter_map(KeySource::folder) {
        disk::create_folder(folder).map_err(|error| {
            Failure::new(Exit::Io, format!("cannot make the key folder: {error}"))
        })?;
    }
    screen::line(&format!("{}#{}", config.peers_address, made?));
    screen::note(
        "next: `quorate node` on every node, then `quorate cluster form` with all these lines, \
         in the same order everywhere",
    );
    Ok(())
}
