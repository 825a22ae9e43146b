//! docs/keys.md, to be run as it is written.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use node::dev::deadline::Deadline;
use tezos::{Curve, SecretKey};
use tokio::process::{Child, Command};

use crate::world::{CHAIN, World, quorate};

const PAGE: &str = include_str!("../docs/keys.md");
pub(crate) const PIN: &str = "a-pin-of-the-user";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Longer than the whole page takes: it makes three RSA pairs on two busy cores.
const WITHIN: Duration = Duration::from_secs(180);

/// What the page calls its variables, and the keys that come from offline.
pub(crate) struct Ceremony {
    pub(crate) folder: PathBuf,
    pub(crate) offline: SecretKey,
    pub(crate) consensus: SecretKey,
    pub(crate) companion: SecretKey,
}

impl Ceremony {
    pub(crate) fn new(world: &World) -> Self {
        let folder = world.dir().join("ceremony");
        fs::create_dir(&folder).unwrap();
        let ceremony = Self {
            folder,
            offline: SecretKey::generate(Curve::Ed25519).unwrap(),
            consensus: SecretKey::generate(Curve::Bls12_381).unwrap(),
            companion: SecretKey::generate(Curve::Bls12_381).unwrap(),
        };
        ceremony.write("password", PASSWORD);
        for (name, secret) in ceremony.secrets() {
            let encrypted = secret.encrypt(PASSWORD.as_bytes()).unwrap();
            ceremony.write(name, &encrypted.to_string());
        }
        // The nodes belong to the test, so it restarts them when it is told.
        let restart = "#!/bin/sh\nprintf %s \"$1\" > restart.new\nmv restart.new restart\nwhile [ -e \
                       restart ]; do sleep 0.1; done\n";
        ceremony.write("restart.sh", restart);
        let owner = fs::Permissions::from_mode(0o700);
        fs::set_permissions(ceremony.folder.join("restart.sh"), owner).unwrap();
        ceremony
    }

    pub(crate) fn secrets(&self) -> [(&'static str, &SecretKey); 3] {
        [
            ("offline", &self.offline),
            ("consensus", &self.consensus),
            ("companion", &self.companion),
        ]
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Every block of the page, one after another, in one shell.
    fn start(&self, world: &World, module: &Path) -> Child {
        let script = format!("set -eu\n{}\nprintf '%s\\n' \"$KEY\" > key\n", blocks());
        let [one, two, three] = world.cluster.nodes() else {
            panic!("there are three nodes");
        };
        let hash = |secret: &SecretKey| secret.public_key().hash().to_string();
        let program = Path::new(quorate()).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(script)
            .current_dir(&self.folder)
            .env("PATH", format!("{}:{path}", program.display()))
            .env("N1", one.config())
            .env("N2", two.config())
            .env("N3", three.config())
            .env("MODULE", module)
            .env("RESTART", self.folder.join("restart.sh"))
            .env("PIN", PIN)
            .env("SO_PIN", "a-pin-of-the-officer")
            .env("PASSWORD", self.folder.join("password"))
            .env("OFFLINE", self.folder.join("offline"))
            .env("CONSENSUS", self.folder.join("consensus"))
            .env("COMPANION", self.folder.join("companion"))
            .env("OFFLINE_KEY", hash(&self.offline))
            .env("CONSENSUS_KEY", hash(&self.consensus))
            .env("COMPANION_KEY", hash(&self.companion))
            .env("CHAIN", CHAIN.to_string())
            .env("LEVEL", "1")
            .stdin(Stdio::null())
            .stdout(fs::File::create(self.folder.join("out")).unwrap())
            .stderr(fs::File::create(self.folder.join("err")).unwrap())
            .kill_on_drop(true);
        shell.spawn().unwrap()
    }

    /// Runs the page to its end, and restarts nodes when it says so.
    pub(crate) async fn run(&self, world: &mut World, module: &Path) {
        let mut shell = self.start(world, module);
        let deadline = Deadline::after(WITHIN);
        let ended = loop {
            let asked = self.folder.join("restart");
            if let Ok(config) = fs::read_to_string(&asked) {
                let nodes = world.cluster.nodes();
                let node = nodes
                    .iter()
                    .find(|node| node.config() == Path::new(&config));
                let id = node.unwrap().id();
                world.kill(id);
                world.start(id);
                world.ready().await;
                fs::remove_file(&asked).unwrap();
            }
            if let Some(ended) = shell.try_wait().unwrap() {
                break ended;
            }
            assert!(!deadline.passed(), "it hangs:\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert!(ended.success(), "{ended}:\n{}", self.said());
    }

    pub(crate) fn said(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        read("out") + &read("err")
    }
}

/// The blocks of the page that are to be run.
fn blocks() -> String {
    let mut blocks = String::new();
    let mut inside = false;
    for line in PAGE.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => blocks = blocks + line + "\n",
            _text => {}
        }
    }
    assert!(blocks.contains("key copy close"), "the page has its blocks");
    blocks
}
