//! Looking at what was minted: what is signed, with which key, from which entry.

use std::fmt;

use tezos::{ChainId, Digest, Kind, PublicKey, Signature, Slot};

use super::{Grant, Permit, Released, Signed};
use crate::policy::Subject;
use crate::state::ReleaseMode;
use crate::types::EntryId;

impl Grant {
    /// The bytes to sign. BLS signs the message itself; the other curves its BLAKE2b-256.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.consensus.message()
    }

    /// BLAKE2b-256 of the message.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.consensus.digest()
    }

    /// The enrolled key that is to sign.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// When the signature may leave.
    #[must_use]
    pub const fn release_mode(&self) -> ReleaseMode {
        self.release
    }

    /// What is signed.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.consensus.kind()
    }

    /// For which chain.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.consensus.chain()
    }

    /// In which slot.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.consensus.slot()
    }

    /// The committed entry that this comes from.
    #[must_use]
    pub const fn entry(&self) -> EntryId {
        self.ticket.entry()
    }
}

impl Permit {
    /// What is signed. A proof of possession is made in its own scheme.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Whether this is a proof of possession, which is made in its own scheme.
    #[must_use]
    pub const fn is_possession(&self) -> bool {
        match self.subject {
            Subject::Operation(_) => false,
            Subject::Possession(_) => true,
        }
    }

    /// The bytes to sign.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.subject.message()
    }

    /// The enrolled key that is to sign.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The committed entry that this comes from.
    #[must_use]
    pub const fn entry(&self) -> EntryId {
        self.ticket.entry()
    }
}

impl Signed {
    /// The grant it was signed on.
    #[must_use]
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }
}

impl Released {
    /// The signature. Keep this alive until it has left the node: it counts as outstanding.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The committed entry that lets it leave.
    #[must_use]
    pub const fn entry(&self) -> EntryId {
        self.ticket.entry()
    }
}

/// Names what it is for, and shows neither message nor signature.
impl fmt::Debug for Grant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, kind, slot, entry) = (self.key.hash(), self.kind(), self.slot(), self.entry());
        write!(out, "Grant({key} {kind} {slot} entry {entry})")
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Permit({} entry {})", self.key.hash(), self.entry())
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Signed({:?})", self.grant)
    }
}

impl fmt::Debug for Released {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Released(entry {})", self.entry())
    }
}
