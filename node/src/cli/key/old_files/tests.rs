use std::fs::{self, File};

use super::*;

const MARKS: &str = r#"{ "NetXdQprcVkpaWU": {} }"#;

/// A file of this age.
fn put(path: &Path, text: &str, now: SystemTime, age: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test needs no power cut")]
    fs::write(path, text).unwrap();
    let changed = now.checked_sub(Duration::from_secs(age)).unwrap();
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(changed)
        .unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the age of files is the matter")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn words<T: std::fmt::Debug>(read: Result<Vec<T>, Faults>) -> String {
    read.unwrap_err().to_string()
}

/// R42. Two signers of one key are two blocks, so a file that still changes is not taken.
#[test]
fn a_file_that_changed_within_the_last_minute_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (file, now) = (folder.path().join("block_high_watermarks"), now());
    put(&file, MARKS, now, 61);
    assert_eq!(of_octez(folder.path(), now).unwrap().len(), 1);
    put(&file, MARKS, now, 59);
    let said = words(of_octez(folder.path(), now));
    assert!(said.contains("the old signer still runs"), "{said}");
    assert!(said.contains("block_high_watermarks"), "{said}");
    let signatory = folder.path().join("watermark_v2/NetXdQprcVkpaWU.json");
    put(&signatory, "{}", now, 3);
    let said = words(of_signatory(folder.path(), now));
    assert!(said.contains("changed 3 seconds ago"), "{said}");
}

#[test]
fn a_file_from_a_time_to_come_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (file, now) = (folder.path().join("block_high_watermarks"), now());
    put(
        &file,
        MARKS,
        now.checked_add(Duration::from_secs(900)).unwrap(),
        0,
    );
    assert!(words(of_octez(folder.path(), now)).contains("changed 0 seconds ago"));
}

#[test]
fn every_file_that_is_too_new_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let now = now();
    for (name, _) in FILES {
        put(&folder.path().join(name), MARKS, now, 5);
    }
    assert_eq!(words(of_octez(folder.path(), now)).lines().count(), 5);
}

#[test]
fn a_folder_and_one_file_of_it_are_both_read() {
    let folder = tempfile::tempdir().unwrap();
    let now = now();
    let file = folder.path().join("endorsement_high_watermarks");
    put(&file, MARKS, now, 90);
    let [(kind, of_folder)] = &of_octez(folder.path(), now).unwrap()[..] else {
        panic!("one file");
    };
    assert_eq!((*kind, of_folder.text.as_str()), (Kind::Attestation, MARKS));
    assert_eq!(of_octez(&file, now).unwrap().len(), 1);
    let file = folder.path().join("watermark_v2/NetXdQprcVkpaWU.json");
    put(&file, "{}", now, 90);
    for path in [folder.path(), file.parent().unwrap(), &file] {
        let [(chain, _)] = &of_signatory(path, now).unwrap()[..] else {
            panic!("one file");
        };
        assert_eq!(*chain, ChainId::MAINNET);
    }
}

#[test]
fn a_folder_without_marks_is_refused_and_never_read_as_nothing_signed_yet() {
    let folder = tempfile::tempdir().unwrap();
    let now = now();
    let said = words(of_octez(folder.path(), now));
    assert!(said.contains("has no *_high_watermarks"), "{said}");
    assert!(words(of_signatory(folder.path(), now)).contains("has no watermark_v2"));
    let gone = folder.path().join("gone");
    assert!(words(of_octez(&gone, now)).contains("gone"));
    assert!(words(of_signatory(&gone, now)).contains("cannot be listed"));
}

/// Signatory rewrites it itself, and knows what it lost on the way.
#[test]
fn signatorys_older_layouts_are_refused_with_what_to_do() {
    for older in ["watermark", "watermark_v1"] {
        let folder = tempfile::tempdir().unwrap();
        put(
            &folder.path().join(older).join("NetXdQprcVkpaWU.json"),
            "{}",
            now(),
            90,
        );
        let said = words(of_signatory(folder.path(), now()));
        assert!(said.contains("start the present Signatory once"), "{said}");
    }
}

/// A wrong path must not print what is in the file.
#[test]
fn a_file_of_another_name_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret_keys");
    put(
        &file,
        r#"[{"name": "baker", "value": "unencrypted:edsk"}]"#,
        now(),
        90,
    );
    for said in [
        words(of_octez(&file, now())),
        words(of_signatory(&file, now())),
    ] {
        assert!(!said.contains("edsk"), "{said}");
        assert!(said.contains("secret_keys"), "{said}");
    }
}

/// R42. A link to a disk that is not mounted is not "nothing signed".
#[test]
fn a_file_that_is_there_and_cannot_be_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let now = now();
    put(&folder.path().join("block_high_watermarks"), MARKS, now, 61);
    let link = folder.path().join("attestation_high_watermarks");
    std::os::unix::fs::symlink("/nowhere/attestation_high_watermarks", &link).unwrap();
    let said = words(of_octez(folder.path(), now));
    assert!(said.contains("attestation_high_watermarks"), "{said}");
}

/// R42. Octez v23 renamed two files and left the old ones behind: their marks end long ago.
#[test]
fn an_older_name_does_not_stand_in_for_a_newer_file_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let now = now();
    let kinds = || {
        let read = of_octez(folder.path(), now).unwrap();
        read.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
    };
    let older = [
        "block_high_watermarks",
        "preendorsement_high_watermarks",
        "endorsement_high_watermarks",
    ];
    for name in older {
        put(&folder.path().join(name), MARKS, now, 61);
    }
    assert_eq!(kinds().len(), 3, "from before v23, whole");
    let newer = folder.path().join("preattestation_high_watermarks");
    put(&newer, MARKS, now, 61);
    let read = kinds();
    assert!(!read.contains(&Kind::Attestation), "{read:?}");
    assert_eq!(read.len(), 3, "{read:?}");
}
