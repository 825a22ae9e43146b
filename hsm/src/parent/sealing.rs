//! Secrets that only one token opens.

use zeroize::Zeroizing;

use super::ceremony::{Ceremony, another};
use super::durability;
use crate::Trouble;
use crate::ceremony::{Outcome, Step};

impl Ceremony {
    /// Whether the token has a key of this label that seals.
    ///
    /// # Errors
    /// If the token fails.
    pub async fn has_sealing_key(&self, label: &str) -> Result<bool, Trouble> {
        let step = Step::HasSealingKey {
            label: label.to_owned(),
        };
        match self.ask(step, &[]).await? {
            (Outcome::Is(there), _) => Ok(there),
            (other, _) => Err(another(other)),
        }
    }

    /// Makes the AES-256 key that seals, and that cannot leave the token.
    ///
    /// # Errors
    /// If the label is taken, or the key does not open what it sealed.
    pub async fn make_sealing_key(&mut self, label: &str) -> Result<(), Trouble> {
        let step = Step::MakeSealingKey {
            label: label.to_owned(),
        };
        match self.ask(step, &[]).await? {
            (Outcome::Done, _) => {}
            (other, _) => return Err(another(other)),
        }
        self.refresh().await?;
        let sealed = self.seal(label, "a trial", b"opens again").await?;
        let opened = self.unseal(label, "a trial", &sealed).await?;
        match opened.as_slice() == b"opens again" {
            true => Ok(()),
            false => Err(Trouble::unfit(format!(
                "the key {label:?} of the token does not open what it sealed"
            ))),
        }
    }

    /// Encrypts a secret under the key that seals; it opens only in this token, and only if the same
    /// words are said.
    ///
    /// # Errors
    /// If there is no such key, or it could leave the token.
    pub async fn seal(
        &self,
        label: &str,
        bound_to: &str,
        secret: &[u8],
    ) -> Result<Vec<u8>, Trouble> {
        let (label, bound_to) = (label.to_owned(), bound_to.to_owned());
        match self.ask(Step::Seal { label, bound_to }, secret).await? {
            (Outcome::Bytes, sealed) => {
                // Who made the key may have been killed before it was fsynced.
                durability::sync(&self.place.launch, &self.token)?;
                Ok(sealed.to_vec())
            }
            (other, _) => Err(another(other)),
        }
    }

    /// Decrypts what [`Ceremony::seal`] gave.
    ///
    /// # Errors
    /// [`crate::TroubleKind::Unfit`] if another token sealed it, with other words, or it was altered.
    pub async fn unseal(
        &self,
        label: &str,
        bound_to: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Trouble> {
        let (label, bound_to) = (label.to_owned(), bound_to.to_owned());
        match self
            .ask_soon(Step::Unseal { label, bound_to }, sealed)
            .await?
        {
            (Outcome::Bytes, secret) => Ok(secret),
            (other, _) => Err(another(other)),
        }
    }
}
