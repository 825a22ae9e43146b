//! A whole file system as it is, or as a power cut leaves it.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use crate::{
    content::Content,
    inode::{Birth, Ino, Inode},
    op::{Op, Place},
};

/// Every inode that has not been forgotten, as it was made.
pub(crate) type Births = BTreeMap<Ino, Birth>;

/// Inodes by number. Those without a name are files that are still open, or whose name is not
/// durable yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    inodes: BTreeMap<Ino, Inode>,
    pages: u64,
}

impl Image {
    /// An empty file system.
    pub(crate) fn new(root: &Birth) -> Self {
        let mut image = Self::default();
        image.inodes.insert(Ino::ROOT, Inode::born(root));
        image.collect();
        image
    }

    pub(crate) fn get(&self, ino: Ino) -> Option<&Inode> {
        self.inodes.get(&ino)
    }

    pub(crate) fn get_mut(&mut self, ino: Ino) -> Option<&mut Inode> {
        self.inodes.get_mut(&ino)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Ino, &mut Inode)> {
        self.inodes.iter_mut().map(|(ino, inode)| (*ino, inode))
    }

    pub(crate) fn inodes(&self) -> usize {
        self.inodes.len()
    }

    /// Pages allocated to all files.
    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    pub(crate) fn remove(&mut self, ino: Ino) {
        if let Some(inode) = self.inodes.remove(&ino) {
            self.pages -= inode.content.pages();
        }
    }

    /// Applies one change. An inode that this image has not seen yet is made as it was born; a
    /// change of one that is forgotten altogether has no effect.
    pub(crate) fn apply(&mut self, op: &Op, births: &Births) {
        match op {
            Op::Write { ino, offset, bytes } => {
                self.change(*ino, births, |content| content.write(*offset, bytes));
            }
            Op::Truncate { ino, size } => {
                self.change(*ino, births, |content| content.truncate(*size));
            }
            Op::Reserve {
                ino,
                offset,
                length,
            } => self.change(*ino, births, |content| content.reserve(*offset, *length)),
            Op::Punch {
                ino,
                offset,
                length,
            } => self.change(*ino, births, |content| content.punch(*offset, *length)),
            Op::Access { ino, access } => {
                if let Some(inode) = self.ensure(*ino, births) {
                    inode.access = *access;
                }
            }
            Op::Add { place, ino } => self.add(place, *ino, births),
            Op::Remove { place, ino } => self.take(place, *ino, births),
            Op::Move { from, to, ino, .. } => {
                self.take(from, *ino, births);
                self.add(to, *ino, births);
            }
        }
    }

    /// Replaces the content of a file by that of another image.
    pub(crate) fn set_content(&mut self, ino: Ino, content: Content, births: &Births) {
        self.change(ino, births, |old| *old = content);
    }

    /// Makes every inode that may be named later, so that what survives of it has a place.
    pub(crate) fn make_all(&mut self, births: &Births) {
        for ino in births.keys() {
            self.ensure(*ino, births);
        }
    }

    /// Frees what no name leads to, as the check of a file system does after a power cut.
    pub(crate) fn collect(&mut self) {
        // The root has no name here, and is held by the mount.
        let mut links: BTreeMap<Ino, u32> = BTreeMap::from([(Ino::ROOT, 1)]);
        let mut seen = BTreeSet::from([Ino::ROOT]);
        let mut open = vec![Ino::ROOT];
        while let Some(directory) = open.pop() {
            for ino in self.get(directory).iter().flat_map(|d| d.entries.values()) {
                *links.entry(*ino).or_default() += 1;
                if seen.insert(*ino) {
                    open.push(*ino);
                }
            }
        }
        self.inodes.retain(|ino, _| seen.contains(ino));
        self.pages = 0;
        for (ino, inode) in &mut self.inodes {
            inode.links = links.get(ino).copied().unwrap_or(0);
            self.pages += inode.content.pages();
        }
    }

    fn ensure(&mut self, ino: Ino, births: &Births) -> Option<&mut Inode> {
        match self.inodes.entry(ino) {
            Entry::Occupied(inode) => Some(inode.into_mut()),
            Entry::Vacant(place) => Some(place.insert(Inode::born(births.get(&ino)?))),
        }
    }

    fn change(&mut self, ino: Ino, births: &Births, change: impl FnOnce(&mut Content)) {
        let Some(inode) = self.ensure(ino, births) else {
            return;
        };
        let before = inode.content.pages();
        change(&mut inode.content);
        let after = inode.content.pages();
        self.pages = self.pages - before + after;
    }

    fn add(&mut self, place: &Place, ino: Ino, births: &Births) {
        if self.ensure(ino, births).is_none() {
            return;
        }
        let Some(directory) = self.ensure(place.directory, births) else {
            return;
        };
        if let Some(replaced) = directory.entries.insert(place.name.clone(), ino) {
            self.unlinked(replaced);
        }
        if let Some(inode) = self.get_mut(ino) {
            inode.links += 1;
        }
    }

    fn take(&mut self, place: &Place, ino: Ino, births: &Births) {
        let Some(directory) = self.ensure(place.directory, births) else {
            return;
        };
        if directory.entries.get(&place.name) == Some(&ino) {
            directory.entries.remove(&place.name);
            self.unlinked(ino);
        }
    }

    fn unlinked(&mut self, ino: Ino) {
        if let Some(inode) = self.get_mut(ino) {
            inode.links = inode.links.saturating_sub(1);
        }
    }
}
