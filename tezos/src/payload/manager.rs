//! Operations of an account's owner: who pays, with which counter, for what.

use super::natural;
use super::reader::{Reader, write_sized};
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
    body: ManagerBody,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ManagerBody {
    Reveal {
        public_key: PublicKey,
        proof: Option<[u8; 96]>,
    },
    Transaction {
        amount: u64,
        destination: Contract,
        parameters: Option<Parameters>,
    },
    Delegation {
        delegate: Option<PublicKeyHash>,
    },
    SetDepositsLimit {
        limit: Option<u64>,
    },
    UpdateConsensusKey {
        public_key: PublicKey,
        proof: Option<[u8; 96]>,
    },
    UpdateCompanionKey {
        public_key: PublicKey,
        proof: Option<[u8; 96]>,
    },
}

/// Which operation a tag announces.
#[derive(Clone, Copy, Debug)]
pub(super) enum ManagerKind {
    Reveal,
    Transaction,
    Delegation,
    SetDepositsLimit,
    UpdateConsensusKey,
    UpdateCompanionKey,
}

/// Where a transaction goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Contract {
    Implicit(PublicKeyHash),
    Originated([u8; 20]),
}

/// What a transaction calls. The argument is Micheline, kept as it came: its length is its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Parameters {
    entrypoint: Entrypoint,
    argument: Vec<u8>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Entrypoint {
    /// One of the entrypoints that have a tag, by that tag.
    Tagged(u8),
    Named(Vec<u8>),
}

/// The names of the entrypoints that have a tag, in the order of their tags (Octez,
/// `entrypoint_repr.ml`).
const TAGGED: [&str; 10] = [
    "default",
    "root",
    "do",
    "set_delegate",
    "remove_delegate",
    "deposit",
    "stake",
    "unstake",
    "finalize_unstake",
    "set_delegate_parameters",
];

const NAMED: u8 = 255;

/// The longest name of an entrypoint, in bytes.
const LONGEST_NAME: usize = 31;

impl Manager {
    /// Reads what follows the tag.
    pub(super) fn read(reader: &mut Reader<'_>, kind: ManagerKind) -> Result<Self, DecodeError> {
        Ok(Self {
            source: reader.public_key_hash("source")?,
            fee: natural::read(reader, "fee")?,
            counter: natural::read(reader, "counter")?,
            gas_limit: natural::read(reader, "gas limit")?,
            storage_limit: natural::read(reader, "storage limit")?,
            body: ManagerBody::read(reader, kind)?,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.body.tag());
        out.extend(self.source.to_bytes());
        for number in [self.fee, self.counter, self.gas_limit, self.storage_limit] {
            natural::write(out, number);
        }
        self.body.write(out);
    }

    pub(super) fn name(&self) -> OperationName {
        match &self.body {
            ManagerBody::Reveal { .. } => OperationName::Reveal,
            ManagerBody::Transaction {
                destination,
                parameters,
                ..
            } => {
                let to_oneself = *destination == Contract::Implicit(self.source);
                parameters
                    .as_ref()
                    .filter(|_| to_oneself)
                    .map_or(OperationName::Transaction, Parameters::name)
            }
            ManagerBody::Delegation { .. } => OperationName::Delegation,
            ManagerBody::SetDepositsLimit { .. } => OperationName::SetDepositsLimit,
            ManagerBody::UpdateConsensusKey { .. } => OperationName::UpdateConsensusKey,
            ManagerBody::UpdateCompanionKey { .. } => OperationName::UpdateCompanionKey,
        }
    }
}

impl ManagerBody {
    pub(super) const fn kind_of(tag: u8) -> Option<ManagerKind> {
        Some(match tag {
            107 => ManagerKind::Reveal,
            108 => ManagerKind::Transaction,
            110 => ManagerKind::Delegation,
            112 => ManagerKind::SetDepositsLimit,
            114 => ManagerKind::UpdateConsensusKey,
            115 => ManagerKind::UpdateCompanionKey,
            _ => return None,
        })
    }

    const fn tag(&self) -> u8 {
        match self {
            Self::Reveal { .. } => 107,
            Self::Transaction { .. } => 108,
            Self::Delegation { .. } => 110,
            Self::SetDepositsLimit { .. } => 112,
            Self::UpdateConsensusKey { .. } => 114,
            Self::UpdateCompanionKey { .. } => 115,
        }
    }

    fn read(reader: &mut Reader<'_>, kind: ManagerKind) -> Result<Self, DecodeError> {
        Ok(match kind {
            ManagerKind::Reveal => Self::Reveal {
                public_key: reader.public_key()?,
                proof: read_proof(reader)?,
            },
            ManagerKind::Transaction => Self::Transaction {
                amount: natural::read(reader, "amount")?,
                destination: Contract::read(reader)?,
                parameters: if reader.presence("parameters")? {
                    Some(Parameters::read(reader)?)
                } else {
                    None
                },
            },
            ManagerKind::Delegation => Self::Delegation {
                delegate: if reader.presence("delegate")? {
                    Some(reader.public_key_hash("delegate")?)
                } else {
                    None
                },
            },
            ManagerKind::SetDepositsLimit => Self::SetDepositsLimit {
                limit: if reader.presence("limit")? {
                    Some(natural::read(reader, "limit")?)
                } else {
                    None
                },
            },
            ManagerKind::UpdateConsensusKey => Self::UpdateConsensusKey {
                public_key: reader.public_key()?,
                proof: read_proof(reader)?,
            },
            ManagerKind::UpdateCompanionKey => Self::UpdateCompanionKey {
                public_key: reader.public_key()?,
                proof: read_proof(reader)?,
            },
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Reveal { public_key, proof }
            | Self::UpdateConsensusKey { public_key, proof }
            | Self::UpdateCompanionKey { public_key, proof } => {
                out.push(public_key.curve().code());
                out.extend(public_key.as_raw());
                if write_presence(out, proof.is_some()) {
                    write_sized(out, proof.as_slice().as_flattened());
                }
            }
            Self::Transaction {
                amount,
                destination,
                parameters,
            } => {
                natural::write(out, *amount);
                destination.write(out);
                write_presence(out, parameters.is_some());
                if let Some(parameters) = parameters {
                    parameters.write(out);
                }
            }
            Self::Delegation { delegate } => {
                write_presence(out, delegate.is_some());
                out.extend(delegate.iter().flat_map(PublicKeyHash::to_bytes));
            }
            Self::SetDepositsLimit { limit } => {
                write_presence(out, limit.is_some());
                if let Some(limit) = limit {
                    natural::write(out, *limit);
                }
            }
        }
    }
}

impl Contract {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        match reader.u8("destination")? {
            0 => reader.public_key_hash("destination").map(Self::Implicit),
            1 => {
                let hash = reader.array("destination")?;
                let at = reader.at();
                match reader.u8("padding of the destination")? {
                    0 => Ok(Self::Originated(hash)),
                    found => Err(DecodeError::Unknown {
                        field: "padding of the destination",
                        at,
                        found,
                        known: "0",
                    }),
                }
            }
            found => Err(DecodeError::Unknown {
                field: "destination",
                at,
                found,
                known: "0 (an account) and 1 (a contract)",
            }),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Implicit(hash) => {
                out.push(0);
                out.extend(hash.to_bytes());
            }
            Self::Originated(hash) => {
                out.push(1);
                out.extend(hash);
                out.push(0);
            }
        }
    }
}

impl Parameters {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let entrypoint = Entrypoint::read(reader)?;
        let argument = reader.sized("argument")?.to_vec();
        Ok(Self {
            entrypoint,
            argument,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match &self.entrypoint {
            Entrypoint::Tagged(tag) => out.push(*tag),
            Entrypoint::Named(name) => {
                out.push(NAMED);
                // The length was one byte when it was read, so it is one byte now.
                out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
                out.extend(name);
            }
        }
        write_sized(out, &self.argument);
    }

    /// What a transaction *to oneself* with these parameters does. To anybody else it is a
    /// transaction, whatever the entrypoint is called: a contract may call its own "stake".
    fn name(&self) -> OperationName {
        match self.entrypoint {
            Entrypoint::Tagged(6) => OperationName::Stake,
            Entrypoint::Tagged(7) => OperationName::Unstake,
            Entrypoint::Tagged(8) => OperationName::FinalizeUnstake,
            Entrypoint::Tagged(9) => OperationName::SetDelegateParameters,
            Entrypoint::Tagged(_) | Entrypoint::Named(_) => OperationName::Transaction,
        }
    }
}

impl Entrypoint {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        match reader.u8("entrypoint")? {
            tag if usize::from(tag) < TAGGED.len() => Ok(Self::Tagged(tag)),
            NAMED => {
                let at = reader.at();
                let length = usize::from(reader.u8("entrypoint name")?);
                if length > LONGEST_NAME {
                    return Err(DecodeError::Length {
                        field: "entrypoint name",
                        at,
                        found: length,
                        expected: "at most 31",
                    });
                }
                let name = reader.slice("entrypoint name", length)?;
                if TAGGED.iter().any(|tagged| tagged.as_bytes() == name) {
                    return Err(DecodeError::EntrypointName { at });
                }
                Ok(Self::Named(name.to_vec()))
            }
            found => Err(DecodeError::Unknown {
                field: "entrypoint",
                at,
                found,
                known: "0 to 9 and 255 (a name)",
            }),
        }
    }
}

fn read_proof(reader: &mut Reader<'_>) -> Result<Option<[u8; 96]>, DecodeError> {
    if !reader.presence("proof of possession")? {
        return Ok(None);
    }
    let at = reader.at();
    let proof = reader.sized("proof of possession")?;
    proof
        .try_into()
        .map(Some)
        .map_err(|_other_length| DecodeError::Length {
            field: "proof of possession",
            at,
            found: proof.len(),
            expected: "96",
        })
}

/// Writes whether an optional field is there, and says it again.
fn write_presence(out: &mut Vec<u8>, present: bool) -> bool {
    out.push(if present { 0xff } else { 0x00 });
    present
}
