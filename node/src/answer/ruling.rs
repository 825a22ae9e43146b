//! What the replicated rule refuses: status, word and text of each [`Refusal`].

use std::fmt;

use hyper::StatusCode;
use raft_store::command::Refusal;
use tezos::{Kind, Level, PublicKeyHash, Slot};

use super::refused::{Asked, Message};

pub(super) const fn status(why: &Refusal) -> StatusCode {
    match why {
        Refusal::Unknown => StatusCode::NOT_FOUND,
        Refusal::ChainNotAllowed { .. }
        | Refusal::TooManyChains { .. }
        | Refusal::KindNotAllowed { .. }
        | Refusal::OperationNotAllowed { .. }
        | Refusal::VoteNotAllowed { .. }
        | Refusal::NoPossession => StatusCode::FORBIDDEN,
        Refusal::Disabled
        | Refusal::Locked
        | Refusal::BelowFloor { .. }
        | Refusal::Below { .. }
        | Refusal::Conflict { .. }
        | Refusal::Burnt { .. }
        | Refusal::Jump { .. }
        | Refusal::MovedOn { .. }
        | Refusal::NeverGranted { .. }
        | Refusal::Generation { .. }
        | Refusal::AlreadyEnrolled
        | Refusal::ImportIntoEnabled
        | Refusal::FloorAtMark { .. }
        | Refusal::NothingToRaise { .. }
        | Refusal::NoLevelAbove { .. }
        | Refusal::CompanionPolicy
        | Refusal::TooMany { .. }
        | Refusal::FormatNotAgreed { .. } => StatusCode::CONFLICT,
    }
}

pub(super) const fn reason(why: &Refusal) -> &'static str {
    match why {
        Refusal::Unknown => "unknown_key",
        Refusal::Disabled => "disabled",
        Refusal::Locked => "locked",
        Refusal::ChainNotAllowed { .. } => "wrong_chain",
        Refusal::TooManyChains { .. } => "too_many_chains",
        Refusal::KindNotAllowed { .. } => "kind",
        Refusal::OperationNotAllowed { .. } => "operation",
        Refusal::VoteNotAllowed { .. } => "vote",
        Refusal::NoPossession => "no_possession",
        Refusal::BelowFloor { .. } => "below_floor",
        Refusal::Below { .. } => "below_watermark",
        Refusal::Conflict { .. } => "conflict",
        Refusal::Burnt { .. } => "burnt",
        Refusal::Jump { .. } => "jump",
        Refusal::MovedOn { .. } => "moved_on",
        Refusal::NeverGranted { .. } => "never_granted",
        Refusal::Generation { .. }
        | Refusal::AlreadyEnrolled
        | Refusal::ImportIntoEnabled
        | Refusal::FloorAtMark { .. }
        | Refusal::NothingToRaise { .. }
        | Refusal::NoLevelAbove { .. }
        | Refusal::CompanionPolicy
        | Refusal::TooMany { .. }
        | Refusal::FormatNotAgreed { .. } => "operator",
    }
}

/// octez-signer's wording first, as far as it has any; then the facts; then the command.
pub(super) fn write(out: &mut fmt::Formatter<'_>, asked: &Asked, why: &Refusal) -> fmt::Result {
    let key = asked.key;
    match why {
        Refusal::Unknown => unknown(out, asked),
        Refusal::Disabled => write!(
            out,
            "key {key} is disabled: an operator took it out of service; quorate key enable {key} \
             takes it back in"
        ),
        Refusal::Locked => write!(
            out,
            "the cluster is locked: it was recovered and signs nothing until the floors of key \
             {key} are confirmed; see quorate status"
        ),
        Refusal::ChainNotAllowed { chain } => write!(
            out,
            "chain {chain} not allowed for key {key}; quorate key edit {key} changes its chains"
        ),
        Refusal::TooManyChains { limit } => write!(
            out,
            "chain not allowed for key {key}: it has marks on {limit} chains, the most one key may \
             have; list its chains with quorate key edit {key}"
        ),
        Refusal::KindNotAllowed { kind } => kind_not_allowed(out, asked, *kind),
        Refusal::OperationNotAllowed { name } => write!(
            out,
            "magic byte 0x03 not allowed: operation {name} is not allowed for key {key}; quorate \
             key edit {key} changes its operations"
        ),
        Refusal::VoteNotAllowed { vote } => write!(
            out,
            "magic byte 0x03 not allowed: a ballot {vote} is not allowed for key {key}; quorate \
             key edit {key} changes its votes"
        ),
        Refusal::NoPossession => {
            write!(
                out,
                "Request to prove possession is not allowed: key {key} is not a BLS key"
            )
        }
        Refusal::BelowFloor { asked: slot, floor } => Place(asked).below_floor(out, *slot, *floor),
        Refusal::Below { asked: slot, mark } => Place(asked).below(out, *slot, *mark),
        Refusal::MovedOn { asked: slot, mark } => Place(asked).moved_on(out, *slot, *mark),
        Refusal::Conflict { slot } => Place(asked).conflict(out, *slot),
        Refusal::Burnt { slot } => Place(asked).burnt(out, *slot),
        Refusal::Jump {
            asked: slot,
            mark,
            limit,
        } => Place(asked).jump(out, *slot, *mark, *limit),
        Refusal::NeverGranted { .. }
        | Refusal::Generation { .. }
        | Refusal::AlreadyEnrolled
        | Refusal::ImportIntoEnabled
        | Refusal::FloorAtMark { .. }
        | Refusal::NothingToRaise { .. }
        | Refusal::NoLevelAbove { .. }
        | Refusal::CompanionPolicy
        | Refusal::TooMany { .. }
        | Refusal::FormatNotAgreed { .. } => write!(out, "key {key}: {why}"),
    }
}

/// octez-signer's words for a key it does not hold.
fn unknown(out: &mut fmt::Formatter<'_>, asked: &Asked) -> fmt::Result {
    let key = asked.key;
    write!(
        out,
        "no keys for the source contract {key}: it is not enrolled; quorate key list shows what \
         is, quorate key enrol introduces one"
    )
}

/// octez-signer knows kinds by their magic byte, and bakers look for that text.
fn kind_not_allowed(out: &mut fmt::Formatter<'_>, asked: &Asked, kind: Kind) -> fmt::Result {
    let key = asked.key;
    let magic: u8 = match kind {
        Kind::Block => 0x11,
        Kind::Preattestation => 0x12,
        Kind::Attestation => 0x13,
    };
    write!(
        out,
        "magic byte 0x{magic:02X} not allowed: key {key} may not sign {kind}s; quorate key edit \
         {key} changes its kinds"
    )
}

/// What is refused for where it stands: octez-signer's watermark texts.
struct Place<'asked>(&'asked Asked);

impl Place<'_> {
    fn below_floor(&self, out: &mut fmt::Formatter<'_>, slot: Slot, floor: Level) -> fmt::Result {
        let (key, kind, chain) = self.words();
        write!(
            out,
            "{kind} level {} below high watermark {floor}: the floor of key {key} on {chain} is \
             level {floor}, the first level that may be signed; asked was {slot}; quorate key edit \
             {key} corrects a floor that was set too high",
            slot.level
        )
    }

    fn below(&self, out: &mut fmt::Formatter<'_>, asked: Slot, mark: Slot) -> fmt::Result {
        let (key, kind, chain) = self.words();
        write!(
            out,
            "{} for key {key} on {chain}: asked was {asked}, the mark stands at {mark} and never \
             falls; a second baker, or one that lags, asks for what was signed before",
            Octez { kind, asked, mark }
        )
    }

    fn moved_on(&self, out: &mut fmt::Formatter<'_>, asked: Slot, mark: Slot) -> fmt::Result {
        let (key, kind, chain) = self.words();
        write!(
            out,
            "{} for key {key} on {chain}: asked was {asked}, the mark moved on to {mark} before \
             the signature was recorded, so it does not leave",
            Octez { kind, asked, mark }
        )
    }

    fn conflict(&self, out: &mut fmt::Formatter<'_>, slot: Slot) -> fmt::Result {
        let (key, kind, chain) = self.words();
        write!(
            out,
            "{kind} level {} and round {} already signed with different data for key {key} on \
             {chain}: two bakers use this key, or one restarted and built another message; see \
             the audit lines of that slot",
            slot.level, slot.round
        )
    }

    fn burnt(&self, out: &mut fmt::Formatter<'_>, slot: Slot) -> fmt::Result {
        let (key, kind, chain) = self.words();
        write!(
            out,
            "{} for key {key} on {chain}: this slot is burnt by an import, a raise or a change of \
             release mode, and nobody may sign it; quorate key list shows the marks",
            Octez {
                kind,
                asked: slot,
                mark: slot
            }
        )
    }

    fn jump(
        &self,
        out: &mut fmt::Formatter<'_>,
        asked: Slot,
        mark: Level,
        limit: u64,
    ) -> fmt::Result {
        let (key, kind, chain) = self.words();
        write!(
            out,
            "{kind} level {} too far above high watermark {mark} for key {key} on {chain}: asked \
             was {asked}, at most {limit} levels are allowed at once; if the chain is really \
             there: quorate key raise {key} --chain {chain} --level {}",
            asked.level,
            asked.level.get().saturating_sub(1)
        )
    }

    fn words(&self) -> (PublicKeyHash, &'static str, String) {
        let (kind, chain) = match self.0.message {
            Message::Consensus { kind, chain, .. } => (kind.name(), chain.to_string()),
            Message::Operation => ("operation", "no chain".to_owned()),
            Message::Possession => ("proof of possession", "no chain".to_owned()),
        };
        (self.0.key, kind, chain)
    }
}

/// octez-signer's two texts for a slot that is below a mark.
struct Octez<'kind> {
    kind: &'kind str,
    asked: Slot,
    mark: Slot,
}

impl fmt::Display for Octez<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, asked, mark } = self;
        if asked.level < mark.level {
            write!(
                out,
                "{kind} level {} below high watermark {}",
                asked.level, mark.level
            )
        } else {
            write!(
                out,
                "{kind} level {} and round {} not above high watermark ({},{})",
                asked.level, asked.round, mark.level, mark.round
            )
        }
    }
}
