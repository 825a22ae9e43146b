//! What was done and is not durable yet, in the order in which it was done.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
};

use crate::{
    inode::Ino,
    op::{Op, Owner},
    options::Order,
};

/// What an fsync was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// `fsync` of a file.
    File,
    /// `fdatasync` of a file.
    Data,
    /// `fsync` of a directory.
    Directory,
}

/// The place of a change among all changes.
pub(crate) type Sequence = u64;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Class {
    Content,
    Attributes,
    Entries,
}

/// The changes that a power cut may take, with an index of who may save which.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    ops: BTreeMap<Sequence, Op>,
    index: BTreeMap<(Class, Ino), BTreeSet<Sequence>>,
    /// Names and attributes: what a journal commits in one go.
    metadata: BTreeSet<Sequence>,
    /// How many changes of names wait for each inode.
    named: BTreeMap<Ino, usize>,
    bytes: u64,
    next: Sequence,
}

impl Pending {
    pub(crate) fn push(&mut self, op: Op) {
        let at = self.next;
        self.next += 1;
        self.bytes += op.bytes();
        for key in keys(&op) {
            self.index.entry(key).or_default().insert(at);
        }
        if !matches!(op.owner(), Owner::Content(_)) {
            self.metadata.insert(at);
        }
        for ino in op.named() {
            *self.named.entry(ino).or_default() += 1;
        }
        self.ops.insert(at, op);
    }

    /// Where the next change will stand: what an fsync that begins now must save lies before it.
    pub(crate) fn next(&self) -> Sequence {
        self.next
    }

    pub(crate) fn len(&self) -> usize {
        self.ops.len()
    }

    /// The bytes of data that wait.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn ops(&self) -> impl Iterator<Item = &Op> {
        self.ops.values()
    }

    /// Whether a change of a name of this inode waits.
    pub(crate) fn names(&self, ino: Ino) -> bool {
        self.named.contains_key(&ino)
    }

    /// Takes out what an fsync of `ino` that began at `before` saves, in order.
    pub(crate) fn owed(
        &mut self,
        ino: Ino,
        scope: Scope,
        before: Sequence,
        order: Order,
    ) -> Vec<Op> {
        let mut chosen: BTreeSet<Sequence> = BTreeSet::new();
        chosen.extend(self.below(Class::Content, ino, before));
        match (order, scope) {
            (Order::Journal, Scope::File | Scope::Data | Scope::Directory) => {
                chosen.extend(self.metadata.range(..before));
            }
            (Order::Strict, Scope::Data) => {}
            (Order::Strict, Scope::File | Scope::Directory) => {
                chosen.extend(self.below(Class::Attributes, ino, before));
                self.close_over_moves(ino, before, &mut chosen);
            }
        }
        chosen.into_iter().filter_map(|at| self.take(at)).collect()
    }

    /// Takes out the oldest changes until no more than `bytes` wait, as a kernel writes back what
    /// has been dirty for long. In strict mode names stay: only an fsync of their directory may
    /// save them.
    pub(crate) fn oldest_above(&mut self, bytes: u64, order: Order) -> Vec<Op> {
        let mut spare = self.bytes.saturating_sub(bytes);
        let mut chosen = Vec::new();
        for (at, op) in &self.ops {
            if spare == 0 {
                break;
            }
            if order == Order::Journal || !self.metadata.contains(at) {
                spare = spare.saturating_sub(op.bytes());
                chosen.push(*at);
            }
        }
        chosen.into_iter().filter_map(|at| self.take(at)).collect()
    }

    /// Takes out what a failed fsync of `ino` loses: its bytes, or the names in it. In a journal the
    /// same fsync would have committed the names of others too: those wait for the next one.
    pub(crate) fn doomed(&mut self, ino: Ino, scope: Scope) -> Vec<Op> {
        let class = match scope {
            Scope::File | Scope::Data => Class::Content,
            Scope::Directory => Class::Entries,
        };
        let chosen: Vec<_> = self.below(class, ino, Sequence::MAX).collect();
        chosen.into_iter().filter_map(|at| self.take(at)).collect()
    }

    /// Takes out what waits for an inode that nothing can reach any more. A name that moved out of
    /// a lost directory still has somewhere to go, and stays.
    pub(crate) fn forget(&mut self, ino: Ino) -> Vec<Op> {
        let mut chosen = Vec::new();
        for class in [Class::Content, Class::Attributes, Class::Entries] {
            chosen.extend(self.below(class, ino, Sequence::MAX).filter(|at| {
                let owner = self.ops.get(at).map(Op::owner);
                !matches!(owner, Some(Owner::Entries(..)))
            }));
        }
        chosen.into_iter().filter_map(|at| self.take(at)).collect()
    }

    /// The names of a directory, and, for each name that moved in or out, what was done before to
    /// the names of the other directory: a move is saved whole, and never before its past.
    fn close_over_moves(&self, ino: Ino, before: Sequence, chosen: &mut BTreeSet<Sequence>) {
        let mut open = vec![(ino, before)];
        while let Some((directory, before)) = open.pop() {
            for at in self.below(Class::Entries, directory, before) {
                if !chosen.insert(at) {
                    continue;
                }
                if let Some(Owner::Entries(from, to)) = self.ops.get(&at).map(Op::owner) {
                    open.extend([(from, at), (to, at)]);
                }
            }
        }
    }

    fn below(&self, class: Class, ino: Ino, before: Sequence) -> impl Iterator<Item = Sequence> {
        let waiting = self.index.get(&(class, ino));
        waiting
            .into_iter()
            .flat_map(move |set| set.range(..before).copied())
    }

    fn take(&mut self, at: Sequence) -> Option<Op> {
        let op = self.ops.remove(&at)?;
        self.bytes -= op.bytes();
        self.metadata.remove(&at);
        for key in keys(&op) {
            if let Some(waiting) = self.index.get_mut(&key) {
                waiting.remove(&at);
                if waiting.is_empty() {
                    self.index.remove(&key);
                }
            }
        }
        for ino in op.named() {
            if let Some(count) = self.named.get_mut(&ino) {
                *count -= 1;
                if *count == 0 {
                    self.named.remove(&ino);
                }
            }
        }
        Some(op)
    }
}

fn keys(op: &Op) -> impl Iterator<Item = (Class, Ino)> {
    let (first, second) = match op.owner() {
        Owner::Content(ino) => ((Class::Content, ino), None),
        Owner::Attributes(ino) => ((Class::Attributes, ino), None),
        Owner::Entry(ino) => ((Class::Entries, ino), None),
        Owner::Entries(from, to) => ((Class::Entries, from), Some((Class::Entries, to))),
    };
    iter::once(first).chain(second)
}
