//! How openraft is configured: every setting that is not its default has its reason here.

use std::sync::Arc;
use std::time::Duration;

use openraft::{Config, ConfigError, SnapshotPolicy};
use raft_store::mutant::{self, Mutant};

use crate::config::Times;
use crate::peers::link::SNAPSHOT_TIME;

/// When the state becomes a snapshot, and what of the log is kept then. In entries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Snapshots {
    /// Between two snapshots.
    pub every: u64,
    /// Kept behind a snapshot: a leader may purge while it sends one (openraft #1706), and a node
    /// that was away for a minute should find the entries and not need the whole state.
    pub keep: u64,
    /// Purged at once. Purges are ranges: many small ones make every seek of the log slow.
    pub purge_batch: u64,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self {
            every: 20_000,
            keep: 20_000,
            purge_batch: 2_000,
        }
    }
}

/// The configuration for these times and snapshots.
///
/// # Errors
/// What openraft finds wrong with it.
pub(super) fn of(times: &Times, snapshots: Snapshots) -> Result<Arc<Config>, ConfigError> {
    let config = Config {
        cluster_name: "quorate".to_owned(),
        heartbeat_interval: millis(times.heartbeat),
        election_timeout_min: millis(times.election_min),
        election_timeout_max: millis(times.election_max),
        install_snapshot_timeout: millis(SNAPSHOT_TIME),
        snapshot_policy: SnapshotPolicy::LogsSinceLast(snapshots.every),
        max_in_snapshot_log_to_keep: snapshots.keep,
        purge_batch_size: snapshots.purge_batch,
        replication_lag_threshold: snapshots.every.saturating_mul(2),
        // A leader that comes back must be elected: resuming its term would rewrite a (term, index)
        // that a power cut took from its disk but not from a follower's.
        enable_leader_restore: Some(mutant::active(Mutant::LeaderRestoreLeftOn)),
        // A node that cannot win does not raise the term of one that leads.
        enable_pre_vote: Some(true),
        // A node stands for election once it has heard its peers (`peers::candidacy`).
        enable_elect: false,
        // A log that went back is a disk that forgot: it is refused, never replicated over.
        allow_log_reversion: None,
        // A peer that was away a moment should not wait for the next 200 ms.
        backoff: "50ms 100ms 200ms ..400ms".to_owned(),
        ..Config::default()
    };
    config.validate().map(Arc::new)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_safety_hangs_on_is_set_whatever_the_times() {
        let config = of(&Times::default(), Snapshots::default()).unwrap();
        assert_eq!(config.enable_leader_restore, Some(false));
        assert_eq!(config.enable_pre_vote, Some(true));
        assert_eq!(config.allow_log_reversion, None);
        assert_eq!(
            (config.election_timeout_min, config.election_timeout_max),
            (350, 500)
        );
    }
}
