//! R32: the PIN is in no argument, in no child's environment, and in no log.

use std::path::PathBuf;

use node::dev::Settings;
use node::dev::pulled::able_again;
use tezos::Curve;

use crate::shimmed::Shimmed;
use crate::world::attestation;

#[tokio::test]
async fn the_pin_is_in_no_argument_no_environment_and_no_log() {
    let settings = Settings {
        log: vec!["level = \"trace\"".to_owned()],
        ..Settings::default()
    };
    let mut shimmed = Shimmed::with(&[1, 2, 3], &[Curve::P256], "after-record", settings).await;
    let world = &mut shimmed.world;
    // From a variable, as the source that is the hardest to keep from a child.
    let mut pins = Vec::new();
    for id in 1..=3 {
        let folder = world.dir().join(format!("node{id}"));
        let pin = std::fs::read_to_string(folder.join("pin")).unwrap();
        world.kill(id);
        let config = folder.join("node.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let from_variable = text.replace("pin_file = \"pin\"", "pin_variable = \"TOKEN_PIN\"");
        assert_ne!(text, from_variable);
        std::fs::write(&config, from_variable).unwrap();
        world
            .cluster
            .node(id)
            .unwrap()
            .env("TOKEN_PIN", pin.clone());
        std::fs::remove_file(folder.join("pin")).unwrap();
        world.start(id);
        pins.push(pin);
    }
    world.ready().await;
    let (key, slot) = (world.key(Curve::P256), world.next_slot());
    for id in 1..=3 {
        let keys = std::slice::from_ref(&key);
        able_again(&world.cluster, id, keys).await.unwrap();
    }
    let message = attestation(&key, slot, 0);
    world.insist(&[1, 2, 3], &key, &message).await.signature();

    let mut children = 0;
    for id in 1..=3 {
        let node = world.cluster.node(id).unwrap().pid().unwrap();
        let own = children_of(node);
        for process in own.iter().copied().chain([node]) {
            let line = proc(process, "cmdline");
            assert!(!holds(&line, &pins), "process {process} of node {id}");
        }
        for child in &own {
            assert!(!holds(&proc(*child, "environ"), &pins), "child {child}");
            let status = String::from_utf8(proc(*child, "status")).unwrap();
            assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        }
        children += own.len();
    }
    assert!(children >= 3, "each node has a process for its module");
    for path in files(world.dir()) {
        // The tokens hold it sealed, in SoftHSM's own way.
        let content = std::fs::read(&path).unwrap_or_default();
        assert!(!holds(&content, &pins), "{}", path.display());
    }
}

fn holds(bytes: &[u8], pins: &[String]) -> bool {
    pins.iter().any(|pin| {
        let windows = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        windows(pin.as_bytes()) || windows(hex::encode(pin).as_bytes())
    })
}

fn proc(process: u32, file: &str) -> Vec<u8> {
    std::fs::read(format!("/proc/{process}/{file}")).unwrap_or_default()
}

/// The children of a process, by the kernel's own list of each of its threads.
fn children_of(process: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let lists = threads.flatten().map(|thread| {
        let list = std::fs::read_to_string(thread.path().join("children"));
        list.unwrap_or_default()
    });
    let words: String = lists.collect::<Vec<_>>().join(" ");
    words
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all
}
