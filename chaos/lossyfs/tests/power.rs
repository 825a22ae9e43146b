//! What a power cut takes, and what it never takes.
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
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    time::Duration,
};

use lossyfs::{Options, Order, SECTOR, Survival, Trigger, When};
use rig::Rig;

/// Every mode in every order, with a few seeds where the seed matters.
fn modes() -> impl Iterator<Item = (Order, Survival, u64)> {
    let orders = [Order::Journal, Order::Strict];
    orders.into_iter().flat_map(|order| {
        Survival::ALL
            .into_iter()
            .flat_map(move |survival| (0..4).map(move |seed| (order, survival, seed)))
    })
}

fn options(order: Order) -> Options {
    Options {
        order,
        ..Options::default()
    }
}

#[test]
fn what_was_fsynced_before_a_cut_is_there_byte_for_byte_in_every_mode() {
    for (order, survival, seed) in modes() {
        let Some(rig) = Rig::start(options(order)) else {
            return;
        };
        let bytes: Vec<u8> = (0..9000_u32).flat_map(u32::to_le_bytes).collect();
        let file = rig.durable("kept", &bytes);
        rig.create("later").write_all(&[7; 5000]).unwrap();
        file.write_all_at(&[9; 700], 40_000).unwrap();
        rig.control.cut();
        assert!(file.write_at(&[1], 0).is_err(), "a write after the cut");
        assert!(fs::read(rig.path("kept")).is_err(), "a read after the cut");
        let report = rig.control.reboot(survival, seed);
        let read = rig.read("kept").expect("its name was fsynced too");
        assert_eq!(read[..bytes.len()], bytes, "{order:?} {survival} {seed}");
        assert_eq!(
            report.pending_ops,
            report.kept_ops + report.torn_ops + report.dropped_ops
        );
        match survival {
            Survival::Drop => {
                assert_eq!(read.len(), bytes.len());
                assert_eq!(rig.read("later"), None);
                assert_eq!(report.dropped_bytes, 5700);
            }
            Survival::Keep => {
                assert_eq!(read[40_000..], [9; 700]);
                assert_eq!(rig.read("later").unwrap(), [7; 5000]);
                assert_eq!(report.dropped_bytes, 0);
            }
            Survival::Prefix | Survival::Torn | Survival::Random => {}
        }
    }
}

/// Forty numbered writes to three files in turn; the numbers that survived.
fn numbered(order: Order, survival: Survival, seed: u64) -> Option<BTreeSet<u8>> {
    let rig = Rig::start(options(order))?;
    let files = ["a", "b", "c"].map(|name| rig.durable(name, &[]));
    for number in 0..40_u8 {
        let file = &files[usize::from(number) % 3];
        let at = u64::from(number / 3) * 8;
        file.write_all_at(&[number + 1; 8], at).unwrap();
    }
    rig.control.reboot(survival, seed);
    let mut survived = BTreeSet::new();
    for name in ["a", "b", "c"] {
        survived.extend(rig.read(name).unwrap().into_iter().filter(|byte| *byte > 0));
    }
    Some(survived)
}

#[test]
fn prefix_keeps_the_oldest_changes_of_all_files_up_to_one_point() {
    let mut lengths = BTreeSet::new();
    for seed in 0..12 {
        let Some(survived) = numbered(Order::Strict, Survival::Prefix, seed) else {
            return;
        };
        let length = u8::try_from(survived.len()).unwrap();
        assert_eq!(survived, (1..=length).collect(), "seed {seed}");
        lengths.insert(length);
    }
    assert!(lengths.len() > 4, "seeds move the point: {lengths:?}");
}

#[test]
fn random_lets_later_changes_survive_earlier_ones_in_other_files() {
    let mut scattered = 0;
    for seed in 0..8 {
        let Some(survived) = numbered(Order::Strict, Survival::Random, seed) else {
            return;
        };
        let length = u8::try_from(survived.len()).unwrap();
        scattered += usize::from(survived != (1..=length).collect());
    }
    assert!(scattered > 6, "{scattered} of 8 were no prefix");
}

/// One write of many sectors that begins within one; per sector, whether it survived.
fn sectors(survival: Survival, seed: u64) -> Option<Vec<bool>> {
    let rig = Rig::start(Options::strict())?;
    let file = rig.durable("file", &[1; 20 * 512]);
    file.write_all_at(&[2; 9000], 300).unwrap();
    rig.control.reboot(survival, seed);
    let read = rig.read("file").unwrap();
    assert_eq!(read.len(), 20 * 512);
    assert!(
        read[..300]
            .iter()
            .chain(&read[9300..])
            .all(|byte| *byte == 1)
    );
    let sector = usize::try_from(SECTOR).unwrap();
    let survived = (0..9300_usize.div_ceil(sector)).map(|number| {
        let within = &read[(number * sector).max(300)..((number + 1) * sector).min(9300)];
        assert!(
            within.iter().all(|byte| *byte == within[0]),
            "sector {number} is torn: {survival} {seed}"
        );
        within[0] == 2
    });
    Some(survived.collect())
}

#[test]
fn a_torn_write_keeps_its_first_sectors_and_is_torn_at_512_bytes_of_the_file_only() {
    let mut points = BTreeSet::new();
    for seed in 0..12 {
        let Some(survived) = sectors(Survival::Torn, seed) else {
            return;
        };
        let kept = survived.iter().filter(|kept| **kept).count();
        assert!(survived[..kept].iter().all(|kept| *kept), "seed {seed}");
        assert!(0 < kept && kept < survived.len(), "seed {seed} tears");
        points.insert(kept);
    }
    assert!(points.len() > 4, "seeds move the point: {points:?}");
}

#[test]
fn a_scattered_write_keeps_whole_sectors_and_not_the_first_ones() {
    let mut holes = 0;
    for seed in 0..8 {
        let Some(survived) = sectors(Survival::Random, seed) else {
            return;
        };
        holes += usize::from(survived.windows(2).any(|pair| pair == [false, true]));
    }
    assert!(holes > 6, "{holes} of 8 had a hole before a survivor");
}

#[test]
fn strict_loses_a_file_whose_directory_was_not_fsynced_and_a_journal_keeps_it() {
    for (order, kept) in [(Order::Strict, None), (Order::Journal, Some(vec![5; 10]))] {
        let Some(rig) = Rig::start(options(order)) else {
            return;
        };
        let mut file = rig.create("file");
        file.write_all(&[5; 10]).unwrap();
        file.sync_all().unwrap();
        rig.control.reboot(Survival::Drop, 0);
        assert_eq!(rig.read("file"), kept, "{order:?}");
    }
}

#[test]
fn strict_keeps_a_tree_only_as_far_up_as_directories_were_fsynced() {
    let Some(rig) = Rig::start(Options::strict()) else {
        return;
    };
    let sync = |name: &str| File::open(rig.path(name)).unwrap().sync_all().unwrap();
    for tree in ["lost", "kept"] {
        fs::create_dir_all(rig.path(tree).join("in")).unwrap();
        rig.create(&format!("{tree}/in/file")).sync_all().unwrap();
        sync(&format!("{tree}/in"));
    }
    sync("kept");
    rig.sync_root();
    rig.control.reboot(Survival::Drop, 0);
    assert_eq!(rig.read("kept/in/file"), Some(vec![]));
    assert!(rig.path("lost").exists(), "the root was fsynced");
    assert!(!rig.path("lost/in").exists(), "and `lost` itself was not");
}

#[test]
fn a_name_moved_between_directories_survives_whole_with_whichever_is_fsynced() {
    for synced in ["from", "to"] {
        let Some(rig) = Rig::start(Options::strict()) else {
            return;
        };
        for name in ["from", "to"] {
            fs::create_dir(rig.path(name)).unwrap();
        }
        rig.sync_root();
        let mut file = rig.create("from/file");
        file.write_all(b"moved").unwrap();
        file.sync_all().unwrap();
        fs::rename(rig.path("from/file"), rig.path("to/file")).unwrap();
        File::open(rig.path(synced)).unwrap().sync_all().unwrap();
        rig.control.reboot(Survival::Drop, 0);
        assert_eq!(rig.read("to/file").as_deref(), Some(&b"moved"[..]));
        assert_eq!(rig.read("from/file"), None);
    }
}

/// Replaces a file as one should, or without the fsync before the rename.
fn replace(rig: &Rig, bytes: &[u8], is_careful: bool) -> io::Result<()> {
    let mut new = File::create(rig.path("file.new"))?;
    new.write_all(bytes)?;
    if is_careful {
        new.sync_all()?;
    }
    fs::rename(rig.path("file.new"), rig.path("file"))?;
    File::open(rig.root())?.sync_all()
}

#[test]
fn a_careful_replacement_is_old_or_new_after_a_cut_at_any_operation() {
    for (order, survival, seed) in modes() {
        for operation in 1.. {
            let Some(rig) = Rig::start(options(order)) else {
                return;
            };
            let (old, new) = (vec![1; 3000], vec![2; 5000]);
            rig.durable("file", &old);
            rig.control.cut_at_op(operation);
            let replaced = replace(&rig, &new, true);
            let done = rig.control.is_cut().is_none();
            assert_eq!(replaced.is_ok(), done, "what was cut is not acknowledged");
            rig.control.reboot(survival, seed);
            let read = rig.read("file").expect("never without a name");
            let (is_old, is_new) = (read == old, read == new);
            assert!(
                if done { is_new } else { is_old || is_new },
                "{order:?} {survival} seed {seed} operation {operation}: {} bytes",
                read.len()
            );
            if done {
                assert!(operation > 4, "create, write, fsync, rename were cut");
                break;
            }
        }
    }
}

#[test]
fn a_careless_replacement_leaves_neither_old_nor_new() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    rig.durable("file", &[1; 3000]);
    replace(&rig, &[2; 5000], false).unwrap();
    rig.control.reboot(Survival::Drop, 0);
    assert_eq!(
        rig.read("file").unwrap(),
        b"",
        "the name was committed, the bytes were not"
    );
}

#[test]
fn a_cut_before_an_fsync_loses_it_and_one_after_it_keeps_it_and_neither_is_acknowledged() {
    for (when, kept) in [(When::Before, &b""[..]), (When::After, b"data")] {
        let Some(rig) = Rig::start(Options::strict()) else {
            return;
        };
        let mut file = rig.durable("file", &[]);
        let before = rig.control.stats().fsyncs;
        rig.control.cut_at_fsync(2, when);
        file.sync_all().unwrap();
        file.write_all(b"data").unwrap();
        assert!(file.sync_all().is_err(), "the second fsync is cut");
        let cut = rig.control.wait_cut(Duration::ZERO).unwrap();
        let number = before + 2;
        assert_eq!(cut.trigger, Trigger::Fsync { number, when });
        assert_eq!(cut.fsyncs, number);
        rig.control.reboot(Survival::Drop, 0);
        assert_eq!(rig.read("file").unwrap(), kept, "{when:?}");
    }
}

/// A program with names, truncations, overlapping writes and now and then an fsync.
fn busy(rig: &Rig) {
    for round in 0..60_u8 {
        let name = format!("file{}", round % 7);
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(rig.path(&name))
            .unwrap();
        file.write_all(&[round; 1300]).unwrap();
        match round % 5 {
            0 => file.sync_data().unwrap(),
            1 => fs::rename(rig.path(&name), rig.path(&format!("moved{round}"))).unwrap(),
            2 => file.set_len(900).unwrap(),
            3 if round % 2 == 0 => fs::remove_file(rig.path(&name)).unwrap(),
            _ => {}
        }
    }
}

fn tree(rig: &Rig) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(rig.root())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let bytes = fs::read(entry.path()).unwrap();
            (name, bytes)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_same_operations_mode_and_seed_leave_the_same_bytes() {
    for (order, survival, seed) in modes() {
        let run = |seed| {
            let rig = Rig::start(options(order))?;
            busy(&rig);
            let report = rig.control.reboot(survival, seed);
            Some((tree(&rig), report))
        };
        let Some(first) = run(seed) else { return };
        assert_eq!(run(seed).unwrap(), first, "{order:?} {survival} {seed}");
        if matches!(survival, Survival::Torn | Survival::Random) {
            assert_ne!(run(seed + 100).unwrap().0, first.0, "another seed");
        }
    }
}

#[test]
fn keep_leaves_exactly_what_processes_saw() {
    for order in [Order::Journal, Order::Strict] {
        let Some(rig) = Rig::start(options(order)) else {
            return;
        };
        busy(&rig);
        let seen = tree(&rig);
        rig.control.reboot(Survival::Keep, 0);
        assert_eq!(tree(&rig), seen, "{order:?}");
        // And it is durable from then on.
        rig.control.reboot(Survival::Drop, 0);
        assert_eq!(tree(&rig), seen, "{order:?}, a second time");
    }
}

#[test]
fn after_a_cut_everything_fails_and_a_handle_of_the_old_life_does_for_ever() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    let file = rig.durable("file", b"old");
    let mut cached = [0; 3];
    file.read_exact_at(&mut cached, 0).unwrap();
    rig.control.cut();
    let errors = [
        file.read_at(&mut cached, 0).err(),
        file.write_at(b"x", 0).err(),
        file.sync_all().err(),
        file.set_len(0).err(),
        file.metadata().err(),
        File::open(rig.path("file")).err(),
        fs::create_dir(rig.path("folder")).err(),
        fs::remove_file(rig.path("file")).err(),
        fs::rename(rig.path("file"), rig.path("other")).err(),
        fs::read_dir(rig.root()).err(),
    ];
    for (number, error) in errors.into_iter().enumerate() {
        let error = error.unwrap_or_else(|| panic!("request {number} succeeded in the dark"));
        assert_eq!(error.raw_os_error(), Some(5), "request {number}: {error}");
    }
    assert!(rig.control.stats().dark >= 10);
    rig.control.reboot(Survival::Drop, 0);
    assert!(file.write_at(b"x", 0).is_err());
    assert!(file.read_at(&mut cached, 0).is_err());
    assert!(file.sync_all().is_err());
    assert_eq!(rig.read("file").unwrap(), b"old");
    rig.durable("file in the new life", b"new");
    rig.control.reboot(Survival::Drop, 0);
    assert_eq!(rig.read("file in the new life").unwrap(), b"new");
}

#[test]
fn what_waits_is_bounded_and_the_oldest_is_written_back() {
    let Some(rig) = Rig::start(Options {
        pending_bytes_max: 1 << 20,
        ..Options::strict()
    }) else {
        return;
    };
    let mut file = rig.durable("file", &[]);
    for number in 0..80_u8 {
        file.write_all(&[number; 65_536]).unwrap();
        assert!(rig.control.stats().pending_bytes <= 1 << 20);
    }
    rig.control.reboot(Survival::Drop, 0);
    let read = rig.read("file").unwrap();
    assert!(read.len() >= 64 * 65_536, "all but the last MiB");
    let stats = rig.control.stats();
    assert_eq!(
        stats.written_back_bytes + stats.dropped_bytes,
        80 * 65_536,
        "{stats:?}"
    );
}
