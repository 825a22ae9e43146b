//! `quorate marks export`: what may not be signed again, for a backup or for the way back to
//! octez-signer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Subcommand, ValueEnum};
use raft_store::disk;
use raft_store::state::Chains;
use tezos::PublicKeyHash;

use super::key::old_files::{OldFile, is_there};
use super::{Exit, Failure, screen, with_node};
use crate::admin::Marks;
use crate::migrate::{self, octez};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write out every mark, all from one state.
    Export(Export),
}

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// These keys only, tz1... to tz4...; without any, all of them.
    keys: Vec<PublicKeyHash>,
    /// json, for a backup; or octez, the files of an octez-signer that takes over.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// The folder to write to, made if it is not there: marks.json, or the base folder of an octez-signer.
    /// Without it, JSON goes to standard output.
    #[arg(long, value_name = "DIR", required_if_eq("format", "octez"))]
    out: Option<PathBuf>,
    /// With octez, also write keys that are still enabled here: their marks rise while this is read, so
    /// no other signer may be started on such files.
    #[arg(long)]
    even_enabled: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    Json,
    Octez,
}

impl Command {
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let Self::Export(args) = self;
        let marks = with_node(file, |node| async move { Ok(node.marks().await?) })?;
        args.export(marks)
    }
}

impl Export {
    fn export(self, mut marks: Marks) -> Result<(), Failure> {
        let known =
            |key: &&PublicKeyHash| marks.keys.iter().any(|one| one.public_key_hash == **key);
        if let Some(unknown) = self.keys.iter().find(|key| !known(key)) {
            return Err(Failure::failed(format!(
                "{unknown} is not enrolled; see `quorate key list`"
            )));
        }
        if !self.keys.is_empty() {
            marks
                .keys
                .retain(|key| self.keys.contains(&key.public_key_hash));
        }
        match (self.format, &self.out) {
            (Format::Json, None) => {
                warn(&marks);
                screen::json(&marks)
            }
            (Format::Json, Some(folder)) => {
                warn(&marks);
                json(&marks, folder)
            }
            (Format::Octez, Some(folder)) => {
                self.hand_over(&marks)?;
                octez_files(&marks, folder)
            }
            (Format::Octez, None) => Err(Failure::new(Exit::Config, "name a folder with --out")),
        }
    }

    /// Whether another signer may go on from these marks.
    fn hand_over(&self, marks: &Marks) -> Result<(), Failure> {
        if !marks.confirmed {
            return Err(Failure::failed(
                "no majority confirmed that these are the highest marks, so another signer must not go on from them; look \
                 with `quorate cluster status`, and export again",
            ));
        }
        let enabled = marks.keys.iter().filter(|key| key.enabled);
        let enabled: Vec<String> = enabled.map(|key| key.public_key_hash.to_string()).collect();
        if enabled.is_empty() {
            return Ok(());
        }
        let keys = enabled.join(", ");
        if self.even_enabled {
            screen::note(&format!(
                "warning: still enabled here: {keys}. No other signer may be started on these files"
            ));
            return Ok(());
        }
        Err(Failure::failed(format!(
            "still enabled here: {keys}. This cluster may sign above these marks at any moment, and the other signer would \
             sign the same slots again. Run `quorate key disable` for each until it says drained, then export; or name \
             only the keys that are disabled (--even-enabled writes the files all the same, for looking at)"
        )))
    }
}

fn warn(marks: &Marks) {
    if !marks.confirmed {
        screen::note("warning: no majority confirmed these marks: there may be higher ones");
    }
    for key in marks.keys.iter().filter(|key| key.enabled) {
        let key = key.public_key_hash;
        screen::note(&format!(
            "warning: {key} is enabled, so its marks go on rising"
        ));
    }
}

fn json(marks: &Marks, folder: &Path) -> Result<(), Failure> {
    let file = folder.join("marks.json");
    if is_there(&file) {
        return Err(Failure::failed(format!(
            "{} is there already, and is not overwritten; name another folder",
            file.display()
        )));
    }
    let mut text = serde_json::to_vec_pretty(marks)
        .map_err(|error| Failure::failed(format!("cannot write the marks as JSON: {error}")))?;
    text.push(b'\n');
    disk::create_folder(folder).map_err(|error| io(&error))?;
    disk::replace(&file, &[&text]).map_err(|error| io(&error))?;
    screen::line(&format!(
        "{}: {} keys, as of entry {}",
        file.display(),
        marks.keys.len(),
        marks.applied
    ));
    Ok(())
}

fn octez_files(marks: &Marks, folder: &Path) -> Result<(), Failure> {
    let failed = |what: String| Failure::failed(format!("{what}\nnothing was written"));
    let mut present = BTreeMap::new();
    for (name, _) in octez::FILES {
        let path = folder.join(name);
        if is_there(&path) {
            let file = OldFile::read(&path).map_err(|fault| failed(fault.to_string()))?;
            present.insert(name, file);
        }
    }
    let texts = present
        .iter()
        .map(|(name, file)| (*name, file.text.clone()));
    let files = migrate::files(&marks.keys, &texts.collect())
        .map_err(|faults| failed(faults.to_string()))?;
    // A signer that still writes here would put its own marks over these.
    for file in &files {
        if let Some(there) = present.remove(file.name) {
            there
                .quiet(now())
                .map_err(|fault| failed(fault.to_string()))?;
        }
    }
    disk::create_folder(folder).map_err(|error| io(&error))?;
    for file in &files {
        let path = folder.join(file.name);
        disk::replace(&path, &[file.text.as_bytes()]).map_err(|error| io(&error))?;
        screen::line(&path.display().to_string());
    }
    for key in &marks.keys {
        if let Chains::Any { .. } = key.chains {
            screen::note(&format!(
                "warning: {} may sign on any chain here; a chain that it never signed on is not in these files",
                key.public_key_hash
            ));
        }
    }
    screen::line(&format!(
        "the marks as of entry {}; the files belong to this user: give them to the one that runs octez-signer, \
         and start it with --check-high-watermark",
        marks.applied
    ));
    Ok(())
}

fn io(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Io, error.to_string())
}

#[expect(
    clippy::disallowed_methods,
    reason = "it may refuse a folder that a signer still writes to, and allows nothing"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
