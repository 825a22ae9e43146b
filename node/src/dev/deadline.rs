//! Waiting for a condition, never for a time.

use std::time::Duration;

use tokio::time::Instant;

use super::fault::DevError;

/// How often a condition is looked at: often enough not to spoil the timings of the story.
pub(super) const POLL: Duration = Duration::from_millis(5);

/// The end of somebody's patience.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    /// So long from now.
    pub fn after(limit: Duration) -> Self {
        Self {
            start: Instant::now(),
            limit,
        }
    }

    /// What is left of it.
    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.start.elapsed())
    }

    /// Whether nothing is left of it.
    pub fn passed(&self) -> bool {
        self.left().is_zero()
    }
}

/// Looks until it sees something. What `look` returns as `Err` is what it saw instead; the last
/// one is told if time runs out.
///
/// # Errors
/// [`DevError::TooLate`] after `limit`.
pub async fn wait_for<T, F>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> Result<T, DevError>
where
    F: Future<Output = Result<T, String>>,
{
    let deadline = Deadline::after(limit);
    loop {
        let instead = match look().await {
            Ok(seen) => return Ok(seen),
            Err(instead) => instead,
        };
        if deadline.passed() {
            return Err(DevError::TooLate {
                what: what.to_owned(),
                seconds: limit.as_secs(),
                hint: if instead.is_empty() {
                    instead
                } else {
                    format!(": {instead}")
                },
            });
        }
        tokio::time::sleep(POLL).await;
    }
}
