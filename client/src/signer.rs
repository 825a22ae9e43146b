//! The calls of the signer API.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tezos::possession::Possession;
use tezos::{Curve, PublicKey, PublicKeyHash, SecretKey, Signature, wire};

use crate::fault::ClientError;
use crate::nodes::{Answer, Nodes, Question};
use crate::{Endpoint, NoClient};

/// The signature version sent with every request: 3 is what protocol 025's own clients send, and
/// for tz4 it names the proof-of-possession scheme, the only one that is signed.
const VERSION: &str = "3";

/// How a client asks.
#[derive(Debug)]
pub struct Options {
    /// The client key that signs each request, if the signer asks for it. Default: none.
    pub authentication: Option<SecretKey>,
    /// How long to wait for a TCP connection to one node. Default 500 ms: it is a local network.
    pub connect_time: Duration,
    /// How long to wait for one node's whole answer. Default 2.5 s, above a node's own deadline of 2.0 s, so that a
    /// node that can still say 502 is heard.
    pub answer_time: Duration,
    /// PEM certificates that an `https://` node's certificate may be signed by. Default: none, and
    /// the system's own are not asked: a signer is not a public web site.
    pub trusted: Option<Vec<u8>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            authentication: None,
            connect_time: Duration::from_millis(500),
            answer_time: Duration::from_millis(2_500),
            trusted: None,
        }
    }
}

/// Who may ask for signatures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Authorized {
    /// Nobody has to authenticate.
    Anyone,
    /// A request must carry a signature by one of these keys.
    Only(Vec<PublicKeyHash>),
}

/// A client of one signer, or of the nodes of a cluster. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Client {
    nodes: Nodes,
    authentication: Option<SecretKey>,
}

impl Client {
    /// A client that asks these nodes, the first one first. Opens no connection yet.
    ///
    /// # Errors
    /// If no node is named, the certificates cannot be read, or TLS cannot start.
    pub fn new(nodes: Vec<Endpoint>, options: Options) -> Result<Self, NoClient> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(options.trusted.as_deref())?)
            .connect_timeout(options.connect_time)
            .timeout(options.answer_time)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            nodes: Nodes::new(http, nodes)?,
            authentication: options.authentication,
        })
    }

    /// Whether requests must be authenticated, and by whom: `GET /authorized_keys`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn authorized_keys(&self) -> Result<Authorized, ClientError> {
        #[derive(Deserialize)]
        struct Body {
            authorized_keys: Option<Vec<PublicKeyHash>>,
        }
        let answer = self.get("/authorized_keys".to_owned()).await?;
        let body: Body = read(&answer, "{} or {\"authorized_keys\":[...]}")?;
        Ok(body
            .authorized_keys
            .map_or(Authorized::Anyone, Authorized::Only))
    }

    /// The public key of a hash: `GET /keys/<pkh>`. It is checked against the hash.
    ///
    /// # Errors
    /// See [`ClientError`]; an unknown key is `Answered` with 404.
    pub async fn public_key(&self, key: &PublicKeyHash) -> Result<PublicKey, ClientError> {
        #[derive(Deserialize)]
        struct Body {
            public_key: PublicKey,
        }
        let answer = self.get(format!("/keys/{key}")).await?;
        let body: Body = read(&answer, "{\"public_key\":\"...\"}")?;
        if body.public_key.hash() != *key {
            return Err(ClientError::Unfit {
                node: answer.node,
                what: "public key",
                key: *key,
            });
        }
        Ok(body.public_key)
    }

    /// Every key the signer knows: `GET /known_keys`, which is off by default.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn known_keys(&self) -> Result<Vec<PublicKeyHash>, ClientError> {
        #[derive(Deserialize)]
        struct Body {
            known_keys: Vec<PublicKeyHash>,
        }
        let answer = self.get("/known_keys".to_owned()).await?;
        let body: Body = read(&answer, "{\"known_keys\":[...]}")?;
        Ok(body.known_keys)
    }

    /// Has the whole message signed, magic byte included: `POST /keys/<pkh>`. The signature is
    /// verified before it is returned.
    ///
    /// # Errors
    /// See [`ClientError`]. After an `Outage` the same bytes may be asked again.
    pub async fn sign(&self, key: &PublicKey, message: &[u8]) -> Result<Signature, ClientError> {
        #[derive(Deserialize)]
        struct Body {
            signature: String,
        }
        let hash = key.hash();
        let mut path = format!("/keys/{hash}?version={VERSION}");
        if let Some(secret) = &self.authentication {
            let proof = secret.sign(&wire::authentication_message(&hash, message));
            path = format!("{path}&authentication={proof}");
        }
        let question = Question {
            method: Method::POST,
            path,
            body: Some(format!("\"{}\"", hex::encode(message))),
        };
        let answer = self.nodes.ask(&question).await?;
        let body: Body = read(&answer, "{\"signature\":\"...\"}")?;
        let signature = parse(&answer, key.curve(), &body.signature)?;
        match key.verify(message, &signature) {
            Ok(_) => Ok(signature),
            Err(_) => Err(unfit(answer.node, "signature", hash)),
        }
    }

    /// The proof that somebody holds this tz4 key: `GET /bls_prove_possession/<pkh>`, which is off by default.
    /// `instead` asks for a proof over another tz4 public key. The proof is verified.
    ///
    /// # Errors
    /// See [`ClientError`]; only tz4 keys have one.
    pub async fn prove_possession(
        &self,
        key: &PublicKey,
        instead: Option<PublicKey>,
    ) -> Result<Signature, ClientError> {
        #[derive(Deserialize)]
        struct Body {
            bls_prove_possession: String,
        }
        let hash = key.hash();
        let path = match &instead {
            Some(other) => format!("/bls_prove_possession/{hash}?bls_pk={other}"),
            None => format!("/bls_prove_possession/{hash}"),
        };
        let Ok(possession) = Possession::new(key, instead) else {
            return Err(ClientError::NoPossession { key: hash });
        };
        let answer = self.get(path).await?;
        let body: Body = read(&answer, "{\"bls_prove_possession\":\"...\"}")?;
        let proof = parse(&answer, Curve::Bls12_381, &body.bls_prove_possession)?;
        match possession.verify(key, &proof) {
            Ok(_) => Ok(proof),
            Err(_) => Err(unfit(answer.node, "proof of possession", hash)),
        }
    }

    async fn get(&self, path: String) -> Result<Answer, ClientError> {
        let question = Question {
            method: Method::GET,
            path,
            body: None,
        };
        self.nodes.ask(&question).await
    }
}

fn tls(trusted: Option<&[u8]>) -> Result<rustls::ClientConfig, NoClient> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(pem) = trusted {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate =
                certificate.map_err(|error| NoClient::Certificates(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| NoClient::Certificates(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(NoClient::Certificates("there is none in it".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn read<T: DeserializeOwned>(answer: &Answer, wanted: &'static str) -> Result<T, ClientError> {
    serde_json::from_slice(&answer.body).map_err(|_unparsed| ClientError::Unreadable {
        node: answer.node.clone(),
        wanted,
    })
}

fn parse(answer: &Answer, curve: Curve, text: &str) -> Result<Signature, ClientError> {
    Signature::parse(curve, text).map_err(|source| ClientError::Unparsable {
        node: answer.node.clone(),
        wanted: "signature",
        source,
    })
}

fn unfit(node: Endpoint, what: &'static str, key: PublicKeyHash) -> ClientError {
    ClientError::Unfit { node, what, key }
}
