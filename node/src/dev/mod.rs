//! `quorate dev`: three real nodes on this machine, and the story of what they promise.
//!
//! **Invariant:** nothing here signs, decides or stores. It starts the same processes, and gives
//! the same commands, as an operator on three machines.

pub mod cluster;
pub mod deadline;
mod fault;
pub mod figures;
mod folder;
pub mod manifest;
pub mod message;
pub mod ports;
pub mod process;
pub mod program;
pub mod pulled;
mod race;
mod screen;
mod stale;
mod story;
mod tether;
pub mod token;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use raft_store::disk;
use tezos::Curve;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

pub use fault::DevError;
pub use folder::Settings;
pub use tether::{TetherError, tether};

use cluster::{Cluster, Plan};
use figures::told;
use screen::Screen;
use token::Tokens;

/// The options of `quorate dev`.
#[derive(clap::Args, Clone, Debug)]
pub struct DevArgs {
    /// Where everything is kept; run again, it goes on from there. Default:
    /// $XDG_STATE_HOME/quorate/dev, or ~/.local/state/quorate/dev. Not on tmpfs.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// The signer port of node 1; the others follow. 0 looks for free ports.
    #[arg(long, default_value_t = 6732, value_name = "PORT")]
    pub signer_port: u16,
    /// The curves to enrol one key each for.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "ed25519,secp256k1,p256,bls12-381",
        value_name = "CURVES"
    )]
    pub keys: Vec<Curve>,
    /// Keep the keys of tz1, tz2 and tz3 in SoftHSM tokens, one folder a node.
    #[arg(long)]
    pub hsm: bool,
    /// Tell the story, stop everything, and exit 0, or 1 if a promise does not hold.
    #[arg(long)]
    pub demo: bool,
}

/// Runs `quorate dev`. To be called on the main thread: the kernel ends the nodes with the thread
/// that started them.
pub fn run(args: DevArgs) -> ExitCode {
    let screen = Screen::default();
    let told = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(DevError::file("the async runtime"))
        .and_then(|runtime| runtime.block_on(live(args, &screen)));
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            screen.note(&format!("\nquorate dev: {fault}"));
            ExitCode::FAILURE
        }
    }
}

async fn live(args: DevArgs, screen: &Screen) -> Result<(), DevError> {
    let start = Instant::now();
    let plan = plan(&args)?;
    let dir = plan.dir.clone();
    let _lock = stale::Lock::take(&dir)?;
    stale::end_nodes(&dir, &mut |text| screen.note(text)).await?;
    screen.note(&format!(
        "Quorate: three nodes on this machine, in {}",
        dir.display()
    ));
    let mut interrupted = Interrupted::listen()?;
    // Also a Ctrl-C while they come up, or in the middle of the story, stops all of them.
    let done = tokio::select! {
        done = up_and_told(&plan, start, args.demo, screen) => done,
        () = interrupted.wait() => Ok(None),
    };
    let mut cluster = match done {
        Ok(Some(cluster)) => cluster,
        Ok(None) => return end(&dir, screen).await,
        Err(fault) => {
            end(&dir, screen).await?;
            return Err(fault);
        }
    };
    if !args.demo {
        screen.note("\nThe nodes go on until Ctrl-C.");
        tokio::select! {
            ended = watch(&mut cluster, screen) => ended?,
            () = interrupted.wait() => {}
        }
    }
    cluster.stop().await?;
    drop(cluster);
    end(&dir, screen).await
}

async fn up_and_told(
    plan: &Plan,
    start: Instant,
    demo: bool,
    screen: &Screen,
) -> Result<Option<Cluster>, DevError> {
    let mut cluster = Cluster::start(plan).await?;
    for node in cluster.nodes() {
        screen.line(&format!(
            "node {}   signer {}   health {}   pid {}",
            node.id(),
            node.signer_url(),
            node.ops_url(),
            node.pid().unwrap_or_default()
        ));
    }
    for key in cluster.keys() {
        let curve = key.curve.to_string();
        screen.line(&format!("{curve:<10} {}", key.public_key_hash));
    }
    let manifest = manifest::Manifest::path(&plan.dir);
    screen.note(&format!(
        "Ready after {}. {} has all of this for scripts.",
        told(start.elapsed()),
        manifest.display()
    ));
    match story::tell(&mut cluster, screen, plan.tokens.is_some()).await {
        Ok(()) => Ok(Some(cluster)),
        // A cluster that broke a promise is left to look at, unless nobody stays to do so.
        Err(fault) if !demo => {
            screen.note(&format!("\nquorate dev: {fault}"));
            Ok(Some(cluster))
        }
        Err(fault) => Err(fault),
    }
}

/// Says when a node ends, as one does that a script kills. It is not started again: that is what
/// the script is for.
async fn watch(cluster: &mut Cluster, screen: &Screen) -> Result<(), DevError> {
    loop {
        for id in 1..=3 {
            let node = cluster.node(id)?;
            if let Some(status) = node.ended()? {
                let argv = node.argv().join(" ");
                screen.note(&format!(
                    "node {id} ended with {status}; to start it again: {argv}"
                ));
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// Ends what is left: nodes that were coming up, and those that a script started.
async fn end(dir: &std::path::Path, screen: &Screen) -> Result<(), DevError> {
    manifest::Manifest::remove(dir).map_err(DevError::file(dir))?;
    stale::end_nodes(dir, &mut |_text| {}).await?;
    screen.note("\nEverything is stopped.");
    Ok(())
}

fn plan(args: &DevArgs) -> Result<Plan, DevError> {
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => default_dir()?,
    };
    disk::create_folder(&dir).map_err(DevError::file(&dir))?;
    let dir = dir.canonicalize().map_err(DevError::file(&dir))?;
    Ok(Plan {
        dir,
        program: env::current_exe().map_err(DevError::file("this program"))?,
        signer_port: args.signer_port,
        curves: args.keys.clone(),
        // What a token signs differs each time, so the first signature is the only one.
        release: if args.hsm {
            "after-record"
        } else {
            "after-commit"
        },
        tokens: args.hsm.then(Tokens::everywhere).transpose()?,
        settings: Settings::default(),
    })
}

fn default_dir() -> Result<PathBuf, DevError> {
    let of = |name: &str, rest: &str| {
        let home = PathBuf::from(env::var_os(name)?);
        home.is_absolute().then(|| home.join(rest))
    };
    of("XDG_STATE_HOME", "quorate/dev")
        .or_else(|| of("HOME", ".local/state/quorate/dev"))
        .ok_or_else(|| {
            DevError::Broken(
                "neither XDG_STATE_HOME nor HOME is set; name a folder with --dir".to_owned(),
            )
        })
}

/// Ctrl-C, or a polite kill.
struct Interrupted {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Interrupted {
    fn listen() -> Result<Self, DevError> {
        let listen = |kind| signal(kind).map_err(DevError::file("signals"));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
