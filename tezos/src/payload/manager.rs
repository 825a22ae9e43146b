//! Operations of an account's owner: who pays, with which counter, for what.

use super::natural;
use super::reader::{Reader, write_optional, write_sized};
use super::transaction::Transaction;
use super::{DecodeError, OperationName};
use crate::{PublicKey, PublicKeyHash};

/// An operation of an account's owner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Manager {
    source: PublicKeyHash,
    fee: u64,
    counter: u64,
    gas_limit: u64,
    storage_limit: u64,
    body: Body,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Body {
    Reveal(ProvedKey),
    Transaction(Transaction),
    Delegation(Option<PublicKeyHash>),
    SetDepositsLimit(Option<u64>),
    UpdateConsensusKey(ProvedKey),
    UpdateCompanionKey(ProvedKey),
}

/// A public key and, for tz4, the proof that whoever publishes it holds its secret.
#[derive(Clone, Debug, Eq, PartialEq)]
struct ProvedKey {
    public_key: PublicKey,
    proof: Option<[u8; 96]>,
}

/// Which of these operations a tag announces.
#[derive(Clone, Copy, Debug)]
pub(super) enum ManagerKind {
    Reveal,
    Transaction,
    Delegation,
    SetDepositsLimit,
    UpdateConsensusKey,
    UpdateCompanionKey,
}

impl ManagerKind {
    pub(super) const fn of_tag(tag: u8) -> Option<Self> {
        Some(match tag {
            107 => Self::Reveal,
            108 => Self::Transaction,
            110 => Self::Delegation,
            112 => Self::SetDepositsLimit,
            114 => Self::UpdateConsensusKey,
            115 => Self::UpdateCompanionKey,
            _ => return None,
        })
    }

    const fn tag(self) -> u8 {
        match self {
            Self::Reveal => 107,
            Self::Transaction => 108,
            Self::Delegation => 110,
            Self::SetDepositsLimit => 112,
            Self::UpdateConsensusKey => 114,
            Self::UpdateCompanionKey => 115,
        }
    }
}

impl Manager {
    /// Reads what follows the tag.
    pub(super) fn read(reader: &mut Reader<'_>, kind: ManagerKind) -> Result<Self, DecodeError> {
        Ok(Self {
            source: reader.public_key_hash("source")?,
            fee: natural::read(reader, "fee")?,
            counter: natural::read(reader, "counter")?,
            gas_limit: natural::read(reader, "gas limit")?,
            storage_limit: natural::read(reader, "storage limit")?,
            body: Body::read(reader, kind)?,
        })
    }

    /// Writes the tag and all that follows it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.body.kind().tag());
        out.extend(self.source.to_bytes());
        for number in [self.fee, self.counter, self.gas_limit, self.storage_limit] {
            natural::write(out, number);
        }
        self.body.write(out);
    }

    pub(super) fn name(&self) -> OperationName {
        match &self.body {
            Body::Reveal(_) => OperationName::Reveal,
            Body::Transaction(transaction) => transaction.name(&self.source),
            Body::Delegation(_) => OperationName::Delegation,
            Body::SetDepositsLimit(_) => OperationName::SetDepositsLimit,
            Body::UpdateConsensusKey(_) => OperationName::UpdateConsensusKey,
            Body::UpdateCompanionKey(_) => OperationName::UpdateCompanionKey,
        }
    }
}

impl Body {
    const fn kind(&self) -> ManagerKind {
        match self {
            Self::Reveal(_) => ManagerKind::Reveal,
            Self::Transaction(_) => ManagerKind::Transaction,
            Self::Delegation(_) => ManagerKind::Delegation,
            Self::SetDepositsLimit(_) => ManagerKind::SetDepositsLimit,
            Self::UpdateConsensusKey(_) => ManagerKind::UpdateConsensusKey,
            Self::UpdateCompanionKey(_) => ManagerKind::UpdateCompanionKey,
        }
    }

    fn read(reader: &mut Reader<'_>, kind: ManagerKind) -> Result<Self, DecodeError> {
        match kind {
            ManagerKind::Reveal => ProvedKey::read(reader).map(Self::Reveal),
            ManagerKind::Transaction => Transaction::read(reader).map(Self::Transaction),
            ManagerKind::Delegation => reader
                .optional("delegate", |reader| reader.public_key_hash("delegate"))
                .map(Self::Delegation),
            ManagerKind::SetDepositsLimit => reader
                .optional("limit", |reader| natural::read(reader, "limit"))
                .map(Self::SetDepositsLimit),
            ManagerKind::UpdateConsensusKey => {
                ProvedKey::read(reader).map(Self::UpdateConsensusKey)
            }
            ManagerKind::UpdateCompanionKey => {
                ProvedKey::read(reader).map(Self::UpdateCompanionKey)
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Reveal(key) | Self::UpdateConsensusKey(key) | Self::UpdateCompanionKey(key) => {
                key.write(out);
            }
            Self::Transaction(transaction) => transaction.write(out),
            Self::Delegation(delegate) => {
                write_optional(out, delegate.as_ref(), |out, hash| {
                    out.extend(hash.to_bytes())
                });
            }
            Self::SetDepositsLimit(limit) => {
                write_optional(out, limit.as_ref(), |out, limit| {
                    natural::write(out, *limit)
                });
            }
        }
    }
}

impl ProvedKey {
    const PROOF: &'static str = "proof of possession";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let public_key = reader.public_key()?;
        let proof = reader.optional(Self::PROOF, |reader| {
            let at = reader.at();
            let proof = reader.sized(Self::PROOF)?;
            proof
                .try_into()
                .map_err(|_other_length| DecodeError::Length {
                    field: Self::PROOF,
                    at,
                    found: proof.len(),
                    expected: "96",
                })
        })?;
        Ok(Self { public_key, proof })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.public_key.curve().code());
        out.extend(self.public_key.as_raw());
        write_optional(out, self.proof.as_ref(), |out, proof| {
            write_sized(out, proof)
        });
    }
}
