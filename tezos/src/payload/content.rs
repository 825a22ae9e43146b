//! One operation inside a generic message, decoded far enough to say what it does.

use super::manager::{Manager, ManagerKind};
use super::reader::{Reader, write_sized};
use super::{BallotVote, DecodeError, OperationName};
use crate::{Level, PublicKeyHash};

/// One operation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Content(Body);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Body {
    SeedNonceRevelation {
        level: Level,
        nonce: [u8; 32],
    },
    Proposals {
        source: PublicKeyHash,
        period: Level,
        protocols: Vec<[u8; 32]>,
    },
    Ballot {
        source: PublicKeyHash,
        period: Level,
        proposal: [u8; 32],
        vote: BallotVote,
    },
    VdfRevelation {
        result: [u8; 100],
        proof: [u8; 100],
    },
    DrainDelegate {
        consensus_key: PublicKeyHash,
        delegate: PublicKeyHash,
        destination: PublicKeyHash,
    },
    FailingNoop {
        arbitrary: Vec<u8>,
    },
    Manager(Box<Manager>),
}

mod tag {
    pub(super) const SEED_NONCE_REVELATION: u8 = 1;
    pub(super) const PROPOSALS: u8 = 5;
    pub(super) const BALLOT: u8 = 6;
    pub(super) const VDF_REVELATION: u8 = 8;
    pub(super) const DRAIN_DELEGATE: u8 = 9;
    pub(super) const FAILING_NOOP: u8 = 17;
}

impl Content {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tag = reader.u8("operation tag")?;
        Ok(Self(match tag {
            tag::SEED_NONCE_REVELATION => Body::SeedNonceRevelation {
                level: reader.height("level")?,
                nonce: reader.array("nonce")?,
            },
            tag::PROPOSALS => Body::Proposals {
                source: reader.public_key_hash("source")?,
                period: reader.height("voting period")?,
                protocols: read_protocols(reader)?,
            },
            tag::BALLOT => Body::Ballot {
                source: reader.public_key_hash("source")?,
                period: reader.height("voting period")?,
                proposal: reader.array("proposal")?,
                vote: read_vote(reader)?,
            },
            tag::VDF_REVELATION => Body::VdfRevelation {
                result: reader.array("VDF result")?,
                proof: reader.array("VDF proof")?,
            },
            tag::DRAIN_DELEGATE => Body::DrainDelegate {
                consensus_key: reader.public_key_hash("consensus key")?,
                delegate: reader.public_key_hash("delegate")?,
                destination: reader.public_key_hash("destination")?,
            },
            tag::FAILING_NOOP => Body::FailingNoop {
                arbitrary: reader.sized("arbitrary bytes")?.to_vec(),
            },
            _ => match ManagerKind::of_tag(tag) {
                Some(kind) => Body::Manager(Box::new(Manager::read(reader, kind)?)),
                None => return Err(refused(tag)),
            },
        }))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Body::SeedNonceRevelation { level, nonce } => {
                out.push(tag::SEED_NONCE_REVELATION);
                out.extend(level.get().to_be_bytes());
                out.extend(nonce);
            }
            Body::Proposals {
                source,
                period,
                protocols,
            } => {
                out.push(tag::PROPOSALS);
                out.extend(source.to_bytes());
                out.extend(period.get().to_be_bytes());
                write_sized(out, protocols.as_flattened());
            }
            Body::Ballot {
                source,
                period,
                proposal,
                vote,
            } => {
                out.push(tag::BALLOT);
                out.extend(source.to_bytes());
                out.extend(period.get().to_be_bytes());
                out.extend(proposal);
                out.push(vote.code());
            }
            Body::VdfRevelation { result, proof } => {
                out.push(tag::VDF_REVELATION);
                out.extend(result);
                out.extend(proof);
            }
            Body::DrainDelegate {
                consensus_key,
                delegate,
                destination,
            } => {
                out.push(tag::DRAIN_DELEGATE);
                for hash in [consensus_key, delegate, destination] {
                    out.extend(hash.to_bytes());
                }
            }
            Body::FailingNoop { arbitrary } => {
                out.push(tag::FAILING_NOOP);
                write_sized(out, arbitrary);
            }
            Body::Manager(manager) => manager.write(out),
        }
    }

    /// What it does.
    #[must_use]
    pub fn name(&self) -> OperationName {
        match &self.0 {
            Body::SeedNonceRevelation { .. } => OperationName::SeedNonceRevelation,
            Body::Proposals { .. } => OperationName::Proposals,
            Body::Ballot { .. } => OperationName::Ballot,
            Body::VdfRevelation { .. } => OperationName::VdfRevelation,
            Body::DrainDelegate { .. } => OperationName::DrainDelegate,
            Body::FailingNoop { .. } => OperationName::FailingNoop,
            Body::Manager(manager) => manager.name(),
        }
    }

    /// The vote, if it is a ballot.
    #[must_use]
    pub const fn vote(&self) -> Option<BallotVote> {
        match &self.0 {
            Body::Ballot { vote, .. } => Some(*vote),
            Body::SeedNonceRevelation { .. }
            | Body::Proposals { .. }
            | Body::VdfRevelation { .. }
            | Body::DrainDelegate { .. }
            | Body::FailingNoop { .. }
            | Body::Manager(_) => None,
        }
    }

    /// Whether it is an operation of an account's owner, which alone can be batched.
    pub(super) const fn is_manager(&self) -> bool {
        matches!(self.0, Body::Manager(_))
    }
}

fn read_vote(reader: &mut Reader<'_>) -> Result<BallotVote, DecodeError> {
    let at = reader.at();
    let found = reader.u8("vote")?;
    BallotVote::from_code(found).map_err(|_unknown| DecodeError::Unknown {
        field: "vote",
        at,
        found,
        known: "0 (yay), 1 (nay) and 2 (pass)",
    })
}

fn read_protocols(reader: &mut Reader<'_>) -> Result<Vec<[u8; 32]>, DecodeError> {
    let at = reader.at();
    let bytes = reader.sized("proposals")?;
    match bytes.as_chunks() {
        (protocols, []) => Ok(protocols.to_vec()),
        (_, _left_over) => Err(DecodeError::Length {
            field: "proposals",
            at,
            found: bytes.len(),
            expected: "a multiple of 32",
        }),
    }
}

/// The refusal of an operation that is not decoded: by name where this version knows the tag.
const fn refused(tag: u8) -> DecodeError {
    let name = match tag {
        2 => "double_consensus_operation_evidence",
        3 => "double_baking_evidence",
        4 => "activate_account",
        7 => "double_preattestation_evidence (before 023)",
        20 | 40 => "a preattestation without its magic byte 0x12",
        21 | 23 | 41 => "an attestation without its magic byte 0x13",
        24 => "dal_entrapment_evidence",
        30 => "preattestations_aggregate",
        31 => "attestations_aggregate",
        109 => "origination",
        111 => "register_global_constant",
        113 => "increase_paid_storage",
        150..=157 => "an operation of transaction rollups, which no protocol has any more",
        158 => "transfer_ticket",
        200 => "smart_rollup_originate",
        201 => "smart_rollup_add_messages",
        202 => "smart_rollup_cement",
        203 => "smart_rollup_publish",
        204 => "smart_rollup_refute",
        205 => "smart_rollup_timeout",
        206 => "smart_rollup_execute_outbox_message",
        207 => "smart_rollup_recover_bond",
        230 => "dal_publish_commitment",
        250 => "zk_rollup_origination",
        251 => "zk_rollup_publish",
        252 => "zk_rollup_update",
        _ => return DecodeError::OperationUnknown { tag },
    };
    DecodeError::OperationRefused { tag, name }
}
