//! The node's end of the admin socket.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use raft_store::command::Answer;
use raft_store::ledger::Committed;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::time::Instant;

use super::holdings::{AskHoldings, Holdings};
use super::marks::Marks;
use super::trouble::No;
use super::words::{
    AskDrained, AskProof, Form, Formed, KeyReports, Loaded, Proof, Propose, Reload, Status,
};
use super::{Admin, holdings, report};
use crate::answer::Reply;
use crate::cluster::Drained;
use crate::keys::Reloaded;
use crate::sign::Prove;

/// Binds the socket, readable and writable by this user alone.
///
/// A socket of an earlier run is in the way and is removed: whoever holds the data folder's lock is
/// the only one who may have made it.
///
/// # Errors
/// What the system says.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until `stop` turns true.
///
/// # Errors
/// What the system says.
pub async fn serve(
    listener: UnixListener,
    admin: Arc<Admin>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let routes = Router::new()
        .route("/status", get(status))
        .route("/cluster/form", post(form))
        .route("/keys", get(keys))
        .route("/marks", get(marks))
        .route("/keys/reload", post(reload))
        .route("/keys/holdings", post(every_holding))
        .route("/keys/prove", post(prove))
        .route("/commands", post(propose))
        .route("/drained", post(drained))
        .with_state(admin);
    let stopped = async move {
        // A sender that is gone stops the server as well.
        drop(stop.wait_for(|stop| *stop).await);
    };
    axum::serve(listener, routes)
        .with_graceful_shutdown(stopped)
        .await
}

async fn status(State(admin): State<Arc<Admin>>) -> Json<Status> {
    Json(report::status(&admin))
}

async fn keys(State(admin): State<Arc<Admin>>) -> Json<KeyReports> {
    Json(report::keys(&admin))
}

async fn marks(State(admin): State<Arc<Admin>>) -> Result<Json<Marks>, No> {
    let ledger = admin.cluster.ledger().ok_or_else(No::unformed)?;
    let cluster = admin.cluster.view().borrow().cluster;
    // Without a majority the marks of this node are still worth having, for a recovery.
    let confirmed = admin.cluster.confirm(admin.deadline()).await.is_ok();
    let state = ledger.state();
    let applied = state.applied().map_or(0, |id| id.index);
    let cluster_id = cluster.map(hex::encode).unwrap_or_default();
    Ok(Json(Marks::of(&state, applied, cluster_id, confirmed)))
}

async fn form(State(admin): State<Arc<Admin>>, Json(form): Json<Form>) -> Result<Json<Formed>, No> {
    let formed = admin.cluster.form(&form.members).await?;
    let binding = &formed.binding;
    tracing::info!(
        cluster = hex::encode(binding.cluster_id),
        me = binding.me,
        initialised = formed.initialised,
        "bound to a cluster"
    );
    // One election is waited for: on the last node that is formed, it answers with a leader.
    let until = Instant::now()
        .checked_add(admin.times.hold)
        .unwrap_or_else(Instant::now);
    let leader = admin.cluster.wait_for_leader(until).await;
    let cluster_id = hex::encode(binding.cluster_id);
    Ok(Json(Formed {
        cluster_id,
        me: binding.me,
        leader,
    }))
}

async fn propose(
    State(admin): State<Arc<Admin>>,
    Json(Propose { command }): Json<Propose>,
) -> Result<Json<Committed>, No> {
    if admin.cluster.ledger().is_none() {
        return Err(No::unformed());
    }
    holdings::may_release_so(&admin, &command)
        .await
        .map_err(|what| No::new(StatusCode::CONFLICT, what))?;
    let words = command.to_string();
    let committed = admin.cluster.propose(command, admin.deadline()).await?;
    tracing::info!(
        command = words,
        entry = %committed.entry,
        answer = ?committed.answer,
        "an operator's command"
    );
    match committed.answer {
        Answer::Refused(refusal) => Err(refusal.into()),
        Answer::Applied { .. } => Ok(Json(committed)),
        Answer::Noted
        | Answer::Granted { .. }
        | Answer::Replayed { .. }
        | Answer::Recorded { .. }
        | Answer::Permitted { .. } => Err(No::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!(
                "entry {} answered a command with a decision",
                committed.entry
            ),
        )),
    }
}

async fn drained(
    State(admin): State<Arc<Admin>>,
    Json(AskDrained { entry }): Json<AskDrained>,
) -> Result<Json<Drained>, No> {
    if admin.cluster.ledger().is_none() {
        return Err(No::unformed());
    }
    Ok(Json(
        admin.cluster.drained(entry.index, admin.deadline()).await,
    ))
}

async fn reload(
    State(admin): State<Arc<Admin>>,
    Json(Reload { forgive }): Json<Reload>,
) -> Result<Json<Loaded>, No> {
    let keyring = Arc::clone(&admin.keyring);
    let within = admin.times.operator_deadline;
    // Each key takes some tens of milliseconds of pure computing, and each token is waited for.
    let reloaded = tokio::task::spawn_blocking(move || keyring.reload(forgive, within)).await;
    let Reloaded { troubles, remarks } = reloaded.map_err(|ended| {
        No::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("reading the keys ended: {ended}"),
        )
    })??;
    Ok(Json(Loaded {
        keys: admin.keyring.public_keys(),
        troubles,
        remarks,
    }))
}

async fn every_holding(
    State(admin): State<Arc<Admin>>,
    Json(AskHoldings { keys }): Json<AskHoldings>,
) -> Json<Vec<Holdings>> {
    Json(holdings::everywhere(&admin, &keys).await)
}

async fn prove(
    State(admin): State<Arc<Admin>>,
    Json(AskProof { key }): Json<AskProof>,
) -> Result<Json<Proof>, No> {
    let prover = admin.prove.borrow().clone().ok_or_else(No::unformed)?;
    match prover(Prove { key, bls_pk: None }).await {
        Reply::Proven { proof } => Ok(Json(Proof {
            proof: proof.to_string(),
        })),
        Reply::Signed { .. } => Err(No::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "a proof of possession was answered with a signature",
        )),
        Reply::Refused(refused) => Err(No::new(StatusCode::CONFLICT, refused.to_string())),
        Reply::Failed(failed) => Err(No::new(StatusCode::BAD_GATEWAY, failed.to_string())),
    }
}

impl Admin {
    fn deadline(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.times.operator_deadline).unwrap_or(now)
    }
}
