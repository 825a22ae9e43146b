//! Where permission is made: the only file that builds a [`Grant`] or a [`Permit`], each in one
//! place, each from what this node itself committed.

mod read;

use tezos::payload::Consensus;
use tezos::{PublicKey, PublicKeyHash, Signature};

use super::outstanding::Ticket;
use super::propose::{Committed, Unavailable};
use crate::command::{Advance, Answer, Record, Refusal};
use crate::mutant::{self, Mutant};
use crate::policy::{Slotless, Slotted, Subject};
use crate::state::ReleaseMode;
use crate::types::EntryId;
use crate::witness::Seen;

/// What a request for a message with a slot comes to.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "made and taken apart once a request"
)]
pub enum Decision {
    /// It may be signed, once.
    Grant(Grant),
    /// It was signed before: this is its signature.
    Replay(Released),
    /// It may not be signed.
    Refused(Refusal),
}

/// What a request for a message without a slot comes to.
#[derive(Debug)]
pub enum PermitDecision {
    /// It may be signed, once.
    Permit(Permit),
    /// It may not be signed.
    Refused(Refusal),
}

/// What releasing a signature comes to.
#[derive(Debug)]
pub enum Release {
    /// This signature may leave. It may be another node's, if that one was recorded first.
    Released(Released),
    /// Nothing may leave.
    Refused(Refusal),
}

/// Permission to sign one message in one slot, once. It owns the message, and the signer takes it
/// out of here, so that proving one message and signing another cannot be written down.
///
/// It is spent by value, also on failure. Signing once compiles:
/// ```
/// use raft_store::ledger::{Grant, Signed, WrongSignature};
/// fn once(grant: Grant, signature: tezos::Signature) -> Result<Signed, WrongSignature> {
///     grant.seal(signature)
/// }
/// ```
/// Signing twice with it does not:
/// ```compile_fail,E0382
/// use raft_store::ledger::{Grant, Signed, WrongSignature};
/// fn twice(grant: Grant, signature: tezos::Signature) -> Result<Signed, WrongSignature> {
///     let _first = grant.seal(signature.clone());
///     grant.seal(signature)
/// }
/// ```
/// Nor does making one out of another with a different message:
/// ```compile_fail,E0451
/// use raft_store::ledger::Grant;
/// fn forge(grant: Grant, consensus: tezos::payload::Consensus) -> Grant {
///     Grant { consensus, ..grant }
/// }
/// ```
pub struct Grant {
    key: PublicKey,
    consensus: Consensus,
    release: ReleaseMode,
    ticket: Ticket,
}

/// Permission to sign one message that has no slot, once. A message with a slot cannot become one.
///
/// Signing once compiles:
/// ```
/// use raft_store::ledger::{Permit, Released, WrongSignature};
/// fn once(permit: Permit, signature: tezos::Signature) -> Result<Released, WrongSignature> {
///     permit.seal(signature)
/// }
/// ```
/// Signing twice with it does not:
/// ```compile_fail,E0382
/// use raft_store::ledger::{Permit, Released, WrongSignature};
/// fn twice(permit: Permit, signature: tezos::Signature) -> Result<Released, WrongSignature> {
///     let _first = permit.seal(signature.clone());
///     permit.seal(signature)
/// }
/// ```
pub struct Permit {
    key: PublicKey,
    subject: Subject,
    ticket: Ticket,
}

/// A signed message on its way out: verified, not released.
///
/// Its signature comes out by way of the ledger only. Holding it compiles:
/// ```
/// fn hold(signed: raft_store::ledger::Signed) -> tezos::Slot { signed.grant().slot() }
/// ```
/// Taking the signature does not:
/// ```compile_fail,E0616
/// fn take(signed: raft_store::ledger::Signed) -> tezos::Signature { signed.signature }
/// ```
pub struct Signed {
    grant: Grant,
    signature: Signature,
}

/// A signature that may leave this node. Keep it alive until it has left: it counts as outstanding.
pub struct Released {
    signature: Signature,
    ticket: Ticket,
}

// None of them can be copied, stored, sent or made from nothing.
static_assertions::assert_not_impl_any!(Grant: Clone, Copy, Default, serde::Serialize);
static_assertions::assert_not_impl_any!(Permit: Clone, Copy, Default, serde::Serialize);
static_assertions::assert_not_impl_any!(Signed: Clone, Copy, Default, serde::Serialize);
static_assertions::assert_not_impl_any!(Released: Clone, Copy, Default, serde::Serialize);
static_assertions::assert_not_impl_any!(Grant: serde::de::DeserializeOwned);
static_assertions::assert_not_impl_any!(Permit: serde::de::DeserializeOwned);

/// The signature does not verify with the enrolled key. The grant is spent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the signature does not verify with {key}")]
pub struct WrongSignature {
    /// The key that should have signed.
    pub key: PublicKeyHash,
}

/// What this node's own committed *Advance* of `allowed` comes to.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else comes permits nothing"
)]
pub(super) fn decide(
    allowed: Slotted,
    ticket: Ticket,
    committed: Committed,
) -> Result<Decision, Unavailable> {
    let (key, consensus) = allowed.into_parts();
    let ticket = ticket.settled(committed.entry);
    match committed.answer {
        Answer::Granted { digest, release } if digest == consensus.digest() => {
            Ok(Decision::Grant(Grant {
                key,
                consensus,
                release,
                ticket,
            }))
        }
        Answer::Replayed { digest, signature } if digest == consensus.digest() => {
            recorded(&key, &consensus, signature, ticket).map(Decision::Replay)
        }
        Answer::Refused(refusal) => Ok(Decision::Refused(refusal)),
        other => Err(unfitting(committed.entry, &other)),
    }
}

/// What this node's own committed *Permit* of `allowed` comes to.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else comes permits nothing"
)]
pub(super) fn decide_slotless(
    allowed: Slotless,
    ticket: Ticket,
    committed: Committed,
) -> Result<PermitDecision, Unavailable> {
    let (key, subject) = allowed.into_parts();
    let ticket = ticket.settled(committed.entry);
    match committed.answer {
        Answer::Permitted { digest } if digest == subject.digest() => {
            Ok(PermitDecision::Permit(Permit {
                key,
                subject,
                ticket,
            }))
        }
        Answer::Refused(refusal) => Ok(PermitDecision::Refused(refusal)),
        other => Err(unfitting(committed.entry, &other)),
    }
}

impl Grant {
    /// Spends the grant on `signature`, made canonical (low s) and verified with the enrolled key.
    ///
    /// # Errors
    /// [`WrongSignature`]; the grant is spent, asking again gives another one.
    pub fn seal(self, signature: Signature) -> Result<Signed, WrongSignature> {
        let signature = signature.normalised();
        self.ticket.witness().saw(|| Seen::Signed {
            key: self.key.hash(),
            message: self.message(),
            possession: false,
            signature: &signature,
        });
        match self.key.verify(self.message(), &signature) {
            Ok(_verified) => Ok(Signed {
                grant: self,
                signature,
            }),
            Err(_not_by_this_key) => Err(WrongSignature {
                key: self.key.hash(),
            }),
        }
    }
}

impl Permit {
    /// Spends the permit on `signature`, verified with the enrolled key in the scheme it is for.
    ///
    /// # Errors
    /// [`WrongSignature`]; the permit is spent, asking again gives another one.
    pub fn seal(self, signature: Signature) -> Result<Released, WrongSignature> {
        let signature = signature.normalised();
        self.ticket.witness().saw(|| Seen::Signed {
            key: self.key.hash(),
            message: self.message(),
            possession: self.is_possession(),
            signature: &signature,
        });
        let verified = match &self.subject {
            Subject::Operation(operation) => self.key.verify(operation.message(), &signature),
            Subject::Possession(possession) => possession.verify(&self.key, &signature),
        };
        match verified {
            Ok(_verified) => Ok(Released {
                signature,
                ticket: self.ticket,
            }),
            Err(_not_by_this_key) => Err(WrongSignature {
                key: self.key.hash(),
            }),
        }
    }
}

impl Signed {
    /// The entry that must be committed before this may leave, for a key that releases after
    /// record.
    pub(super) fn to_record(&self) -> Option<Record> {
        let Grant {
            key,
            consensus,
            release,
            ..
        } = &self.grant;
        match release {
            ReleaseMode::AfterCommit => None,
            ReleaseMode::AfterRecord if mutant::active(Mutant::RecordSkipped) => None,
            ReleaseMode::AfterRecord => Some(Record {
                advance: advance_of(key, consensus),
                signature: self.signature.clone(),
            }),
        }
    }

    /// Releases it as it is: for a key whose signatures are the same bytes wherever they are made.
    pub(super) fn released(self) -> Released {
        Released {
            signature: self.signature,
            ticket: self.grant.ticket,
        }
    }

    /// What this node's own committed *Record* of it comes to: the signature that was recorded
    /// first leaves, whoever made it; ours, if it lost, is dropped here.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else comes releases nothing"
    )]
    pub(super) fn decide(self, committed: Committed) -> Result<Release, Unavailable> {
        let Grant {
            key,
            consensus,
            ticket,
            ..
        } = self.grant;
        match committed.answer {
            Answer::Recorded { digest, signature } if digest == consensus.digest() => recorded(
                &key,
                &consensus,
                signature,
                ticket.recorded(committed.entry),
            )
            .map(Release::Released),
            Answer::Refused(refusal) => Ok(Release::Refused(refusal)),
            other => Err(unfitting(committed.entry, &other)),
        }
    }
}

pub(super) fn advance_of(key: &PublicKey, consensus: &Consensus) -> Advance {
    Advance {
        key: key.hash(),
        chain: consensus.chain(),
        kind: consensus.kind(),
        slot: consensus.slot(),
        digest: consensus.digest(),
    }
}

/// A recorded signature was verified before it was proposed; what does not verify now was damaged.
fn recorded(
    key: &PublicKey,
    consensus: &Consensus,
    signature: Signature,
    ticket: Ticket,
) -> Result<Released, Unavailable> {
    match key.verify(consensus.message(), &signature) {
        Ok(_verified) => Ok(Released { signature, ticket }),
        Err(cause) => {
            let key = key.hash();
            let reason = format!("the signature recorded for {key} does not verify: {cause}");
            Err(Unavailable::Stopped { reason })
        }
    }
}

/// The rule answers an act in its own words, so this is a fault of ours: nothing is signed on it.
fn unfitting(entry: EntryId, answer: &Answer) -> Unavailable {
    let reason = format!("entry {entry} was answered with {answer:?}, which does not fit it");
    Unavailable::Stopped { reason }
}
