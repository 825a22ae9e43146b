//! The commands, one a line.

use std::{num::ParseIntError, time::Duration};

use serde_json::json;

use crate::{
    control::{Control, Late},
    fault::{AfterEio, Cut, Slow, When},
    survival::{NoSuchSurvival, Survival},
};

/// What can be said.
pub(super) const HELP: &str = "\
Commands:
  cut                              the power goes now
  cut-at-fsync N before|after      ... at the N-th fsync from now (1 is the next)
  cut-at-op N                      ... instead of the N-th operation from now
  wait-cut SECONDS                 waits for a planned cut
  reboot MODE SEED                 the power returns; MODE is what survives of what was not
                                   fsynced: drop, keep, prefix, torn, random
  eio-fsync N [COUNT]              COUNT fsyncs (1) fail from the N-th on; their data is lost
  after-eio cached|evicted         what is read back until the power goes
  enospc BYTES                     so much more may be allocated
  space                            ... and again without this limit
  slow MS | slow MIN MAX           fsyncs take so long; 0 is not at all
  stalls MS RARE_MS PER_MILLE      ... and so many of a thousand take longer
  lie on|off                       fsyncs succeed and save nothing
  heal                             ends all faults
  stats                            counts, as JSON
  stop                             unmounts

For a lossyfs that still starts it waits 5 seconds. Once it has answered, the disk is mounted.";

/// A line that is no command.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadCommand {
    #[error("no such command: {0:?}; `lossyfs ctl --help` lists them")]
    Unknown(String),
    #[error("not a number: {0}")]
    Number(#[from] ParseIntError),
    #[error("numbers of fsyncs and operations count from 1")]
    Zero,
    #[error("{low} ms is more than {high} ms: say `slow MIN MAX`, the shorter delay first")]
    Bounds { low: u128, high: u128 },
    #[error(transparent)]
    Survival(#[from] NoSuchSurvival),
    #[error(transparent)]
    Late(#[from] Late),
}

/// What became of a line.
pub(super) enum Answer {
    Words(String),
    Stop,
}

/// Does one command.
pub(super) fn obey(line: &str, control: &Control) -> Result<Answer, BadCommand> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["cut"] => return Ok(cut(control.cut())),
        ["cut-at-fsync", n, "before"] => control.cut_at_fsync(count(n)?, When::Before),
        ["cut-at-fsync", n, "after"] => control.cut_at_fsync(count(n)?, When::After),
        ["cut-at-op", n] => control.cut_at_op(count(n)?),
        ["wait-cut", seconds] => {
            let limit = Duration::from_secs(seconds.parse()?);
            return Ok(cut(control.wait_cut(limit)?));
        }
        ["reboot", survival, seed] => {
            let report = control.reboot(survival.parse::<Survival>()?, seed.parse()?);
            return Ok(Answer::Words(json!(report).to_string()));
        }
        ["eio-fsync", n] => control.eio_at_fsync(count(n)?),
        ["eio-fsync", n, times] => control.eio_at_fsyncs(count(n)?, count(times)?),
        ["after-eio", "cached"] => control.after_eio(AfterEio::Cached),
        ["after-eio", "evicted"] => control.after_eio(AfterEio::Evicted),
        ["enospc", bytes] => control.enospc_after(bytes.parse()?),
        ["space"] => control.space(),
        ["slow", "0"] => control.slow(Slow::Not),
        ["slow", delay] => control.slow(Slow::Fixed(milliseconds(delay)?)),
        ["slow", low, high] => {
            let (low, high) = (milliseconds(low)?, milliseconds(high)?);
            if low > high {
                return Err(BadCommand::Bounds {
                    low: low.as_millis(),
                    high: high.as_millis(),
                });
            }
            control.slow(Slow::Between(low, high));
        }
        ["stalls", usual, rare, per_mille] => control.slow(Slow::Stalls {
            usual: milliseconds(usual)?,
            rare: milliseconds(rare)?,
            per_mille: per_mille.parse()?,
        }),
        ["lie", "on"] => control.lie(true),
        ["lie", "off"] => control.lie(false),
        ["heal"] => control.heal(),
        ["stats"] => return Ok(Answer::Words(json!(control.stats()).to_string())),
        ["stop"] => return Ok(Answer::Stop),
        _ => return Err(BadCommand::Unknown(line.to_owned())),
    }
    Ok(Answer::Words("ok".to_owned()))
}

fn cut(cut: Cut) -> Answer {
    let mut words = json!(cut.trigger);
    if let Some(fields) = words.as_object_mut() {
        fields.insert("ops".to_owned(), json!(cut.ops));
        fields.insert("fsyncs".to_owned(), json!(cut.fsyncs));
    }
    Answer::Words(words.to_string())
}

fn count(word: &str) -> Result<u64, BadCommand> {
    match word.parse()? {
        0 => Err(BadCommand::Zero),
        number => Ok(number),
    }
}

fn milliseconds(word: &str) -> Result<Duration, ParseIntError> {
    word.parse().map(Duration::from_millis)
}
