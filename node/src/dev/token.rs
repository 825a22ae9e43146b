//! SoftHSM tokens instead of key files: a folder a node, the same keys in each. What no token can
//! sign with, tz4, is sealed by it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hsm::parent::{Ceremony, PinGuard, Place, initialise};
use hsm::{KeyName, Pin};
use raft_store::disk;
use tezos::{Curve, SecretKey};

use super::cluster::Plan;
use super::fault::DevError;
use super::folder::{key_folder, write};
use super::process::NodeProcess;
use crate::config::{Config, KeySource, PasswordSource, SEALING_KEY};
use crate::keys::file;
use crate::keys::pin::PinSource;
use crate::keys::sealed::Sealed;
use crate::keys::token::place;

/// Where distributions put SoftHSM.
const SOFTHSM: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// Which nodes keep their keys in tokens, and through which module.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The nodes; the others have the same keys in files.
    pub nodes: BTreeSet<u64>,
    /// The module that the nodes load.
    pub module: PathBuf,
    /// Variables that the module wants beside `SOFTHSM2_CONF`; `{node}` in a value is the node's id.
    pub environment: BTreeMap<String, String>,
}

impl Tokens {
    /// SoftHSM on all three nodes.
    ///
    /// # Errors
    /// If it is not installed.
    pub fn everywhere() -> Result<Self, DevError> {
        Ok(Self {
            nodes: BTreeSet::from([1, 2, 3]),
            module: softhsm()?,
            environment: BTreeMap::new(),
        })
    }

    /// The lines of `node.toml` for the token of a node, if it has one.
    pub(super) fn of(&self, node: &NodeProcess) -> Option<String> {
        if !self.nodes.contains(&node.id()) {
            return None;
        }
        let folder = folder(node);
        let conf = conf(&folder).display().to_string();
        let mut environment = vec![format!("SOFTHSM2_CONF = {conf:?}")];
        for (name, value) in &self.environment {
            let value = value.replace("{node}", &node.id().to_string());
            environment.push(format!("{name} = {value:?}"));
        }
        let token = format!(
            "module = {:?}\ntoken = \"node{}\"\npin_file = \"pin\"\nenvironment = {{ {} }}\n",
            self.module,
            node.id(),
            environment.join(", ")
        );
        Some(format!(
            "\n[[keys]]\nbackend = \"pkcs11\"\n{token}\n[[keys]]\nbackend = \"sealed\"\n{token}"
        ))
    }

    /// Makes what is not there yet: tokens, and one key a curve in each, or in a file on a node
    /// without a token.
    pub(super) async fn prepare(&self, plan: &Plan, nodes: &[NodeProcess]) -> Result<(), DevError> {
        let done = plan.dir.join("tokens.made");
        if done.exists() {
            return Ok(());
        }
        // A run that ended half way left tokens whose keys nobody has a second copy of: again.
        let secrets = plan.curves.iter().map(|curve| SecretKey::generate(*curve));
        let secrets = secrets
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| DevError::Broken(error.to_string()))?;
        for node in nodes {
            match self.nodes.contains(&node.id()) {
                true => self.fill(plan, node, &secrets).await?,
                false => keep_in_files(plan, node, &secrets)?,
            }
        }
        write(&done, "")
    }

    async fn fill(
        &self,
        plan: &Plan,
        node: &NodeProcess,
        secrets: &[SecretKey],
    ) -> Result<(), DevError> {
        let folder = folder(node);
        let tokens = token_folder(&folder);
        if tokens.exists() {
            fs::remove_dir_all(&tokens).map_err(DevError::file(&tokens))?;
        }
        disk::create_folder(&tokens).map_err(DevError::file(&tokens))?;
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        write(&conf(&folder), &text)?;
        let (so_pin, pin) = (random()?, random()?);
        write(&folder.join("pin"), &pin)?;
        let config = Config::load(&node.config())?;
        let source = config.keys.iter().find_map(|source| match source {
            KeySource::Pkcs11(token) => Some(token),
            KeySource::File { .. } | KeySource::Sealed { .. } => None,
        });
        let source = source.ok_or_else(|| DevError::Broken("no token in node.toml".to_owned()))?;
        let mut place: Place = place(source, &BTreeSet::new(), config.times.sign);
        place.launch.program = plan.program.clone();
        // Nothing goes wrong while tokens are made, whatever module the node is to load.
        place.module = softhsm()?;
        let (so_pin, pin) = (Pin::new(so_pin.as_bytes()), Pin::new(pin.as_bytes()));
        let label = format!("node{}", node.id());
        initialise(&place.launch, &place.module, &label, &so_pin, &pin).await?;
        let guard: Arc<dyn PinGuard> =
            Arc::new(PinSource::new(source.pin.clone(), &node.data_dir()));
        let mut ceremony = Ceremony::open(place, guard).await?;
        ceremony.make_sealing_key(SEALING_KEY).await?;
        for secret in secrets {
            if secret.public_key().curve() == Curve::Bls12_381 {
                let sealed = Sealed::seal(&ceremony, SEALING_KEY, secret).await?;
                let folder = node.data_dir().join("sealed");
                disk::create_folder(&folder).map_err(DevError::file(&folder))?;
                sealed.write(&folder).map_err(DevError::file(&folder))?;
                continue;
            }
            let name = KeyName {
                id: Some(vec![secret.public_key().curve().code()]),
                label: Some(secret.public_key().curve().to_string()),
            };
            ceremony.import(secret, &name).await?;
        }
        Ok(())
    }
}

/// Takes a node's token away, or brings it back: what a pulled cable looks like to SoftHSM.
///
/// # Errors
/// What the file system says.
pub fn pull(node: &NodeProcess, away: bool) -> Result<(), DevError> {
    let here = token_folder(&folder(node));
    let there = here.with_extension("away");
    let (from, to) = if away { (here, there) } else { (there, here) };
    #[expect(
        clippy::disallowed_methods,
        reason = "a folder of a token that is pulled; nothing has to last"
    )]
    fs::rename(&from, &to).map_err(DevError::file(&from))
}

/// The same keys on a node without a token.
fn keep_in_files(plan: &Plan, node: &NodeProcess, secrets: &[SecretKey]) -> Result<(), DevError> {
    let password = PasswordSource::File(plan.dir.join("password"));
    let password = password
        .read()
        .map_err(|fault| DevError::Broken(fault.to_string()))?;
    let folder = key_folder(node);
    disk::create_folder(&folder).map_err(DevError::file(&folder))?;
    for secret in secrets {
        let encrypted = secret
            .encrypt(password.as_bytes())
            .map_err(|error| DevError::Broken(error.to_string()))?;
        file::write(&folder, secret.public_key(), &encrypted).map_err(DevError::file(&folder))?;
    }
    Ok(())
}

/// SoftHSM's library.
///
/// # Errors
/// If it is not installed.
pub fn softhsm() -> Result<PathBuf, DevError> {
    let found = SOFTHSM.iter().map(PathBuf::from).find(|path| path.exists());
    found.ok_or_else(|| {
        DevError::Broken(
            "SoftHSM is not installed: run `deploy/prerequisites.sh test`, or install softhsm2"
                .to_owned(),
        )
    })
}

fn folder(node: &NodeProcess) -> PathBuf {
    let config = node.config();
    config.parent().unwrap_or_else(|| Path::new("")).to_owned()
}

fn conf(folder: &Path) -> PathBuf {
    folder.join("softhsm2.conf")
}

fn token_folder(folder: &Path) -> PathBuf {
    folder.join("tokens")
}

fn random() -> Result<String, DevError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(DevError::NoRandomness)?;
    Ok(hex::encode(bytes))
}
