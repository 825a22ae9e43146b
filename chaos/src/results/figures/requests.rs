use std::collections::{BTreeMap, BTreeSet};

use judge::history::{Event, Line};

use super::{Bin, Clock};

/// What one request came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    Signed,
    Refused,
    Failed,
}

impl Outcome {
    /// A status of 4xx is a decision; whatever else brings no signature is a failure.
    pub(super) const fn of(status: u16, signature: Option<&String>) -> Self {
        match (status, signature) {
            (200, Some(_)) => Self::Signed,
            (400..=499, _) => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// One request: whose message it is about, and when it came to what.
#[derive(Debug)]
struct Request<'a> {
    message: (u64, &'a str, &'a str),
    ended_us: u64,
    outcome: Outcome,
}

/// All requests of a history.
#[derive(Debug)]
pub(super) struct Requests<'a>(BTreeMap<u64, Request<'a>>);

impl<'a> Requests<'a> {
    pub(super) fn of(lines: &'a [Line]) -> Self {
        let mut requests = BTreeMap::new();
        for line in lines {
            if let Event::Asked {
                request,
                client,
                key,
                bytes,
                ..
            } = &line.event
            {
                let asked = Request {
                    message: (*client, key.as_str(), bytes.as_str()),
                    ended_us: line.at_us,
                    outcome: Outcome::Failed,
                };
                requests.insert(*request, asked);
            } else if let Event::Answered {
                request,
                status,
                signature,
                ..
            } = &line.event
                && let Some(asked) = requests.get_mut(request)
            {
                asked.ended_us = line.at_us;
                asked.outcome = Outcome::of(*status, signature.as_ref());
            }
        }
        Self(requests)
    }

    pub(super) fn sent(&self) -> u64 {
        count(self.0.len())
    }

    pub(super) fn signed(&self) -> u64 {
        self.with(Outcome::Signed)
    }

    pub(super) fn refused(&self) -> u64 {
        self.with(Outcome::Refused)
    }

    pub(super) fn failed(&self) -> u64 {
        self.with(Outcome::Failed)
    }

    fn with(&self, outcome: Outcome) -> u64 {
        let requests = self.0.values();
        count(requests.filter(|asked| asked.outcome == outcome).count())
    }

    /// Messages that were asked for and neither signed nor refused, in any attempt of that baker.
    pub(super) fn lost(&self) -> u64 {
        let asked: BTreeSet<_> = self.0.values().map(|request| request.message).collect();
        let decided: BTreeSet<_> = self
            .0
            .values()
            .filter(|request| request.outcome != Outcome::Failed)
            .map(|request| request.message)
            .collect();
        count(asked.difference(&decided).count())
    }

    /// The answers in slices of that length, from the first line to the last.
    pub(super) fn timeline(&self, clock: Clock, bin_ms: u64) -> Vec<Bin> {
        let slice = |ms: u64| ms.checked_div(bin_ms).unwrap_or(0);
        let last = slice(clock.duration_ms);
        let mut bins: BTreeMap<u64, Bin> = (0..=last)
            .map(|number| {
                let from_ms = number.saturating_mul(bin_ms);
                (
                    number,
                    Bin {
                        from_ms,
                        ..Bin::default()
                    },
                )
            })
            .collect();
        for request in self.0.values() {
            let number = slice(clock.ms(request.ended_us));
            let Some(bin) = bins.get_mut(&number) else {
                continue;
            };
            let counter = match request.outcome {
                Outcome::Signed => &mut bin.signed,
                Outcome::Refused => &mut bin.refused,
                Outcome::Failed => &mut bin.failed,
            };
            *counter = counter.saturating_add(1);
        }
        bins.into_values().collect()
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
