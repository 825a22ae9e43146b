//! What the tests ask of the rule, in few words.

use std::collections::BTreeSet;

use raft_store::command::{
    Act, Advance, Answer, Command, Edit, Enrolment, Import, PermitAsked, Permitted, Proposal,
    Record, Refusal,
};
use raft_store::rule;
use raft_store::state::{Chains, Mark, ReleaseMode, Role, Stamp, State};
use tezos::{
    ChainId, Curve, Digest, Kind, Level, PublicKey, PublicKeyHash, Round, SecretKey, Signature,
    Slot,
};

pub(crate) const CHAIN: ChainId = ChainId([1, 2, 3, 4]);
pub(crate) const OTHER_CHAIN: ChainId = ChainId([9, 9, 9, 9]);
pub(crate) const MOST: u32 = 2_147_483_647;

/// bootstrap1 of every Tezos sandbox.
pub(crate) fn key() -> PublicKey {
    "edpkuBknW28nW72KG6RoHtYW7p12T6GKc7nAbwYX5m8Wd9sDVC9yav"
        .parse()
        .unwrap()
}

pub(crate) fn hash() -> PublicKeyHash {
    key().hash()
}

pub(crate) fn bls_key() -> PublicKey {
    SecretKey::generate(Curve::Bls12_381)
        .unwrap()
        .public_key()
        .clone()
}

pub(crate) fn slot(level: u32, round: u32) -> Slot {
    Slot::new(Level::new(level).unwrap(), Round::new(round).unwrap())
}

pub(crate) fn level(level: u32) -> Level {
    Level::new(level).unwrap()
}

/// A message is told from another by its digest alone, and here by one byte.
pub(crate) fn message(byte: u8) -> Digest {
    Digest([byte; 32])
}

pub(crate) fn signature(byte: u8) -> Signature {
    Signature::from_raw(Curve::Ed25519, &[byte; 64]).unwrap()
}

pub(crate) fn listed(floors: &[(ChainId, u32)]) -> Chains {
    Chains::Listed(
        floors
            .iter()
            .map(|(chain, floor)| (*chain, level(*floor)))
            .collect(),
    )
}

/// A baker's key on one chain from level zero, after record.
pub(crate) fn enrolment() -> Enrolment {
    Enrolment {
        generation: 0,
        public_key: key(),
        role: Role::Baker,
        release: ReleaseMode::AfterRecord,
        kinds: Kind::ALL.iter().copied().collect(),
        operations: BTreeSet::new(),
        votes: BTreeSet::new(),
        chains: listed(&[(CHAIN, 0)]),
        authorized: Vec::new(),
        imports: Vec::new(),
    }
}

pub(crate) fn block(at: Slot, of: Digest) -> Advance {
    Advance {
        key: hash(),
        chain: CHAIN,
        kind: Kind::Block,
        slot: at,
        digest: of,
    }
}

pub(crate) fn import(level: u32, round: Option<u32>) -> Import {
    Import {
        chain: CHAIN,
        kind: None,
        level: self::level(level),
        round: round.map(|round| Round::new(round).unwrap()),
    }
}

/// The agreed state, and the clock of its leader.
pub(crate) struct Agreed {
    pub(crate) state: State,
    pub(crate) now: u64,
}

impl Agreed {
    /// Nothing enrolled.
    pub(crate) fn empty() -> Self {
        Self {
            state: State::default(),
            now: 1_700_000_000,
        }
    }

    /// One key enrolled as `enrolment` says.
    pub(crate) fn with(enrolment: Enrolment) -> Self {
        let mut agreed = Self::empty();
        let answer = agreed.command(Command::Enrol(Box::new(enrolment)));
        assert_eq!(answer, Answer::Applied { generation: 1 });
        agreed
    }

    pub(crate) fn act(&mut self, act: Act) -> Answer {
        rule::apply(
            &mut self.state,
            &Proposal {
                at_s: self.now,
                act,
            },
        )
    }

    pub(crate) fn advance(&mut self, advance: Advance) -> Answer {
        self.act(Act::Advance(advance))
    }

    /// Asks for a block.
    pub(crate) fn ask(&mut self, at: (u32, u32), of: u8) -> Answer {
        self.advance(block(slot(at.0, at.1), message(of)))
    }

    /// Records a signature for a block.
    pub(crate) fn record(&mut self, at: (u32, u32), of: u8, by: u8) -> Answer {
        let advance = block(slot(at.0, at.1), message(of));
        self.act(Act::Record(Record {
            advance,
            signature: signature(by),
        }))
    }

    pub(crate) fn permit(&mut self, key: PublicKeyHash, what: Permitted) -> Answer {
        self.act(Act::Permit(PermitAsked {
            key,
            digest: message(1),
            what,
        }))
    }

    pub(crate) fn command(&mut self, command: Command) -> Answer {
        self.act(Act::Command(command))
    }

    pub(crate) fn edit(&mut self, edit: Edit) -> Answer {
        let generation = self.generation();
        self.command(Command::Edit {
            key: hash(),
            generation,
            edit: Box::new(edit),
        })
    }

    pub(crate) fn disable(&mut self) -> Answer {
        let generation = self.generation();
        self.command(Command::Disable {
            key: hash(),
            generation,
        })
    }

    pub(crate) fn enable(&mut self) -> Answer {
        let generation = self.generation();
        self.command(Command::Enable {
            key: hash(),
            generation,
        })
    }

    pub(crate) fn raise(&mut self, kind: Option<Kind>, to: u32) -> Answer {
        let (key, generation) = (hash(), self.generation());
        self.command(Command::Raise {
            key,
            generation,
            chain: CHAIN,
            kind,
            level: level(to),
        })
    }

    /// Enrols the known key again, at its generation.
    pub(crate) fn enrol_again(&mut self, enrolment: Enrolment) -> Answer {
        let generation = self.generation();
        self.command(Command::Enrol(Box::new(Enrolment {
            generation,
            ..enrolment
        })))
    }

    pub(crate) fn generation(&self) -> u64 {
        self.state.keys.get(&hash()).map_or(0, |key| key.generation)
    }

    pub(crate) fn mark(&self, kind: Kind) -> Option<&Mark> {
        self.state.keys.get(&hash())?.marks.get(&(CHAIN, kind))
    }
}

pub(crate) fn granted(of: u8) -> Answer {
    Answer::Granted {
        digest: message(of),
        release: ReleaseMode::AfterRecord,
    }
}

pub(crate) fn recorded(of: u8, by: u8) -> Answer {
    Answer::Recorded {
        digest: message(of),
        signature: signature(by),
    }
}

pub(crate) fn replayed(of: u8, by: u8) -> Answer {
    Answer::Replayed {
        digest: message(of),
        signature: signature(by),
    }
}

pub(crate) fn refused(refusal: Refusal) -> Answer {
    Answer::Refused(refusal)
}

pub(crate) fn burnt(at: Slot, moved_at_s: u64) -> Mark {
    Mark {
        slot: at,
        stamp: Stamp::Burnt,
        moved_at_s,
    }
}
