//! `node.toml` of a machine.

use std::path::Path;

use node::dev::ports::Ports;
use raft_store::disk;

use super::failed::Failed;

/// Lines that a scenario wants in every `node.toml` beyond the usual.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// At the top, before the first section.
    pub(crate) top: Vec<String>,
    /// For the section `[times]`.
    pub(crate) times: Vec<String>,
    /// Whole sections, with their heads.
    pub(crate) sections: Vec<String>,
}

/// Writes it. The password is the world's, the audit file lies beside the configuration.
///
/// # Errors
/// What the file system says.
pub(crate) fn write(file: &Path, ports: Ports, settings: &Settings) -> Result<(), Failed> {
    let Ports { signer, peers, ops } = ports;
    let lines = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect();
    let (top, times, sections): (String, String, String) = (
        lines(&settings.top),
        lines(&settings.times),
        lines(&settings.sections),
    );
    let text = format!(
        "# Written by `quorate-chaos run`; deploy/node.toml explains each line.\n\
         data_dir = \"data\"\naudit_file = \"audit.jsonl\"\n{top}\n\
         [peers]\nlisten = \"127.0.0.1:{peers}\"\n\n\
         [signer]\nlisten = \"127.0.0.1:{signer}\"\n\n\
         [ops]\nlisten = \"127.0.0.1:{ops}\"\n\n\
         [times]\n{times}\n{sections}\
         [[keys]]\nbackend = \"file\"\npassword_file = \"../password\"\n"
    );
    disk::replace(file, &[text.as_bytes()]).map_err(Failed::file(file))
}
