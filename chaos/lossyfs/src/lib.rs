//! A file system that loses what was not fsynced.
//!
//! It is mounted by FUSE and lives in memory. What processes see is the *live* image; what a power
//! cut would leave is the *durable* one, and the changes between the two wait in order. An fsync
//! moves the changes that it promises to save. A cut freezes everything at an instant, and a
//! reboot brings back what survived of the rest: nothing, all, a prefix, torn or scattered sectors.
//!
//! ```no_run
//! use std::time::Duration;
//! use lossyfs::{Mount, Options, Survival, When};
//!
//! let mount = Mount::start("data", Options::strict())?;
//! let control = mount.control();
//! control.cut_at_fsync(7, When::After);
//! // ... start the program under test on `data`, and ...
//! control.wait_cut(Duration::from_secs(10))?;
//! // ... kill it, then
//! let report = control.reboot(Survival::Torn, 42);
//! println!("{} changes were lost", report.dropped_ops);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![expect(
    clippy::arithmetic_side_effects,
    reason = "offsets are below FILE_BYTES_MAX where requests enter, counts are of what is in \
              memory, and overflow checks are on in every profile"
)]

mod below;
pub mod cli;
mod content;
mod control;
mod disk;
mod fault;
mod image;
mod inode;
mod mount;
mod op;
mod options;
mod pending;
mod power;
mod server;
mod stats;
mod survival;
mod width;

pub use below::detach_below;
pub use control::{Control, Late};
pub use fault::{AfterEio, Cut, Slow, Trigger, When};
pub use mount::{Mount, MountError, Unavailable, available};
pub use options::{Options, Order};
pub use stats::{Reboot, Stats};
pub use survival::{NoSuchSurvival, SECTOR, Survival};
