//! A program that appends records and counts what was acknowledged to it, as a database does.
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
    fs::{File, OpenOptions},
    io::Write as _,
    thread::{self, JoinHandle},
    time::Duration,
};

use lossyfs::{Options, Survival};
use rig::Rig;

/// How the program saves its records.
#[derive(Clone, Copy)]
enum Saves {
    Each,
    Never,
}

const RECORD: usize = 100;

/// Appends numbered records until the disk fails; how many were acknowledged.
fn program(mut log: File, saves: Saves) -> JoinHandle<u32> {
    thread::spawn(move || {
        for number in 0..u32::MAX {
            let mut record = [0; RECORD];
            record[..4].copy_from_slice(&number.to_le_bytes());
            record[4..].fill(u8::try_from(number % 255).unwrap() + 1);
            let saved = log.write_all(&record).and_then(|()| match saves {
                Saves::Each => log.sync_data(),
                Saves::Never => Ok(()),
            });
            if saved.is_err() {
                return number;
            }
        }
        u32::MAX
    })
}

/// The records that can be read back, up to the first one that is not whole.
fn recovered(log: &[u8]) -> u32 {
    let whole = log
        .chunks_exact(RECORD)
        .zip(0_u32..)
        .take_while(|(record, number)| {
            record[..4] == number.to_le_bytes()
                && record[4..]
                    .iter()
                    .all(|byte| *byte == u8::try_from(number % 255).unwrap() + 1)
        });
    u32::try_from(whole.count()).unwrap()
}

/// Runs the program until it has done `ops` operations, cuts, and counts.
fn run(rig: &Rig, saves: Saves, ops: u64, survival: Survival, seed: u64) -> (u32, u32) {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(rig.path("log"))
        .unwrap();
    log.sync_all().unwrap();
    rig.sync_root();
    rig.control.cut_at_op(ops);
    let program = program(log, saves);
    rig.control.wait_cut(Duration::from_secs(60)).unwrap();
    let acknowledged = program.join().unwrap();
    rig.control.reboot(survival, seed);
    (acknowledged, recovered(&rig.read("log").unwrap()))
}

#[test]
fn a_log_that_fsyncs_each_record_loses_none_that_was_acknowledged() {
    for survival in Survival::ALL {
        for seed in 0..6 {
            let Some(rig) = Rig::start(Options::strict()) else {
                return;
            };
            let ops = 150 + seed * 37;
            let (acknowledged, recovered) = run(&rig, Saves::Each, ops, survival, seed);
            assert!(acknowledged >= 74);
            assert!(
                (acknowledged..=acknowledged + 1).contains(&recovered),
                "{survival} {seed}: {acknowledged} acknowledged, {recovered} recovered"
            );
        }
    }
}

#[test]
fn a_log_that_never_fsyncs_loses_what_it_acknowledged() {
    for (survival, seed) in [
        (Survival::Drop, 0),
        (Survival::Prefix, 1),
        (Survival::Random, 2),
    ] {
        let Some(rig) = Rig::start(Options::default()) else {
            return;
        };
        let (acknowledged, recovered) = run(&rig, Saves::Never, 300, survival, seed);
        // A record across two pages is two writes to the kernel.
        assert!((280..300).contains(&acknowledged), "{acknowledged}");
        assert!(
            recovered < acknowledged,
            "{survival}: {recovered} recovered"
        );
        assert!(rig.control.stats().dropped_bytes > 0);
    }
}

#[test]
fn a_lying_disk_loses_what_an_fsync_acknowledged() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    rig.durable("log", &[]);
    rig.control.lie(true);
    let (acknowledged, recovered) = run(&rig, Saves::Each, 200, Survival::Drop, 0);
    assert!(acknowledged > 90, "{acknowledged}");
    assert_eq!(recovered, 0);
    assert!(rig.control.stats().lies >= u64::from(acknowledged));
}
