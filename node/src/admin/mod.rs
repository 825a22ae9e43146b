//! The admin socket: `<data_dir>/admin.sock`, JSON over HTTP, for whoever may read the data folder.
//!
//! Permission is the file's (mode 0600): there is no password and no network. Commands go to the
//! leader from whichever node they are given to, one hop.

mod client;
mod holdings;
mod marks;
mod report;
mod serve;
mod trouble;
mod words;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

pub use client::{AdminClient, AdminError};
pub use holdings::{AskHoldings, Holding, Holdings, answer_peers};
pub use marks::{MARKS_FORMAT, MarkOut, MarkedKey, Marks};
pub use serve::{bind, serve};
pub use words::{
    AskDrained, AskProof, Enrolled, Form, Formed, KeyReport, KeyReports, Loaded, MarkReport,
    NodeReport, Proof, Propose, Status, Trouble,
};

use crate::answer::Reply;
use crate::cluster::{Ability, Cluster};
use crate::config::Times;
use crate::keys::Keyring;
use crate::sign::Prove;

/// What the admin socket works on.
pub struct Admin {
    /// This node's part in its cluster.
    pub cluster: Cluster,
    /// The secrets of this node.
    pub keyring: Arc<Keyring>,
    /// The operator's deadline is in it.
    pub times: Times,
    /// What other nodes dial.
    pub address: String,
    /// What this node can do now.
    pub ability: watch::Receiver<Ability>,
    /// The way to a proof of possession, once this node belongs to a cluster.
    pub prove: watch::Receiver<Option<Prover>>,
}

/// Asks the sign path for a proof of possession.
pub type Prover = Arc<dyn Fn(Prove) -> BoxFuture<'static, Reply> + Send + Sync>;

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}
