//! Preattestations and attestations.

use super::natural::Bits;
use super::reader::Reader;
use super::{DecodeError, Kind, magic};
use crate::{ChainId, Curve, Slot};

/// A vote. Two layouts: with a committee slot for tz1 to tz3 (tags 20, 21, 23), without one for tz4
/// (tags 40, 41), so that all tz4 votes of a round are the same bytes and can be aggregated. The
/// level is at byte 40 in the one and at byte 38 in the other, which is why the tag decides and why
/// it must fit the key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Vote {
    chain: ChainId,
    branch: [u8; 32],
    form: Form,
    slot: Slot,
    payload_hash: [u8; 32],
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Form {
    Preattestation { committee_slot: u16 },
    Attestation { committee_slot: u16 },
    AttestationWithDal { committee_slot: u16, dal: Bits },
    BlsPreattestation,
    BlsAttestation,
}

const PREATTESTATION: u8 = 20;
const ATTESTATION: u8 = 21;
const ATTESTATION_WITH_DAL: u8 = 23;
const BLS_PREATTESTATION: u8 = 40;
const BLS_ATTESTATION: u8 = 41;

impl Vote {
    /// Reads what follows the magic byte, which announced a vote of this `kind`.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        kind: Kind,
        curve: Curve,
    ) -> Result<Self, DecodeError> {
        let chain = ChainId(reader.array("chain id")?);
        let branch = reader.array("branch")?;
        let tag = reader.u8("operation tag")?;
        check_curve(kind, tag, curve)?;
        let committee_slot = match curve {
            Curve::Bls12_381 => 0,
            Curve::Ed25519 | Curve::Secp256k1 | Curve::P256 => reader.u16("committee slot")?,
        };
        let slot = Slot::new(reader.height("level")?, reader.height("round")?);
        let payload_hash = reader.array("payload hash")?;
        let form = match tag {
            PREATTESTATION => Form::Preattestation { committee_slot },
            ATTESTATION => Form::Attestation { committee_slot },
            ATTESTATION_WITH_DAL => {
                let dal = Bits::read(reader, "DAL bitset")?;
                Form::AttestationWithDal {
                    committee_slot,
                    dal,
                }
            }
            BLS_PREATTESTATION => Form::BlsPreattestation,
            BLS_ATTESTATION => Form::BlsAttestation,
            _ => {
                return Err(DecodeError::VoteTag {
                    tag,
                    wanted: kind.name(),
                });
            }
        };
        Ok(Self {
            chain,
            branch,
            form,
            slot,
            payload_hash,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let (magic, tag) = match self.form {
            Form::Preattestation { .. } => (magic::PREATTESTATION, PREATTESTATION),
            Form::Attestation { .. } => (magic::ATTESTATION, ATTESTATION),
            Form::AttestationWithDal { .. } => (magic::ATTESTATION, ATTESTATION_WITH_DAL),
            Form::BlsPreattestation => (magic::PREATTESTATION, BLS_PREATTESTATION),
            Form::BlsAttestation => (magic::ATTESTATION, BLS_ATTESTATION),
        };
        let mut out = vec![magic];
        out.extend(self.chain.0);
        out.extend(self.branch);
        out.push(tag);
        out.extend(
            self.committee_slot()
                .iter()
                .flat_map(|slot| slot.to_be_bytes()),
        );
        out.extend(self.slot.level.get().to_be_bytes());
        out.extend(self.slot.round.get().to_be_bytes());
        out.extend(self.payload_hash);
        if let Form::AttestationWithDal { dal, .. } = &self.form {
            dal.write(&mut out);
        }
        out
    }

    /// Preattestation or attestation.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.form {
            Form::Preattestation { .. } | Form::BlsPreattestation => Kind::Preattestation,
            Form::Attestation { .. } | Form::AttestationWithDal { .. } | Form::BlsAttestation => {
                Kind::Attestation
            }
        }
    }

    /// The chain it is for.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.chain
    }

    /// The level and round voted on.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// The 32 bytes of the block hash the vote builds on.
    #[must_use]
    pub const fn branch(&self) -> &[u8; 32] {
        &self.branch
    }

    /// The 32 bytes of the payload hash voted for.
    #[must_use]
    pub const fn payload_hash(&self) -> &[u8; 32] {
        &self.payload_hash
    }

    /// The place in the committee, which tz4 votes do not name.
    #[must_use]
    pub const fn committee_slot(&self) -> Option<u16> {
        match self.form {
            Form::Preattestation { committee_slot }
            | Form::Attestation { committee_slot }
            | Form::AttestationWithDal { committee_slot, .. } => Some(committee_slot),
            Form::BlsPreattestation | Form::BlsAttestation => None,
        }
    }

    /// Whether bit `number` of the DAL content is set; `None` for a vote without one. What the bits
    /// mean differs between protocols (024: slots, 025: slots at several lags).
    #[must_use]
    pub fn dal_bit(&self, number: usize) -> Option<bool> {
        match &self.form {
            Form::AttestationWithDal { dal, .. } => Some(dal.contains(number)),
            Form::Preattestation { .. }
            | Form::Attestation { .. }
            | Form::BlsPreattestation
            | Form::BlsAttestation => None,
        }
    }

    /// Whether it has the form that tz4 keys sign.
    #[must_use]
    pub const fn bls_mode(&self) -> bool {
        matches!(self.form, Form::BlsPreattestation | Form::BlsAttestation)
    }
}

/// Checks that the tag belongs to the kind that the magic byte announced, and to the key.
const fn check_curve(kind: Kind, tag: u8, curve: Curve) -> Result<(), DecodeError> {
    match (kind, tag) {
        (Kind::Preattestation, PREATTESTATION)
        | (Kind::Attestation, ATTESTATION | ATTESTATION_WITH_DAL) => match curve {
            Curve::Ed25519 | Curve::Secp256k1 | Curve::P256 => Ok(()),
            Curve::Bls12_381 => Err(DecodeError::VoteCurve {
                tag,
                signers: "tz1, tz2 and tz3",
                curve,
            }),
        },
        (Kind::Preattestation, BLS_PREATTESTATION) | (Kind::Attestation, BLS_ATTESTATION) => {
            match curve {
                Curve::Bls12_381 => Ok(()),
                Curve::Ed25519 | Curve::Secp256k1 | Curve::P256 => Err(DecodeError::VoteCurve {
                    tag,
                    signers: "tz4",
                    curve,
                }),
            }
        }
        _ => Err(DecodeError::VoteTag {
            tag,
            wanted: kind.name(),
        }),
    }
}
