//! The whole node in one thread on virtual time: consensus, hello, leadership, forwarding, ledger
//! and sign path over disks in memory and a network of function calls.

mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;

use raft_store::command::{Answer as Applied, Command, Enrolment};
use raft_store::memory::{MemoryDisk, MemoryFolder};
use raft_store::runtime;
use raft_store::state::{Chains, ReleaseMode, Role};
use tezos::{Curve, Kind, Level, PublicKey, PublicKeyHash, Signature};
use tokio::time::{Instant, timeout};

use self::stage::{Node, PATIENCE, Spindle, World, address, key, lock};
use super::world::attestation;
use crate::answer::Reply;
use crate::cluster::{Ability, Stop, View};
use crate::config::Times;
use crate::run::Assembled;
use crate::sign::tests::secrets::TestSigner;
use crate::sign::{Ask, Sign};

/// Forms a cluster of three, enrols a key, signs, kills the leader, and signs on another node.
async fn story(world: Arc<World>, signer: TestSigner) -> [Signature; 2] {
    let nodes = formed(&world).await;
    let mut signers = BTreeMap::<u64, Assembled<MemoryFolder>>::new();
    for (id, node) in &nodes {
        let assembling = async { node.assemble(&signer) };
        signers.insert(*id, node.process.run(assembling).await);
    }
    enrol(&nodes[&2], signer.key()).await;
    let ask = async |id: u64, level: u32| {
        let (node, path) = (&nodes[&id], Arc::clone(&signers[&id].path));
        let ask = attest(signer.key().hash(), level);
        let asked = node.process.spawn(async move { path.request(ask).await });
        let reply = asked.await.unwrap();
        let Reply::Signed { signature, .. } = reply else {
            panic!("node {id} says {reply:?}");
        };
        signature
    };
    let leader = nodes[&1]
        .sees(|view| view.leader.is_some())
        .await
        .leader
        .unwrap();
    let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
    let first = ask(others[0], 10).await;

    world.note(format!("{leader} is killed"));
    nodes[&leader].disk.crash();
    nodes[&leader].process.end();
    lock(&world.ports).remove(&address(leader));
    nodes[&others[0]]
        .sees(|view| view.leader.is_some_and(|now| now != leader))
        .await;
    let second = ask(others[1], 11).await;
    world.note("signed".to_owned());

    // What the dead one held is free, and it comes back as a follower.
    let node = Node::start(leader, nodes[&leader].disk.clone(), &world).await;
    node.sees(|view| view.leader.is_some_and(|now| now != leader) && view.applied >= Some(4))
        .await;
    [first, second]
}

/// Three nodes over new disks that form a cluster.
async fn formed(world: &Arc<World>) -> BTreeMap<u64, Node> {
    let mut nodes = BTreeMap::new();
    for id in 1..=3 {
        let disk = MemoryDisk::new();
        MemoryFolder::create(&disk, key(id)).unwrap();
        disk.set_driver(Arc::new(Spindle {
            node: id,
            disk: disk.clone(),
            world: Arc::clone(world),
        }));
        nodes.insert(id, Node::start(id, disk, world).await);
    }
    let lines: Vec<_> = (1..=3)
        .map(|id| format!("{}#{}", address(id), key(id)).parse().unwrap())
        .collect();
    for node in nodes.values() {
        node.process.run(node.cluster.form(&lines)).await.unwrap();
    }
    nodes
}

async fn enrol(node: &Node, public_key: PublicKey) {
    let enrolment = Command::Enrol(Box::new(Enrolment {
        generation: 0,
        public_key,
        role: Role::Baker,
        release: ReleaseMode::AfterCommit,
        kinds: [Kind::Attestation].into(),
        operations: [].into(),
        votes: [].into(),
        chains: Chains::Any { floor: Level::ZERO },
        authorized: vec![],
        imports: vec![],
    }));
    let proposed = node.cluster.propose(enrolment, Instant::now() + PATIENCE);
    let committed = node.process.run(proposed).await.unwrap();
    assert_eq!(committed.answer, Applied::Applied { generation: 1 });
}

fn attest(key: PublicKeyHash, level: u32) -> Ask {
    Ask::Sign(Sign {
        key,
        bytes: attestation(level, 1),
        authentication: None,
        version: None,
        authorized_only: false,
    })
}

/// One run from a seed: what was signed, and everything that happened.
fn run(seed: u64, signer: &TestSigner) -> ([Signature; 2], Vec<String>) {
    let _seeded = runtime::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let world = Arc::new(World::default());
    let signed = runtime.block_on(story(Arc::clone(&world), signer.clone()));
    let events = std::mem::take(&mut *lock(&world.events));
    (signed, events)
}

#[test]
fn three_nodes_in_one_thread_sign_through_the_death_of_their_leader_the_same_way_every_time() {
    let signer = TestSigner::deterministic(Curve::Ed25519);
    let (signed, events) = run(1, &signer);
    assert_ne!(signed[0], signed[1]);
    for _ in 0..3 {
        let (again, repeated) = run(1, &signer);
        assert_eq!(again, signed);
        let differ = events
            .iter()
            .zip(&repeated)
            .position(|(one, other)| one != other);
        let differ = differ.map(|at| (at, &events[at], &repeated[at]));
        assert_eq!(differ, None);
        assert_eq!(events.len(), repeated.len());
    }
    let (_, other) = run(2, &signer);
    assert_ne!(events, other, "another seed is another run");
}

/// R30. A leader whose token hangs answers "elsewhere" only if it has heard of somebody who can.
#[test]
fn what_a_node_can_do_is_told_to_its_peers_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = Arc::new(World::default());
        let nodes = formed(&world).await;
        let heartbeat = Times::default().heartbeat;
        let key = TestSigner::deterministic(Curve::Ed25519).key().hash();
        for able in [true, false, true, false, true] {
            let before = Instant::now();
            nodes[&3].cluster.set_ability(Ability {
                can_sign: BTreeMap::from([(key, able)]),
                ..Ability::default()
            });
            for id in [1, 2] {
                let told = |view: &View| {
                    let hello = view.peers.get(&3).and_then(|peer| peer.hello.as_ref());
                    hello.is_some_and(|hello| hello.can_sign.get(&key) == Some(&able))
                };
                nodes[&id].sees(told).await;
            }
            assert!(before.elapsed() < heartbeat, "{:?}", before.elapsed());
        }
    });
}

#[test]
fn a_full_disk_ends_its_node_with_the_code_for_io() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let stop = runtime.block_on(async {
        let world = Arc::new(World::default());
        let disk = MemoryDisk::new();
        MemoryFolder::create(&disk, key(1)).unwrap();
        let node = Node::start(1, disk, &world).await;
        let lines = [format!("{}#{}", address(1), key(1)).parse().unwrap()];
        node.process.run(node.cluster.form(&lines)).await.unwrap();
        node.sees(|view| view.is_leader).await;
        node.disk.set_full(true);
        let command = Command::Format { format: 1 };
        let deadline = Instant::now() + PATIENCE;
        drop(
            node.process
                .run(node.cluster.propose(command, deadline))
                .await,
        );
        timeout(PATIENCE, node.cluster.must_stop()).await.unwrap()
    });
    let Stop { exit_code, reason } = stop;
    assert_eq!(exit_code, 74, "{reason}");
}
