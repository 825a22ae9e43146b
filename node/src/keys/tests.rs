use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use raft_store::state::ReleaseMode;
use tempfile::TempDir;
use tezos::{Curve, SecretKey};

use super::*;
use crate::cli::Exit;
use crate::config::{KeySource, PasswordSource};

const PASSWORD: &str = "correct horse battery staple";

/// A key folder with a password file beside it.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Self { dir };
        fs::create_dir(place.folder()).unwrap();
        set_mode(&place.folder(), 0o700);
        place.write(
            &place.password(),
            &format!("{PASSWORD}\nnot this line\n"),
            0o600,
        );
        place
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("keys")
    }

    fn password(&self) -> PathBuf {
        self.dir.path().join("password")
    }

    fn write(&self, path: &Path, text: &str, mode: u32) {
        File::replace(path, text);
        set_mode(path, mode);
    }

    /// A new key in the folder, under `password`.
    fn key(&self, curve: Curve, password: &str) -> (PublicKey, PathBuf) {
        let secret = SecretKey::generate(curve).unwrap();
        let public_key = secret.public_key().clone();
        let encrypted = secret.encrypt(password.as_bytes()).unwrap();
        let path = file::write(&self.folder(), &public_key, &encrypted).unwrap();
        (public_key, path)
    }

    fn sources(&self) -> Vec<KeySource> {
        let password = PasswordSource::File(self.password());
        vec![KeySource::File {
            folder: self.folder(),
            password,
        }]
    }

    fn load(&self) -> Result<Keyring, KeyFaults> {
        Keyring::load(&self.sources())
    }

    /// The exit and the words of what `load` refuses.
    fn refused(&self) -> (Exit, String) {
        let faults = self.load().unwrap_err();
        (faults.exit(), faults.to_string())
    }
}

struct File;

impl File {
    fn replace(path: &Path, text: &str) {
        raft_store::disk::replace(path, &[text.as_bytes()]).unwrap();
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn keys_of_all_four_curves_are_opened_from_one_folder() {
    let place = Place::new();
    let mut made: Vec<PublicKey> = Curve::ALL
        .iter()
        .map(|curve| place.key(*curve, PASSWORD).0)
        .collect();
    let keyring = place.load().unwrap();
    for key in &made {
        let signer = keyring
            .signer(&key.hash(), ReleaseMode::AfterCommit)
            .unwrap();
        assert_eq!(signer.public_key(), key);
        assert!(signer.deterministic());
    }
    made.sort_by_key(PublicKey::hash);
    assert_eq!(keyring.public_keys(), made);
}

#[test]
fn a_key_file_is_written_for_its_owner_alone() {
    let (_key, path) = {
        let place = Place::new();
        let (key, path) = place.key(Curve::Ed25519, PASSWORD);
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert!(
            fs::read_to_string(&path)
                .unwrap()
                .starts_with("encrypted:edesk")
        );
        (key, path)
    };
    assert!(!path.exists());
}

#[test]
fn a_wrong_password_ends_with_77_and_names_the_file() {
    let place = Place::new();
    let (_key, path) = place.key(Curve::P256, "another");
    let (exit, words) = place.refused();
    assert_eq!(exit, Exit::Password);
    assert!(words.contains(&path.display().to_string()), "{words}");
    assert!(
        !words.contains(PASSWORD) && !words.contains("another"),
        "{words}"
    );
}

/// R32: what others may read is not used.
#[test]
fn a_key_file_a_password_file_or_a_folder_that_others_can_get_at_is_refused() {
    for mode in [0o640, 0o604, 0o660, 0o610] {
        let place = Place::new();
        let (_key, path) = place.key(Curve::Ed25519, PASSWORD);
        set_mode(&path, mode);
        let (exit, words) = place.refused();
        assert_eq!(exit, Exit::Config, "{mode:o}");
        assert!(words.contains("chmod go-rwx"), "{words}");
        set_mode(&path, 0o600);
        assert!(place.load().is_ok());
        set_mode(&place.password(), mode);
        assert_eq!(place.refused().0, Exit::Config, "{mode:o}");
    }
    let place = Place::new();
    set_mode(&place.folder(), 0o770);
    assert_eq!(place.refused().0, Exit::Config);
}

#[test]
fn a_damaged_unencrypted_or_misnamed_file_is_refused_and_its_content_is_not_told() {
    let secret = SecretKey::generate(Curve::Ed25519).unwrap();
    let place = Place::new();
    let (key, path) = place.key(Curve::Ed25519, PASSWORD);
    let good = fs::read_to_string(&path).unwrap();
    let mut flipped = good.trim_end().to_owned();
    let last = flipped.pop().unwrap();
    flipped.push(if last == '1' { '2' } else { '1' });
    let plain = format!("unencrypted:{}", &*secret.reveal());
    for (text, exit) in [
        (flipped.as_str(), Exit::Damaged),
        ("", Exit::Damaged),
        (&good[..40], Exit::Damaged),
        (plain.as_str(), Exit::Config),
        (&secret.reveal(), Exit::Damaged),
    ] {
        place.write(&path, text, 0o600);
        let (found, words) = place.refused();
        assert_eq!(found, exit, "{words}");
        assert!(!words.contains(&**secret.reveal()), "{words}");
    }
    place.write(&path, &"x".repeat(2_000), 0o600);
    assert_eq!(place.refused().0, Exit::Damaged);
    fs::remove_file(&path).unwrap();
    let other = place.folder().join("tz1other.key");
    place.write(&other, &good, 0o600);
    let (exit, words) = place.refused();
    assert_eq!(exit, Exit::Damaged);
    assert!(words.contains(&key.hash().to_string()), "{words}");
}

#[test]
fn every_fault_is_told_and_not_only_the_first() {
    let place = Place::new();
    place.key(Curve::Ed25519, "another");
    place.key(Curve::P256, "another");
    let (_key, exposed) = place.key(Curve::Secp256k1, PASSWORD);
    set_mode(&exposed, 0o644);
    let faults = place.load().unwrap_err();
    assert_eq!(faults.0.len(), 3, "{faults}");
    assert_eq!(faults.exit(), Exit::Password);
}

#[test]
fn a_missing_folder_or_password_is_refused_and_an_empty_folder_needs_none() {
    let place = Place::new();
    fs::remove_file(place.password()).unwrap();
    assert!(place.load().is_ok());
    place.key(Curve::Ed25519, PASSWORD);
    assert_eq!(place.refused().0, Exit::Io);
    place.write(&place.password(), "\n", 0o600);
    assert_eq!(place.refused().0, Exit::Password);
    fs::remove_dir_all(place.folder()).unwrap();
    assert_eq!(place.refused().0, Exit::Config);
}

/// No test here has a token to wait for.
const WITHIN: std::time::Duration = std::time::Duration::ZERO;

#[test]
fn a_reload_that_fails_keeps_the_keys_that_were_loaded() {
    let place = Place::new();
    let (first, _path) = place.key(Curve::Ed25519, PASSWORD);
    let keyring = place.load().unwrap();
    let (second, path) = place.key(Curve::P256, PASSWORD);
    set_mode(&path, 0o644);
    assert!(keyring.reload(false, WITHIN).is_err());
    assert_eq!(keyring.public_keys(), std::slice::from_ref(&first));
    set_mode(&path, 0o600);
    keyring.reload(false, WITHIN).unwrap();
    assert_eq!(keyring.public_keys(), [first, second]);
}

#[test]
fn a_password_prints_as_nothing() {
    let place = Place::new();
    let password = PasswordSource::File(place.password()).read().unwrap();
    assert_eq!(
        password.as_bytes(),
        PASSWORD.as_bytes(),
        "the first line only"
    );
    assert_eq!(format!("{password:?}"), "Password(..)");
}
