//! Tokens of SoftHSM for one test, in a folder of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hsm::parent::{Ceremony, Hold, Launch, PinGuard, Place, Within, initialise};
use hsm::{KeyName, Pin, Token, TokenName};
use shim_orders::skip;
use tempfile::TempDir;

pub(crate) const PIN: &[u8] = b"1234-user";
pub(crate) const SO_PIN: &[u8] = b"5678-officer";

/// A machine with SoftHSM.
pub(crate) struct Tokens {
    pub(crate) module: PathBuf,
    folder: PathBuf,
    home: TempDir,
}

#[derive(Debug)]
struct Always;

impl PinGuard for Always {
    fn read(&self) -> Result<Pin, String> {
        Ok(Pin::new(PIN))
    }
    fn was_rejected(&self, _token: &Token, _pin: &Pin) -> Result<bool, String> {
        Ok(false)
    }
    fn hold(&self, _token: &Token) -> Result<Hold, String> {
        Ok(Hold::Here(Box::new(())))
    }
    fn reject(&self, _token: &Token, _pin: &Pin) -> Result<(), String> {
        Err("the PIN of a test is right".to_owned())
    }
    fn forgive(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Tokens {
    /// None, said aloud, on a machine without SoftHSM.
    pub(crate) fn new() -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        Self::with(home.path().join("tokens"), home)
    }

    /// The same with the tokens in a new folder of that name.
    pub(crate) fn in_folder(folder: PathBuf) -> Option<Self> {
        Self::with(folder, tempfile::tempdir().unwrap())
    }

    fn with(folder: PathBuf, home: TempDir) -> Option<Self> {
        let Some(module) = shim_orders::softhsm() else {
            skip("SoftHSM is not installed: deploy/prerequisites.sh test");
            return None;
        };
        fs::create_dir(&folder).unwrap();
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\n",
            folder.display()
        );
        fs::write(home.path().join("softhsm2.conf"), text).unwrap();
        Some(Self {
            module,
            folder,
            home,
        })
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    pub(crate) fn launch(&self) -> Launch {
        let configuration = self.home.path().join("softhsm2.conf");
        Launch {
            program: PathBuf::from(env!("CARGO_BIN_EXE_hsm-child")),
            arguments: Vec::new(),
            set: BTreeMap::from([(
                "SOFTHSM2_CONF".to_owned(),
                configuration.display().to_string(),
            )]),
            remove: BTreeSet::new(),
        }
    }

    pub(crate) async fn initialise(&self, label: &str) -> Result<Token, hsm::Trouble> {
        let (so_pin, pin) = (Pin::new(SO_PIN), Pin::new(PIN));
        initialise(&self.launch(), &self.module, label, &so_pin, &pin).await
    }

    /// A ceremony with a fresh token.
    pub(crate) async fn fresh(&self, label: &str) -> Ceremony {
        self.initialise(label).await.unwrap();
        self.open(label).await
    }

    pub(crate) async fn open(&self, label: &str) -> Ceremony {
        self.open_at(self.place(label)).await
    }

    pub(crate) async fn open_at(&self, place: Place) -> Ceremony {
        Ceremony::open(place, Arc::new(Always)).await.unwrap()
    }

    pub(crate) fn place(&self, label: &str) -> Place {
        Place {
            module: self.module.clone(),
            token: TokenName {
                label: Some(label.to_owned()),
                ..TokenName::default()
            },
            keys: Vec::new(),
            sessions: 1,
            launch: self.launch(),
            within: Within {
                sign: Duration::from_secs(20),
                connect: Duration::from_secs(60),
            },
        }
    }

    /// Every file of every token.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        collect(&self.folder(), &mut all);
        all
    }
}

fn collect(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, all),
            false => all.push(path),
        }
    }
}

pub(crate) fn named(label: &str) -> KeyName {
    KeyName {
        id: None,
        label: Some(label.to_owned()),
    }
}
