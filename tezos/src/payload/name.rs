//! What generic operations are called.

use crate::vocabulary::vocabulary;

vocabulary! {
    /// What an operation does, named as Octez names it. Policy allows operations by these names.
    pub enum OperationName as "operation" known "transaction, stake, unstake, finalize_unstake, set_delegate_parameters, reveal, delegation, ballot, proposals, set_deposits_limit, update_consensus_key, update_companion_key, drain_delegate, seed_nonce_revelation, vdf_revelation, failing_noop" {
        /// A transfer or a contract call, and every transaction that is none of the next four.
        Transaction = 0 "transaction",
        /// A transaction to oneself that freezes tez.
        Stake = 1 "stake",
        /// A transaction to oneself that asks for frozen tez back.
        Unstake = 2 "unstake",
        /// A transaction to oneself that collects what was unstaked.
        FinalizeUnstake = 3 "finalize_unstake",
        /// A transaction to oneself that says on what terms others may stake.
        SetDelegateParameters = 4 "set_delegate_parameters",
        /// Publishes a public key.
        Reveal = 5 "reveal",
        /// Sets or withdraws a delegate; to oneself it registers a delegate.
        Delegation = 6 "delegation",
        /// A vote on a proposal.
        Ballot = 7 "ballot",
        /// Proposes protocols.
        Proposals = 8 "proposals",
        /// Limits what may be frozen.
        SetDepositsLimit = 9 "set_deposits_limit",
        /// Gives consensus to another key.
        UpdateConsensusKey = 10 "update_consensus_key",
        /// Names the key that signs DAL content beside a tz4 consensus key.
        UpdateCompanionKey = 11 "update_companion_key",
        /// Sends the spendable balance of a delegate away: a consensus key can sign it.
        DrainDelegate = 12 "drain_delegate",
        /// Reveals the nonce of an earlier block.
        SeedNonceRevelation = 13 "seed_nonce_revelation",
        /// Gives the solution of the verifiable delay function.
        VdfRevelation = 14 "vdf_revelation",
        /// Any bytes, in an operation that no protocol ever applies.
        FailingNoop = 15 "failing_noop",
    }
}

vocabulary! {
    /// The vote of a ballot.
    pub enum BallotVote as "vote" known "yay, nay, pass" {
        /// For.
        Yay = 0 "yay",
        /// Against.
        Nay = 1 "nay",
        /// Neither, but counted for the quorum.
        Pass = 2 "pass",
    }
}
