//! The orders of one test.

use std::{
    ffi::OsString,
    fmt::Display,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    call::Call,
    folder::{Folder, Use},
    module::{MODULE, ORDERS},
    order::Order,
};

/// The orders of one test, in a folder of its own.
///
/// Every method panics when the folder cannot be read or written: a test that cannot give its
/// orders would pass for the wrong reason.
#[derive(Clone, Debug)]
pub struct Orders {
    folder: Folder,
}

impl Orders {
    /// Makes the folder, if it is not there. What it holds already stays: orders, and counts.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = Folder::at(folder);
        done(fs::create_dir_all(folder.path()), folder.path());
        Self { folder }
    }

    /// Gives an order, and begins its count anew. The next call of the module sees it.
    pub fn give(&self, name: &str, order: &Order) {
        let path = self.folder.order(name);
        let text = done(serde_json::to_vec(order), &path);
        let _lock = done(self.folder.lock(), &path);
        done(remove(&self.folder.uses(name)), &path);
        done(
            File::create(&path).and_then(|mut file| file.write_all(&text)),
            &path,
        );
    }

    /// Takes an order back: no call that begins later is concerned. What hangs or is delayed stays
    /// so, and the count stays to be read.
    pub fn withdraw(&self, name: &str) {
        let path = self.folder.order(name);
        let _lock = done(self.folder.lock(), &path);
        done(remove(&path), &path);
    }

    /// How many calls an order was carried out on. It is counted before it is carried out, so a
    /// test can wait here for the call that hangs.
    #[must_use]
    pub fn used(&self, name: &str) -> usize {
        done(
            self.folder.count(name, Use::Carried),
            &self.folder.uses(name),
        )
    }

    /// How many calls of a function the module has answered, or will never answer; without those
    /// that only ask how long the output would be.
    #[must_use]
    pub fn calls(&self, function: &str) -> usize {
        self.log()
            .iter()
            .filter(|call| call.function == function && !call.size_query)
            .count()
    }

    /// Every call that the module has answered, or will never answer, in order.
    #[must_use]
    pub fn log(&self) -> Vec<Call> {
        self.lines()
            .iter()
            .filter_map(|line| Call::parse(line))
            .collect()
    }

    /// What the shim could not do, such as read an order: the lines of the log that begin with `!`.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| line.starts_with('!'));
        lines
    }

    /// What the program under test needs in its environment, besides the shim as its module.
    #[must_use]
    pub fn environment(&self, module_path: &Path) -> [(&'static str, OsString); 2] {
        [
            (MODULE, module_path.into()),
            (ORDERS, self.folder.path().into()),
        ]
    }

    fn lines(&self) -> Vec<String> {
        let path = self.folder.calls();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => done(read, &path),
        };
        text.lines().map(str::to_owned).collect()
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[expect(
    clippy::panic,
    reason = "only tests give orders, and one that cannot must stop"
)]
#[track_caller]
fn done<T, E: Display>(result: Result<T, E>, path: &Path) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("orders of the shim, {}: {error}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Act;

    #[test]
    fn an_order_that_is_given_again_is_counted_anew() {
        let folder = tempfile::tempdir().unwrap();
        let orders = Orders::new(folder.path());
        let order = Order::new("C_Sign", Act::Hang).times(1);
        orders.give("hang", &order);
        orders.folder.add("hang", Use::Carried).unwrap();
        orders.folder.add("hang", Use::Skipped).unwrap();
        assert_eq!(orders.used("hang"), 1);
        orders.withdraw("hang");
        assert_eq!(orders.used("hang"), 1, "the count outlives the order");
        orders.give("hang", &order);
        assert_eq!(orders.used("hang"), 0);
    }

    #[test]
    fn calls_are_counted_without_size_queries_and_complaints() {
        let folder = tempfile::tempdir().unwrap();
        let orders = Orders::new(folder.path());
        for line in [
            "1 C_Sign CKR_OK size",
            "1 C_Sign CKR_OK",
            "! 1 bad.json: no",
            "2 C_Sign CKR_DEVICE_ERROR after CKR_OK",
        ] {
            orders.folder.log(line).unwrap();
        }
        assert_eq!(orders.calls("C_Sign"), 2);
        assert_eq!(orders.log().len(), 3);
        assert_eq!(orders.complaints().len(), 1);
    }
}
