//! What this node answers its peers: hello, Raft's messages, and forwarded requests.

use std::sync::{Arc, OnceLock};

use axum::Extension;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::post;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use openraft::alias::SnapshotOf;
use raft_store::codec::{self, MAX_FRAME, Request, Response};
use raft_store::hello::Boot;
use raft_store::machine::StateDisk;
use raft_store::types::{LeaderId, Raft, Types};
use raft_store::witness::{Seen, Witnessed};
use serde::{Deserialize, Serialize};

use super::call::describe;
use super::candidacy::Candidacy;
use super::forward::Handlers;
use super::standing::{Greeting, Standing, Verdict};
use super::wire::Peer;
use super::{FORMAT, stamp};

/// The largest snapshot that is sent or taken, in bytes: 256 MiB.
pub const SNAPSHOT_MAX: usize = 256 << 20;

/// What one side of a hello exchange is answered with.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Greeted {
    /// What the answering node thinks of the asking one.
    pub verdict: Verdict,
    /// Who the answering node is.
    pub greeting: Greeting,
}

/// What the endpoint needs of a node that is bound to a cluster.
#[derive(Clone)]
#[expect(
    missing_debug_implementations,
    reason = "consensus has no Debug, and nothing prints this"
)]
pub struct Formed<D: StateDisk> {
    /// The consensus.
    pub raft: Raft<D>,
    /// The cluster that hellos must name.
    pub cluster: [u8; 16],
    /// Makes this node's next greeting; none once it is shut down.
    pub greet: Arc<dyn Fn() -> Option<Greeting> + Send + Sync>,
    /// Who sees which votes leave.
    pub witness: Witnessed,
}

/// Everything the handlers share.
#[expect(
    missing_debug_implementations,
    reason = "consensus has no Debug, and nothing prints this"
)]
pub struct Endpoint<D: StateDisk> {
    /// This start of this node.
    pub boot: Boot,
    /// Who is believed.
    pub standing: Standing,
    /// Who may win an election.
    pub candidacy: Arc<Candidacy>,
    /// Where forwarded requests go.
    pub handlers: Handlers,
    /// Set when the node is bound to a cluster. Before that no key is pinned, so nobody gets here.
    pub formed: OnceLock<Formed<D>>,
}

type Shared<D> = State<Arc<Endpoint<D>>>;

/// A refusal with its words.
type Refused = (StatusCode, String);

/// The routes of the peer port.
pub fn router<D: StateDisk>(endpoint: Arc<Endpoint<D>>) -> Router {
    Router::new()
        .route(&format!("/v{FORMAT}/hello"), post(hello::<D>))
        .route(&format!("/v{FORMAT}/raft"), post(raft::<D>))
        .route(&format!("/v{FORMAT}/snapshot"), post(snapshot::<D>))
        .route(&format!("/v{FORMAT}/forward/{{name}}"), post(forward::<D>))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(MAX_FRAME))
        .with_state(endpoint)
}

/// A path of another format is a node of another version, and its operator is told so.
async fn unknown(uri: Uri) -> Refused {
    let format = uri
        .path()
        .split('/')
        .nth(1)
        .and_then(|part| part.strip_prefix('v'));
    match format.and_then(|digits| digits.parse::<u16>().ok()) {
        Some(theirs) if theirs != FORMAT => (
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            format!(
                "the message has peer format {theirs}, this node (quorate {}) speaks format \
                 {FORMAT}; run versions that share one",
                env!("CARGO_PKG_VERSION")
            ),
        ),
        Some(_) | None => (
            StatusCode::NOT_FOUND,
            format!("no such path: {}", uri.path()),
        ),
    }
}

impl<D: StateDisk> Endpoint<D> {
    fn formed(&self) -> Result<&Formed<D>, Refused> {
        let unformed = "this node belongs to no cluster yet; run `quorate cluster form`";
        self.formed
            .get()
            .ok_or_else(|| (StatusCode::SERVICE_UNAVAILABLE, unformed.to_owned()))
    }

    /// Every handler but hello's goes through here, before it looks at the body.
    fn admit(&self, peer: Peer, headers: &HeaderMap) -> Result<&Formed<D>, Refused> {
        let boot = stamp::read(headers).map_err(bad_request)?;
        let admitted = self.standing.admits(peer.id, boot);
        admitted.map_err(|why| (StatusCode::FORBIDDEN, why.to_string()))?;
        self.formed()
    }

    fn reply(&self, body: Vec<u8>) -> HttpResponse {
        (stamp::headers(self.boot), body).into_response()
    }
}

async fn hello<D: StateDisk>(
    State(endpoint): Shared<D>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Result<HttpResponse, Refused> {
    let formed = endpoint.formed()?;
    let greeting: Greeting = codec::decode(&body).map_err(bad_request)?;
    let verdict = endpoint.standing.hear(peer, formed.cluster, &greeting);
    let greeting = (formed.greet)().ok_or_else(|| failed("this node is shutting down"))?;
    let greeted = Greeted { verdict, greeting };
    Ok(endpoint.reply(codec::encode(&greeted).map_err(failed)?))
}

async fn raft<D: StateDisk>(
    State(endpoint): Shared<D>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<HttpResponse, Refused> {
    let formed = endpoint.admit(peer, &headers)?;
    let request: Request = codec::decode_wire(&body).map_err(bad_request)?;
    same_sender(peer, request.sender())?;
    if let Request::Vote(r) | Request::PreVote(r) = &request {
        let allowed = endpoint.candidacy.allows(r.last_log_id);
        allowed.map_err(|why| (StatusCode::CONFLICT, why.to_string()))?;
    }
    let raft = &formed.raft;
    let response = match request {
        Request::Append(r) => raft
            .append_entries(r)
            .await
            .map(Response::Append)
            .map_err(failed)?,
        Request::Vote(r) => {
            let LeaderId { term, voted_for } = r.vote.leader_id;
            let voted = raft.vote(r).await.map_err(failed)?;
            if voted.vote_granted {
                formed.witness.saw(|| Seen::Vote {
                    term,
                    candidate: voted_for,
                });
            }
            Response::Vote(voted)
        }
        Request::PreVote(r) => raft.pre_vote(r).await.map(Response::Vote).map_err(failed)?,
        Request::TransferLeader(r) => raft
            .handle_transfer_leader(r)
            .await
            .map(Response::TransferLeader)
            .map_err(failed)?,
        Request::Snapshot { .. } => {
            return Err(bad_request("a snapshot goes to the path of its own"));
        }
    };
    Ok(endpoint.reply(codec::encode_wire(&response).map_err(failed)?))
}

/// A snapshot is larger than a frame may be: a frame with its metadata (its length first, 4 bytes
/// little-endian), then the state machine's own bytes, which carry a checksum of their own.
async fn snapshot<D: StateDisk>(
    State(endpoint): Shared<D>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    http: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let formed = endpoint.admit(peer, &headers)?;
    let body = Limited::new(http.into_body(), SNAPSHOT_MAX.saturating_add(MAX_FRAME))
        .collect()
        .await;
    let body = body
        .map_err(|error| bad_request(describe(error.as_ref())))?
        .to_bytes();
    let (request, data) = split_snapshot(&body).ok_or_else(|| bad_request("snapshot cut off"))?;
    let request: Request = codec::decode_wire(request).map_err(bad_request)?;
    same_sender(peer, request.sender())?;
    let Request::Snapshot { vote, meta, .. } = request else {
        return Err(bad_request("not the frame of a snapshot"));
    };
    let snapshot = SnapshotOf::<Types, _> {
        meta,
        snapshot: data.to_vec(),
    };
    let installed = formed
        .raft
        .install_full_snapshot(vote, snapshot)
        .await
        .map_err(failed)?;
    let response = Response::Snapshot(installed);
    Ok(endpoint.reply(codec::encode_wire(&response).map_err(failed)?))
}

/// Takes apart what [`join_snapshot`] made.
fn split_snapshot(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = body.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

/// The body of a snapshot message, or nothing if the frame's length has no 4 bytes.
#[must_use]
pub fn join_snapshot(frame: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(frame.len()).ok()?;
    Some([&length.to_le_bytes()[..], frame, data].concat())
}

async fn forward<D: StateDisk>(
    State(endpoint): Shared<D>,
    Extension(peer): Extension<Peer>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<HttpResponse, Refused> {
    endpoint.admit(peer, &headers)?;
    let answer = endpoint
        .handlers
        .answer(&name, peer.id, &headers, body)
        .await?;
    Ok(endpoint.reply(answer))
}

/// **Invariant:** no message is believed about who sent it: the connection's key says that.
fn same_sender(peer: Peer, sender: u64) -> Result<(), Refused> {
    if sender == peer.id {
        return Ok(());
    }
    let text = format!(
        "message of node {sender} on a connection of node {}",
        peer.id
    );
    Err((StatusCode::FORBIDDEN, text))
}

fn bad_request(error: impl ToString) -> Refused {
    (StatusCode::BAD_REQUEST, error.to_string())
}

fn failed(error: impl ToString) -> Refused {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}
