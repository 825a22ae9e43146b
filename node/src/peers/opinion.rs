//! What a peer thinks of this node, and for how long it has been saying so.

use std::mem::discriminant;
use std::time::Duration;

use tokio::time::Instant;

use super::standing::Verdict;

/// A verdict that a peer repeats with every hello.
#[derive(Clone, Debug)]
pub struct Opinion {
    /// The last one, in its own words.
    pub verdict: Verdict,
    since: Instant,
    last: Instant,
}

impl Opinion {
    /// What a peer says now. It goes on from `before` if that was a verdict of the same kind and came
    /// within `presence`; the words may count milliseconds, and do not matter.
    #[must_use]
    pub fn now(verdict: Verdict, before: Option<Self>, presence: Duration) -> Self {
        let last = Instant::now();
        let kind = discriminant(&verdict);
        let same = before.filter(|before| {
            discriminant(&before.verdict) == kind && last.duration_since(before.last) < presence
        });
        let since = same.map_or(last, |before| before.since);
        Self {
            verdict,
            since,
            last,
        }
    }

    /// Whether it was said before, so that this time is no news.
    #[must_use]
    pub fn is_old(&self) -> bool {
        self.since < self.last
    }

    /// From the first time to the last, without a break between two.
    ///
    /// **Invariant:** this does not grow while the peer is silent. A peer that is gone refuses nobody, so
    /// what it said last must not end this node, which may be needed in its place.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.last.duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const PRESENCE: Duration = Duration::from_secs(1);

    fn occupied(before: Option<Opinion>) -> Opinion {
        Opinion::now(Verdict::Occupied("by another".to_owned()), before, PRESENCE)
    }

    #[tokio::test(start_paused = true)]
    async fn r11_a_verdict_that_is_repeated_lasts_and_one_of_a_peer_that_is_gone_does_not() {
        let mut opinion = occupied(None);
        for _ in 0..5 {
            advance(PRESENCE / 2).await;
            opinion = occupied(Some(opinion));
        }
        assert_eq!(opinion.lasted(), PRESENCE * 5 / 2);
        advance(PRESENCE * 10).await;
        assert_eq!(opinion.lasted(), PRESENCE * 5 / 2, "silence adds nothing");
        let after_silence = occupied(Some(opinion));
        assert_eq!(after_silence.lasted(), Duration::ZERO, "it begins anew");
        assert!(!after_silence.is_old());
    }

    #[tokio::test(start_paused = true)]
    async fn a_verdict_of_another_kind_begins_anew() {
        let first = occupied(None);
        advance(PRESENCE / 2).await;
        let believed = Opinion::now(Verdict::Believed, Some(first), PRESENCE);
        assert_eq!(
            (believed.lasted(), believed.is_old()),
            (Duration::ZERO, false)
        );
    }
}
