//! `quorate node`: the one place that knows all the parts.
//!
//! ```text
//! configuration ─► data folder ─► secrets ─► ports ─► cluster ─► health, admin, signer API ─► signals
//!   64              65, 66, 74     65, 77     74                                                0
//! ```

mod ability;
mod assembly;
mod drain;
mod facts;
mod member;
mod ports;
mod process;
mod signals;
mod signing;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use raft_store::folder::Folder;
use raft_store::ledger::system_clock;
use raft_store::witness::Witness;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::admin::{self, Admin, Prover};
use crate::audit::Audit;
use crate::cli::{Exit, Failure};
use crate::cluster::{Ability, Cluster, Setup, Stop};
use crate::config::Config;
use crate::health::{Monitor, Ops, serve_ops};
use crate::keys::Keyring;
use crate::metrics::Metrics;
use crate::peers::pinned::Pinned;
use crate::{api, dev, telemetry};
pub use ability::watch as watch_ability;
pub use assembly::Assembled;
pub use drain::Drain;
pub use member::Member;
use ports::Ports;
pub use process::harden;
use signals::Signals;
use signing::Signing;

/// How long what still runs may take to end, once everything that matters has.
const END_WITHIN: Duration = Duration::from_secs(1);

/// Runs a node until a signal ends it.
///
/// # Errors
/// [`Failure`] with the exit code of the process.
pub fn node(file: &Path) -> Result<(), Failure> {
    dev::tether().map_err(|error| Failure::failed(error.to_string()))?;
    harden()?;
    let config = Config::load(file)?;
    let tls = config
        .signer
        .tls
        .as_ref()
        .map(api::tls::acceptor)
        .transpose();
    let tls = tls.map_err(|fault| Failure::new(Exit::Config, fault.to_string()))?;
    let _log = telemetry::init(&config.log)
        .map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let audit = config.audit_file.as_deref().map(Audit::open).transpose()?;
    // Before the secrets, which may lie in it: a folder that is gone is told as that (R9).
    let folder = Folder::open(&config.data_dir, config.guard_path.as_deref())?;
    let keyring = Arc::new(Keyring::load(&config.keys)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Io, format!("cannot start threads: {error}")))?;
    let ended = runtime.block_on(run(config, tls, audit.map(Arc::new), folder, keyring));
    runtime.shutdown_timeout(END_WITHIN);
    ended
}

async fn run(
    config: Config,
    tls: Option<TlsAcceptor>,
    audit: Option<Arc<Audit>>,
    folder: Folder,
    keyring: Arc<Keyring>,
) -> Result<(), Failure> {
    let mut signals = Signals::catch().map_err(|error| io("cannot catch signals", &error))?;
    let reopening = audit.clone().map(signals::reopen_on_hangup).transpose();
    let reopening = reopening.map_err(|error| io("cannot catch signals", &error))?;
    let opened = open(&config, folder, audit.clone()).await?;
    keyring.start(&config.data_dir, config.times.sign);
    let cluster = opened.cluster.clone();
    let drain = Drain::new(config.times.clone());
    let socket = config.admin_socket();
    let mut tasks = serve(opened, config, tls, keyring, audit.as_deref(), &drain);
    if let Some(reopening) = reopening {
        tasks.spawn(reopening);
    }

    let signal = tokio::select! {
        signal = signals.next() => signal,
        stop = cluster.must_stop() => return Err(stopped(&stop)),
    };
    tracing::info!(signal, "draining; the same signal again ends at once");
    tokio::select! {
        () = drain.run(&cluster) => {}
        stop = cluster.must_stop() => return Err(stopped(&stop)),
        signal = signals.next() => {
            return Err(Failure::failed(format!("{signal} came again: ended without draining")));
        }
    }
    tasks.shutdown().await;
    std::fs::remove_file(&socket).ok();
    tracing::info!("ended");
    Ok(())
}

/// A node that takes part in its cluster, and listens, but answers nobody yet.
struct Opened {
    cluster: Cluster,
    signer: TcpListener,
    ops: TcpListener,
    admin: UnixListener,
}

async fn open(
    config: &Config,
    folder: Folder,
    audit: Option<Arc<Audit>>,
) -> Result<Opened, Failure> {
    let Ports { peers, signer, ops } = Ports::bind(config).await?;
    let socket = config.admin_socket();
    // The folder's lock says that a socket found there is nobody's.
    let admin = admin::bind(&socket)
        .map_err(|error| io(&format!("cannot listen on {}", socket.display()), &error))?;
    let wire = Pinned::new(folder.identity().key(), peers).map_err(|error| {
        let what = format!("this node's key cannot be used for TLS: {error}");
        Failure::new(Exit::Damaged, what)
    })?;
    let setup = Setup {
        folder,
        wire,
        times: config.times.clone(),
        snapshots: config.snapshots,
        clock: system_clock(),
        witness: audit.map(|audit| -> Arc<dyn Witness> { audit }),
    };
    let cluster = Cluster::start(setup)
        .await
        .map_err(|error| Failure::new(Exit::of_code(error.exit_code()), error.to_string()))?;
    Ok(Opened {
        cluster,
        signer,
        ops,
        admin,
    })
}

/// Starts everything that answers. Each task ends when the drain says so.
fn serve(
    opened: Opened,
    config: Config,
    tls: Option<TlsAcceptor>,
    keyring: Arc<Keyring>,
    audit: Option<&Audit>,
    drain: &Drain,
) -> JoinSet<()> {
    let Opened {
        cluster,
        signer,
        ops,
        admin,
    } = opened;
    let (ability, _) = watch::channel(Ability::default());
    let (prover, prove) = watch::channel(None::<Prover>);
    let metrics = Arc::new(Metrics::default());
    if let Some(audit) = audit {
        let help = "Lines that the audit file did not take";
        metrics.count("audit_lines_lost", help, audit.lost());
    }
    let source = facts::source(&cluster, ability.subscribe(), drain.begun());
    let monitor = Monitor::start(source.clone(), &config.times);
    let answering = Arc::new(Admin {
        cluster: cluster.clone(),
        keyring: Arc::clone(&keyring),
        times: config.times.clone(),
        address: config.peers_address.clone(),
        ability: ability.subscribe(),
        prove,
    });
    admin::answer_peers(&answering);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        signer = %config.signer.listen,
        peers = %config.peers_listen,
        ops = %config.ops_listen,
        data_dir = %config.data_dir.display(),
        formed = cluster.ledger().is_some(),
        "started"
    );
    let mut tasks = JoinSet::new();
    let every = config.times.heartbeat;
    let (begun, ended) = (drain.begun(), drain.ended());
    tasks.spawn(ability::watch(
        cluster.clone(),
        Arc::clone(&keyring),
        begun,
        ability,
        every,
    ));
    let told = Ops::new(monitor.clone(), Arc::clone(&metrics), source.clone());
    tasks.spawn(serve_ops(ops, told, drain.ended()));
    tasks.spawn(async move {
        if let Err(error) = admin::serve(admin, answering, ended).await {
            tracing::error!(%error, "the admin socket ended");
        }
    });
    let signing = Signing {
        cluster,
        keyring,
        config,
        tls,
        metrics,
        source,
        monitor,
    };
    tasks.spawn(signing.serve(signer, prover, drain.clone()));
    tasks
}

fn io(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Io, format!("{what}: {error}"))
}

fn stopped(stop: &Stop) -> Failure {
    Failure::new(Exit::of_code(stop.exit_code), stop.to_string())
}
