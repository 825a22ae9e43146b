//! What must be on disk before the nodes start: configuration, identity, keys.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use raft_store::disk;
use serde::Deserialize;
use tezos::{Curve, PublicKeyHash};

use super::cluster::Plan;
use super::fault::DevError;
use super::ports::Ports;
use super::process::NodeProcess;
use super::program::Program;
use crate::config::Config;

/// Lines that a test wants in every `node.toml` beyond the usual.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// For the section `[signer]`.
    pub signer: Vec<String>,
    /// For the section `[times]`.
    pub times: Vec<String>,
    /// For the section `[log]`.
    pub log: Vec<String>,
}

/// How many nodes there are: the least that survives the loss of one.
const NODES: u16 = 3;

/// The nodes of a folder, each with its configuration, identity and keys; what is there already is
/// kept.
///
/// # Errors
/// If a port is taken, a file cannot be written, or a command fails.
pub(super) async fn prepare(plan: &Plan, program: &Program) -> Result<Vec<NodeProcess>, DevError> {
    let dir = &plan.dir;
    let mut nodes = Vec::new();
    for (id, planned) in (1_u64..).zip(Ports::plan(plan.signer_port, NODES)?) {
        let folder = dir.join(format!("node{id}"));
        disk::create_folder(&folder).map_err(DevError::file(&folder))?;
        let ports = keep_peers_port(&folder, planned)?;
        ports.check(id)?;
        let node = NodeProcess::new(id, program.path(), folder, ports);
        let tokens = plan.tokens.as_ref().and_then(|tokens| tokens.of(&node));
        write(
            &node.config(),
            &configuration(ports, &plan.settings, tokens),
        )?;
        nodes.push(node);
    }
    password(dir)?;
    for node in &nodes {
        if !node.data_dir().exists() {
            program.run(&node.config(), &["init"]).await?;
        }
    }
    let (in_tokens, in_files): (Vec<Curve>, Vec<Curve>) = plan
        .curves
        .iter()
        .partition(|curve| plan.tokens.is_some() && **curve != Curve::Bls12_381);
    if let Some(tokens) = &plan.tokens {
        tokens.prepare(plan, &nodes, &in_tokens).await?;
    }
    keys(program, &nodes, &in_files).await?;
    Ok(nodes)
}

/// A formed cluster has the peers' addresses in its membership, so they stay what they were.
fn keep_peers_port(folder: &Path, planned: Ports) -> Result<Ports, DevError> {
    let file = folder.join("node.toml");
    if !file.exists() {
        return Ok(planned);
    }
    let peers = Config::load(&file)?.peers_listen.port();
    Ok(Ports { peers, ..planned })
}

fn configuration(ports: Ports, settings: &Settings, token: Option<String>) -> String {
    let Ports { signer, peers, ops } = ports;
    let section = |name: &str, lines: &[String]| match lines {
        [] => String::new(),
        lines => format!("\n[{name}]\n{}\n", lines.join("\n")),
    };
    let mut signer_lines = vec![format!("listen = \"127.0.0.1:{signer}\"")];
    signer_lines.extend(settings.signer.iter().cloned());
    format!(
        "# Written by `quorate dev` at every start; deploy/node.toml explains each line.\n\
         data_dir = \"data\"\n\
         {}{}{}{}{}{}{}",
        section("peers", &[format!("listen = \"127.0.0.1:{peers}\"")]),
        section("signer", &signer_lines),
        section("ops", &[format!("listen = \"127.0.0.1:{ops}\"")]),
        section("times", &settings.times),
        section("log", &settings.log),
        section(
            "[keys]",
            &[
                "backend = \"file\"".to_owned(),
                "password_file = \"../password\"".to_owned()
            ]
        ),
        token.unwrap_or_default(),
    )
}

/// The password of the key files: random, made once, readable to this user alone.
fn password(dir: &Path) -> Result<(), DevError> {
    let file = dir.join("password");
    if file.exists() {
        return Ok(());
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(DevError::NoRandomness)?;
    write(&file, &hex::encode(random))
}

/// One key per curve: made on the first node, copied to the others, as an operator would.
async fn keys(program: &Program, nodes: &[NodeProcess], curves: &[Curve]) -> Result<(), DevError> {
    #[derive(Deserialize)]
    struct Generated {}
    let [first, others @ ..] = nodes else {
        return Ok(());
    };
    for curve in curves {
        if !key_files(&key_folder(first))?
            .keys()
            .any(|key| key.curve() == *curve)
        {
            let words = ["key", "generate", &curve.to_string(), "--json"];
            let Generated {} = program.ask(&first.config(), &words).await?;
        }
    }
    for (key, file) in key_files(&key_folder(first))? {
        let content = fs::read(&file).map_err(DevError::file(&file))?;
        for other in others {
            let folder = key_folder(other);
            let copy = folder.join(format!("{key}.key"));
            if !copy.exists() {
                disk::create_folder(&folder).map_err(DevError::file(&folder))?;
                disk::replace(&copy, &[&content]).map_err(DevError::file(&copy))?;
            }
        }
    }
    Ok(())
}

pub(super) fn key_folder(node: &NodeProcess) -> PathBuf {
    node.data_dir().join("keys")
}

/// The key files of a folder, `<public key hash>.key`.
fn key_files(folder: &Path) -> Result<BTreeMap<PublicKeyHash, PathBuf>, DevError> {
    if !folder.exists() {
        return Ok(BTreeMap::new());
    }
    let entries = fs::read_dir(folder).map_err(DevError::file(folder))?;
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(".key")?;
            Some((name.parse().ok()?, path.clone()))
        })
        .collect())
}

pub(super) fn write(file: &Path, text: &str) -> Result<(), DevError> {
    disk::replace(file, &[text.as_bytes()]).map_err(DevError::file(file))
}
