//! The story: what the promises mean, told by doing each thing and looking at what came of it.
//! Nothing in it is staged; if a promise does not hold, the story ends with an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use client::ClientError;
use tezos::{ChainId, Curve, Kind, Level, PublicKey, Round, Signature, Slot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::deadline::wait_for;
use super::fault::DevError;
use super::figures::{Floor, Spread, told};
use super::message::consensus;
use super::pulled::pull_the_leaders_token;
use super::race::{Last, Race, Tally, longest_silence};
use super::rates::{BAKERS, Rates, record_per_commit};
use super::screen::Screen;
use crate::admin::MarkReport;

/// A chain that does not exist, for messages that no network takes.
const CHAIN: ChainId = ChainId(*b"qdev");

/// Slots that are signed one after another for the figures.
const SEQUENTIAL: u32 = 300;

/// How many slots are won before the leader is killed, and after a new one leads.
const BEFORE_KILL: usize = 50;
const AFTER_KILL: usize = 50;

const PATIENCE: Duration = Duration::from_secs(20);

/// Tells the whole story; with `tokens`, that of the leader's token too.
///
/// # Errors
/// If a promise does not hold, or the cluster fails.
pub(super) async fn tell(
    cluster: &mut Cluster,
    screen: &Screen,
    tokens: bool,
) -> Result<(), DevError> {
    let mut story = Story {
        level: first_free_level(cluster).await?,
        leader: cluster.leader().await?,
        cluster,
        screen,
    };
    let signed = story.an_attestation_through_a_follower().await?;
    story.the_mark_on_three_nodes(&signed).await?;
    story.the_conflicting_one(&signed).await?;
    story.the_same_bytes_elsewhere(&signed).await?;
    story.every_curve().await?;
    story.how_long_one_takes().await?;
    story.the_leader_dies().await?;
    if tokens {
        story.what_a_token_costs().await?;
        story.the_leaders_token_is_pulled().await?;
    }
    story.how_to_use_it();
    Ok(())
}

/// The running races, each with its key.
type Races = JoinSet<Result<(PublicKey, Tally), DevError>>;

struct Story<'a> {
    cluster: &'a mut Cluster,
    screen: &'a Screen,
    leader: u64,
    /// The next level that nothing was signed at.
    level: Level,
}

/// What the first chapter got signed.
struct Attested {
    key: PublicKey,
    slot: Slot,
    message: Vec<u8>,
    signature: Signature,
}

impl Story<'_> {
    async fn an_attestation_through_a_follower(&mut self) -> Result<Attested, DevError> {
        let key = self.first_key()?;
        let slot = self.next_slot()?;
        let [follower, _] = self.followers();
        self.screen.chapter(&format!(
            "An attestation, asked of node {follower}, which does not lead (node {} does)",
            self.leader
        ));
        let message = consensus(key.curve(), Kind::Attestation, CHAIN, slot, 0);
        let start = Instant::now();
        let signature = self.sign("first", &[follower], &key, &message).await?;
        let took = told(start.elapsed());
        self.screen.line(&format!(
            "{} for level {}, round {}",
            key.hash(),
            slot.level,
            slot.round
        ));
        self.screen
            .line(&format!("signed and verified after {took}: {signature}"));
        Ok(Attested {
            key,
            slot,
            message,
            signature,
        })
    }

    async fn the_mark_on_three_nodes(&self, signed: &Attested) -> Result<(), DevError> {
        self.screen
            .chapter("Before it was signed, a majority had written this down");
        for node in self.cluster.nodes() {
            let id = node.id();
            let start = Instant::now();
            wait_for("the mark on every node", PATIENCE, || async {
                let marked = self
                    .is_marked(id, signed)
                    .await
                    .map_err(|error| error.to_string())?;
                if marked {
                    Ok(())
                } else {
                    Err(format!("node {id} does not have it"))
                }
            })
            .await?;
            self.screen.line(&format!(
                "node {id}: attestation of {} stands at level {}, round {} (seen after {})",
                signed.key.hash(),
                signed.slot.level,
                signed.slot.round,
                told(start.elapsed()),
            ));
        }
        Ok(())
    }

    async fn is_marked(&self, id: u64, signed: &Attested) -> Result<bool, DevError> {
        let reports = self.cluster.key_reports(id).await?;
        let enrolled = reports
            .iter()
            .find(|report| report.public_key == signed.key)
            .and_then(|report| report.enrolled.as_ref());
        Ok(enrolled.is_some_and(|enrolled| {
            enrolled.marks.iter().any(|mark| {
                (mark.chain, mark.kind) == (CHAIN, Kind::Attestation)
                    && Slot::new(mark.level, mark.round) == signed.slot
            })
        }))
    }

    async fn the_conflicting_one(&self, signed: &Attested) -> Result<(), DevError> {
        let [_, other] = self.followers();
        self.screen.chapter(&format!(
            "Another attestation for the same slot, asked of node {other}"
        ));
        let conflicting = consensus(signed.key.curve(), Kind::Attestation, CHAIN, signed.slot, 1);
        let start = Instant::now();
        let said = self.refused(other, &signed.key, &conflicting).await?;
        self.screen.line(&format!(
            "refused after {} with 409: {said}",
            told(start.elapsed())
        ));
        Ok(())
    }

    async fn the_same_bytes_elsewhere(&self, signed: &Attested) -> Result<(), DevError> {
        self.screen
            .chapter("The first one again, asked of every node");
        for node in self.cluster.nodes() {
            let start = Instant::now();
            let again = self
                .sign("again", &[node.id()], &signed.key, &signed.message)
                .await?;
            if again != signed.signature {
                let what = format!(
                    "node {} gave another signature for the same bytes",
                    node.id()
                );
                return Err(DevError::Broken(what));
            }
            let took = told(start.elapsed());
            self.screen.line(&format!(
                "node {}: the same signature, after {took}",
                node.id()
            ));
        }
        Ok(())
    }

    async fn every_curve(&mut self) -> Result<(), DevError> {
        self.screen
            .chapter("A block, a preattestation and an attestation with every key");
        for key in self.keys() {
            let slot = self.next_slot()?;
            let start = Instant::now();
            for kind in [Kind::Block, Kind::Preattestation, Kind::Attestation] {
                let message = consensus(key.curve(), kind, CHAIN, slot, 0);
                self.sign("every curve", &[1, 2, 3], &key, &message).await?;
            }
            let took = told(start.elapsed());
            self.screen.line(&format!(
                "{:<10} {} all three in {took}",
                key.curve(),
                key.hash()
            ));
        }
        Ok(())
    }

    async fn how_long_one_takes(&mut self) -> Result<(), DevError> {
        self.screen
            .chapter(&format!("{SEQUENTIAL} preattestations, one after another"));
        let key = self.first_key()?;
        let [follower, _] = self.followers();
        let at_leader = self.sequential(&key, self.leader).await?;
        let forwarded = self.sequential(&key, follower).await?;
        let floor = Floor::measure(self.cluster, self.leader, key.curve()).await?;
        let tell = |text: String| self.screen.line(&text);
        tell(format!("asked of the leader:  {at_leader}"));
        tell(format!("asked of a follower:  {forwarded}"));
        tell(format!("one fdatasync here:   {}", floor.fdatasync));
        tell(format!("one round trip here:  {}", floor.round_trip));
        tell(format!("one signature here:   {}", floor.signature));
        tell(format!(
            "so a request is {:.1} x the floor of {} (through a follower {:.1} x)",
            floor.ratio(at_leader.p50),
            told(floor.p50()),
            floor.ratio(forwarded.p50),
        ));
        Ok(())
    }

    async fn sequential(&mut self, key: &PublicKey, node: u64) -> Result<Spread, DevError> {
        let client = self.cluster.client(&[node])?;
        let mut series = Vec::new();
        for _ in 0..SEQUENTIAL {
            let slot = self.next_slot()?;
            let message = consensus(key.curve(), Kind::Preattestation, CHAIN, slot, 0);
            let start = Instant::now();
            let signed = client.sign(key, &message).await;
            series.push(start.elapsed());
            signed.map_err(|source| DevError::Request {
                chapter: "sequential",
                source,
            })?;
        }
        Ok(Spread::of(series))
    }

    async fn the_leader_dies(&mut self) -> Result<(), DevError> {
        let leader = self.cluster.leader().await?;
        self.screen.chapter(&format!(
            "Node {leader} leads, and is killed with -9 while two bakers race for every slot of every key"
        ));
        let stop = Arc::new(AtomicBool::new(false));
        let won = Arc::new(AtomicUsize::new(0));
        let mut races = self.races(&stop, &won)?;
        wait_for("slots to be won", PATIENCE, || at_least(&won, BEFORE_KILL)).await?;
        let killed = Instant::now();
        self.cluster.node(leader)?.kill()?;
        let then = won.load(Ordering::Relaxed).saturating_add(AFTER_KILL);
        wait_for("slots to be won without it", PATIENCE, || {
            at_least(&won, then)
        })
        .await?;
        let new_leader = self.cluster.leader().await?;
        self.screen.line(&format!("node {new_leader} leads now"));

        let back = Instant::now();
        self.cluster.node(leader)?.start()?;
        self.cluster.ready().await?;
        self.cluster.write_manifest()?;
        self.screen.line(&format!(
            "node {leader} is back and ready after {}",
            told(back.elapsed())
        ));
        stop.store(true, Ordering::Relaxed);
        let mut tallies = Vec::new();
        while let Some(joined) = races.join_next().await {
            let (key, tally) = joined.map_err(|error| DevError::Broken(error.to_string()))??;
            tallies.push((key, tally));
        }
        self.judge(tallies, killed).await
    }

    async fn judge(
        &self,
        tallies: Vec<(PublicKey, Tally)>,
        killed: Instant,
    ) -> Result<(), DevError> {
        let won: Vec<Instant> = tallies
            .iter()
            .flat_map(|(_, tally)| tally.won.clone())
            .collect();
        let asked_again: usize = tallies.iter().map(|(_, tally)| tally.asked_again).sum();
        let slots = won.len();
        let gap = told(longest_silence(won, killed));
        self.screen
            .line(&format!("the gap: {gap} without a signature"));
        self.screen.line(&format!(
            "{slots} slots, two different messages each: one of the two was signed in every slot, \
             never both ({asked_again} times a baker had to ask the same again)"
        ));
        for (key, tally) in &tallies {
            if let Some(last) = &tally.last {
                self.every_node_agrees(key, last).await?;
            }
        }
        self.screen.line(
            "every node, the one that came back too, repeats the last signature of each key and \
             refuses its rival",
        );
        Ok(())
    }

    async fn every_node_agrees(&self, key: &PublicKey, last: &Last) -> Result<(), DevError> {
        for node in self.cluster.nodes() {
            let again = self
                .sign("after the kill", &[node.id()], key, &last.winner)
                .await?;
            if again != last.signature {
                let what = format!(
                    "node {} gave another signature of {}",
                    node.id(),
                    key.hash()
                );
                return Err(DevError::Broken(what));
            }
            self.refused(node.id(), key, &last.loser).await?;
        }
        Ok(())
    }

    /// One race per key. `won` counts the slots that were decided.
    fn races(&mut self, stop: &Arc<AtomicBool>, won: &Arc<AtomicUsize>) -> Result<Races, DevError> {
        let mut races = JoinSet::new();
        let from = self.next_slot()?.level;
        for key in self.keys() {
            let race = Race {
                key: key.clone(),
                chain: CHAIN,
                kind: Kind::Block,
                from,
                bakers: [
                    Arc::new(self.cluster.client(&[1, 2, 3])?),
                    Arc::new(self.cluster.client(&[2, 3, 1])?),
                ],
                won: Arc::clone(won),
            };
            let stop = Arc::clone(stop);
            races.spawn(async move { Ok((key, race.run(stop).await?)) });
        }
        Ok(races)
    }

    async fn what_a_token_costs(&self) -> Result<(), DevError> {
        self.screen.chapter(&format!(
            "What a token costs: one request after another, and {BAKERS} at once"
        ));
        for key in self.keys() {
            let from = first_free_level(self.cluster).await?;
            let rates = Rates::measure(self.cluster, &key, from).await?;
            let token = match rates.token {
                Some(token) => format!("the token alone {token}/s"),
                None => "not in the token, but sealed by it".to_owned(),
            };
            self.screen.line(&format!(
                "{:<10} {}; at once {}/s, {token}",
                key.curve(),
                rates.sequential,
                rates.at_once
            ));
        }
        let ratio = record_per_commit(self.cluster).await?;
        self.screen.line(&format!(
            "to record the signature before it leaves takes {ratio:.2} x as long as one commit"
        ));
        Ok(())
    }

    async fn the_leaders_token_is_pulled(&mut self) -> Result<(), DevError> {
        let leader = self.cluster.leader().await?;
        self.screen.chapter(&format!(
            "Node {leader} leads, and its token is taken away while a baker a key asks a follower"
        ));
        let keys: Vec<PublicKey> = self.keys();
        let keys: Vec<PublicKey> = keys
            .into_iter()
            .filter(|key| key.curve() != Curve::Bls12_381)
            .collect();
        let from = first_free_attestation(self.cluster).await?;
        let pulled = pull_the_leaders_token(self.cluster, &keys, CHAIN, from).await?;
        self.level = first_free_level(self.cluster).await?;
        let tell = |text: String| self.screen.line(&text);
        tell(format!(
            "node {} leads after {}",
            pulled.to,
            told(pulled.handed_over)
        ));
        tell(format!(
            "{} requests, {} of them lost, the longest took {}",
            pulled.asked,
            pulled.lost.len(),
            told(pulled.longest)
        ));
        if let Some(first) = pulled.lost.first() {
            return Err(DevError::Broken(format!("a request was lost: {first}")));
        }
        tell(format!(
            "the token is back, and node {} can sign again after {}, without a restart",
            pulled.from,
            told(pulled.healed)
        ));
        Ok(())
    }

    fn how_to_use_it(&self) {
        self.screen.chapter("To use it with octez-client");
        let urls: Vec<String> = self
            .cluster
            .nodes()
            .iter()
            .map(|node| node.signer_url())
            .collect();
        for (key, url) in self.cluster.keys().iter().zip(urls.iter().cycle()) {
            self.screen.line(&format!(
                "octez-client import secret key dev-{} {url}/{}",
                key.curve, key.public_key_hash
            ));
        }
        self.screen
            .line("any of the three addresses will do for any key");
    }

    async fn sign(
        &self,
        chapter: &'static str,
        nodes: &[u64],
        key: &PublicKey,
        message: &[u8],
    ) -> Result<Signature, DevError> {
        let answer = self.cluster.client(nodes)?.sign(key, message).await;
        answer.map_err(|source| DevError::Request { chapter, source })
    }

    /// Asks for what must be refused, and returns the words of the refusal.
    async fn refused(
        &self,
        node: u64,
        key: &PublicKey,
        message: &[u8],
    ) -> Result<String, DevError> {
        match self.cluster.client(&[node])?.sign(key, message).await {
            Ok(_) => Err(DevError::Broken(format!(
                "node {node} signed a second message of {} for one slot",
                key.hash()
            ))),
            Err(ClientError::Answered {
                status: 409,
                message,
                ..
            }) => Ok(message),
            Err(source) => Err(DevError::Request {
                chapter: "a refusal",
                source,
            }),
        }
    }

    fn first_key(&self) -> Result<PublicKey, DevError> {
        let none = || DevError::Broken("the cluster has no key; name one with --keys".to_owned());
        self.keys().into_iter().next().ok_or_else(none)
    }

    fn keys(&self) -> Vec<PublicKey> {
        self.cluster
            .keys()
            .iter()
            .map(|key| key.public_key.clone())
            .collect()
    }

    fn followers(&self) -> [u64; 2] {
        match self.leader {
            1 => [2, 3],
            2 => [3, 1],
            _ => [1, 2],
        }
    }

    fn next_slot(&mut self) -> Result<Slot, DevError> {
        let slot = Slot::new(self.level, Round::default());
        let none = || DevError::Broken("the levels of this folder are used up".to_owned());
        self.level = self.level.next().ok_or_else(none)?;
        Ok(slot)
    }
}

async fn at_least(won: &AtomicUsize, wanted: usize) -> Result<(), String> {
    let now = won.load(Ordering::Relaxed);
    if now >= wanted {
        Ok(())
    } else {
        Err(format!("{now} of {wanted}"))
    }
}

/// One above every attestation on this chain: further up it would be too far above them.
async fn first_free_attestation(cluster: &Cluster) -> Result<Level, DevError> {
    above(cluster, |mark| {
        (mark.chain, mark.kind) == (CHAIN, Kind::Attestation)
    })
    .await
}

/// One above every mark of an earlier run.
async fn first_free_level(cluster: &Cluster) -> Result<Level, DevError> {
    above(cluster, |_mark| true).await
}

async fn above(cluster: &Cluster, counts: impl Fn(&MarkReport) -> bool) -> Result<Level, DevError> {
    let leader = cluster.leader().await?;
    let reports = cluster.key_reports(leader).await?;
    let highest = reports
        .iter()
        .filter_map(|report| report.enrolled.as_ref())
        .flat_map(|enrolled| enrolled.marks.iter().filter(|mark| counts(mark)))
        .map(|mark| mark.level)
        .max();
    let next = match highest {
        Some(level) => level.next(),
        None => Level::new(1),
    };
    next.ok_or_else(|| DevError::Broken("the levels of this folder are used up".to_owned()))
}
