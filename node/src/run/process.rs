//! What the process asks of the kernel before it holds a secret.

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask,
};

use crate::cli::{Exit, Failure};

/// No core dump, so that no secret reaches a disk by a crash, and no other process of this user reads
/// this one's memory (`PR_SET_DUMPABLE`); every file that is made from here on belongs to this user
/// alone.
///
/// # Errors
/// If the kernel refuses.
pub fn harden() -> Result<(), Failure> {
    umask(Mode::RWXG | Mode::RWXO);
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // A second lock: an older kernel's refusal is no reason to be down.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
    setrlimit(Resource::Core, none)
        .map_err(|error| Failure::new(Exit::Io, format!("cannot forbid core dumps: {error}")))
}
