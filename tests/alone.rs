//! One node that does not run, with a token of SoftHSM.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use hsm::Pin;
use hsm::parent::{Launch, initialise};
use shim_orders::Orders;
use tempfile::TempDir;
use tezos::SecretKey;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::world::{folder, quorate};

pub(crate) const PIN: &str = "a-pin-of-the-user";

/// A node's folder, with a token.
pub(crate) struct Alone {
    dir: TempDir,
    module: PathBuf,
    /// Variables of the module.
    environment: BTreeMap<String, String>,
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Alone {
    pub(crate) async fn new() -> Option<Self> {
        let alone = Self {
            dir: folder(),
            module: softhsm()?,
            environment: BTreeMap::new(),
        };
        alone.initialise("one").await;
        alone.write("pin", PIN);
        alone.write("password", "a password");
        alone.configure("one");
        let made = alone.run(&["init"], "").await;
        assert_eq!(made.exit, 0, "{made:?}");
        Some(alone)
    }

    /// Puts the shim before the module, from the next command on.
    pub(crate) fn shim(&mut self) -> Orders {
        let orders = Orders::new(self.path("orders"));
        for (name, value) in orders.environment(&self.module) {
            let value = value.into_string().unwrap();
            self.environment.insert(name.to_owned(), value);
        }
        self.module = shim_orders::shim().unwrap();
        self.configure("one");
        orders
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        raft_store::disk::replace(&self.path(name), &[text.as_bytes()]).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A configuration with a key folder, a token, and sealed files.
    pub(crate) fn configure(&self, token: &str) {
        let module = self.module.display();
        let conf = self.path("softhsm2.conf").display().to_string();
        let mut environment = self.environment.clone();
        environment.insert("SOFTHSM2_CONF".to_owned(), conf);
        let environment: Vec<String> = environment
            .iter()
            .map(|(name, value)| format!("{name} = {value:?}"))
            .collect();
        let token = format!(
            "module = \"{module}\"\ntoken = \"{token}\"\npin_file = \"pin\"\nenvironment = {{ \
             {} }}\n",
            environment.join(", ")
        );
        let text = format!(
            "data_dir = \"data\"\n[peers]\nlisten = \"127.0.0.1:7101\"\n[[keys]]\nbackend = \
             \"file\"\npassword_file = \"password\"\n[[keys]]\nbackend = \"pkcs11\"\n{token}[[keys]]\n\
             backend = \"sealed\"\n{token}"
        );
        self.write("node.toml", &text);
    }

    pub(crate) async fn initialise(&self, label: &str) {
        fs::create_dir_all(self.path("tokens")).unwrap();
        let tokens = self.path("tokens");
        self.write(
            "softhsm2.conf",
            &format!("directories.tokendir = {}\n", tokens.display()),
        );
        let conf = self.path("softhsm2.conf").display().to_string();
        let launch = Launch {
            program: quorate().into(),
            arguments: vec!["pkcs11-module".into()],
            set: [("SOFTHSM2_CONF".to_owned(), conf)].into(),
            remove: [].into(),
        };
        let (so_pin, pin) = (Pin::new(b"a-pin-of-the-officer"), Pin::new(PIN.as_bytes()));
        initialise(&launch, &self.module, label, &so_pin, &pin)
            .await
            .unwrap();
    }

    pub(crate) async fn run(&self, words: &[&str], input: &str) -> Said {
        let mut command = Command::new(quorate());
        command
            .args(words)
            .arg("--config")
            .arg(self.path("node.toml"));
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = piped.spawn().unwrap();
        let mut stdin = running.stdin.take().unwrap();
        // A command that reads nothing may have ended.
        stdin.write_all(input.as_bytes()).await.ok();
        drop(stdin);
        let ended = running.wait_with_output().await.unwrap();
        Said {
            exit: ended.status.code().unwrap(),
            out: String::from_utf8(ended.stdout).unwrap(),
            err: String::from_utf8(ended.stderr).unwrap(),
        }
    }

    pub(crate) fn sealed(&self, secret: &SecretKey) -> PathBuf {
        let name = format!("data/sealed/{}.sealed", secret.public_key().hash());
        self.path(&name)
    }
}

/// SoftHSM; none, said aloud, on a machine without it.
pub(crate) fn softhsm() -> Option<PathBuf> {
    let found = shim_orders::softhsm();
    if found.is_none() {
        shim_orders::skip("SoftHSM is not installed: deploy/prerequisites.sh test");
    }
    found
}
