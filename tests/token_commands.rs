//! `quorate key` with the token of one node that does not run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use shim_orders::{Act, Order};
use tezos::{Curve, SecretKey};

use crate::alone::{Alone, PIN, Said};

fn spelt(secret: &SecretKey) -> String {
    format!("unencrypted:{}\n", &*secret.reveal())
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

#[tokio::test]
async fn a_pin_that_was_refused_is_not_tried_again_by_a_command_either() {
    let Some(node) = Alone::new().await else {
        return;
    };
    let generate = ["key", "generate", "p256", "--source", "2"];
    node.write("pin", "another");
    let refused = node.run(&generate, "").await;
    assert_eq!(refused.exit, 77, "{refused:?}");
    assert!(refused.err.contains("CKR_PIN_INCORRECT"), "{refused:?}");
    let again = node.run(&generate, "").await;
    assert_eq!(again.exit, 77, "{again:?}");
    assert!(again.err.contains("not tried again"), "{again:?}");
    assert!(!again.err.contains("CKR_"), "{again:?}");
    assert!(!(refused.err + &again.err).contains("another\n"));
    node.write("pin", PIN);
    let right = node.run(&generate, "").await;
    assert_eq!(right.exit, 0, "{right:?}");
    assert!(right.out.starts_with("tz3"), "{right:?}");
}

/// R28: a token locks for good after a few wrong PINs.
#[tokio::test]
async fn r28_commands_that_run_at_once_with_a_wrong_pin_spend_one_try() {
    let Some(node) = Alone::new().await else {
        return;
    };
    node.write("pin", "another");
    let generate = ["key", "generate", "p256", "--source", "2"];
    let run = || node.run(&generate, "");
    let all = tokio::join!(run(), run(), run(), run());
    let said: [Said; 4] = all.into();
    let tried = said.iter().filter(|said| said.err.contains("CKR_"));
    assert_eq!(tried.count(), 1, "{said:?}");
    let refused = |said: &Said| said.exit == 77 && said.out.is_empty();
    assert!(said.iter().all(refused), "{said:?}");
}

#[tokio::test]
async fn a_sealed_file_is_replaced_only_by_the_secret_that_it_opens_to() {
    let Some(node) = Alone::new().await else {
        return;
    };
    let secret = SecretKey::generate(Curve::Bls12_381).unwrap();
    let seal = ["key", "seal"];
    let first = node.run(&seal, &spelt(&secret)).await;
    assert_eq!(first.exit, 0, "{first:?}");
    assert!(first.err.contains("made the AES key"), "{first:?}");
    let path = node.sealed(&secret);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let before = read(&path);
    let again = node.run(&seal, &spelt(&secret)).await;
    assert_eq!(again.exit, 0, "{again:?}");
    assert!(!again.err.contains("made the AES key"), "{again:?}");
    assert_ne!(read(&path), before);

    // What cannot be opened may be all that is left of something.
    let text = String::from_utf8(read(&path)).unwrap();
    let digit = text.find("\"ciphertext\": \"").unwrap() + 15;
    let mut altered = text.into_bytes();
    altered[digit] = if altered[digit] == b'0' { b'1' } else { b'0' };
    fs::remove_file(&path).unwrap();
    node.write(
        path.to_str().unwrap(),
        std::str::from_utf8(&altered).unwrap(),
    );
    let refused = node.run(&seal, &spelt(&secret)).await;
    assert_eq!(refused.exit, 1, "{refused:?}");
    assert!(refused.err.contains("move it away"), "{refused:?}");
    assert_eq!(read(&path), altered);
}

#[tokio::test]
async fn a_sealed_file_stays_as_it_was_if_the_token_does_not_open_what_it_seals_now() {
    let Some(mut node) = Alone::new().await else {
        return;
    };
    let secret = SecretKey::generate(Curve::Bls12_381).unwrap();
    let first = node.run(&["key", "seal"], &spelt(&secret)).await;
    assert_eq!(first.exit, 0, "{first:?}");
    let before = read(&node.sealed(&secret));
    // What is there opens, and then what is new does not.
    let mut order = Order::new("C_Decrypt", Act::Return("CKR_GENERAL_ERROR".into()));
    order.skip = 1;
    let orders = node.shim();
    orders.give("unsealed", &order);
    let refused = node.run(&["key", "seal"], &spelt(&secret)).await;
    assert!(orders.used("unsealed") > 0, "{refused:?}");
    assert_eq!(refused.exit, 1, "{refused:?}");
    assert!(refused.err.contains("nothing was written"), "{refused:?}");
    assert_eq!(read(&node.sealed(&secret)), before);
}

#[tokio::test]
async fn two_first_seals_at_once_make_one_sealing_key() {
    let Some(node) = Alone::new().await else {
        return;
    };
    let secrets = [Curve::Bls12_381, Curve::Ed25519, Curve::P256];
    let secrets = secrets.map(|curve| SecretKey::generate(curve).unwrap());
    let [one, two, three] = secrets.each_ref().map(spelt);
    let seal = |input| node.run(&["key", "seal"], input);
    let all: [Said; 3] = tokio::join!(seal(&one), seal(&two), seal(&three)).into();
    assert!(all.iter().all(|said| said.exit == 0), "{all:?}");
    let made = all.iter().filter(|said| said.err.contains("made the AES"));
    assert_eq!(made.count(), 1, "{all:?}");
    // Of two keys of that name none would open anything.
    let again = node.run(&["key", "seal"], &one).await;
    assert_eq!(again.exit, 0, "{again:?}");
}

/// Both would find the name free.
#[tokio::test]
async fn two_imports_at_once_of_one_key_make_one() {
    let Some(node) = Alone::new().await else {
        return;
    };
    let secret = spelt(&SecretKey::generate(Curve::P256).unwrap());
    let import = ["key", "import", "--source", "2", "--label", "baker"];
    let run = || node.run(&import, &secret);
    let all: [Said; 3] = tokio::join!(run(), run(), run()).into();
    assert!(all.iter().all(|said| said.exit == 0), "{all:?}");
    // Of two keys of that name it would say that there are two.
    let again = node.run(&import, &secret).await;
    assert_eq!(again.exit, 0, "{again:?}");
}

#[tokio::test]
async fn an_import_that_was_killed_half_way_is_finished_by_the_same_command() {
    let Some(mut node) = Alone::new().await else {
        return;
    };
    let orders = node.shim();
    let mut order = Order::new("C_CreateObject", Act::Crash).times(1);
    order.skip = 1;
    orders.give("death", &order);
    let secret = SecretKey::generate(Curve::Ed25519).unwrap();
    let import = ["key", "import", "--source", "2", "--label", "baker"];
    let died = node.run(&import, &spelt(&secret)).await;
    assert_eq!(died.exit, 74, "{died:?}");
    orders.withdraw("death");
    let again = node.run(&import, &spelt(&secret)).await;
    assert_eq!(again.exit, 0, "{again:?}");
    let hash = secret.public_key().hash().to_string();
    assert!(again.out.starts_with(&hash), "{again:?}");
}

#[tokio::test]
async fn another_token_than_the_one_that_sealed_gets_no_key_of_its_own_beside_the_old_files() {
    let Some(node) = Alone::new().await else {
        return;
    };
    let secret = SecretKey::generate(Curve::Bls12_381).unwrap();
    let first = node.run(&["key", "seal"], &spelt(&secret)).await;
    assert_eq!(first.exit, 0, "{first:?}");
    node.initialise("two").await;
    node.configure("two");
    let other = SecretKey::generate(Curve::Ed25519).unwrap();
    let refused = node.run(&["key", "seal"], &spelt(&other)).await;
    assert_eq!(refused.exit, 1, "{refused:?}");
    assert!(
        refused.err.contains("bring the right token back"),
        "{refused:?}"
    );
    assert!(!node.sealed(&other).exists());
}

#[tokio::test]
async fn a_request_that_was_exchanged_on_its_way_is_sent_nothing() {
    let Some(node) = Alone::new().await else {
        return;
    };
    let generate = ["key", "generate", "p256", "--source", "2", "--copyable"];
    let made = node.run(&generate, "").await;
    let key = made.out.split(' ').next().unwrap().to_owned();
    let request = ["key", "copy", "request", "--source", "2"];
    let (own, other) = (node.run(&request, "").await, node.run(&request, "").await);
    let fingerprint = own.err.lines().next().unwrap();
    let fingerprint = fingerprint.strip_prefix("fingerprint ").unwrap();
    let send = [
        "key",
        "copy",
        "send",
        &key,
        "--source",
        "2",
        "--fingerprint",
        fingerprint,
    ];
    let refused = node.run(&send, &other.out).await;
    assert_eq!(refused.exit, 1, "{refused:?}");
    assert!(
        refused.out.is_empty() && refused.err.contains("nothing was sent"),
        "{refused:?}"
    );
    let sent = node.run(&send, &own.out).await;
    assert_eq!(sent.exit, 0, "{sent:?}");
}

#[tokio::test]
async fn words_for_a_token_are_refused_where_there_is_none() {
    let Some(node) = Alone::new().await else {
        return;
    };
    let secret = spelt(&SecretKey::generate(Curve::Bls12_381).unwrap());
    for (words, exit, says) in [
        (
            &["key", "generate", "p256", "--copyable"][..],
            64,
            "--source",
        ),
        (
            &["key", "generate", "p256", "--source", "3"],
            64,
            "key seal",
        ),
        (
            &["key", "generate", "bls12-381", "--source", "2"],
            1,
            "sealed",
        ),
        (&["key", "import", "--source", "2"], 1, "sealed"),
        (
            &["key", "generate", "p256", "--source", "9"],
            64,
            "number 9",
        ),
        (&["key", "copy", "request"], 64, "--source"),
        (
            &["key", "seal", "--source", "1"],
            64,
            "backend = \"sealed\"",
        ),
    ] {
        let refused = node.run(words, &secret).await;
        assert_eq!(refused.exit, exit, "{words:?}: {refused:?}");
        assert!(refused.err.contains(says), "{words:?}: {refused:?}");
        assert!(refused.out.is_empty(), "{words:?}: {refused:?}");
    }
}

/// Files that root made would keep the node from its keys at its next start.
#[tokio::test]
async fn a_command_that_leaves_files_is_refused_to_anyone_but_the_user_of_the_node() {
    if !rustix::process::geteuid().is_root() {
        return shim_orders::skip("only root can give a folder to another user");
    }
    let Some(node) = Alone::new().await else {
        return;
    };
    let identity = node.path("data/identity");
    std::os::unix::fs::chown(&identity, Some(65_534), None).unwrap();
    let secret = spelt(&SecretKey::generate(Curve::P256).unwrap());
    for words in [
        &["key", "generate", "p256"][..],
        &["key", "generate", "p256", "--source", "2"],
        &["key", "import"],
        &["key", "seal"],
        &["key", "copy", "request", "--source", "2"],
    ] {
        let refused = node.run(words, &secret).await;
        assert_eq!(refused.exit, 64, "{refused:?}");
        assert!(refused.err.contains("sudo -u '#65534'"), "{refused:?}");
    }
    assert!(!node.path("data/refused-pins").exists());
    std::os::unix::fs::chown(&identity, Some(0), None).unwrap();
    let made = node.run(&["key", "generate", "p256"], "").await;
    assert_eq!(made.exit, 0, "{made:?}");
}
