//! PINs that a token refused: remembered across restarts, and not tried again.
//!
//! A token counts wrong PINs and locks for good after a few, so a node that starts again and again
//! with a wrong one would destroy the key. What is kept is, for each token, a salted and slow hash
//! of every PIN that it refused (PBKDF2-HMAC-SHA-256): a wrong PIN is often the right one of
//! something else.

use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hsm::parent::{Hold, PinGuard};
use hsm::{Pin, Token};
use raft_store::disk;
use ring::pbkdf2;
use serde::{Deserialize, Serialize};

use super::alone::{Alone, Turn};
use crate::config::PasswordSource;

/// The folder in the data folder; for each token a file in it, and one that is locked while a process
/// of this node tries a PIN.
const FOLDER: &str = "refused-pins";

/// OWASP's figure for PBKDF2-HMAC-SHA-256; some tenths of a second, once a connection to a token
/// that has refused a PIN before.
const ITERATIONS: u32 = 600_000;

/// A file holds at most this many; the oldest goes first.
const KEPT_MAX: usize = 16;

/// The PIN of one `[[keys]]`, and what is remembered of it.
#[derive(Debug)]
pub struct PinSource {
    source: PasswordSource,
    folder: PathBuf,
    /// The token that was last asked about.
    seen: Mutex<Option<Token>>,
}

/// The file of one token.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    format: u32,
    serial: String,
    manufacturer: String,
    refused: Vec<Hashed>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Hashed {
    salt: String,
    iterations: NonZeroU32,
    hash: String,
}

const FORMAT: u32 = 1;

impl PinSource {
    /// The PIN in `source`; what is remembered lies in the data folder.
    #[must_use]
    pub fn new(source: PasswordSource, data_dir: &Path) -> Self {
        Self {
            source,
            folder: data_dir.join(FOLDER),
            seen: Mutex::default(),
        }
    }

    /// A file that is there and cannot be read is not the same as none: then no PIN is tried.
    fn kept(&self, token: &Token) -> Result<Option<Kept>, String> {
        let path = self.file(token);
        let wrong = |what: &str| {
            format!(
                "cannot tell which PINs the token has refused: {} {what}; if you are sure of the \
                 PIN, run `quorate key reload`",
                path.display()
            )
        };
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(&format!("cannot be read ({error})"))),
        };
        let kept: Kept = serde_json::from_slice(&text)
            .map_err(|error| wrong(&format!("is damaged ({error})")))?;
        match kept.format {
            FORMAT => Ok(Some(kept)),
            other => Err(wrong(&format!(
                "has format {other}, and this version reads {FORMAT}"
            ))),
        }
    }

    fn file(&self, token: &Token) -> PathBuf {
        let name = format!("{}\n{}", token.manufacturer, token.serial);
        let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
        let short = digest.as_ref().get(..12).unwrap_or_default();
        self.folder.join(format!("{}.json", hex::encode(short)))
    }

    fn note(&self, token: &Token) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some(token.clone());
    }
}

impl PinGuard for PinSource {
    fn read(&self) -> Result<Pin, String> {
        let pin = self.source.read().map_err(|fault| fault.to_string())?;
        Ok(Pin::new(pin.as_bytes()))
    }

    fn was_rejected(&self, token: &Token, pin: &Pin) -> Result<bool, String> {
        self.note(token);
        let kept = self.kept(token)?;
        Ok(kept.is_some_and(|kept| kept.refused.iter().any(|hashed| hashed.is(pin))))
    }

    fn hold(&self, token: &Token) -> Result<Hold, String> {
        let barred = |what: String| format!("no PIN is tried: {what}");
        if !self.folder.is_dir() {
            disk::create_folder(&self.folder).map_err(|error| barred(error.to_string()))?;
        }
        let taken = Alone::take(&self.file(token).with_extension("lock"));
        match taken.map_err(|fault| barred(fault.to_string()))? {
            Turn::Mine(held) => Ok(Hold::Here(Box::new(held))),
            Turn::Of(who) => Ok(Hold::Elsewhere(who)),
        }
    }

    fn reject(&self, token: &Token, pin: &Pin) -> Result<(), String> {
        self.note(token);
        let mut kept = self.kept(token)?.unwrap_or_else(|| Kept {
            format: FORMAT,
            serial: token.serial.clone(),
            manufacturer: token.manufacturer.clone(),
            refused: Vec::new(),
        });
        kept.refused.push(Hashed::of(pin)?);
        let surplus = kept.refused.len().saturating_sub(KEPT_MAX);
        kept.refused.drain(..surplus);
        let text = serde_json::to_vec_pretty(&kept).map_err(|error| error.to_string())?;
        disk::create_folder(&self.folder)
            .and_then(|()| disk::replace(&self.file(token), &[&text]))
            .map_err(|error| error.to_string())
    }

    fn forgive(&self) -> Result<(), String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(token) = seen.clone() else {
            return Ok(());
        };
        drop(seen);
        let path = self.file(&token);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("cannot remove {}: {error}", path.display()))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Hashed {
    fn of(pin: &Pin) -> Result<Self, String> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
        let iterations = NonZeroU32::new(ITERATIONS).unwrap_or(NonZeroU32::MIN);
        let mut hash = [0; 32];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            &salt,
            pin.as_bytes(),
            &mut hash,
        );
        Ok(Self {
            salt: hex::encode(salt),
            iterations,
            hash: hex::encode(hash),
        })
    }

    /// Whether it is this PIN. A hash that cannot be read is: then nothing is tried.
    fn is(&self, pin: &Pin) -> bool {
        let (Ok(salt), Ok(hash)) = (hex::decode(&self.salt), hex::decode(&self.hash)) else {
            return true;
        };
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::verify(algorithm, self.iterations, &salt, pin.as_bytes(), &hash).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hsm::PinState;

    fn token(serial: &str) -> Token {
        Token {
            label: "t".to_owned(),
            serial: serial.to_owned(),
            manufacturer: "m".to_owned(),
            model: "x".to_owned(),
            slot: 0,
            pin: PinState::Fine,
        }
    }

    fn source(data_dir: &Path) -> PinSource {
        PinSource::new(PasswordSource::Variable("NOWHERE".to_owned()), data_dir)
    }

    #[test]
    fn a_refused_pin_is_remembered_across_restarts_for_its_token_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (token("1"), token("2"));
        let (wrong, right) = (Pin::new(b"user:wrong"), Pin::new(b"user:right"));
        let before = source(folder.path());
        assert_eq!(before.was_rejected(&one, &wrong), Ok(false));
        before.reject(&one, &wrong).unwrap();
        let after = source(folder.path());
        assert_eq!(after.was_rejected(&one, &wrong), Ok(true));
        assert_eq!(after.was_rejected(&one, &right), Ok(false));
        assert_eq!(after.was_rejected(&other, &wrong), Ok(false));
    }

    /// R28: two files that are opened apart are as far apart in one process as in two.
    #[test]
    fn r28_one_process_at_a_time_tries_a_pin_on_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let (node, command) = (source(folder.path()), source(folder.path()));
        let held = node.hold(&token("1")).unwrap();
        assert!(matches!(held, Hold::Here(_)));
        let own = format!("process {}", std::process::id());
        match command.hold(&token("1")).unwrap() {
            Hold::Elsewhere(who) => assert_eq!(who, own),
            Hold::Here(_) => panic!("two try a PIN at once"),
        }
        assert!(matches!(command.hold(&token("2")), Ok(Hold::Here(_))));
        drop(held);
        assert!(matches!(command.hold(&token("1")), Ok(Hold::Here(_))));
    }

    #[test]
    fn an_operator_who_is_sure_gets_one_more_try() {
        let folder = tempfile::tempdir().unwrap();
        let (token, pin) = (token("1"), Pin::new(b"1234"));
        let source = source(folder.path());
        source.reject(&token, &pin).unwrap();
        source.forgive().unwrap();
        assert_eq!(source.was_rejected(&token, &pin), Ok(false));
    }

    #[test]
    fn a_memory_that_cannot_be_read_tries_no_pin_and_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (token, pin) = (token("1"), Pin::new(b"1234"));
        let source = source(folder.path());
        source.reject(&token, &pin).unwrap();
        let file = source.file(&token);
        disk::replace(&file, &[b"{"]).unwrap();
        let fault = self::source(folder.path())
            .was_rejected(&token, &pin)
            .unwrap_err();
        assert!(fault.contains(&file.display().to_string()), "{fault}");
        assert!(fault.contains("quorate key reload"), "{fault}");
    }

    #[test]
    fn the_file_does_not_hold_the_pin() {
        let folder = tempfile::tempdir().unwrap();
        let source = source(folder.path());
        source
            .reject(&token("1"), &Pin::new(b"secret-pin"))
            .unwrap();
        let text = std::fs::read_to_string(source.file(&token("1"))).unwrap();
        assert!(!text.contains("secret-pin"));
        assert!(!text.contains(&hex::encode("secret-pin")));
    }
}
