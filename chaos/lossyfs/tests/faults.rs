//! Faults of a disk that has power: each takes effect, and says so in its counts.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, and does on purpose what loses data"
)]

mod rig;

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    os::unix::fs::FileExt as _,
    thread,
    time::{Duration, Instant},
};

use lossyfs::{AfterEio, Options, Slow, Survival};
use rig::Rig;

#[test]
fn after_a_failed_fsync_the_data_is_gone_and_the_next_fsync_says_ok() {
    for (after, seen) in [
        (AfterEio::Cached, &b"oldnew"[..]),
        (AfterEio::Evicted, b"old"),
    ] {
        let Some(rig) = Rig::start(Options::default()) else {
            return;
        };
        let mut file = rig.durable("file", b"old");
        rig.control.after_eio(after);
        rig.control.eio_at_fsync(1);
        file.write_all(b"new").unwrap();
        let error = file.sync_data().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(5));
        file.sync_data()
            .expect("as on Linux: reported once, clean since then");
        assert_eq!(rig.read("file").unwrap(), seen, "{after:?}");
        file.write_all_at(b"later", 6).unwrap();
        file.sync_data().unwrap();
        let stats = rig.control.stats();
        assert_eq!((stats.eios, stats.eio_dropped_bytes), (1, 3));
        rig.control.reboot(Survival::Keep, 0);
        assert_eq!(rig.read("file").unwrap(), b"old\0\0\0later", "{after:?}");
    }
}

#[test]
fn fsyncs_can_fail_for_as_long_as_asked() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    let mut file = rig.durable("file", &[]);
    rig.control.eio_at_fsyncs(2, 3);
    let outcomes = [(); 6].map(|()| {
        file.write_all(b"x").unwrap();
        file.sync_all().is_ok()
    });
    assert_eq!(outcomes, [true, false, false, false, true, true]);
    rig.control.eio_at_fsyncs(1, u64::MAX);
    assert!(file.sync_all().is_err());
    let folder = File::open(rig.root()).unwrap();
    assert!(folder.sync_all().is_err(), "directories too");
    rig.control.heal();
    file.sync_all().unwrap();
    assert_eq!(rig.control.stats().eios, 5);
}

#[test]
fn a_full_disk_takes_what_fits_then_refuses_and_recovers() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    let mut file = rig.durable("file", &[1; 100]);
    let ballast = rig.durable("ballast", &[1; 8192]);
    drop(ballast);
    rig.control.enospc_after(3 * 4096);
    let stat = rustix::fs::statvfs(rig.root()).unwrap();
    assert_eq!(stat.f_bavail, 3, "statfs tells the truth");
    let written = file.write(&[2; 100_000]).unwrap();
    assert_eq!(
        written,
        4 * 4096 - 100,
        "the rest of its page and three more"
    );
    let error = file.write(&[2; 10]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert!(rig.control.stats().enospcs > 0);
    assert_eq!(rig.control.stats().free_bytes, 0);
    file.write_all_at(&[3; 50], 0)
        .expect("what has a page may change");
    fs::remove_file(rig.path("ballast")).unwrap();
    file.write_all(&[2; 8192])
        .expect("two pages are free again");
    assert!(file.write(&[2; 4096]).is_err());
    rig.control.space();
    file.write_all(&[2; 100_000]).unwrap();
    file.sync_all().unwrap();
    assert_eq!(file.metadata().unwrap().len(), 4 * 4096 + 8192 + 100_000);
}

#[test]
fn the_size_of_the_disk_is_a_limit_too_and_reserved_space_counts() {
    let Some(rig) = Rig::start(Options {
        capacity_bytes: 64 * 4096,
        ..Options::default()
    }) else {
        return;
    };
    let file = rig.create("file");
    let all = rustix::fs::FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(&file, all, 0, 60 * 4096).unwrap();
    assert_eq!(rig.control.stats().free_bytes, 4 * 4096);
    let error = rustix::fs::fallocate(&file, all, 0, 65 * 4096).unwrap_err();
    assert_eq!(error, rustix::io::Errno::NOSPC);
    let mut other = rig.create("other");
    assert_eq!(other.write(&[0; 30_000]).unwrap(), 4 * 4096);
    file.write_all_at(&[7; 4096], 59 * 4096)
        .expect("it was reserved");
}

#[test]
fn a_slow_fsync_takes_its_time_and_saves_only_at_its_end() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    let mut file = rig.durable("file", &[]);
    rig.control.slow(Slow::Fixed(Duration::from_millis(80)));
    file.write_all(b"slow").unwrap();
    let begun = Instant::now();
    file.sync_all().unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(80));
    let stats = rig.control.stats();
    assert_eq!((stats.slowed, stats.slowed_us), (1, 80_000));

    for reboots_at_once in [false, true] {
        never(&rig, reboots_at_once);
    }
}

/// An fsync of an hour, and the power goes in the middle of it.
fn never(rig: &Rig, reboots_at_once: bool) {
    let before = rig.control.stats().slowed;
    rig.control.slow(Slow::Fixed(Duration::from_secs(3600)));
    let mut file = File::options().append(true).open(rig.path("file")).unwrap();
    file.write_all(b"never").unwrap();
    let waiting = thread::spawn(move || file.sync_all());
    let limit = Duration::from_secs(20);
    rig.control
        .wait("the slow fsync", limit, |stats| stats.slowed > before)
        .unwrap();
    // Others are served in the meantime.
    assert_eq!(rig.read("file").unwrap(), b"slownever");
    if !reboots_at_once {
        rig.control.cut();
    }
    rig.control.reboot(Survival::Drop, 0);
    let answer = waiting.join().unwrap();
    assert!(answer.is_err(), "a cut answers at once what is under way");
    assert_eq!(rig.read("file").unwrap(), b"slow");
}

#[test]
fn a_slow_disk_follows_its_distribution_the_same_way_for_the_same_seed() {
    let delays = |seed| {
        let rig = Rig::start(Options {
            seed,
            ..Options::default()
        })?;
        let file = rig.durable("file", &[]);
        rig.control.slow(Slow::Stalls {
            usual: Duration::from_micros(100),
            rare: Duration::from_millis(5),
            per_mille: 200,
        });
        let delays: Vec<u64> = (0..60)
            .map(|_| {
                let before = rig.control.stats().slowed_us;
                file.sync_all().unwrap();
                rig.control.stats().slowed_us - before
            })
            .collect();
        Some(delays)
    };
    let Some(first) = delays(1) else { return };
    let rare = first.iter().filter(|delay| **delay == 5000).count();
    assert!((3..30).contains(&rare), "{rare} of 60 with one in five");
    assert_eq!(
        first.iter().filter(|delay| **delay == 100).count(),
        60 - rare
    );
    assert_eq!(delays(1).unwrap(), first);
    assert_ne!(delays(2).unwrap(), first);
}

#[test]
fn a_lying_disk_acknowledges_and_loses_until_it_is_honest_again() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    let mut file = rig.durable("file", b"true");
    rig.control.lie(true);
    file.write_all(b"lie").unwrap();
    file.sync_all().expect("it says that all is well");
    assert_eq!(rig.control.stats().lies, 1);
    rig.control.reboot(Survival::Drop, 0);
    assert_eq!(rig.read("file").unwrap(), b"true");

    let mut file = File::options().append(true).open(rig.path("file")).unwrap();
    file.write_all(b"lie").unwrap();
    file.sync_all().unwrap();
    assert_eq!(
        rig.control.stats().lies,
        2,
        "a disk does not get honest by a reboot"
    );
    rig.control.lie(false);
    file.sync_all().unwrap();
    rig.control.reboot(Survival::Drop, 0);
    assert_eq!(
        rig.read("file").unwrap(),
        b"truelie",
        "its cache was written"
    );
}
