//! Secret keys in files that only one token opens: `<hash>.sealed`, AES-256-GCM under a key that
//! cannot leave the token. A stolen disk is worth nothing without it.

use std::path::{Path, PathBuf};

use hsm::Trouble;
use hsm::parent::Ceremony;
use raft_store::disk;
use serde::{Deserialize, Serialize};
use tezos::{PublicKey, PublicKeyHash, SecretKey};

use super::KeyFault;
use super::file;
use super::password::read_private;

/// A sealed file holds some 500 bytes.
const FILE_BYTES_MAX: u64 = 4_096;

/// The end of a sealed file's name; other files in the folder are left alone.
const EXTENSION: &str = "sealed";

/// The version of [`Sealed`]. It is part of what the ciphertext is bound to.
const FORMAT: u32 = 1;

/// The initialisation vector has this many bytes, as the token gives it before the ciphertext.
const IV_BYTES: usize = 12;

/// One sealed secret, as its file holds it. Nothing in it is secret.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    format: u32,
    /// The public key of the secret inside.
    pub public_key: PublicKey,
    /// The label of the AES key in the token.
    pub sealing_key: String,
    iv: String,
    ciphertext: String,
}

impl Sealed {
    /// Seals a secret in a token.
    ///
    /// # Errors
    /// If the token cannot.
    pub async fn seal(
        token: &Ceremony,
        sealing_key: &str,
        secret: &SecretKey,
    ) -> Result<Self, Trouble> {
        let public_key = secret.public_key().clone();
        let bound_to = bound_to(&public_key.hash());
        let sealed = token
            .seal(sealing_key, &bound_to, secret.reveal().as_bytes())
            .await?;
        let (iv, ciphertext) = sealed
            .split_at_checked(IV_BYTES)
            .ok_or_else(|| Trouble::unfit("the token gave too few bytes"))?;
        Ok(Self {
            format: FORMAT,
            public_key,
            sealing_key: sealing_key.to_owned(),
            iv: hex::encode(iv),
            ciphertext: hex::encode(ciphertext),
        })
    }

    /// Opens it in the token that sealed it, and checks the secret against the public key.
    ///
    /// # Errors
    /// If the token fails; [`hsm::TroubleKind::Unfit`] if this secret cannot be opened.
    pub async fn unseal(&self, token: &Ceremony) -> Result<SecretKey, Trouble> {
        let damaged = |what: &str| Trouble::unfit(format!("it is damaged: {what}"));
        let sealed = hex::decode([self.iv.as_str(), self.ciphertext.as_str()].concat());
        let sealed = sealed.map_err(|_not_hex| damaged("its ciphertext is not hex"))?;
        let bound_to = bound_to(&self.public_key.hash());
        let secret = token.unseal(&self.sealing_key, &bound_to, &sealed).await?;
        let text = std::str::from_utf8(&secret).unwrap_or_default();
        let secret = SecretKey::parse(text).map_err(|_parse| damaged("it holds no secret key"))?;
        match *secret.public_key() == self.public_key {
            true => Ok(secret),
            false => Err(damaged("its secret is of another public key")),
        }
    }

    /// Reads a file, and opens nothing.
    ///
    /// # Errors
    /// [`KeyFault`]: exposed, damaged or misnamed.
    pub fn read(path: &Path) -> Result<Self, KeyFault> {
        let bytes = read_private(path, 0o077, FILE_BYTES_MAX)?;
        let damaged = |what: String| KeyFault::Damaged {
            path: path.to_owned(),
            what,
        };
        let sealed: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if sealed.format != FORMAT {
            return Err(damaged(format!(
                "it has format {}, and this version reads {FORMAT}",
                sealed.format
            )));
        }
        let found = sealed.public_key.hash();
        if path
            .file_stem()
            .is_none_or(|stem| *stem != *found.to_string())
        {
            return Err(damaged(format!("it holds {found}, which is not its name")));
        }
        Ok(sealed)
    }

    /// Writes it into a folder, durably, under the name of its hash.
    ///
    /// # Errors
    /// What the file system says. A failed fsync ends the process.
    pub fn write(&self, folder: &Path) -> std::io::Result<PathBuf> {
        let path = path(folder, &self.public_key.hash());
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        disk::replace(&path, &[&text])?;
        Ok(path)
    }
}

/// The file of a key.
#[must_use]
pub fn path(folder: &Path, key: &PublicKeyHash) -> PathBuf {
    folder.join(format!("{key}.{EXTENSION}"))
}

/// The sealed files of a folder, by name.
///
/// # Errors
/// [`KeyFault::NoFolder`], [`KeyFault::Exposed`] or [`KeyFault::Unreadable`].
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, KeyFault> {
    file::named(folder, EXTENSION)
}

/// What a ciphertext is bound to, besides the key that made it: the format and the public key hash.
fn bound_to(key: &PublicKeyHash) -> String {
    format!("quorate sealed {FORMAT} {key}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use tezos::Curve;

    fn sealed() -> Sealed {
        let secret = SecretKey::generate(Curve::Bls12_381).unwrap();
        Sealed {
            format: FORMAT,
            public_key: secret.public_key().clone(),
            sealing_key: "quorate-seal".to_owned(),
            iv: "00".repeat(IV_BYTES),
            ciphertext: "11".repeat(64),
        }
    }

    #[test]
    fn a_sealed_file_is_read_as_it_was_written_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = sealed();
        let path = sealed.write(folder.path()).unwrap();
        assert_eq!(path, super::path(folder.path(), &sealed.public_key.hash()));
        assert_eq!(Sealed::read(&path).unwrap(), sealed);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // R32: what others may read is not used.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let fault = Sealed::read(&path).unwrap_err();
        assert!(matches!(fault, KeyFault::Exposed { .. }), "{fault}");
    }

    #[test]
    fn a_sealed_file_of_another_format_or_name_or_with_a_field_too_many_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = sealed();
        let path = sealed.write(folder.path()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let other = sealed.public_key.hash().to_string();
        let other = path
            .with_file_name(other.replace("tz4", "tz1"))
            .with_extension(EXTENSION);
        for (path, text) in [
            (&path, text.replace("\"format\": 1", "\"format\": 2")),
            (&path, text.replacen('{', "{\"secret\": 1,", 1)),
            (&path, String::new()),
            (&other, text.clone()),
        ] {
            disk::replace(path, &[text.as_bytes()]).unwrap();
            let fault = Sealed::read(path).unwrap_err();
            assert!(matches!(fault, KeyFault::Damaged { .. }), "{text}: {fault}");
        }
    }

    #[test]
    fn what_a_ciphertext_is_bound_to_names_the_format_and_the_key() {
        let [one, two] = [sealed(), sealed()].map(|sealed| sealed.public_key.hash());
        assert_ne!(bound_to(&one), bound_to(&two));
        assert_eq!(bound_to(&one), format!("quorate sealed 1 {one}"));
    }
}
