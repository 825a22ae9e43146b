//! What a database and a node need of a file system, by the system calls they make.
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
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::{
        fs::{
            FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
            PermissionsExt as _, symlink,
        },
        net::{UnixListener, UnixStream},
    },
    process::{Command, Stdio},
};

use lossyfs::{Mount, Options, Survival};
use rig::Rig;
use rustix::{
    fs::{FallocateFlags, Mode, OFlags, RenameFlags, fallocate, renameat_with},
    io::Errno,
};

#[test]
fn open_flags_mean_what_they_say() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    rig.create("file").write_all(b"first").unwrap();
    let again = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(rig.path("file"));
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    let mut log = OpenOptions::new()
        .append(true)
        .open(rig.path("file"))
        .unwrap();
    let mut other = OpenOptions::new()
        .append(true)
        .open(rig.path("file"))
        .unwrap();
    log.write_all(b" second").unwrap();
    other.write_all(b" third").unwrap();
    assert_eq!(rig.read("file").unwrap(), b"first second third");
    File::create(rig.path("file")).unwrap();
    assert_eq!(rig.read("file").unwrap(), b"");
    let missing = File::open(rig.path("missing")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let before = rig.control.stats().fsyncs;
    let mut synced = OpenOptions::new()
        .write(true)
        .custom_flags(i32::try_from(OFlags::DSYNC.bits()).unwrap())
        .open(rig.path("file"))
        .unwrap();
    synced.write_all(b"durable").unwrap();
    assert_eq!(
        rig.control.stats().fsyncs,
        before + 1,
        "O_DSYNC is an fsync"
    );
}

#[test]
fn files_are_read_written_cut_and_allocated_at_any_offset() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    let file = rig.create("file");
    file.write_all_at(b"end", 10_000).unwrap();
    file.write_all_at(b"start", 0).unwrap();
    let mut bytes = [1; 12];
    assert_eq!(file.read_at(&mut bytes, 9_996).unwrap(), 7);
    assert_eq!(&bytes[..7], b"\0\0\0\0end");
    file.set_len(10_001).unwrap();
    file.set_len(20_000).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 20_000);
    assert_eq!(file.read_at(&mut bytes, 9_999).unwrap(), 12);
    assert_eq!(
        &bytes, b"\0e\0\0\0\0\0\0\0\0\0\0",
        "what was cut off reads as zero"
    );
    fallocate(&file, FallocateFlags::KEEP_SIZE, 0, 1 << 20).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 20_000);
    assert_eq!(file.metadata().unwrap().blocks(), (1 << 20) / 512);
    fallocate(&file, FallocateFlags::empty(), 0, 2 << 20).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 2 << 20);
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    fallocate(&file, punch, 0, 1 << 20).unwrap();
    assert_eq!(rig.read("file").unwrap(), vec![0; 2 << 20]);
    let error = fallocate(&file, FallocateFlags::COLLAPSE_RANGE, 0, 4096).unwrap_err();
    assert_eq!(error, Errno::OPNOTSUPP);
}

#[test]
fn names_are_moved_replaced_and_protected_as_rename_says() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    let rename = |from: &str, to: &str| fs::rename(rig.path(from), rig.path(to));
    for (name, bytes) in [("a", b"a"), ("b", b"b")] {
        rig.create(name).write_all(bytes).unwrap();
    }
    let root = File::open(rig.root()).unwrap();
    let error = renameat_with(&root, "a", &root, "b", RenameFlags::NOREPLACE).unwrap_err();
    assert_eq!(error, Errno::EXIST);
    renameat_with(&root, "a", &root, "c", RenameFlags::NOREPLACE).unwrap();
    let error = renameat_with(&root, "b", &root, "c", RenameFlags::EXCHANGE).unwrap_err();
    assert_eq!(error, Errno::INVAL);
    let mut replaced = File::open(rig.path("b")).unwrap();
    rename("c", "b").unwrap();
    assert_eq!(rig.read("b").unwrap(), b"a");
    let mut bytes = String::new();
    replaced.read_to_string(&mut bytes).unwrap();
    assert_eq!(bytes, "b", "the replaced file lives on with its handle");

    fs::create_dir_all(rig.path("empty")).unwrap();
    fs::create_dir_all(rig.path("full/inner")).unwrap();
    assert_eq!(
        rename("empty", "full").unwrap_err().kind(),
        ErrorKind::DirectoryNotEmpty
    );
    assert_eq!(
        rename("b", "empty").unwrap_err().kind(),
        ErrorKind::IsADirectory
    );
    assert_eq!(
        rename("empty", "b").unwrap_err().kind(),
        ErrorKind::NotADirectory
    );
    assert!(rename("full", "full/inner/itself").is_err());
    rename("full", "empty").unwrap();
    assert!(rig.path("empty/inner").is_dir());
    assert!(!rig.path("full").exists());
}

#[test]
fn a_file_lives_as_long_as_it_has_a_name_or_a_handle() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    let mut file = rig.create("one");
    fs::hard_link(rig.path("one"), rig.path("two")).unwrap();
    assert_eq!(file.metadata().unwrap().nlink(), 2);
    fs::remove_file(rig.path("one")).unwrap();
    assert_eq!(file.metadata().unwrap().nlink(), 1);
    fs::remove_file(rig.path("two")).unwrap();
    file.write_all(&[7; 9000]).unwrap();
    file.sync_all().unwrap();
    let mut bytes = [0; 10];
    file.read_exact_at(&mut bytes, 8990).unwrap();
    assert_eq!(bytes, [7; 10]);
    assert_eq!(rig.control.stats().used_bytes, 3 * 4096);
    drop(file);
    // The kernel tells of the last close in its own time.
    while rig.control.stats().used_bytes > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn directories_and_links_behave() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    fs::create_dir(rig.path("folder")).unwrap();
    for number in 0..1500 {
        rig.create(&format!("folder/a-rather-long-name-for-a-file-{number}"));
    }
    let error = fs::remove_dir(rig.path("folder")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(rig.path("folder")).unwrap() {
        let entry = entry.unwrap();
        assert!(entry.file_type().unwrap().is_file());
        fs::remove_file(entry.path()).unwrap();
        names.insert(entry.file_name());
    }
    assert_eq!(
        names.len(),
        1500,
        "each once, though they are removed meanwhile"
    );
    fs::remove_dir(rig.path("folder")).unwrap();
    assert!(fs::remove_file(rig.path("folder")).is_err());
    symlink("target", rig.path("link")).unwrap();
    assert_eq!(
        fs::read_link(rig.path("link")).unwrap().to_str(),
        Some("target")
    );
    rig.create("target").write_all(b"through").unwrap();
    assert_eq!(rig.read("link").unwrap(), b"through");
    let long = "x".repeat(256);
    assert!(File::create(rig.path(&long)).is_err());
    File::create(rig.path(&long[1..])).unwrap();
}

#[test]
fn modes_and_times_are_kept_and_extended_attributes_are_not_supported() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    let file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o640)
        .open(rig.path("file"))
        .unwrap();
    assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o640);
    fs::set_permissions(rig.path("file"), Permissions::from_mode(0o400)).unwrap();
    file.sync_all().unwrap();
    rig.sync_root();
    rig.control.reboot(Survival::Drop, 0);
    let metadata = fs::metadata(rig.path("file")).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o400);
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    File::options()
        .append(true)
        .open(rig.path("file"))
        .or_else(|_| File::open(rig.path("file")))
        .unwrap()
        .set_modified(then)
        .unwrap();
    assert_eq!(
        fs::metadata(rig.path("file")).unwrap().modified().unwrap(),
        then
    );
    let error = rustix::fs::setxattr(
        rig.path("file"),
        "user.name",
        b"value",
        rustix::fs::XattrFlags::empty(),
    );
    assert_eq!(error.unwrap_err(), Errno::OPNOTSUPP);
    let device = rustix::fs::mknodat(
        File::open(rig.root()).unwrap(),
        "device",
        rustix::fs::FileType::BlockDevice,
        Mode::from_raw_mode(0o600),
        0,
    );
    assert_eq!(device.unwrap_err(), Errno::PERM);
}

#[test]
fn a_lock_on_the_mounted_folder_holds_against_others_and_ends_with_its_process() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    for target in [rig.root().to_owned(), rig.path("lock")] {
        if target != rig.root() {
            File::create(&target).unwrap();
        }
        // It holds the lock, says so, and waits for its input to end.
        let mut holder = Command::new("flock")
            .arg("--no-fork")
            .arg(&target)
            .args(["sh", "-c", "echo locked; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut word = [0; 7];
        holder
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut word)
            .unwrap();
        assert_eq!(&word, b"locked\n");
        let file = File::open(&target).unwrap();
        assert!(matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
        holder.kill().unwrap();
        holder.wait().unwrap();
        file.try_lock().unwrap();
        let second = File::open(&target).unwrap();
        assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)));
    }
}

#[test]
fn a_unix_socket_can_be_bound_connected_and_removed() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    let path = rig.path("admin.sock");
    let listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let metadata = fs::symlink_metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.mode() & 0o777, 0o600);
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"x").unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.read_exact(&mut [0]).unwrap();
    rig.sync_root();
    drop((listener, client, server));
    // Like a socket on a disk: the name survives the power, whoever listened on it does not.
    rig.control.reboot(Survival::Drop, 0);
    let refused = UnixStream::connect(&path).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    fs::remove_file(&path).unwrap();
    UnixListener::bind(&path).unwrap();
}

/// A program is mapped when it runs: the same pages as `mmap` for reading.
#[test]
fn a_file_can_be_mapped_and_a_new_life_does_not_show_the_pages_of_the_old_one() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    let run = || {
        loop {
            match Command::new(rig.path("program")).status() {
                // Another test's fork holds the file that was just written open until its exec.
                Err(busy) if busy.kind() == ErrorKind::ExecutableFileBusy => {}
                ran => return ran,
            }
        }
    };
    for (source, expected) in [("/bin/true", 0), ("/bin/false", 1)] {
        fs::copy(source, rig.path("program")).unwrap();
        fs::set_permissions(rig.path("program"), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(run().unwrap().code(), Some(expected));
        if expected == 0 {
            File::open(rig.path("program")).unwrap().sync_all().unwrap();
            rig.sync_root();
        }
    }
    rig.control.reboot(Survival::Drop, 0);
    assert_eq!(
        run().unwrap().code(),
        Some(0),
        "the program that was fsynced"
    );
}

#[test]
fn a_mount_ends_although_files_are_open_and_they_answer_errors() {
    let Some(rig) = Rig::start(Options::default()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mount = Mount::start(folder.path(), Options::default()).unwrap();
    let mut file = File::create(folder.path().join("file")).unwrap();
    file.write_all(b"bytes").unwrap();
    drop(mount);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "the folder below"
    );
    assert!(file.write_all(b"more").is_err());
    assert!(file.sync_all().is_err());
    folder.close().expect("nothing is mounted on it any more");
    rig.create("others")
        .write_all(b"are not concerned")
        .unwrap();
}
