//! Transactions: where the tez goes and what is called there.

use super::natural;
use super::reader::{Reader, write_optional, write_sized};
use super::{DecodeError, OperationName};
use crate::PublicKeyHash;

/// A transfer or a contract call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Transaction {
    amount: u64,
    destination: Contract,
    parameters: Option<Parameters>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Contract {
    Implicit(PublicKeyHash),
    Originated([u8; 20]),
}

/// What is called. The argument is Micheline, kept as it came: its length is its own.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Parameters {
    entrypoint: Entrypoint,
    argument: Vec<u8>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Entrypoint {
    /// One of the entrypoints that have a tag, by that tag.
    Tagged(u8),
    Named(Name),
}

/// The name of an entrypoint that has no tag: at most 31 bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Name {
    length: u8,
    bytes: Vec<u8>,
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

const LONGEST_NAME: u8 = 31;

impl Transaction {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            amount: natural::read(reader, "amount")?,
            destination: Contract::read(reader)?,
            parameters: reader.optional("parameters", Parameters::read)?,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        natural::write(out, self.amount);
        self.destination.write(out);
        write_optional(out, self.parameters.as_ref(), |out, parameters| {
            parameters.write(out)
        });
    }

    /// What it does when `source` signs it. Staking is a transaction to oneself; to anybody else it
    /// is a transaction, whatever the entrypoint is called: a contract may call its own "stake".
    pub(super) fn name(&self, source: &PublicKeyHash) -> OperationName {
        if self.destination != Contract::Implicit(*source) {
            return OperationName::Transaction;
        }
        match self
            .parameters
            .as_ref()
            .map(|parameters| &parameters.entrypoint)
        {
            Some(Entrypoint::Tagged(6)) => OperationName::Stake,
            Some(Entrypoint::Tagged(7)) => OperationName::Unstake,
            Some(Entrypoint::Tagged(8)) => OperationName::FinalizeUnstake,
            Some(Entrypoint::Tagged(9)) => OperationName::SetDelegateParameters,
            Some(Entrypoint::Tagged(_) | Entrypoint::Named(_)) | None => OperationName::Transaction,
        }
    }
}

impl Contract {
    const FIELD: &'static str = "destination";
    const PADDING: &'static str = "padding of the destination";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let unknown = |field, at, found, known| DecodeError::Unknown {
            field,
            at,
            found,
            known,
        };
        let at = reader.at();
        match reader.u8(Self::FIELD)? {
            0 => reader.public_key_hash(Self::FIELD).map(Self::Implicit),
            1 => {
                let hash = reader.array(Self::FIELD)?;
                let at = reader.at();
                match reader.u8(Self::PADDING)? {
                    0 => Ok(Self::Originated(hash)),
                    found => Err(unknown(Self::PADDING, at, found, "0")),
                }
            }
            found => Err(unknown(
                Self::FIELD,
                at,
                found,
                "0 (an account) and 1 (a contract)",
            )),
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
                out.extend([NAMED, name.length]);
                out.extend(&name.bytes);
            }
        }
        write_sized(out, &self.argument);
    }
}

impl Entrypoint {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        match reader.u8("entrypoint")? {
            tag if usize::from(tag) < TAGGED.len() => Ok(Self::Tagged(tag)),
            NAMED => Name::read(reader).map(Self::Named),
            found => Err(DecodeError::Unknown {
                field: "entrypoint",
                at,
                found,
                known: "0 to 9 and 255 (a name)",
            }),
        }
    }
}

impl Name {
    const FIELD: &'static str = "entrypoint name";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        let length = reader.u8(Self::FIELD)?;
        if length > LONGEST_NAME {
            return Err(DecodeError::Length {
                field: Self::FIELD,
                at,
                found: length.into(),
                expected: "at most 31",
            });
        }
        let bytes = reader.slice(Self::FIELD, length.into())?.to_vec();
        if TAGGED.iter().any(|tagged| tagged.as_bytes() == bytes) {
            return Err(DecodeError::EntrypointName { at });
        }
        Ok(Self { length, bytes })
    }
}
