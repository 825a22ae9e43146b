//! A token of SoftHSM with three keys, the shim in front of it, and a guard of its PIN.
#![allow(
    dead_code,
    unused_imports,
    reason = "each file of tests uses another part of what they share"
)]

mod guard;
mod waiting;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use hsm::parent::{Launch, Module, Place, Wanted, Within};
use hsm::{KeyName, TokenName};
use shim_orders::{Act, Order, Orders};
use tempfile::TempDir;
use tezos::Curve;

pub(crate) use guard::Guard;
pub(crate) use shim_orders::skip;
pub(crate) use waiting::{
    PATIENCE, eventually, eventually_within, key, signed, signs_again, trouble, until, well,
};

/// The keys of a new token, by their ids.
pub(crate) const CURVES: [(u8, Curve, &str); 3] = [
    (1, Curve::P256, "EC:prime256v1"),
    (2, Curve::Secp256k1, "EC:secp256k1"),
    (3, Curve::Ed25519, "EC:edwards25519"),
];

/// How long one signature may take where a test waits for one that takes longer.
pub(crate) const SIGN: Duration = Duration::from_millis(700);

/// A token, and the orders of the shim in front of it.
pub(crate) struct Token {
    pub(crate) orders: Orders,
    pub(crate) guard: Arc<Guard>,
    path: PathBuf,
    _home: Option<TempDir>,
}

impl Token {
    /// A token with three keys and the PIN `1234`. None, said aloud, on a machine without SoftHSM.
    pub(crate) fn new() -> Option<Self> {
        Self::with_pin(b"1234")
    }

    /// The same with another PIN.
    pub(crate) fn with_pin(pin: &[u8]) -> Option<Self> {
        if shim_orders::softhsm().is_none() {
            skip("SoftHSM is not installed: deploy/prerequisites.sh test");
            return None;
        }
        if Command::new("pkcs11-tool")
            .arg("--version")
            .output()
            .is_err()
        {
            skip("pkcs11-tool is not installed: deploy/prerequisites.sh test");
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("tokens")).unwrap();
        for (name, folder) in [("softhsm2.conf", "tokens"), ("away.conf", "away")] {
            let folder = home.path().join(folder);
            let mut file = fs::File::create(home.path().join(name)).unwrap();
            writeln!(file, "directories.tokendir = {}", folder.display()).unwrap();
            writeln!(file, "objectstore.backend = file").unwrap();
        }
        let mut token = Self::at(home.path(), pin);
        token._home = Some(home);
        let mut init = token.command("softhsm2-util");
        init.args(["--init-token", "--free", "--label", "node"]);
        init.args(["--so-pin", "5678", "--pin"])
            .arg(OsStr::from_bytes(pin));
        run(&mut init);
        for (id, _, kind) in CURVES {
            token.generate(id, kind);
        }
        Some(token)
    }

    /// A token that another process made.
    pub(crate) fn at(path: &Path, pin: &[u8]) -> Self {
        Self {
            orders: Orders::new(path.join("orders")),
            guard: Arc::new(Guard::new(pin)),
            path: path.to_owned(),
            _home: None,
        }
    }

    /// The folder of this token and all that belongs to it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a key pair whose halves share an id and the label `k<id>`.
    pub(crate) fn generate(&self, id: u8, kind: &str) {
        let (id, label) = (format!("{id:02}"), format!("k{id}"));
        self.tool(&[
            "--keypairgen",
            "--key-type",
            kind,
            "--id",
            &id,
            "--label",
            &label,
        ]);
    }

    /// Deletes both halves of a key.
    pub(crate) fn delete(&self, id: u8) {
        let id = format!("{id:02}");
        self.tool(&["--delete-object", "--type", "privkey", "--id", &id]);
        self.tool(&["--delete-object", "--type", "pubkey", "--id", &id]);
    }

    /// Does something to the token behind the shim's back.
    pub(crate) fn tool(&self, arguments: &[&str]) -> Output {
        let mut tool = self.command("pkcs11-tool");
        tool.arg("--module").arg(shim_orders::softhsm().unwrap());
        tool.args(["--token-label", "node", "--login", "--pin"]);
        tool.arg(OsString::from(OsStr::from_bytes(&self.guard.pin())))
            .args(arguments);
        run(&mut tool)
    }

    /// The tools see the token while it is away, too.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let away = self.path.join("away");
        let name = if away.exists() {
            "away.conf"
        } else {
            "softhsm2.conf"
        };
        command.env("SOFTHSM2_CONF", self.path.join(name));
        command
    }

    /// Takes the token away.
    pub(crate) fn take_away(&self) {
        let (here, away) = (self.path.join("tokens"), self.path.join("away"));
        rustix::fs::rename(&here, &away).unwrap();
        fs::create_dir(here).unwrap();
    }

    /// Brings it back.
    pub(crate) fn bring_back(&self) {
        let (here, away) = (self.path.join("tokens"), self.path.join("away"));
        // In one step: a folder that is empty can be replaced.
        rustix::fs::rename(away, here).unwrap();
    }

    /// Where its module is: the shim, with the three keys by their ids.
    pub(crate) fn place(&self) -> Place {
        let mut set: std::collections::BTreeMap<_, _> = self
            .orders
            .environment(&shim_orders::softhsm().unwrap())
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into_string().unwrap()))
            .collect();
        let configuration = self.path.join("softhsm2.conf");
        set.insert(
            "SOFTHSM2_CONF".to_owned(),
            configuration.display().to_string(),
        );
        Place {
            module: shim_orders::shim().unwrap(),
            token: TokenName {
                label: Some("node".to_owned()),
                ..TokenName::default()
            },
            keys: CURVES.iter().map(|(id, ..)| wanted(*id)).collect(),
            sessions: 4,
            launch: Launch {
                program: env!("CARGO_BIN_EXE_hsm-child").into(),
                arguments: Vec::new(),
                set,
                remove: ["QUORATE_TEST_SECRET".to_owned()].into(),
            },
            within: Within {
                sign: SIGN,
                connect: Duration::from_secs(3),
            },
        }
    }

    /// The same where nothing hangs, or nobody waits for what does: what heals has the time that a slow
    /// machine takes to start a process.
    pub(crate) fn patient(&self) -> Place {
        let mut place = self.place();
        place.within.sign = Duration::from_secs(5);
        place.within.connect = Duration::from_secs(20);
        place
    }

    /// Starts its module.
    pub(crate) fn start(&self) -> Module {
        self.start_at(self.place())
    }

    /// Starts its module, with some of its place changed.
    pub(crate) fn start_at(&self, place: Place) -> Module {
        let guard = Arc::clone(&self.guard);
        Module::start(place, guard)
    }

    /// Starts its module and waits until every key can sign.
    pub(crate) async fn ready(&self) -> Module {
        ready(self.start()).await
    }

    /// The same with [`Self::patient`].
    pub(crate) async fn ready_patient(&self) -> Module {
        ready(self.start_at(self.patient())).await
    }

    /// How many processes have loaded the module.
    pub(crate) fn processes(&self) -> usize {
        let mut all: Vec<_> = self.orders.log().iter().map(|call| call.pid).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    }

    /// The process that called the module last.
    pub(crate) fn pid(&self) -> u32 {
        self.orders.log().last().unwrap().pid
    }

    /// Orders that one call goes wrong.
    pub(crate) fn once(&self, function: &str, act: Act) {
        self.orders
            .give(function, &Order::new(function, act).times(1));
    }
}

async fn ready(module: Module) -> Module {
    well(&module).await;
    module
}

/// A key by its id alone.
pub(crate) fn wanted(id: u8) -> Wanted {
    Wanted {
        name: KeyName {
            id: Some(vec![id]),
            label: None,
        },
        public_key_hash: None,
    }
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}
